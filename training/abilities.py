"""Fit what each model can do, per domain and thinking mode, from the catalog's published scores, and ship it as a table.

An item-response model in numpy: logit(score) = sharpness[benchmark] x ability[model, mode, domain] - difficulty[benchmark]
+ noise. An ability is a straight line in size, share of active parameters, release date and thinking, plus deviations of family, model, model x mode
and model x mode x domain. Given the sharpness all terms are Gaussian, so the fit is one linear system (kriging), its posterior
gives the standard deviations, and how strongly each kind of deviation is shrunk is chosen by the marginal likelihood;
sharpness and abilities are found in turn. Two versions of
a benchmark have two difficulties, so they are never compared. What reads the table is `qwen_router/decide/ability.py`.

    python -m training.abilities --out qwen_router/decide/data/abilities.json
    python -m training.abilities --evaluate
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qwen_router.catalog import Catalog, Model
from qwen_router.profile.types import DOMAINS
from training.benchmark_domains import BENCHMARKS, Benchmark

Floats = NDArray[np.float64]
Key = tuple[str, bool]
"""A model's id and whether it thinks."""

AXES: tuple[str, ...] = (*DOMAINS, "vision")
THINKING_OF = {"thinking": True, "always-thinking": True, "non-thinking": False, "none": False}
SIZE_IN_NAME = {
    "Qwen/Qwen2.5-Omni-3B": 3e9,
    "Qwen/Qwen2.5-Omni-7B": 7e9,
    "Qwen/QVQ-72B-Preview": 72e9,
    "Qwen/Qwen3-Omni-30B-A3B-Instruct": 30e9,
    "Qwen/Qwen3-Omni-30B-A3B-Thinking": 30e9,
}
ACTIVE_IN_NAME = {"Qwen/Qwen3-Omni-30B-A3B-Instruct": 3e9, "Qwen/Qwen3-Omni-30B-A3B-Thinking": 3e9}
"""Sizes that only the published name tells, used for the prior alone."""

SQUARED_SIZE = 1
"""The column of `_features` that bends for all domains alike: seven sizes a domain are too few to bend each."""
SHARPNESS_SD = 0.35
"""Prior of a benchmark's sharpness: normal around 1."""

REFERENCE: Key = ("Qwen/Qwen2.5-7B-Instruct", False)
"""The "mid-size model" of a profile's difficulty, see docs/abilities.md."""

SPECIALISTS = {"qwen2.5-coder": "code", "qwen3-coder": "code", "qwen2.5-math": "math"}
MATHS_ONLY_LOGITS = -1.0
"""Stated prior, not a measurement: the Qwen2.5-Math README advises against anything but maths."""
DEMO_LOGITS, DEMO_SD = -3.0, 1.5
"""Stated prior: how far below the weakest Qwen the demonstration model is set in every domain."""


INT4_PAIRS = (
    (37.9, 33.0, 0.25),
    (52.4, 50.7, 0.25),
    (70.5, 67.8, 0.25),
    (82.3, 80.8, 0.25),
    (20.0, 16.8, 0.0),
    (29.0, 27.0, 0.0),
    (53.1, 49.4, 0.0),
    (77.6, 78.9, 0.0),
)
"""BF16 score, GPTQ-Int4 score, share of guessing: MMLU, then IFEval, of Qwen2-Instruct 0.5B, 1.5B, 7B, 72B."""
PERPLEXITY_RATIOS = ((1.000689, 1.014242), (1.000425, 1.028160))
"""Perplexity of Q8_0 and of Q4_K_M over that of FP16: Llama 2 7B, Llama 3 8B."""


@dataclass(frozen=True)
class Observation:
    """One published score as a logit, and the variance it has from sampling and from doubt about its source."""

    key: Key
    benchmark: str
    percent: float
    logit: float
    variance: float


@dataclass(frozen=True)
class Scales:
    """Standard deviations, in logits, of every kind of term. Chosen by `tuned`; these are the starting values."""

    slope: float = 1.0
    slope_by_domain: float = 0.4
    family: float = 0.3
    family_by_domain: float = 0.3
    model: float = 0.3
    mode: float = 0.3
    cell: float = 0.3
    noise: float = 0.3
    difficulty: float = 3.0


TUNED = ("slope_by_domain", "family", "family_by_domain", "model", "mode", "cell", "noise")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="where to write abilities.json")
    parser.add_argument("--evaluate", action="store_true", help="leave-one-benchmark-out error, as a markdown table")
    args = parser.parse_args(argv)
    models = tuple(m for m in Catalog.load().models if m.kind == "chat")
    observations = observed(models)
    at = design(models)
    scales, sharpness = tuned(at, observations)
    results = held_out(at, observations, scales, sharpness)
    if args.evaluate:
        print(evaluation(results))
    if args.out:
        made = table(models, at, observations, scales, sharpness, sd_factor=sd_factor(results))
        text = json.dumps(made, ensure_ascii=False, indent=None, separators=(",", ":"))
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text.replace('{"model"', '\n{"model"') + "\n", encoding="utf-8")


# --- what was published ----------------------------------------------------------------------------------------


def keys_of(models: Sequence[Model]) -> tuple[Key, ...]:
    """Every mode that each model can run in."""
    modes = {"toggle": (False, True), "always": (True,), "never": (False,), "none": (False,)}
    return tuple((m.id, thinking) for m in models if not m.demo for thinking in modes[m.thinking.behaviour])


def observed(models: Sequence[Model]) -> tuple[Observation, ...]:
    """Usable scores. Modes that a model cannot run in, or that the source left out, are not used."""
    keys, found = set(keys_of(models)), list[Observation]()
    for model in models:
        for score in model.scores:
            thinking = THINKING_OF.get(score.mode)
            if thinking is None or (model.id, thinking) not in keys or score.benchmark not in BENCHMARKS:
                continue
            found.append(_observation((model.id, thinking), score.benchmark, score.score, verified=score.verified))
    return tuple(found)


def _observation(key: Key, name: str, percent: float, *, verified: bool) -> Observation:
    """Guessing is taken out first; a share near 0 or 1 says little about the logit, so its variance grows there."""
    benchmark = BENCHMARKS[name]
    share = float(np.clip((percent / benchmark.scale - benchmark.floor) / (1 - benchmark.floor), 0.01, 0.99))
    sampling = 1 / (300 * share * (1 - share))
    return Observation(key, name, percent, float(np.log(share / (1 - share))), sampling * (1 if verified else 2))


def percent_of(logit: float, benchmark: Benchmark) -> float:
    share = benchmark.floor + (1 - benchmark.floor) / (1 + float(np.exp(-logit)))
    return share * benchmark.scale


# --- the model -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Design:
    """One row a (key, axis): which terms make up its ability. Blocks are named like the fields of `Scales`."""

    keys: tuple[Key, ...]
    blocks: Mapping[str, Floats]

    def row(self, key: Key, axis: str) -> int:
        return self.keys.index(key) * len(AXES) + AXES.index(axis)


def design(models: Sequence[Model]) -> Design:
    by_id = {m.id: m for m in models}
    keys = keys_of(models)
    features = np.array([_features(by_id[model_id], thinking=thinking) for model_id, thinking in keys])
    axes = np.eye(len(AXES))
    repeated = np.repeat(features, len(AXES), axis=0)
    tiled = np.tile(axes, (len(keys), 1))
    by_domain = np.einsum("nf,na->nfa", np.delete(repeated, SQUARED_SIZE, axis=1), tiled).reshape(len(repeated), -1)
    special = np.array([[_special(by_id[i].family, axis)] for i, _ in keys for axis in AXES])
    family = np.repeat(_one_hot([by_id[i].family for i, _ in keys]), len(AXES), axis=0)
    model = np.repeat(_one_hot([i for i, _ in keys]), len(AXES), axis=0)
    mode = np.repeat(np.eye(len(keys)), len(AXES), axis=0)
    family_by_domain = np.einsum("nf,na->nfa", family, tiled).reshape(len(family), -1)
    blocks = {
        "slope": np.hstack([repeated, special]),
        "slope_by_domain": by_domain,
        "family": family,
        "family_by_domain": family_by_domain,
        "model": model,
        "mode": mode,
        "cell": np.eye(len(keys) * len(AXES)),
    }
    return Design(keys, blocks)


def _features(model: Model, *, thinking: bool) -> tuple[float, ...]:
    """Doublings of size over 8B (and their square), doublings of inactive share, years since 2025, thinking, thinking x size."""
    total = float(model.total_params or SIZE_IN_NAME[model.id])
    active = float(model.active_params or ACTIVE_IN_NAME.get(model.id, total))
    year, month, *_ = (int(part) for part in model.release_date.split("-"))
    years = (date(year, month, 1) - date(2025, 1, 1)).days / 365.25
    size = float(np.log2(total / 8e9))
    return size, size**2 / 10, float(np.log2(active / total)), years, float(thinking), thinking * size


def _special(family: str, axis: str) -> float:
    return float(SPECIALISTS.get(family) == axis)


def _one_hot(labels: Sequence[str]) -> Floats:
    names = sorted(set(labels))
    return np.array([[float(label == name) for name in names] for label in labels])


@dataclass(frozen=True)
class Problem:
    """Scores and the terms behind each: `blocks` are the design's, averaged over a benchmark's domains, times its sharpness."""

    design: Design
    observations: tuple[Observation, ...]
    blocks: Mapping[str, Floats]
    logits: Floats
    variances: Floats


def problem(at: Design, observations: Sequence[Observation], sharpness: Mapping[str, float]) -> Problem:
    weights = np.zeros((len(observations), len(at.keys) * len(AXES)))
    for n, seen in enumerate(observations):
        axes = BENCHMARKS[seen.benchmark].domains
        for axis in axes:
            weights[n, at.row(seen.key, axis)] = sharpness.get(seen.benchmark, 1.0) / len(axes)
    blocks = {name: weights @ block for name, block in at.blocks.items()}
    blocks["difficulty"] = -_one_hot([seen.benchmark for seen in observations])
    logits, variances = ([getattr(o, field) for o in observations] for field in ("logit", "variance"))
    return Problem(at, tuple(observations), blocks, np.array(logits), np.array(variances))


def _grams(posed: Problem) -> dict[str, Floats]:
    return {name: block @ block.T for name, block in posed.blocks.items()}


def _covariance(grams: Mapping[str, Floats], variances: Floats, scales: Scales) -> Floats:
    total: Floats = np.diag(variances + scales.noise**2)
    for name, gram in grams.items():
        total = total + gram * getattr(scales, name) ** 2
    return total


def tuned(at: Design, observations: Sequence[Observation]) -> tuple[Scales, dict[str, float]]:
    """Scales and sharpness, in turn until they settle: three rounds are enough (the evidence gains under 1 after that)."""
    scales, sharpness = Scales(), dict[str, float]()
    for _ in range(3):
        scales = _tuned_scales(problem(at, observations, sharpness), scales)
        sharpness = sharpened(at, observations, scales, sharpness)
    return scales, sharpness


def _tuned_scales(posed: Problem, start: Scales) -> Scales:
    """The scales with the highest marginal likelihood, by coordinate search over a grid: deterministic."""
    grams = _grams(posed)
    grid = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0)
    best, best_evidence = start, _log_evidence(_covariance(grams, posed.variances, start), posed.logits)
    for name in TUNED:
        for value in grid:
            tried = replace(best, **{name: value})
            evidence = _log_evidence(_covariance(grams, posed.variances, tried), posed.logits)
            if evidence > best_evidence + 1e-9:
                best, best_evidence = tried, evidence
    return best


def _log_evidence(covariance: Floats, logits: Floats) -> float:
    lower = np.linalg.cholesky(covariance)
    white = np.linalg.solve(lower, logits)
    return float(-0.5 * white @ white - np.log(np.diag(lower)).sum())


def sharpened(
    at: Design, observations: Sequence[Observation], scales: Scales, sharpness: Mapping[str, float], *, rounds: int = 3
) -> dict[str, float]:
    """How steeply each benchmark's logits follow the ability, pulled towards 1; few scores move it little."""
    found = dict(sharpness)
    for _ in range(rounds):
        mean = posterior_mean(problem(at, observations, found), scales)
        for name in {o.benchmark for o in observations}:
            on = [o for o in observations if o.benchmark == name]
            found[name] = _steepness(benchmark_ability(at, mean, on), on, noise=scales.noise)
    return found


def _steepness(ability: Floats, on: Sequence[Observation], *, noise: float) -> float:
    """Weighted regression of logits on abilities with a prior of 1 +- SHARPNESS_SD."""
    weights = np.array([1 / (o.variance + noise**2) for o in on])
    logits = np.array([o.logit for o in on])
    x, y = ability - np.average(ability, weights=weights), logits - np.average(logits, weights=weights)
    strength = 1 / SHARPNESS_SD**2
    return float(np.clip((weights @ (x * y) + strength) / (weights @ x**2 + strength), 0.3, 3.0))


def posterior_mean(posed: Problem, scales: Scales) -> Floats:
    """Every ability, flat [keys x axes], in the model's own origin."""
    at = posed.design
    weights = np.linalg.solve(_covariance(_grams(posed), posed.variances, scales), posed.logits)
    total = np.zeros(len(at.keys) * len(AXES))
    for name, block in at.blocks.items():
        total = total + getattr(scales, name) ** 2 * (block @ (posed.blocks[name].T @ weights))
    return total


def fitted(posed: Problem, scales: Scales) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every ability, [keys, axes]; zero is the average of the scored keys of an axis."""
    centring = np.eye(len(posed.design.blocks["cell"])) - _axis_average(posed)
    shape = (len(posed.design.keys), len(AXES))
    mean, sd = centring @ posterior_mean(posed, scales), posterior_sd(posed, scales, centring)
    return mean.reshape(shape), sd.reshape(shape)


def posterior_sd(posed: Problem, scales: Scales, contrasts: Floats) -> Floats:
    """Standard deviation of each row of `contrasts` (weights over the flat abilities)."""
    at = posed.design
    square = {name: getattr(scales, name) ** 2 for name in at.blocks}
    terms = {name: contrasts @ block for name, block in at.blocks.items()}
    cross = sum((square[n] * (terms[n] @ posed.blocks[n].T) for n in terms), np.zeros(1))
    prior = sum((square[n] * (terms[n] ** 2).sum(axis=1) for n in terms), np.zeros(1))
    seen = np.linalg.solve(_covariance(_grams(posed), posed.variances, scales), cross.T)
    return np.sqrt(np.maximum(prior - (cross * seen.T).sum(axis=1), 1e-6))


def _axis_average(posed: Problem) -> Floats:
    """A matrix that gives each (key, axis) the average over the keys that have scores on that axis."""
    at = posed.design
    scored = scored_cells(posed)
    average = np.zeros((len(at.keys) * len(AXES), len(at.keys) * len(AXES)))
    for n, axis in enumerate(AXES):
        rows = [k * len(AXES) + n for k, key in enumerate(at.keys) if (key, axis) in scored]
        average[n :: len(AXES), rows] = 1 / max(1, len(rows))
    return average


def scored_cells(posed: Problem) -> frozenset[tuple[Key, str]]:
    """Which abilities a published score backs directly."""
    return frozenset((o.key, axis) for o in posed.observations for axis in BENCHMARKS[o.benchmark].domains)


# --- the table that ships --------------------------------------------------------------------------------------


def table(
    models: Sequence[Model],
    at: Design,
    observations: Sequence[Observation],
    scales: Scales,
    sharpness: Mapping[str, float],
    *,
    sd_factor: float,
) -> dict[str, object]:
    """`sd_factor` widens the posterior to what the held-out benchmarks showed."""
    posed = problem(at, observations, sharpness)
    mean, sd = fitted(posed, scales)
    sd = sd * max(1.0, sd_factor)
    keys, scored = posed.design.keys, scored_cells(posed)
    by_id = {m.id: m for m in models}
    rows = []
    for n, key in enumerate(keys):
        has = [(key, axis) in scored for axis in AXES]
        row_mean, row_sd = mean[n].copy(), sd[n].copy()
        if by_id[key[0]].family == "qwen2.5-math":
            outside = np.array([axis != "math" and not has[a] for a, axis in enumerate(AXES)])
            row_mean[outside] += MATHS_ONLY_LOGITS
            row_sd[outside] = np.hypot(row_sd[outside], abs(MATHS_ONLY_LOGITS))
        rows.append(_table_row(by_id[key[0]], key[1], row_mean, row_sd, has))
    for model in models:
        if model.demo:
            lowest = mean.min(axis=0) + DEMO_LOGITS
            rows += [_table_row(model, t, lowest, np.full(len(AXES), DEMO_SD), [False] * len(AXES)) for t in (False, True)]
    reference = keys.index(REFERENCE)
    return {
        "domains": list(DOMAINS),
        "made_by": "training/abilities.py",
        "observations": len(observations),
        "sd_factor": round(sd_factor, 3),
        "scales": {name: getattr(scales, name) for name in (*TUNED, "slope", "difficulty")},
        "sharpness": {name: round(value, 3) for name, value in sorted(sharpness.items())},
        "reference": {"model": REFERENCE[0], "thinking": REFERENCE[1], "mean": _rounded(mean[reference])},
        "unknown": {"mean": _rounded(np.percentile(mean, 10, axis=0)), "sd": _rounded(mean.std(axis=0) + sd.mean(axis=0))},
        "quantisations": quantisations(),
        "rows": rows,
    }


def quantisations() -> dict[str, dict[str, object]]:
    """What each quantisation costs, from published measurements, with what they were and how they were turned into logits.

    4 bits: the median loss of Qwen2's own BF16 and GPTQ-Int4 rows; a stand-in, as nobody who published both names measured
    Q4_K_M with Qwen's harness. 8 bits: that loss times how much less perplexity Q8_0 costs than Q4_K_M in llama.cpp.
    """

    def logit(percent: float, floor: float) -> float:
        share = (percent / 100 - floor) / (1 - floor)
        return float(np.log(share / (1 - share)))

    four_bits = float(np.median([logit(full, floor) - logit(cut, floor) for full, cut, floor in INT4_PAIRS]))
    eight_bits = four_bits * float(np.mean([np.log(q8) / np.log(q4) for q8, q4 in PERPLEXITY_RATIOS]))
    qwen = "QwenLM/Qwen3:docs/source/getting_started/quantization_benchmark.rst, MMLU and IFEval of Qwen2 0.5B to 72B"
    llama = "ggml-org/llama.cpp pull request 6936, mean perplexity ratios of Llama 2 7B and Llama 3 8B"
    none = "the precision that scores are published for"
    return {
        "bf16": {"logits": 0.0, "source": none},
        "f16": {"logits": 0.0, "source": none},
        "q8_0": {"logits": round(eight_bits, 4), "source": f"q4_K_M scaled by {llama}"},
        "q4_K_M": {"logits": round(four_bits, 3), "source": f"GPTQ-Int4 as a stand-in: {qwen}"},
    }


def _table_row(model: Model, thinking: bool, mean: Floats, sd: Floats, has: Sequence[bool]) -> dict[str, object]:
    """`vision` is the last column, null for models that take no images."""
    sees = "image" in model.modalities
    cut = len(DOMAINS)
    return {
        "model": model.id,
        "thinking": thinking,
        "mean": _rounded(mean[:cut]),
        "sd": _rounded(sd[:cut]),
        "scored": list(has[:cut]),
        "vision": [round(float(mean[cut]), 3), round(float(sd[cut]), 3), has[cut]] if sees else None,
    }


def _rounded(values: Floats) -> list[float]:
    return [round(float(v), 3) for v in values]


# --- how good it is --------------------------------------------------------------------------------------------


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
    return "\n".join([*lines, "", f"Spread of the held-out errors in predicted standard deviations: {sd_factor(results):.2f}."])


def sd_factor(results: Sequence[HeldOut]) -> float:
    """By how much the model's own standard deviations are too small: the root mean square of the held-out deviations."""
    return float(np.sqrt(np.mean(np.concatenate([r.deviations for r in results]) ** 2)))


def benchmark_ability(at: Design, mean: Floats, on: Sequence[Observation]) -> Floats:
    """What each scored key can do on its benchmark: the average over the benchmark's domains."""
    return np.array([np.mean([mean[at.row(o.key, axis)] for axis in BENCHMARKS[o.benchmark].domains]) for o in on])


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
        steep = _steepness(around, others, noise=noise)
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


if __name__ == "__main__":
    main()
