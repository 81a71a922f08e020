"""Measures what RouterMiddleware adds to a model call of a LangChain agent: the same runs with and without it, in turn.

The agent calls a tool, reads its result and so on for some model calls, over a scripted engine that answers at once, so that
what is left is LangGraph, LangChain, the decision and the middleware. Each round measures both ways one behind the other in
one process; told are medians over the rounds, of the clock
and of processor time, which other work on the machine changes less.

    python benchmarks/middleware.py
    python benchmarks/middleware.py --tools 40 --rounds 200
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool
from pydantic import BaseModel

from qwen_router import Router
from qwen_router.engines.fake import FakeEngine
from qwen_router.hardware.machine import ServedBuild
from qwen_router.langchain import ChatQwenRouter, RouterMiddleware
from qwen_router.request import ToolCall
from qwen_router.settings import Settings

SERVED = tuple(
    ServedBuild("fake", "fake", f"qwen3:{size}", f"Qwen/Qwen3-{size.upper()}", "q4_K_M", resident=True)
    for size in ("0.6b", "1.7b", "4b", "8b", "14b")
)


class Place(BaseModel):
    place: str


class Looping(FakeEngine):
    """Calls a tool until the conversation holds enough of its answers, each time with another argument."""

    def __init__(self, calls: int) -> None:
        super().__init__(["It is there."], models=SERVED)
        self._wanted = calls

    def stream(self, call: Any) -> Any:
        done = sum(message.role == "tool" for message in call.messages)
        self.calls.clear()
        self._tool_calls = () if done >= self._wanted else ((ToolCall(f"c{done}", "look_0", {"place": str(done)}),),)
        self._answers = ("It is there.",) if done >= self._wanted else ("",)
        return super().stream(call)


def agent(tools: int, model_calls: int, *, with_middleware: bool) -> Any:
    router = Router(engines=[Looping(model_calls - 1)], settings=Settings())
    offered = [
        StructuredTool.from_function(
            lambda place: f"nothing at {place}", name=f"look_{n}", description=f"Look at place {n}.", args_schema=Place
        )
        for n in range(tools)
    ]
    middleware = [RouterMiddleware()] if with_middleware else []
    return create_agent(ChatQwenRouter(router=router, thinking=False), offered, middleware=middleware)


def measure(*, tools: int, model_calls: int, rounds: int) -> dict[str, Any]:
    """Milliseconds a model call, both ways, their difference and their ratio."""
    agents = {way: agent(tools, model_calls, with_middleware=way == "with") for way in ("without", "with")}
    asked = {"messages": [HumanMessage("Look where the keys are, place after place.")]}
    taken: dict[str, list[float]] = {"without": [], "with": []}
    worked: dict[str, list[float]] = {"without": [], "with": []}
    for number in range(rounds + 5):
        for way in sorted(agents, reverse=number % 2 == 0):  # who comes first changes
            started, busy = time.perf_counter(), time.process_time()
            messages = agents[way].invoke(asked)["messages"]
            elapsed_s, busy_s = time.perf_counter() - started, time.process_time() - busy
            answered = sum(message.type == "ai" for message in messages)
            if answered != model_calls:
                raise SystemExit(f"{answered} model calls instead of {model_calls}")
            if number >= 5:
                taken[way].append(elapsed_s * 1000 / model_calls)
                worked[way].append(busy_s * 1000 / model_calls)
    medians = {way: statistics.median(values) for way, values in taken.items()}
    return {
        "tools": tools,
        "model_calls": model_calls,
        "rounds": rounds,
        "without_ms": round(medians["without"], 3),
        "with_ms": round(medians["with"], 3),
        "added_ms": _added(taken),
        "added_processor_ms": _added(worked),
        "ratio": round(medians["with"] / medians["without"], 3),
        "load": round(os.getloadavg()[0], 2),
    }


def _added(taken: dict[str, list[float]]) -> float:
    """The median of the differences, round by round."""
    return round(statistics.median(b - a for a, b in zip(taken["without"], taken["with"], strict=True)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=int, default=12)
    parser.add_argument("--calls", type=int, default=5, help="model calls a run")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    print(json.dumps(measure(tools=options.tools, model_calls=options.calls, rounds=options.rounds)))


if __name__ == "__main__":
    main()
