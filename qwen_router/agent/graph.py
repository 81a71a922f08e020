"""The graph of tools: what each takes and gives, joined on kinds; what is wrong with it; and chains through it.

Kinds and tools are nodes of a networkx graph (kind -> tool that takes it -> kind that it gives). Planning is `chain_search`,
pictures are `graph_drawing`, running is `chain_run`. Kinds are all that is known here: whether a chain makes sense for a
request, a model or a person says.

    python -c "from qwen_router.agent.graph import ToolGraph; print(*ToolGraph.load().chains(['number', 'unit'], 'number'))"
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from qwen_router.agent.chain_search import ChainFinder
from qwen_router.agent.chains import Chain
from qwen_router.agent.graph_problems import Problem, problems_of, required_kinds
from qwen_router.errors import InvalidRequest, InvalidTool, UnknownName
from qwen_router.tool_kinds import KINDS, lineage
from qwen_router.tooling import ToolSignature, signature_of

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

MAX_CHAINS = 50


class ToolGraph:
    """Tools joined on kinds. Made once; never changes.

    A request may have and want every built-in kind, and of users' own those in `own_kinds`. `kinds` are all that there are,
    `tools` and `signatures` are by name, `problems` what is wrong.
    """

    def __init__(
        self,
        tools: Mapping[str, BaseTool],
        signatures: Mapping[str, ToolSignature],
        *,
        own_kinds: Collection[str] = (),
        problems: Iterable[Problem] = (),
    ) -> None:
        self.tools = dict(sorted(tools.items()))
        self.signatures = {name: signatures[name] for name in self.tools}
        self.own_kinds = frozenset(own_kinds)
        self.problems: tuple[Problem, ...] = tuple(sorted([*problems, *problems_of(self.signatures, self.own_kinds)]))
        used = {kind for s in self.signatures.values() for kind in (*s.inputs.values(), s.output)}
        self.kinds: tuple[str, ...] = tuple(sorted(used | set(KINDS) | self.own_kinds))
        self._finder = ChainFinder(self.signatures, self.tools)

    @classmethod
    def of(cls, tools: Iterable[BaseTool], *, own_kinds: Collection[str] = (), strict: bool = True) -> ToolGraph:
        """The graph of `tools`, in whatever order they come; one that comes twice counts once.

        Raises `InvalidTool` for a tool without types and for two tools of one name. With `strict=False` these are left out
        and stand in `problems`.
        """
        by_name: dict[str, list[BaseTool]] = {}
        for tool in tools:
            same = by_name.setdefault(tool.name, [])
            if not any(tool is other for other in same):
                same.append(tool)
        kept: dict[str, BaseTool] = {}
        signatures: dict[str, ToolSignature] = {}
        problems = []
        for name, same in sorted(by_name.items()):
            if len(same) > 1:
                text = f"{len(same)} tools are called {name!r}"
                if strict:
                    raise InvalidTool(text, fix="rename all but one of them")
                problems.append(Problem(name, "same name", f"{text}: none of them is used until one is renamed"))
                continue
            try:
                signatures[name] = signature_of(same[0])
                kept[name] = same[0]
            except InvalidTool as error:
                if strict:
                    raise
                problems.append(Problem(name, "no types", f"{error.problem}: {error.fix}"))
        return cls(kept, signatures, own_kinds=own_kinds, problems=problems)

    @classmethod
    def load(cls) -> ToolGraph:
        """The graph of the tools that can be found, as `tooling.load_tools` does."""
        from qwen_router.tooling import load_tools

        return cls.of(load_tools().values())

    def chains(
        self, have: Iterable[str], want: str, *, limit: int = 5, allowed: Collection[str] | None = None
    ) -> tuple[Chain, ...]:
        """The best chains from what a request has to what it wants, the best first; none is an answer.

        `have` are kinds. A kind of text stands for as many values as a tool takes (a text holds many numbers); of others,
        such as images, list each. `allowed` names the tools that may be used. Chains come in the order of `Chain.key`:
        seconds of the critical path, then of all steps, then fewer steps, then names. Each further chain does without a tool
        of one before it, or without something given that it used. In a chain

        - inputs of one kind in one call take different values; optional ones get what is given of that very kind, unless
          that is a text or a number, which may mean anything;
        - each value is made the quickest way, and no step makes what was there already;
        - what is rarely meant (a number as text) and tools that take nothing of what is given come late: `Chain.loose`;
        - the last step gives `want`, even when the request has one: who wants a text of a text wants a tool.

        Raises `UnknownName` for a kind that nobody knows and `InvalidRequest` for a `limit` outside 1 to 50.
        """
        if not 1 <= limit <= MAX_CHAINS:
            raise InvalidRequest(f"{limit} chains are wanted", fix=f"ask for 1 to {MAX_CHAINS}")
        given = tuple(have) if not isinstance(have, str) else (have,)
        known = self.kinds
        for kind in (*given, want):
            if kind not in known:
                raise UnknownName.among(kind, known, kind="kind of value")
        if allowed is None:
            return self._finder.find(given, want, limit=limit)
        return self._finder.find(given, want, limit=limit, usable=frozenset(allowed).__contains__)

    def reachable(self, have: Iterable[str]) -> frozenset[str]:
        """The kinds that a request has that has `have`, or that tools can make of it. How many of each is not counted."""
        there = {upper for kind in have for upper in lineage(kind)}
        waiting = dict(self.signatures)
        while ready := [name for name, s in waiting.items() if required_kinds(s) <= there]:
            for name in ready:
                there.update(lineage(waiting.pop(name).output))
        return frozenset(there)

    @property
    def network(self) -> Any:
        """A `networkx.DiGraph`: nodes `("kind", name)` and `("tool", name)`; edges to optional inputs have `optional=True`,
        those between kinds `is_a=True`."""
        return network_of(self.signatures)

    def mermaid(self, chain: Chain | None = None) -> str:
        """The graph, or one chain, as a Mermaid flowchart."""
        from qwen_router.agent.graph_drawing import as_mermaid, picture_of_chain, picture_of_graph

        return as_mermaid(picture_of_graph(self) if chain is None else picture_of_chain(chain))

    def svg(self, chain: Chain | None = None) -> str:
        """The graph, or one chain, as an SVG picture, left to right."""
        from qwen_router.agent.graph_drawing import as_svg, picture_of_chain, picture_of_graph

        return as_svg(picture_of_graph(self) if chain is None else picture_of_chain(chain))


def network_of(signatures: Mapping[str, ToolSignature]) -> Any:
    """See `ToolGraph.network`."""
    import networkx as nx

    graph = nx.DiGraph()
    for name, signature in signatures.items():
        for kind in dict.fromkeys(signature.inputs.values()):
            required = any(k == kind and arg not in signature.optional for arg, k in signature.inputs.items())
            graph.add_edge(("kind", kind), ("tool", name), optional=not required)
        graph.add_edge(("tool", name), ("kind", signature.output), optional=False)
    for _, kind in [node for node in graph.nodes if node[0] == "kind"]:
        for lower, upper in zip(lineage(kind), lineage(kind)[1:], strict=False):
            graph.add_edge(("kind", lower), ("kind", upper), is_a=True)
    return graph
