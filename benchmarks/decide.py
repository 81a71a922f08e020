"""How long a decision takes: over about 500 candidates, and against scoring them one object at a time in plain Python.

python benchmarks/decide.py --out decide.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from qwen_router.decide import advised_builds, candidate_table, decide
from qwen_router.decide.candidates import CandidateTable
from qwen_router.hardware.presets import machine
from qwen_router.policy import Policy
from qwen_router.profile import inspect
from qwen_router.request import Request

ROUNDS = 300


def p50_ms(work: Callable[[], object]) -> float:
    """Median of `ROUNDS` calls, after ten to warm up."""
    for _ in range(10):
        work()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def naive(table: CandidateTable, tokens: int) -> list[tuple[float, str]]:
    """The peer: a loop that builds one tuple and one sentence a candidate, as a router without columns would."""
    verdicts = []
    for n, b in enumerate(table.build_of):
        build = table.builds[b]
        seconds = tokens / max(table.decode_tps[b, 0], 1e-9)
        verdicts.append((seconds, f"{build.model.id} {build.quant} takes {seconds:.1f} s at {table.budget_tokens[n]}"))
    return sorted(verdicts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    from qwen_router.catalog import Catalog

    policy = Policy.load("balanced")
    started = time.perf_counter()
    table = candidate_table(advised_builds(Catalog.load(), policy), machine("rtx-4090"), policy)
    table_ms = (time.perf_counter() - started) * 1e3
    request = Request.of("Prove that the square root of two is irrational.")
    profile = inspect(request)
    figures = {
        "candidates": len(table),
        "table_ms": round(table_ms, 1),
        "decide_p50_ms": round(p50_ms(lambda: decide(request, profile, table)), 3),
        "naive_loop_p50_ms": round(p50_ms(lambda: naive(table, 500)), 3),
        "inspect_p50_ms": round(p50_ms(lambda: inspect(request)), 3),
    }
    print(json.dumps(figures))
    if args.out:
        args.out.write_text(json.dumps(figures) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
