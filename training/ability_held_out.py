"""How good the ability model is: each benchmark left out in turn, and predicted from all the others.

The figures of docs/abilities.md come from here; `abilities.py` widens its standard deviations by `sd_factor`.

    python -m training.abilities --evaluate
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.ability_model import (
    AXES,
    Design,
    Floats,
    Observation,
    Problem,
    Scales,
    benchmark_ability,
    percent_of,
    posterior_mean,
    posterior_sd,
    problem,
    sharpened,
    steepness,
)
from training.benchmark_domains import BENCHMARKS


@dataclass(frozen=True)
class HeldOut:
    """One benchmark left out: errors in points of 100, pairs in order, and how far off in predicted standard deviations."""

    axis: str
    scores: int
    error: float
    size_error: float
    in_order: float
    size_in_order: float
    deviations: Floats


def held_out(
    at: Design, observations: Sequence[Observation], scales: Scales, sharpness: Mapping[str, float]
) -> tuple[HeldOut, ...]:
    """Leave one benchmark out: abilities from all the others, its difficulty and sharpness from its other scores.

    The baseline replaces the abilities by a line in log size and thinking, with the same treatment. Benchmarks with fewer
    than four scores tell too little. The scales stay those of the full fit.
    """
    results = []
    for name in sorted({o.benchmark for o in observations}):
        held = [o for o in observations if o.benchmark == name]
        if len(held) < 4:
            continue
        others = [o for o in observations if o.benchmark != name]
        rest = problem(at, others, sharpened(at, others, scales, sharpness, rounds=1))
        ours = benchmark_ability(at, posterior_mean(rest, scales), held)
        size = _size_baseline(at, rest, held)
        weights = np.zeros((len(held), len(at.blocks["cell"])))
        for n, seen in enumerate(held):
            for axis in BENCHMARKS[name].domains:
                weights[n, at.row(seen.key, axis)] = 1 / len(BENCHMARKS[name].domains)
        sd = posterior_sd(rest, scales, weights - weights.mean(axis=0))
        ours_error, deviations = _errors(ours, sd, held, noise=scales.noise)
        size_error, _ = _errors(size, sd, held, noise=scales.noise)
        order = (_in_order(ours, held), _in_order(size, held))
        results.append(HeldOut(BENCHMARKS[name].domains[0], len(held), ours_error, size_error, *order, deviations))
    return tuple(results)


def evaluation(results: Sequence[HeldOut]) -> str:
    """The held-out results as a markdown table, weighted by scores."""
    lines = [
        "| axis | benchmarks | scores | error, abilities | error, size only | pairs in order, abilities | size only |",
        "|---|---|---|---|---|---|---|",
    ]
    for axis in (*AXES, "all"):
        found = [r for r in results if axis in (r.axis, "all")]
        if found:
            weights = np.array([r.scores for r in found])
            error, size_error, order, size_order = (
                float(np.average([getattr(r, field) for r in found], weights=weights))
                for field in ("error", "size_error", "in_order", "size_in_order")
            )
            cells = f"{error:.1f} | {size_error:.1f} | {order:.1%} | {size_order:.1%}"
            lines.append(f"| {axis} | {len(found)} | {weights.sum()} | {cells} |")
    spread = f"Spread of the held-out errors in predicted standard deviations: {sd_factor(results):.2f}."
    return "\n".join([*lines, "", spread])


def sd_factor(results: Sequence[HeldOut]) -> float:
    """By how much the model's own standard deviations are too small: the root mean square of the held-out deviations."""
    return float(np.sqrt(np.mean(np.concatenate([r.deviations for r in results]) ** 2)))


def _size_baseline(at: Design, rest: Problem, held: Sequence[Observation]) -> Floats:
    """Ordinary least squares of logit on log size and thinking with a free difficulty a benchmark."""
    features = at.blocks["slope"][:, [0, 4]]
    rows = [at.row(o.key, AXES[0]) for o in rest.observations]
    both = np.hstack([features[rows], rest.blocks["difficulty"]])
    slopes = np.linalg.lstsq(both, rest.logits, rcond=None)[0][:2]
    return features[[at.row(o.key, AXES[0]) for o in held]] @ slopes


def _errors(ability: Floats, sd: Floats, held: Sequence[Observation], *, noise: float) -> tuple[float, Floats]:
    """Mean absolute error in points of 100, and each logit's error in predicted standard deviations.

    Each score is predicted from its ability and from the other scores of its benchmark.
    """
    points, deviations = [], []
    for n, seen in enumerate(held):
        others = [o for m, o in enumerate(held) if m != n]
        around = np.delete(ability, n)
        steep = steepness(around, others, noise=noise)
        logit = float(steep * (ability[n] - around.mean()) + np.mean([o.logit for o in others]))
        benchmark = BENCHMARKS[seen.benchmark]
        points.append(abs(percent_of(logit, benchmark) - seen.percent) * 100 / benchmark.scale)
        expected = np.sqrt((steep * sd[n]) ** 2 + (noise**2 + seen.variance) * (1 + 1 / len(others)))
        deviations.append((seen.logit - logit) / expected)
    return float(np.mean(points)), np.array(deviations)


def _in_order(ability: Floats, held: Sequence[Observation]) -> float:
    """Share of pairs at least one point apart that the ability puts in the right order."""
    scores = np.array([o.percent * 100 / BENCHMARKS[o.benchmark].scale for o in held])
    gap, guess = scores[:, None] - scores[None, :], ability[:, None] - ability[None, :]
    clear = np.triu(np.abs(gap) >= 1, 1)
    return float(np.mean((gap * guess > 0)[clear])) if clear.any() else 1.0
