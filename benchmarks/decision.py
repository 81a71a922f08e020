"""What the decision is worth: real outcomes, a simulation that checks the evaluation, and how long deciding takes.

Writes docs/decision_evaluation.md between its markers, the plots and `figures.json` beside it. About four minutes.

    python benchmarks/decision.py --outcomes outcomes.jsonl.gz
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.decide import naive  # noqa: E402  (the script runs from anywhere)
from benchmarks.decision_page import write_page  # noqa: E402
from qwen_router.catalog import Catalog  # noqa: E402
from qwen_router.cli.evaluate import ROOMY, Report, Sample, as_line, judge, read_sample  # noqa: E402
from qwen_router.decide import advised_builds, candidate_table, decide  # noqa: E402
from qwen_router.decide import evaluation as ev  # noqa: E402
from qwen_router.decide.candidates import CandidateTable  # noqa: E402
from qwen_router.hardware.presets import machine  # noqa: E402
from qwen_router.policy import Policy  # noqa: E402
from qwen_router.profile import inspect, inspect_many  # noqa: E402
from qwen_router.profile.classifier import default_classifier, difficulty_inputs  # noqa: E402
from qwen_router.profile.features import read_texts  # noqa: E402
from qwen_router.profile.inspection import BATCH, text_of  # noqa: E402
from qwen_router.profile.reading import ask_of  # noqa: E402
from qwen_router.profile.types import DOMAINS, Domain, Profile  # noqa: E402
from qwen_router.request import Request  # noqa: E402

Floats = NDArray[np.float64]
SUBJECT_FOLDS = 4
RIDGE = 10_000.0
"""As in `training/difficulty.py`, where it was chosen."""
SIZES = ("3B", "7B", "32B", "72B")
SIMULATED = 4_000
DOMAIN: Domain = "knowledge"
"""Of the simulated requests: one where the four models lie well apart, each on the hull."""
REPEATS = 200
REPEAT_DRAWS = 400
NOISE_LOGITS = 1.0
ROUNDS, CALLS = 7, 400


# ── real outcomes ───────────────────────────────────────────────────────────────────────────────────────────────────


def held_out_profiles(sample: Sample) -> list[Profile]:
    """Profiles whose difficulty comes from the outcomes of other subjects only.

    The text's own hardness is refitted four times, as `training/difficulty.py` does it, over what the shipped network reads.
    That network learns from no outcome, but has seen these questions with a domain; the level weights are the shipped ones.
    """
    requests = [line.request for line in sample.lines]
    profiles, inputs = inspect_many(requests), _inputs(requests)
    weak = 1 - ev.best_fixed(sample.outcomes)
    fails = 1 - sample.outcomes.quality[:, weak]
    folds = ev.folds_of([line.group for line in sample.lines], SUBJECT_FOLDS)
    own = np.zeros(len(requests))
    for fold in range(SUBJECT_FOLDS):
        kept = folds != fold
        own[~kept] = _ridge(inputs[kept], fails[kept], inputs[~kept])
    level = default_classifier().level.astype(np.float64)
    logits = [
        float(level @ difficulty_inputs([p.domains[d] for d in DOMAINS], p.depth, o))
        for p, o in zip(profiles, own, strict=True)
    ]
    return [replace(p, difficulty=1 / (1 + np.exp(-x))) for p, x in zip(profiles, logits, strict=True)]


def _inputs(requests: Sequence[Request]) -> Floats:
    """Meanings and form as the classifier sees them, and the mean vector of the words."""
    model = default_classifier()
    rows = []
    for start in range(0, len(requests), BATCH):
        texts = [text_of(request, ask_of(request)) for request in requests[start : start + BATCH]]
        read = read_texts(texts)
        for i, text in enumerate(texts):
            features = read.features(i, text)
            words = model.vectors.take(features.words, axis=0).astype(np.float64)
            mean = words.mean(axis=0) if len(words) else np.zeros(model.vectors.shape[1])
            rows.append(np.concatenate((model.inputs(features)[2 * model.table.shape[1] :], mean)))
    return np.array(rows, dtype=np.float64)


def _ridge(known: Floats, fails: Floats, asked: Floats) -> Floats:
    """The hardness of `asked`, in standard deviations of what it was fitted on."""
    mean, spread = known.mean(axis=0), known.std(axis=0) + 1e-6
    x = (known - mean) / spread
    slopes = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (fails - fails.mean()))
    size = max(float(np.std(x @ slopes)), 1e-12)
    return np.asarray((asked - mean) / spread @ slopes / size)


def shared(path: Path) -> dict[str, Report]:
    """The shared outcomes with the shipped difficulty, and with one that no outcome of the same subject taught."""
    catalog, policy = Catalog.load(), Policy.load("balanced")
    sample = read_sample(str(path), catalog=catalog, maps={})
    options: dict[str, Any] = {"policy": policy, "machine": machine(ROOMY), "catalog": catalog, "sweep": True}
    return {
        "outcomes of other subjects": judge(sample, profiles=held_out_profiles(sample), **options),
        "shipped (its outcomes were seen)": judge(sample, **options),
    }


# ── the evaluation checked on made-up outcomes ──────────────────────────────────────────────────────────────────────


def simulation(seed: int) -> dict[str, Any]:
    """Outcomes of four models drawn from the ability table at random difficulties: the truth is known, so figures can be
    checked. The router's own model draws them, so nothing here says how good it is."""
    catalog, policy = Catalog.load(), Policy.load("balanced")
    rows = [catalog.get(f"Qwen/Qwen2.5-{size}-Instruct") for size in SIZES]
    ids = [row.id for row in rows]
    table = ev.table_of(ids, policy, machine(ROOMY), catalog)
    assert table is not None
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 2.0, SIMULATED)
    request = Request.of("What is asked does not matter here.")
    requests = [request] * SIMULATED
    base = inspect(request)

    def profiles(values: Floats) -> list[Profile]:
        sure = MappingProxyType({domain: float(domain == DOMAIN) for domain in DOMAINS})
        return [
            replace(base, domain=DOMAIN, domains=sure, abstained=False, difficulty=float(1 / (1 + np.exp(-v))))
            for v in values
        ]

    right = ev.routed(requests, profiles(logits), table, ids).predicted
    sizes = np.array([float(row.total_params or 0) for row in rows])
    outcomes = _drawn(right, sizes / sizes.max(), ids, rng)
    told = {
        "known": logits,
        "known to one logit": logits + rng.normal(0.0, NOISE_LOGITS, SIMULATED),
        "noise": rng.permutation(logits),
    }
    runs = {}
    for name, values in told.items():
        chosen = ev.chosen_by_decision(outcomes, requests, profiles(values), table, ids, sweep=True)
        runs[name] = (chosen, ev.evaluate(outcomes, {"router": chosen.choice}, chosen.sweeps))
    return {
        "requests": SIMULATED,
        "runs": {name: evaluation for name, (_, evaluation) in runs.items()},
        "oracle_expected": float((1 - np.prod(1 - right, axis=1)).mean()),
        "coverage": _coverage(right, outcomes, runs["known"][0].choice, rng),
        "models": ids,
    }


def _drawn(right: Floats, cost: Floats, ids: Sequence[str], rng: np.random.Generator) -> ev.Outcomes:
    return ev.Outcomes(tuple(ids), (rng.random(right.shape) < right).astype(np.float64), np.tile(cost, (len(right), 1)))


def _coverage(right: Floats, outcomes: ev.Outcomes, choice: NDArray[np.int64], rng: np.random.Generator) -> dict[str, float]:
    """How often the 95 % intervals hold the truth, over new requests and new outcomes of the same kind."""
    cost = outcomes.cost[0]
    truth_quality, truth_cost = right[np.arange(len(right)), choice].mean(), cost[choice].mean()
    truth = {
        "quality": float(truth_quality),
        "above_mixing": float(truth_quality - ev.mixing(right.mean(axis=0), cost, np.asarray(truth_cost))),
        "above_best": float(truth_quality - right.mean(axis=0).max()),
    }
    held = dict.fromkeys(truth, 0)
    for repeat in range(REPEATS):
        at = rng.integers(0, len(right), len(right))
        drawn = _drawn(right[at], cost, outcomes.models, rng)
        found = ev.evaluate(drawn, {"router": choice[at]}, draws=REPEAT_DRAWS, seed=repeat).rule("router")
        for name, value in truth.items():
            estimate: ev.Estimate = getattr(found, name)
            held[name] += estimate.low <= value <= estimate.high
    return {name: round(count / REPEATS, 3) for name, count in held.items()}


# ── speed ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def percentiles_ms(work: Callable[[], object]) -> dict[str, float]:
    """p50 and p99 of `CALLS` calls, the median of `ROUNDS` rounds, after fifty to warm up; and p99 of the processor time,
    which leaves out what other processes on shared cores take."""
    for _ in range(50):
        work()
    rounds = []
    for _ in range(ROUNDS):
        times, busy = np.empty(CALLS), np.empty(CALLS)
        for i in range(CALLS):
            started, worked = time.perf_counter(), time.thread_time()
            work()
            busy[i], times[i] = time.thread_time() - worked, time.perf_counter() - started
        rounds.append([*np.percentile(times, (50, 99)), np.percentile(busy, 99)])
    names = ("p50_ms", "p99_ms", "p99_processor_ms")
    return {name: round(float(value) * 1e3, 3) for name, value in zip(names, np.median(rounds, axis=0), strict=True)}


def table_of_size(count: int, seed: int) -> CandidateTable:
    """Builds of the catalog at random until they give `count` candidates."""
    policy = Policy.load("balanced")
    builds = list(advised_builds(Catalog.load(), policy))
    random.Random(seed).shuffle(builds)
    here = machine("rtx-4090")
    sizes = np.bincount(candidate_table(builds, here, policy).build_of, minlength=len(builds)).cumsum()
    return candidate_table(builds[: int(np.searchsorted(sizes, count)) + 1], here, policy)


def speed(seed: int) -> list[dict[str, Any]]:
    request = Request.of("Prove that the square root of two is irrational.")
    profile = inspect(request)

    def timed(table: CandidateTable) -> dict[str, Any]:
        return {
            "candidates": len(table),
            "decide": percentiles_ms(lambda: decide(request, profile, table)),
            "naive": percentiles_ms(lambda: naive(table, 500)),
        }

    return [timed(table_of_size(count, seed)) for count in (500, 50)]


def main() -> None:
    """Measure, write the page, print the figures."""
    parser = argparse.ArgumentParser(description="What the decision is worth, and how long it takes.")
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    started = time.perf_counter()
    load, fast = os.getloadavg()[0], speed(options.seed)
    reports, simulated = shared(options.outcomes), simulation(options.seed)
    unseen = json.loads((ROOT / "docs" / "classifier" / "figures.json").read_text("utf-8"))["difficulty"]
    runs = simulated.pop("runs")
    figures = {
        "shared": {name: as_line(report) for name, report in reports.items()},
        "unseen_by_network_too": unseen,
        "simulation": {
            **simulated,
            "runs": {name: ev.evaluation_line(run, simulated["models"]) for name, run in runs.items()},
        },
        "speed": {"sizes": fast, "load": round(load, 1), "cores": os.cpu_count()},
    }
    write_page(figures, reports, runs, options.out)
    print(json.dumps({"speed": fast, "coverage": simulated["coverage"]}, indent=1))
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
