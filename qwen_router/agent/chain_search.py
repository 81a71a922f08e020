"""Finds chains: the quickest ways through typed tools from what a request has to what it wants.

Tools with several inputs make this a search over a hypergraph: a tool can start when all that it needs is there. Time runs
forward from what the request has, tools finish in the order of their time (Knuth's form of Dijkstra's algorithm), and the
first that gives what is wanted ends the quickest chain. Further chains are the quickest that do without one part of a chain
found before (Lawler's way). Whether a chain makes sense is not judged here: kinds are all that is known.

A chain's cost is its critical path, not the sum, because branches run side by side and the reader waits for the longest.
It is also what can be found exactly: the least sum with shared steps is a Steiner problem.

    python -c "from qwen_router.agent.graph import ToolGraph; print(ToolGraph.load().chains(['expression'], 'number')[0])"
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from qwen_router.agent.chains import Chain, Given, Step
from qwen_router.tool_kinds import countless, lineage, rarely_meant, specific
from qwen_router.tooling import ToolSignature

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

STEP_S = 0.001
"""Charged for each step, so that of two chains of equal tools the shorter one is the cheaper."""
RARELY_S = 30.0
"""Charged where a value stands for something that it is rarely meant as (a number as text), and for a tool that takes
nothing of what a request has: about one answer of a model, so that a picture is read for its text before the question is
taken for it, and a list of all files is no answer to everything."""
MAX_SEARCHES = 64


@dataclass(frozen=True, slots=True)
class _Shape:
    """Tools that need and give the same kinds, the quickest first. `needs` counts the required inputs of each kind; `may`
    are the optional ones of tools that need nothing."""

    needs: tuple[tuple[str, int], ...]
    gives: str
    may: tuple[str, ...]
    members: tuple[tuple[float, str], ...]


_Inputs = tuple[tuple[str, int], ...]
"""The kind that each value fills, and the value's number."""


@dataclass(frozen=True, slots=True)
class _Value:
    """What is there from `at_s` on: something given, or what a tool made of other values (with the kind that each fills)."""

    kind: str
    at_s: float
    given: Given | None = None
    tool: str = ""
    made_of: _Inputs = ()


_Use = tuple[str, str]  # a given kind, and what it stands for


class ChainFinder:
    """Plans over a set of tools. Made once for them; `find` may be called from many threads."""

    def __init__(self, signatures: Mapping[str, ToolSignature], tools: Mapping[str, BaseTool]) -> None:
        self.signatures = signatures
        self.tools = tools
        by_shape: dict[tuple[tuple[tuple[str, int], ...], str, tuple[str, ...]], list[tuple[float, str]]] = {}
        for name, signature in sorted(signatures.items()):
            required = Counter(kind for arg, kind in signature.inputs.items() if arg not in signature.optional)
            may = () if required else tuple(sorted(filter(specific, signature.inputs.values())))
            shape = (tuple(sorted(required.items())), signature.output, may)
            by_shape.setdefault(shape, []).append((signature.cost_s, name))
        self.shapes = tuple(_Shape(*shape, tuple(sorted(members))) for shape, members in sorted(by_shape.items()))
        self._starts: dict[str, _Start] = {}
        self._givers: dict[str, list[int]] = {}
        for s, shape_of in enumerate(self.shapes):
            for kind in lineage(shape_of.gives):
                self._givers.setdefault(kind, []).append(s)

    def find(
        self, have: Iterable[str], want: str, *, limit: int, usable: Callable[[str], bool] | None = None
    ) -> tuple[Chain, ...]:
        """The `limit` best chains. `have` may repeat a kind: two images."""
        start = self._start(want, usable)
        counts = Counter(have)
        found: dict[object, Chain] = {}
        costs: dict[object, float] = {}  # of every chain met, found or waiting
        seen: set[frozenset[str | _Use]] = set()
        waiting: list[tuple[tuple[float, float, int, tuple[str, ...]], int, Chain, frozenset[str | _Use]]] = []

        def search(without: frozenset[str | _Use]) -> None:
            if without in seen or len(seen) >= MAX_SEARCHES:
                return
            seen.add(without)
            beyond_s = sorted(costs.values())[limit - 1] if len(costs) >= limit else math.inf
            chain = _Search(start, counts, without, beyond_s).best()
            if chain is not None and (chain.needs or not without or len(chain.steps) == 1):
                costs[chain.identity] = chain.cost_s
                heappush(waiting, (chain.key, len(seen), chain, without))

        search(frozenset())
        while waiting and len(found) < limit:
            _, _, chain, without = heappop(waiting)
            if chain.identity in found:
                continue
            found[chain.identity] = chain
            if len(found) < limit:
                for part in _parts(chain):
                    search(without | {part})
        return tuple(sorted(found.values(), key=lambda chain: chain.key))

    def _start(self, want: str, usable: Callable[[str], bool] | None) -> _Start:
        """What a search begins with; kept for each kind that was wanted, while all tools may be used."""
        if usable is not None:
            return _Start.of(self, want, usable)
        if want not in self._starts:
            self._starts[want] = _Start.of(self, want, None)
        return self._starts[want]

    def frequency(self, kind: str) -> int:
        """How many shapes give the kind."""
        return len(self._givers.get(kind, ()))

    def relevant(self, want: str) -> dict[int, float]:
        """The shapes from which what is wanted can be reached, each with the least time from its output to there."""
        rest: dict[int, float] = {}
        settled: set[str] = set()
        todo = [(0.0, want)]
        while todo:
            at_s, kind = heappop(todo)
            if kind in settled:
                continue
            settled.add(kind)
            for s in self._givers.get(kind, ()):
                shape = self.shapes[s]
                rest_s = at_s + (RARELY_S if rarely_meant(shape.gives, kind) else 0.0)
                if rest_s < rest.get(s, math.inf):
                    rest[s] = rest_s
                    before_s = rest_s + shape.members[0][0] + STEP_S
                    for needed, _ in shape.needs:
                        if needed not in settled:
                            heappush(todo, (before_s, needed))
        return rest


def _parts(chain: Chain) -> list[str | _Use]:
    """What a further chain may do without: each tool, and each use of something given."""
    uses = {
        (source.kind, step.signature.inputs[arg])
        for step in chain.steps
        for arg, source in step.inputs.items()
        if isinstance(source, Given) and arg not in step.signature.optional
    }
    return [*sorted(set(chain.tools)), *sorted(uses)]


@dataclass(frozen=True, slots=True)
class _Start:
    """What every search for one wanted kind begins with; searches change nothing of it.

    `alone` are the tools that one value of a kind is enough for, the quickest first: most are such, and few of them matter.
    Of the other shapes, `needs` are their kinds, the most specific first, and `watch` has each under the kind that comes
    least often: the others are looked at when that is there. `tangled` are shapes that one value can serve in two places (a
    number and a text). `demand` is how many values of a kind can be of use. `rest` is the least time from a shape's output
    to what is wanted, `lead` that from its inputs.
    """

    finder: ChainFinder
    want: str
    rest: dict[int, float]
    members: dict[int, tuple[tuple[float, str], ...]] = field(default_factory=dict)
    alone: dict[str, list[tuple[float, str, int]]] = field(default_factory=dict)
    needs: dict[int, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    lead: dict[int, float] = field(default_factory=dict)
    tangled: set[int] = field(default_factory=set)
    watch: dict[str, list[int]] = field(default_factory=dict)
    demand: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, finder: ChainFinder, want: str, usable: Callable[[str], bool] | None) -> _Start:
        start = cls(finder, want, finder.relevant(want))
        for s in sorted(start.rest):
            shape = finder.shapes[s]
            members = shape.members if usable is None else tuple(m for m in shape.members if usable(m[1]))
            if sum(count for _, count in shape.needs) == 1:
                kind = shape.needs[0][0]
                start.alone.setdefault(kind, []).extend((*member, s) for member in members)
                start.demand[kind] = max(1, start.demand.get(kind, 0))
            elif members:
                start._join(s, shape, members)
        for tools in start.alone.values():
            tools.sort()
        return start

    def _join(self, s: int, shape: _Shape, members: tuple[tuple[float, str], ...]) -> None:
        self.members[s] = members
        self.lead[s] = members[0][0] + STEP_S + self.rest[s]
        self.needs[s] = tuple(sorted(shape.needs, key=lambda need: -len(lineage(need[0]))))
        for kind, _ in shape.needs:
            related = [n for other, n in shape.needs if kind in lineage(other) or other in lineage(kind)]
            self.demand[kind] = max(sum(related), self.demand.get(kind, 0))
            if len(related) > 1:
                self.tangled.add(s)
        if shape.needs:
            rarest = min(shape.needs, key=lambda need: (self.finder.frequency(need[0]), need[0]))[0]
            self.watch.setdefault(rarest, []).append(s)


class _Search:
    """One run forward in time, without some tools and some uses of what is given, for a chain that costs no more than
    `beyond_s`."""

    def __init__(self, start: _Start, have: Counter[str], without: frozenset[str | _Use], beyond_s: float) -> None:
        self.start, self.have, self.without, self.latest_s = start, have, without, beyond_s + 1e-9
        self.pushed = 0
        self.values: list[_Value] = []
        self.events: list[tuple[float, int, str, int, Callable[[float], Chain | None]]] = []
        self.here: dict[str, list[int]] = {}
        self.watch = {kind: dict.fromkeys(waiting) for kind, waiting in start.watch.items()}
        self.again = max((n for kind, n in have.items() if not countless(kind)), default=1) - 1
        self.started: dict[int, _Inputs] = {}

    def best(self) -> Chain | None:
        have = self.have
        for s, needs in self.start.needs.items():
            if not needs:
                at_home = not have or any(have[kind] for kind in self.start.finder.shapes[s].may)
                self._start(s, 0, 0.0 if at_home else RARELY_S, ())
        self._hand_out_given()
        while self.events:
            at_s, _, _, _, happen = heappop(self.events)
            chain = happen(at_s)
            if chain is not None:
                return chain
        return None

    def _at(self, at_s: float, rank: int, name: str, happen: Callable[[float], Chain | None]) -> None:
        """Let something happen at its time; at one time in the order of rank and name."""
        self.pushed += 1
        heappush(self.events, (at_s, rank, name, self.pushed, happen))

    def _hand_out_given(self) -> None:
        """What is given goes to inputs of its very kind first, then to those that it is a kind of."""
        given = [Given(kind, n + 1) for kind, count in sorted(self.have.items()) for n in range(count)]
        first = len(self.values)
        self.values += [_Value(one.kind, 0.0, given=one) for one in given]
        for depth in range(max((len(lineage(one.kind)) for one in given), default=0)):
            for number, one in enumerate(given, first):
                kinds = lineage(one.kind)
                if depth < len(kinds) and (one.kind, kinds[depth]) not in self.without:
                    self._offer(number, one.kind, kinds[depth], 0.0)

    def _offer(self, number: int, kind: str, wanted: str, at_s: float) -> None:
        if rarely_meant(kind, wanted):
            self._at(at_s + RARELY_S, 1, wanted, partial(self._arrive, number, wanted))
        else:
            self._arrive(number, wanted, at_s)

    def _arrive(self, number: int, wanted: str, at_s: float) -> None:
        """A value is there: the tools that waited for its kind may start, or wait for another."""
        if not self._waited_for(wanted):
            return
        here = self.here.setdefault(wanted, [])
        here.append(number)
        if len(here) <= 1 + self.again:
            self._next_alone(wanted, number, at_s, 0)
        for s in self.watch.pop(wanted, ()):
            if s in self.started:
                self._instead(s, wanted, number, at_s)
                continue
            if at_s + self.start.lead[s] > self.latest_s:
                continue  # too late for this one
            inputs = self._inputs(s)
            if isinstance(inputs, str):
                self._wait(s, inputs)
            else:
                self.started[s] = inputs
                self._start(s, 0, at_s, inputs)
                for kind, _ in self.start.needs[s] if self.again else ():
                    self.watch.setdefault(kind, {})[s] = None

    def _wait(self, s: int, missing: str) -> None:
        """Look at the shape again when there is more of what it lacks; a tangled one when there is more of anything."""
        kinds = [kind for kind, _ in self.start.needs[s]] if s in self.start.tangled else [missing]
        for kind in kinds:
            self.watch.setdefault(kind, {})[s] = None

    def _inputs(self, s: int) -> _Inputs | str:
        """Values for all that the shape needs, each for one input; or the first kind of which there are too few."""
        needs, all_here = self.start.needs[s], self.here
        for kind, _ in needs:
            if kind not in all_here:
                return kind
        if s in self.start.tangled:
            return self._dealt([kind for kind, count in needs for _ in range(count)], ()) or needs[0][0]
        found: list[tuple[str, int]] = []
        for kind, count in needs:
            here = all_here[kind]
            if count == 1:
                found.append((kind, here[0]))
            elif self._countless(here[0], kind):
                found += [(kind, here[0])] * count
            elif len(here) >= count:
                found += [(kind, number) for number in here[:count]]
            else:
                return kind
        return tuple(found)

    def _dealt(self, kinds: list[str], dealt: _Inputs) -> _Inputs:
        """A value for each of the kinds, none of them in two places; nothing when that cannot be had yet. What was there
        first is tried first."""
        if not kinds:
            return dealt
        kind, *others = kinds
        for number in self.here.get(kind, ()):
            uses = {use for use, other in dealt if other == number}
            if not uses or (uses == {kind} and self._countless(number, kind)):
                found = self._dealt(others, (*dealt, (kind, number)))
                if found:
                    return found
        return ()

    def _countless(self, number: int, kind: str) -> bool:
        """Whether the value stands for as many of its kind as are needed: a request with a unit may well have two."""
        value = self.values[number]
        return value.given is not None and value.kind == kind and countless(kind)

    def _instead(self, s: int, wanted: str, number: int, at_s: float) -> None:
        """Start a tool once more, with one value changed: a request with two images may want both read."""
        if not self.again:
            return
        inputs = list(self.started[s])
        last = max(i for i, (kind, _) in enumerate(inputs) if kind == wanted)
        self.watch.setdefault(wanted, {})[s] = None
        if number not in {other for _, other in inputs}:
            inputs[last] = (wanted, number)
            self._start(s, 0, at_s, tuple(inputs))

    def _next_alone(self, kind: str, number: int, there_s: float, first: int) -> None:
        """Let the next of the tools happen that this value is enough for. They come in the order of their cost."""
        tools, rest = self.start.alone.get(kind, ()), self.start.rest
        for i in range(first, len(tools)):
            cost_s, name, s = tools[i]
            done_s = there_s + cost_s + STEP_S
            if done_s > self.latest_s:
                return
            if name not in self.without and done_s + rest[s] <= self.latest_s:
                self._at(done_s, 0, name, partial(self._alone, kind, number, there_s, i))
                return

    def _alone(self, kind: str, number: int, there_s: float, i: int, at_s: float) -> None:
        _, tool, s = self.start.alone[kind][i]
        self._next_alone(kind, number, there_s, i + 1)
        self._made(s, tool, ((kind, number),), at_s)

    def _start(self, s: int, member: int, there_s: float, made_of: _Inputs) -> None:
        """Let the shape's first usable tool from `member` on happen: all that it needs is there."""
        members = self.start.members[s]
        for m in range(member, len(members)):
            cost_s, name = members[m]
            if name not in self.without:
                done_s = there_s + cost_s + STEP_S
                if done_s + self.start.rest[s] <= self.latest_s:
                    self._at(done_s, 0, name, partial(self._member, s, m, there_s, made_of))
                return

    def _member(self, s: int, m: int, there_s: float, made_of: _Inputs, at_s: float) -> None:
        if self._made(s, self.start.members[s][m][1], made_of, at_s):
            self._start(s, m + 1, there_s, made_of)

    def _made(self, s: int, tool: str, made_of: _Inputs, at_s: float) -> bool:
        """A tool is done. False when nobody waits for what it gives."""
        gives = self.start.finder.shapes[s].gives
        kinds = lineage(gives)
        if self.start.want not in kinds and not any(self._waited_for(kind) for kind in kinds):
            return False
        number = len(self.values)
        self.values.append(_Value(gives, at_s, tool=tool, made_of=made_of))
        for kind in kinds:
            if kind == self.start.want:
                charge = RARELY_S if rarely_meant(gives, kind) else 0.0
                self._at(at_s + charge, -1, tool, partial(self._chain, number))
            self._offer(number, gives, kind, at_s)
        return True

    def _waited_for(self, kind: str) -> bool:
        """Whether one more value of the kind can be of use."""
        return len(self.here.get(kind, ())) < self.start.demand.get(kind, -self.again) + self.again

    def _chain(self, root: int, cost_s: float) -> Chain:
        """What the last value was made of, back to what was given."""
        used, todo = {root}, [root]
        while todo:
            new = {number for _, number in self.values[todo.pop()].made_of} - used
            used |= new
            todo += new
        made = [number for number in sorted(used) if self.values[number].given is None]  # in the order of time
        at = {number: position for position, number in enumerate(made)}
        steps: list[Step] = []
        done_s: list[float] = []
        for number in made:
            step = self._step(number, at)
            done_s.append(step.signature.cost_s + max((done_s[before] for before in step.after), default=0.0))
            steps.append(step)
        work_s = sum(step.signature.cost_s for step in steps)
        return Chain(tuple(steps), self.start.want, cost_s, done_s[-1], work_s)

    def _step(self, number: int, at: Mapping[int, int]) -> Step:
        value = self.values[number]
        signature = self.start.finder.signatures[value.tool]
        sources: dict[str, list[Given | int]] = {}
        for kind, made_of in value.made_of:
            given = self.values[made_of].given
            same = sum(1 for source in sources.get(kind, ()) if isinstance(source, Given) and source.kind == kind)
            if given is not None and same and (made_of, kind) in _repeated(value.made_of):
                given = Given(given.kind, given.number + same)
            sources.setdefault(kind, []).append(at[made_of] if given is None else given)
        inputs: dict[str, Given | int] = {}
        for arg, kind in signature.inputs.items():
            if arg not in signature.optional:
                inputs[arg] = sources[kind].pop(0)
        for arg in sorted(signature.optional):
            free = self._free(signature.inputs[arg], inputs)
            if free is not None:
                inputs[arg] = free
        return Step(value.tool, inputs, signature, self.start.finder.tools[value.tool])

    def _free(self, kind: str, inputs: Mapping[str, Given | int]) -> Given | None:
        """Something given of this very kind that the step does not take yet: optional inputs get no more than that, and a
        text or a number only where it is required."""
        if not specific(kind) or (kind, kind) in self.without:
            return None
        taken = set(inputs.values())
        return next((one for n in range(self.have[kind]) if (one := Given(kind, n + 1)) not in taken), None)


def _repeated(made_of: _Inputs) -> set[tuple[int, str]]:
    """Values that stand for several inputs of their kind at once: the request's text holds two units."""
    return {(number, kind) for (kind, number), count in Counter(made_of).items() if count > 1}
