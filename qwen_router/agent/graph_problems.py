"""What is wrong with a set of tools: some can never start, some lead nowhere. Told by name, when the graph is made.

A circle between kinds is no fault by itself: a translation takes text and gives text. It is one when the tools in it wait
only for each other, so that nothing starts them, or when nothing that anybody wants ever leaves it.

    qwen-router tools check
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from qwen_router.tool_kinds import KINDS, lineage
from qwen_router.tooling import ToolSignature


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong with a tool. `error`: it can never run, or is left out. `warning`: it can run, but looks like a slip.

    Kinds: `no types`, `same name` (both are left out), `cycle` (tools that only feed each other), `dead end` (an input that
    nothing gives and no request has, an output that nothing takes and nobody asks for).
    """

    tool: str
    kind: Literal["no types", "same name", "cycle", "dead end"]
    text: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.severity}: {self.tool}: {self.text}"


def problems_of(signatures: Mapping[str, ToolSignature], own_kinds: frozenset[str]) -> list[Problem]:
    """Every cycle and dead end. Requests have and want the built-in kinds and `own_kinds`."""
    asked = frozenset(KINDS) | own_kinds
    idle = _never_start(signatures, asked)
    return [*_idle(signatures, asked, idle), *_leading_nowhere(signatures, asked, idle)]


def required_kinds(signature: ToolSignature) -> frozenset[str]:
    """The kinds that the tool cannot do without."""
    return frozenset(kind for arg, kind in signature.inputs.items() if arg not in signature.optional)


def _never_start(signatures: Mapping[str, ToolSignature], asked: frozenset[str]) -> dict[str, frozenset[str]]:
    """The tools that nothing can ever start, with the kinds that they wait for."""
    there = set(asked)
    waiting = {name: required_kinds(signature) for name, signature in signatures.items()}
    while ready := [name for name, kinds in waiting.items() if kinds <= there]:
        for name in ready:
            del waiting[name]
            there.update(lineage(signatures[name].output))
    return {name: kinds - there for name, kinds in waiting.items()}


def _idle(
    signatures: Mapping[str, ToolSignature], asked: frozenset[str], idle: Mapping[str, frozenset[str]]
) -> Iterable[Problem]:
    """Why each of these tools cannot start: nothing gives what it needs, or only they give it to each other."""
    givers: dict[str, list[str]] = {}
    for name, signature in sorted(signatures.items()):
        for kind in lineage(signature.output):
            givers.setdefault(kind, []).append(name)
    circles = _circles({name: {giver for kind in kinds for giver in givers.get(kind, ())} for name, kinds in idle.items()})
    for name, missing in idle.items():
        nowhere = sorted(kind for kind in missing if kind not in givers)
        circle = circles.get(name, ())
        kinds = " and ".join(map(repr, nowhere or sorted(missing)))
        if nowhere:
            text = f"it needs {kinds}, which no tool gives and no request has{_close(nowhere[0], asked | set(givers))}"
            yield Problem(name, "dead end", text)
        elif len(circle) == 1:
            yield Problem(name, "cycle", f"only it gives the {kinds} that it needs: it can never start")
        elif circle:
            yield Problem(name, "cycle", f"{_listed(circle)} only feed each other: none of them can ever start")
        else:
            before = _listed(sorted({giver for kind in missing for giver in givers[kind]}))
            yield Problem(name, "dead end", f"it waits for {kinds}, which comes only from {before}, and that never starts")


def _circles(waits_for: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """For each tool that waits for itself in the end, all that wait in the same circle."""
    import networkx as nx

    graph = nx.DiGraph((name, giver) for name, givers in waits_for.items() for giver in givers)
    found = {}
    for part in nx.strongly_connected_components(graph):
        circle = tuple(sorted(part))
        if len(circle) > 1 or graph.has_edge(circle[0], circle[0]):
            found.update(dict.fromkeys(circle, circle))
    return found


def _leading_nowhere(
    signatures: Mapping[str, ToolSignature], asked: frozenset[str], idle: Mapping[str, frozenset[str]]
) -> Iterable[Problem]:
    """Tools from whose output nothing comes that a request may want."""
    useful = set(asked)
    leads: set[str] = set()
    while new := [n for n, s in signatures.items() if n not in leads and useful & set(lineage(s.output))]:
        for name in new:
            leads.add(name)
            useful.update(signatures[name].inputs.values())
    takers: dict[str, list[str]] = {}
    for name, signature in sorted(signatures.items()):
        for kind in dict.fromkeys(signature.inputs.values()):
            takers.setdefault(kind, []).append(name)
    for name, signature in signatures.items():
        if name in leads or name in idle:
            continue
        kind = signature.output
        if kind not in takers:
            text = f"it gives {kind!r}, which no tool takes and no request wants{_close(kind, asked | set(takers))}"
            yield Problem(name, "dead end", text, "warning")
        else:
            text = f"it gives {kind!r} only to {_listed(takers[kind])}, and nothing comes of it that a request wants"
            yield Problem(name, "cycle" if name in takers[kind] else "dead end", text, "warning")


def _listed(names: Iterable[str]) -> str:
    """`a, b and c`; of many, the first six."""
    every = list(names)
    shown = every[:6] if len(every) > 7 else every
    rest = [f"{len(every) - len(shown)} more"] if len(shown) < len(every) else []
    *first, last = [*shown, *rest]
    return f"{', '.join(first)} and {last}" if first else last


def _close(kind: str, known: Iterable[str]) -> str:
    close = get_close_matches(kind, sorted(set(known) - {kind}), n=1, cutoff=0.7)
    return f" (did you mean {close[0]!r}?)" if close else ""
