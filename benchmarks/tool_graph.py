"""How long planning takes over 1,000 tools: chains of typed tools, beside networkx's Dijkstra in the same run.

The tools are made up, their kinds are not: most take and give text, as real ones do, some take two or three things, a fifth
have kinds of their own, costs run from a millisecond to twenty seconds. What is kept between
calls is the order of the tools for each wanted kind, nothing of an answer.

python benchmarks/tool_graph.py --out tool_graph.json
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import create_model

from qwen_router.agent.graph import ToolGraph
from qwen_router.tool_kinds import KINDS

QUESTIONS = (
    (("image",), "plot"),
    (("question", "document"), "table"),
    (("question", "url"), "report"),
    (("text",), "number"),
    (("image", "audio"), "report"),
    (("image", "image"), "number"),
    (("data", "question"), "plot"),
    (("number", "unit"), "number"),
)
ROUNDS = 40


def made_up_tools(count: int, *, seed: int = 8) -> list[BaseTool]:
    """`count` tools, always the same for a seed."""
    rng = random.Random(seed)
    own = [f"own_{n}" for n in range(max(1, count // 20))]
    built_in = [kind for kind in KINDS if kind != "text"]
    tools = []
    for n in range(count):
        takes = rng.choices((1, 2, 3), weights=(6, 3, 1))[0]
        inputs = {f"a{i}": _kind(rng, built_in, own) for i in range(takes)}
        cost_s = round(rng.choice((0.001, 0.05, 0.1, 0.5, 2.0, 5.0, 20.0)) * rng.uniform(0.7, 1.3), 4)
        tools.append(_tool(f"tool_{n:04}", inputs, _kind(rng, built_in, own), cost_s))
    return tools


def _kind(rng: random.Random, built_in: list[str], own: list[str]) -> str:
    draw = rng.random()
    return "text" if draw < 0.3 else rng.choice(built_in) if draw < 0.8 else rng.choice(own)


def _tool(name: str, inputs: Mapping[str, str], output: str, cost_s: float) -> BaseTool:
    fields: dict[str, Any] = {arg: (object, ...) for arg in inputs}
    return StructuredTool.from_function(
        func=lambda **values: None,
        name=name,
        description="Made up.",
        args_schema=create_model("Arguments", **fields),
        metadata={"inputs": dict(inputs), "output": output, "cost_s": cost_s},
    )


def p50_ms(work: Callable[[], object]) -> tuple[float, float]:
    """Medians of `ROUNDS` calls: on the clock, and of the processor's time, which neighbours on the machine disturb less."""
    clock, processor = [], []
    for _ in range(ROUNDS):
        began, spent = time.perf_counter(), time.thread_time()
        work()
        clock.append((time.perf_counter() - began) * 1e3)
        processor.append((time.thread_time() - spent) * 1e3)
    return round(statistics.median(clock), 2), round(statistics.median(processor), 2)


def one_shortest_path(graph: Any, have: tuple[str, ...], want: str) -> object:
    """The peer: networkx's Dijkstra on the same graph. It knows no tool that needs two things, and finds one way."""
    import networkx as nx

    sources = {("kind", kind) for kind in have if ("kind", kind) in graph}
    return nx.multi_source_dijkstra_path_length(graph, sources, weight="cost_s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tools", type=int, default=1000)
    args = parser.parse_args()
    tools = made_up_tools(args.tools)
    started = time.perf_counter()
    graph = ToolGraph.of(tools)
    made_ms = (time.perf_counter() - started) * 1e3
    network = graph.network
    for _, tool, data in network.edges(data=True):
        data["cost_s"] = graph.signatures[tool[1]].cost_s if tool[0] == "tool" else 0.0
    rows: list[dict[str, object]] = []
    ours, theirs = [], []
    for have, want in QUESTIONS:
        ours.append(p50_ms(partial(graph.chains, have, want)))
        theirs.append(p50_ms(partial(one_shortest_path, network, have, want)))
        found = graph.chains(have, want)
        rows.append({"have": have, "want": want, "chains": len(found), "p50_ms": ours[-1], "peer_p50_ms": theirs[-1]})
        times = f"p50 {ours[-1][0]} ms (processor {ours[-1][1]} ms), networkx {theirs[-1][0]} ms ({theirs[-1][1]} ms)"
        print(f"{' + '.join(have):>20} -> {want:<7} {len(found)} chains, {times}")
    figures: dict[str, object] = {
        "tools": len(graph.tools),
        "made_ms": round(made_ms, 1),
        "p50_ms": round(statistics.median(one for one, _ in ours), 2),
        "worst_p50_ms": max(one for one, _ in ours),
        "processor_p50_ms": round(statistics.median(one for _, one in ours), 2),
        "peer_p50_ms": round(statistics.median(one for one, _ in theirs), 2),
        "peer_processor_p50_ms": round(statistics.median(one for _, one in theirs), 2),
    }
    print(json.dumps(figures))
    if args.out:
        args.out.write_text(json.dumps(figures | {"questions": rows}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
