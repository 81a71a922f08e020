"""Measures the two engines that run in this process on the demonstration checkpoint: load, first token, tokens/s, memory.

Each engine is measured in a process of its own, so that one's memory is not the other's. The best of the repeats counts,
because other work on the machine only ever slows a run down; the median stands beside it. Tokens/s are of whole calls,
reading the prompt included.

    python benchmarks/local_engines.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from qwen_router.catalog.types import Sampling
from qwen_router.engines.base import Call, Done, Engine, ThinkingPlan
from qwen_router.request import Message

ANSWER_TOKENS = 64


def _engine(name: str, threads: int | None) -> Engine:
    if name == "llamacpp":
        from qwen_router.engines.llamacpp import LlamaCppEngine

        return LlamaCppEngine(threads=threads)
    from qwen_router.engines.torch_load import LoadOptions
    from qwen_router.engines.transformers import TransformersEngine

    return TransformersEngine(options=LoadOptions(dtype=name.partition("-")[2] or "auto"))


def _call(model: str, text: str) -> Call:
    """Greedy, and something that the demonstration model declines in some forty tokens: the same work every time."""
    return Call(
        model=model,
        messages=(Message("user", text),),
        thinking=ThinkingPlan(False),
        behaviour="toggle",
        sampling=Sampling(temperature=0),
        max_answer_tokens=ANSWER_TOKENS,
        context_tokens=1024,
        seed=1,
    )


def _done(engine: Engine, call: Call) -> Done:
    done = list(engine.stream(call))[-1]
    assert isinstance(done, Done)
    return done


def measure(name: str, *, repeats: int, threads: int | None) -> dict[str, Any]:
    """Figures of one engine in this process."""
    import psutil

    process = psutil.Process()
    before_mib = process.memory_info().rss / 1024**2
    started = time.perf_counter()
    engine = _engine(name, threads)
    model = engine.installed()[0].name
    first = _done(engine, _call(model, "Write a poem about the sea."))
    cold_s = time.perf_counter() - started
    first_s: list[float] = []
    tokens_s: list[float] = []
    for number in range(repeats):
        done = _done(engine, _call(model, f"Write poem number {number} about the sea."))
        assert done.timings.first_answer_s is not None and done.usage.answer_tokens
        first_s.append(done.timings.first_answer_s)
        tokens_s.append(done.usage.answer_tokens / done.timings.total_s)
    return {
        "engine": name,
        "threads": threads,
        "cold_start_s": round(cold_s, 2),
        "load_s": round(first.timings.load_s or 0.0, 2),
        "first_token_ms": [round(min(first_s) * 1000, 1), round(statistics.median(first_s) * 1000, 1)],
        "tokens_per_s": [round(max(tokens_s)), round(statistics.median(tokens_s))],
        "memory_mib": round(process.memory_info().rss / 1024**2 - before_mib),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help="threads of llama.cpp")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, repeats=options.repeats, threads=options.threads)))
        return
    for name in ("llamacpp", "transformers-float32", "transformers-bfloat16"):
        command = [sys.executable, __file__, "--one", name, "--repeats", str(options.repeats)]
        if options.threads:
            command += ["--threads", str(options.threads)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
