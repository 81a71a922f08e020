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
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Value:
    """What is there from `at_s` on: something given, or what a tool made of other values (with the kind that each fills)."""

    kind: str
    at_s: float
    given: Given | None = None
    tool: str = ""
    made_of: tuple[tuple[str, int], ...] = ()


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
        self._givers: dict[str, list[int]] = {}
        for s, shape_of in enumerate(self.shapes):
            for kind in lineage(shape_of.gives):
                self._givers.setdefault(kind, []).append(s)

    def find(
        self, have: Iterable[str], want: str, *, limit: int, usable: Callable[[str], bool] | None = None
    ) -> tuple[Chain, ...]:
        """The `limit` best chains. `have` may repeat a kind: two images."""
        start = _Start.of(self, Counter(have), want, usable)
        found: dict[object, Chain] = {}
        costs: dict[object, float] = {}  # of every chain met, found or waiting
        seen: set[frozenset[str | _Use]] = set()
        waiting: list[tuple[tuple[float, float, int, tuple[str, ...]], int, Chain, frozenset[str | _Use]]] = []

        def search(without: frozenset[str | _Use]) -> None:
            if without in seen or len(seen) >= MAX_SEARCHES:
                return
            seen.add(without)
            beyond_s = sorted(costs.values())[limit - 1] if len(costs) >= limit else math.inf
            chain = _Search(start, without, beyond_s).best()
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
    """What every search of one question begins with: who waits for which kind, and for how many values.

    `alone` are the tools that one value of a kind is enough for, the quickest first: most are such, and few of them matter.
    `rest` is the least time from a shape's output to what is wanted, `lead` that from its inputs.
    """

    finder: ChainFinder
    have: Counter[str]
    want: str
    members: dict[int, tuple[tuple[float, str], ...]]
    alone: dict[str, list[tuple[float, str, int]]]
    takers: dict[str, list[int]]
    left: dict[tuple[int, str], int]
    missing: dict[int, int]
    rest: dict[int, float]
    lead: dict[int, float]

    @classmethod
    def of(cls, finder: ChainFinder, have: Counter[str], want: str, usable: Callable[[str], bool] | None) -> _Start:
        start = cls(finder, have, want, {}, {}, {}, {}, {}, finder.relevant(want), {})
        for s in sorted(start.rest):
            shape = finder.shapes[s]
            members = shape.members if usable is None else tuple(m for m in shape.members if usable(m[1]))
            needed = sum(count for _, count in shape.needs)
            if needed == 1:
                start.alone.setdefault(shape.needs[0][0], []).extend((*member, s) for member in members)
            elif members:
                start.members[s], start.missing[s] = members, needed
                start.lead[s] = members[0][0] + STEP_S + start.rest[s]
                for kind, count in shape.needs:
                    start.takers.setdefault(kind, []).append(s)
                    start.left[s, kind] = count
        for tools in start.alone.values():
            tools.sort()
        for waiting in start.takers.values():
            waiting.sort(key=start.lead.__getitem__)
        return start


class _Search:
    """One run forward in time, without some tools and some uses of what is given, for a chain that costs no more than
    `beyond_s`."""

    def __init__(self, start: _Start, without: frozenset[str | _Use], beyond_s: float) -> None:
        self.finder, self.have, self.want, self.members = start.finder, start.have, start.want, start.members
        self.without = without
        self.rest, self.lead, self.latest_s = start.rest, start.lead, beyond_s + 1e-9
        self.values: list[_Value] = []
        self.pushed = 0
        self.events: list[tuple[float, int, str, int, Callable[[float], Chain | None]]] = []
        self.alone = start.alone
        self.came: dict[str, int] = {}
        self.bound: dict[int, list[tuple[str, int]]] = {}
        self.again = max((n for kind, n in self.have.items() if not countless(kind)), default=1) - 1
        self.takers = start.takers.copy()  # its lists are replaced, never changed
        self.left, self.missing = start.left.copy(), start.missing.copy()

    def best(self) -> Chain | None:
        for s in self.members:
            if not self.missing[s]:
                at_home = not self.have or any(self.have[kind] for kind in self.finder.shapes[s].may)
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
        """A value is there: every tool that waits for its kind takes it, for one input."""
        came = self.came[wanted] = self.came.get(wanted, 0) + 1
        if came <= 1 + self.again:
            self._next_alone(wanted, number, at_s, 0)
        takers = self.takers.get(wanted)
        if not takers:
            return
        value = self.values[number]
        every = value.given is not None and value.kind == wanted and countless(wanted)
        kept = []
        for s in takers:
            if at_s + self.lead[s] > self.latest_s:
                break  # too late for this one, and for those behind it
            left = self.left[s, wanted]
            bound = self.bound.get(s)
            if bound is None:
                bound = self.bound[s] = []
            elif any(other == number for _, other in bound):
                kept.append(s)  # one value fills one input
                continue
            if left <= 0:
                self._instead(s, wanted, number, at_s)
                taken = 1
            else:
                taken = left if every else 1
                bound += [(wanted, number)] * taken
                self.missing[s] -= taken
                if not self.missing[s]:
                    self._start(s, 0, at_s, tuple(bound))
            if left - taken > -self.again:
                self.left[s, wanted] = left - taken
                kept.append(s)
        self.takers[wanted] = kept

    def _instead(self, s: int, wanted: str, number: int, at_s: float) -> None:
        """Start a tool once more, with one value changed: a request with two images may want both read."""
        if not self.missing[s]:
            bound = list(self.bound[s])
            last = max(i for i, (kind, _) in enumerate(bound) if kind == wanted)
            bound[last] = (wanted, number)
            self._start(s, 0, at_s, tuple(bound))

    def _next_alone(self, kind: str, number: int, there_s: float, first: int) -> None:
        """Let the next of the tools happen that this value is enough for. They come in the order of their cost."""
        tools = self.alone.get(kind, ())
        for i in range(first, len(tools)):
            cost_s, name, s = tools[i]
            done_s = there_s + cost_s + STEP_S
            if done_s > self.latest_s:
                return
            if name not in self.without and done_s + self.rest[s] <= self.latest_s:
                self._at(done_s, 0, name, partial(self._alone, kind, number, there_s, i))
                return

    def _alone(self, kind: str, number: int, there_s: float, i: int, at_s: float) -> None:
        _, tool, s = self.alone[kind][i]
        self._next_alone(kind, number, there_s, i + 1)
        self._made(s, tool, ((kind, number),), at_s)

    def _start(self, s: int, member: int, there_s: float, made_of: tuple[tuple[str, int], ...]) -> None:
        """Let the shape's first usable tool from `member` on happen: all that it needs is there."""
        members = self.members[s]
        for m in range(member, len(members)):
            cost_s, name = members[m]
            if name not in self.without:
                done_s = there_s + cost_s + STEP_S
                if done_s + self.rest[s] <= self.latest_s:
                    self._at(done_s, 0, name, partial(self._member, s, m, there_s, made_of))
                return

    def _member(self, s: int, m: int, there_s: float, made_of: tuple[tuple[str, int], ...], at_s: float) -> None:
        if self._made(s, self.members[s][m][1], made_of, at_s):
            self._start(s, m + 1, there_s, made_of)

    def _made(self, s: int, tool: str, made_of: tuple[tuple[str, int], ...], at_s: float) -> bool:
        """A tool is done. False when nobody waits for what it gives."""
        gives = self.finder.shapes[s].gives
        kinds = lineage(gives)
        if self.want not in kinds and not any(self._waited_for(kind) for kind in kinds):
            return False
        number = len(self.values)
        self.values.append(_Value(gives, at_s, tool=tool, made_of=made_of))
        for kind in kinds:
            if kind == self.want:
                charge = RARELY_S if rarely_meant(gives, kind) else 0.0
                self._at(at_s + charge, -1, tool, partial(self._chain, number))
            self._offer(number, gives, kind, at_s)
        return True

    def _waited_for(self, kind: str) -> bool:
        return bool(self.takers.get(kind)) or (kind in self.alone and self.came.get(kind, 0) <= self.again)

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
        return Chain(tuple(steps), self.want, cost_s, done_s[-1], work_s)

    def _step(self, number: int, at: Mapping[int, int]) -> Step:
        value = self.values[number]
        signature = self.finder.signatures[value.tool]
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
        return Step(value.tool, inputs, signature, self.finder.tools[value.tool])

    def _free(self, kind: str, inputs: Mapping[str, Given | int]) -> Given | None:
        """Something given of this very kind that the step does not take yet: optional inputs get no more than that, and a
        text or a number only where it is required."""
        if not specific(kind) or (kind, kind) in self.without:
            return None
        taken = set(inputs.values())
        return next((one for n in range(self.have[kind]) if (one := Given(kind, n + 1)) not in taken), None)


def _repeated(made_of: tuple[tuple[str, int], ...]) -> set[tuple[int, str]]:
    """Values that stand for several inputs of their kind at once: the request's text holds two units."""
    return {(number, kind) for (kind, number), count in Counter(made_of).items() if count > 1}
