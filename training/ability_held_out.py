"""How good the ability model is: each benchmark left out in turn, and predicted from all the others.

The figures of docs/abilities.md come from here; `abilities.py` widens its standard deviations by `sd_factors`.

    python -m training.abilities --evaluate
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.ability_model import (
    AXES,
    COLUMNS,
    Design,
    Floats,
    Observation,
    Problem,
    Scales,
    benchmark_ability,
    offset_of,
    percent_of,
    posterior_mean,
    posterior_sd,
    problem,
    sharpened,
    steepness,
)
from training.benchmark_domains import BENCHMARKS

LOWER = -1.2816
"""The tenth percentile of a standard normal."""
ENOUGH_BENCHMARKS = 5
"""To judge a domain's standard deviations by its own errors."""


@dataclass(frozen=True)
class HeldOut:
    """One benchmark left out: errors in points of 100, pairs in order, and how far off in predicted standard deviations."""

    axis: str
    offset: str | None
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
        weights = at.asked(held)
        sd = posterior_sd(rest, scales, weights - weights.mean(axis=0))
        ours_error, deviations = _errors(ours, sd, held, noise=scales.noise)
        size_error, _ = _errors(size, sd, held, noise=scales.noise)
        order = (_in_order(ours, held), _in_order(size, held))
        about = BENCHMARKS[name]
        offset = offset_of(about) if about.offset else None
        results.append(HeldOut(about.domains[0], offset, len(held), ours_error, size_error, *order, deviations))
    return tuple(results)


@dataclass(frozen=True)
class Unscored:
    """All scores of one model left out: absolute errors in points of 100, and errors in predicted standard deviations."""

    model: str
    errors: Floats
    deviations: Floats


def held_out_models(
    at: Design, observations: Sequence[Observation], scales: Scales, sharpness: Mapping[str, float]
) -> tuple[Unscored, ...]:
    """Leave one model out, as if nothing had been published on it: what a prior by size, date and family is worth.

    Benchmarks that only this model has are skipped, for nothing is known of their difficulty then.
    """
    whole = problem(at, observations, sharpness)
    covariance = whole.covariance(scales, noise=False)
    noise = whole.variances + scales.noise**2
    results = []
    for model in sorted({o.key[0] for o in observations}):
        own = np.array([o.key[0] == model for o in observations])
        known = {o.benchmark for o in observations if o.key[0] != model}
        asked = own & np.array([o.benchmark in known for o in observations])
        if not asked.any():
            continue
        rest = np.ix_(~own, ~own)
        gain = np.linalg.solve(covariance[rest] + np.diag(noise[~own]), covariance[np.ix_(~own, asked)])
        logits = gain.T @ whole.logits[~own]
        variance = np.diag(covariance[np.ix_(asked, asked)] - covariance[np.ix_(asked, ~own)] @ gain) + noise[asked]
        held = [o for o, wanted in zip(observations, asked, strict=True) if wanted]
        points = [_points(logit, seen) for logit, seen in zip(logits, held, strict=True)]
        deviations = (np.array([o.logit for o in held]) - logits) / np.sqrt(variance)
        results.append(Unscored(model, np.array(points), deviations))
    return tuple(results)


def evaluation(results: Sequence[HeldOut], unscored: Sequence[Unscored]) -> str:
    """The held-out results as a markdown table, weighted by scores, and how often the cautious bound holds."""
    lines = [
        "| axis | benchmarks | scores | error, abilities | error, size only | pairs in order, abilities | size only |"
        " above the 10 % bound |",
        "|---|---|---|---|---|---|---|---|",
    ]
    factors = sd_factors(results)
    for column in (*(c for c in COLUMNS if any(c in (r.axis, r.offset) for r in results)), "all"):
        found = [r for r in results if column in (r.axis, r.offset, "all")]
        weights = np.array([r.scores for r in found])
        error, size_error, order, size_order = (
            float(np.average([getattr(r, field) for r in found], weights=weights))
            for field in ("error", "size_error", "in_order", "size_in_order")
        )
        above = coverage(np.concatenate([r.deviations / factors[r.axis] for r in found]))
        cells = f"{error:.1f} | {size_error:.1f} | {order:.1%} | {size_order:.1%} | {above:.0%}"
        lines.append(f"| {column} | {len(found)} | {weights.sum()} | {cells} |")
    everything = np.concatenate([r.deviations for r in results])
    alone = np.concatenate([u.deviations for u in unscored])
    spread, spread_alone = (np.sqrt(np.mean(d**2)) for d in (everything, alone))
    errors = np.concatenate([u.errors for u in unscored])
    shipped = coverage(np.concatenate([r.deviations / factors[r.axis] for r in results]))
    told = ", ".join(f"{axis} {factors[axis]:.2f}" for axis in AXES if factors[axis] > min(factors.values()))
    lines += [
        "",
        f"Held-out errors in predicted standard deviations: root mean square {spread:.2f}. The 10 % bound holds"
        f" {coverage(everything):.1%} of the time as fitted, {shipped:.1%} with the factors that ship:"
        f" {min(factors.values()):.2f} ({told}).",
        f"A model left out whole ({len(unscored)} models, {len(errors)} scores): error {errors.mean():.1f} points, root mean"
        f" square {spread_alone:.2f}, above the 10 % bound {coverage(alone):.1%} as fitted.",
    ]
    return "\n".join(lines)


def coverage(deviations: Floats) -> float:
    """How often the truth is above mean - 1.28 standard deviations, which a Gaussian is nine times in ten."""
    return float(np.mean(deviations >= LOWER))


def sd_factor(deviations: Floats) -> float:
    """What standard deviations have to be multiplied by for the cautious bound to hold nine times in ten.

    The tenth percentile of the held-out deviations over a Gaussian's; never below 1. Their root mean square would be larger,
    because a few errors are very large, and would make the bound hold more often than it says.
    """
    return max(1.0, float(np.quantile(deviations, 0.1)) / LOWER)


def sd_factors(results: Sequence[HeldOut]) -> dict[str, float]:
    """The factor of all benchmarks, or a domain's own where that is larger and five benchmarks or more stand behind it."""
    overall = sd_factor(np.concatenate([r.deviations for r in results]))
    factors = dict.fromkeys(COLUMNS, overall)
    for axis in AXES:
        found = [r.deviations for r in results if r.axis == axis]
        if len(found) >= ENOUGH_BENCHMARKS:
            factors[axis] = max(overall, sd_factor(np.concatenate(found)))
    return factors


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
        points.append(_points(logit, seen))
        expected = np.sqrt((steep * sd[n]) ** 2 + (noise**2 + seen.variance) * (1 + 1 / len(others)))
        deviations.append((seen.logit - logit) / expected)
    return float(np.mean(points)), np.array(deviations)


def _points(logit: float, seen: Observation) -> float:
    benchmark = BENCHMARKS[seen.benchmark]
    return abs(percent_of(logit, benchmark) - seen.percent) * 100 / benchmark.scale


def _in_order(ability: Floats, held: Sequence[Observation]) -> float:
    """Share of pairs at least one point apart that the ability puts in the right order."""
    scores = np.array([o.percent * 100 / BENCHMARKS[o.benchmark].scale for o in held])
    gap, guess = scores[:, None] - scores[None, :], ability[:, None] - ability[None, :]
    clear = np.triu(np.abs(gap) >= 1, 1)
    return float(np.mean((gap * guess > 0)[clear])) if clear.any() else 1.0
