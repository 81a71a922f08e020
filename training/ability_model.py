"""The model behind the ability table: an item-response model of published scores, Gaussian throughout, in numpy.

logit(score) = sharpness[benchmark] x ability[model, mode, domain] - difficulty[benchmark] + noise. An ability is a straight
line in size, share of active parameters, release date and thinking, plus deviations of family, model, model x mode and
model x mode x domain. Given the sharpness the fit is one linear system (kriging), its posterior gives the standard
deviations, and how strongly each kind of deviation is shrunk is chosen by the marginal likelihood; sharpness and abilities
are found in turn. Two versions of a benchmark have two difficulties, so they are never compared. The table that ships is
made by `abilities.py`, how good it is measured by `ability_held_out.py`.

    python -c "from training.ability_model import AXES; print(AXES)"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from qwen_router.catalog import Model
from qwen_router.profile.types import DOMAINS
from training.benchmark_domains import BENCHMARKS, Benchmark

Floats = NDArray[np.float64]
Key = tuple[str, bool]
"""A model's id and whether it thinks."""

AXES: tuple[str, ...] = (*DOMAINS, "vision")
THINKING_OF = {"thinking": True, "always-thinking": True, "non-thinking": False, "none": False}
SPECIALISTS = {
    "codeqwen1.5": "code",
    "qwen2.5-coder": "code",
    "qwen3-coder": "code",
    "qwen2-math": "math",
    "qwen2.5-math": "math",
}
SQUARED_SIZE = 1
"""The column of `_features` that bends for all domains alike: seven sizes a domain are too few to bend each."""
SHARPNESS_SD = 0.35
"""Prior of a benchmark's sharpness: normal around 1."""


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
    """Standard deviations, in logits, of every kind of term. `tuned` chooses those in `TUNED`; these are the starts."""

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


# --- what was published ---


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


# --- the model ---


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
    """Doublings of size over 8B, their square, doublings of active share, years since 2025, thinking, thinking x size.

    What only speaks answers nothing, so a talker and its vocoder are no part of the size.
    """
    voice = (model.architecture and model.architecture.speech_params) or 0
    total = float((model.total_params or 0) - voice)
    active = float(model.active_params or total)
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
    """Scores and the terms behind each: the design's blocks, averaged over a benchmark's domains, times its sharpness."""

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
            found[name] = steepness(benchmark_ability(at, mean, on), on, noise=scales.noise)
    return found


def steepness(ability: Floats, on: Sequence[Observation], *, noise: float) -> float:
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
    total: Floats = np.zeros(len(at.keys) * len(AXES))
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
    variance: Floats = np.maximum(prior - (cross * seen.T).sum(axis=1), 1e-6)
    return np.sqrt(variance)


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


def benchmark_ability(at: Design, mean: Floats, on: Sequence[Observation]) -> Floats:
    """What each scored key can do on its benchmark: the average over the benchmark's domains."""
    return np.array([np.mean([mean[at.row(o.key, axis)] for axis in BENCHMARKS[o.benchmark].domains]) for o in on])
