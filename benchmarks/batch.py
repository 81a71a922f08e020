"""Measures answering many requests with llama.cpp in this process: one by one with `Router.ask`, and with `Router.batch`.

Both ways are measured in turn, round by round, in one process, so that other work on the machine meets both. The ratio is
of the medians; the best round of each stands beside it. A file whose weights are random at a true size is as fast as the
real one. Processor time a token is told too: other
work on the machine changes it less than the clock. Same requests, same number of tokens, greedy, thinking off.

    python benchmarks/batch.py
    python benchmarks/batch.py --gguf qwen3-0.6b-q8_0.gguf --requests 16 --tokens 32 --parallel 8
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

from qwen_router import Router
from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.errors import RouterError
from qwen_router.reply import Reply
from qwen_router.settings import Settings


def _router(gguf: Path | None, parallel: int, threads: int | None) -> Router:
    files = () if gguf is None else (gguf,)
    return Router(engines=[LlamaCppEngine(files, parallel=parallel, threads=threads)], settings=Settings())


def _requests(name: str, count: int, tokens: int, round_number: int) -> list[dict[str, Any]]:
    """Prompts that no earlier round has left in the cache."""
    return [
        {
            "messages": [f"{round_number}.{number}: write a poem about the sea."],
            "model": name,
            "think": False,
            "temperature": 0,
            "max_tokens": tokens,
        }
        for number in range(count)
    ]


def _tokens(outcomes: list[Reply | RouterError]) -> int:
    for outcome in outcomes:
        if isinstance(outcome, RouterError):
            raise outcome
    return sum(o.usage.answer_tokens or 0 for o in outcomes if isinstance(o, Reply))


def measure(
    gguf: Path | None, *, parallel: int, threads: int | None, count: int, tokens: int, rounds: int
) -> dict[str, Any]:
    """Tokens/s of both ways (median, best), and their ratio."""
    alone, together = _router(gguf, 1, threads), _router(gguf, parallel, threads)
    name = "qwen3-nano" if gguf is None else gguf.stem
    for router in (alone, together):  # load, and warm up
        router.batch(_requests(name, parallel, 4, -1), concurrency=parallel)
    rates: dict[str, list[float]] = {"one_by_one": [], "batch": []}
    busy = {"one_by_one": 0.0, "batch": 0.0}
    written = 0
    for number in range(rounds):
        requests = _requests(name, count, tokens, number)
        started, busy_at_start = time.perf_counter(), time.process_time()
        written = _tokens([alone.ask(request) for request in requests])
        between, busy_between = time.perf_counter(), time.process_time()
        together_tokens = _tokens(together.batch(requests, concurrency=parallel))
        ended = time.perf_counter()
        busy["one_by_one"] += (busy_between - busy_at_start) / written / rounds
        busy["batch"] += (time.process_time() - busy_between) / together_tokens / rounds
        rates["one_by_one"].append(written / (between - started))
        rates["batch"].append(together_tokens / (ended - between))
    alone.close()
    together.close()
    medians = {way: statistics.median(values) for way, values in rates.items()}
    best = {way: max(values) for way, values in rates.items()}
    return {
        "model": name,
        "parallel": parallel,
        "requests": count,
        "tokens_per_request": round(written / count, 1),
        "tokens_per_s_median": {way: round(value, 1) for way, value in medians.items()},
        "tokens_per_s_best": {way: round(value, 1) for way, value in best.items()},
        "ratio_median": round(medians["batch"] / medians["one_by_one"], 2),
        "ratio_best": round(best["batch"] / best["one_by_one"], 2),
        "cpu_ms_per_token": {way: round(seconds * 1000, 2) for way, seconds in busy.items()},
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, help="file to run instead of the demonstration model")
    parser.add_argument("--parallel", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--threads", type=int, help="threads of llama.cpp (by the size of the model)")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=64, help="most tokens of an answer")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for parallel in options.parallel:
        found = measure(
            options.gguf,
            parallel=parallel,
            threads=options.threads,
            count=options.requests,
            tokens=options.tokens,
            rounds=options.rounds,
        )
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
