"""The model behind the ability table: an item-response model of published scores, Gaussian throughout, in numpy.

logit(score) = sharpness[benchmark] x ability[model, mode, domain] - difficulty[benchmark] + noise. An ability is a straight
line in size, share of active parameters, release date, thinking and two products of these, plus deviations of family, model,
model x mode and model x mode x domain. On benchmarks in many languages, and on one kind of picture, an offset of its own is
added to the ability, made of the same kinds of terms. Given the sharpness the fit is one linear system (kriging), its
posterior gives the standard deviations, and how strongly each kind of deviation is shrunk is chosen by the marginal
likelihood; sharpness and abilities are found in turn. Two versions of a benchmark have two difficulties, so they are never
compared. The table that ships is made by `abilities.py`, how good it is measured by `ability_held_out.py`.

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
from training.benchmark_domains import BENCHMARKS, KINDS, LANGUAGES, Benchmark

Floats = NDArray[np.float64]
Key = tuple[str, bool]
"""A model's id and whether it thinks."""

AXES: tuple[str, ...] = (*DOMAINS, "vision")
KIND_COLUMNS: tuple[str, ...] = tuple(f"picture:{kind}" for kind in KINDS)
OFFSETS: tuple[str, ...] = (LANGUAGES, *KIND_COLUMNS)
COLUMNS: tuple[str, ...] = (*AXES, *OFFSETS)
TRANSLATION_IS: tuple[str, ...] = ("knowledge", "extraction", LANGUAGES)
"""No published score here is on translating. It is set to the average of the first two abilities, in other languages."""
THINKING_OF = {"thinking": True, "always-thinking": True, "non-thinking": False, "none": False}
SPECIALISTS = {
    "codeqwen1.5": "code",
    "qwen2.5-coder": "code",
    "qwen3-coder": "code",
    "qwen2-math": "math",
    "qwen2.5-math": "math",
}
IN_COMMON = (1, 6)
"""Of `_features`: the bends by size and by size over the years, the same in all domains: their scores are too few to bend
each (with a bend over the years in each domain, chat benchmarks left out were missed by 7.0 points, not 4.4)."""
KIND_FEATURES = (0, 3, 4)
"""Of `_features`: size, date, thinking. Six kinds share 83 scores, which carry no more."""
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
    language_slope: float = 0.1
    language_family: float = 0.1
    language_model: float = 0.1
    language_cell: float = 0.1
    kind_slope: float = 0.1
    kind_model: float = 0.1
    noise: float = 0.3
    difficulty: float = 3.0


TUNED = (
    *("slope_by_domain", "family", "family_by_domain", "model", "mode", "cell"),
    *("language_slope", "language_family", "language_model", "language_cell", "kind_slope", "kind_model", "noise"),
)
OF_OFFSETS = tuple(name for name in TUNED if name.startswith(("language_", "kind_")))
GRID = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0)


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
    """One row a (key, column): which terms make up its ability. Blocks are named like the fields of `Scales`."""

    keys: tuple[Key, ...]
    blocks: Mapping[str, Floats]

    def row(self, key: Key, column: str) -> int:
        return self.keys.index(key) * len(COLUMNS) + COLUMNS.index(column)

    def asked(self, on: Sequence[Observation]) -> Floats:
        """What each score rests on: weights over the flat abilities."""
        weights = np.zeros((len(on), len(self.keys) * len(COLUMNS)))
        for n, seen in enumerate(on):
            for column, weight in loading(BENCHMARKS[seen.benchmark]).items():
                weights[n, self.row(seen.key, column)] = weight
        return weights


def loading(benchmark: Benchmark) -> dict[str, float]:
    """The abilities that a benchmark asks for: the average over its domains, plus its offset."""
    shares = {axis: 1 / len(benchmark.domains) for axis in benchmark.domains}
    return shares | ({offset_of(benchmark): 1.0} if benchmark.offset else {})


def offset_of(benchmark: Benchmark) -> str:
    """A kind of picture may be called like a domain (`math`), so kinds carry a prefix among the columns."""
    return benchmark.offset if benchmark.offset == LANGUAGES else f"picture:{benchmark.offset}"


def design(models: Sequence[Model]) -> Design:
    by_id = {m.id: m for m in models}
    keys = keys_of(models)
    spoken = languages_named(models)
    axes, kinds, languages = (_columns(names) for names in (AXES, KIND_COLUMNS, (LANGUAGES,)))
    features = np.array([_features(by_id[model_id], thinking=thinking) for model_id, thinking in keys])
    tongues = np.array([[*_features(by_id[i], thinking=t), spoken[i]] for i, t in keys])
    special = np.array([[[_special(by_id[i].family, axis)] for axis in COLUMNS] for i, _ in keys])
    family, model = _one_hot([by_id[i].family for i, _ in keys]), _one_hot([i for i, _ in keys])
    everywhere, each = axes.sum(axis=0)[:, None], axes.T
    blocks = {
        "slope": np.hstack([_spread(features, everywhere), special.reshape(-1, 1)]),
        "slope_by_domain": _spread(np.delete(features, IN_COMMON, axis=1), each),
        "family": _spread(family, everywhere),
        "family_by_domain": _spread(family, each),
        "model": _spread(model, everywhere),
        "mode": _spread(np.eye(len(keys)), everywhere),
        "cell": _spread(np.eye(len(keys)), each),
        "language_slope": _spread(np.delete(tongues, IN_COMMON, axis=1), languages.T),
        "language_family": _spread(family, languages.T),
        "language_model": _spread(model, languages.T),
        "language_cell": _spread(np.eye(len(keys)), languages.T),
        "kind_slope": _spread(features[:, KIND_FEATURES], kinds.T),
        "kind_model": _spread(model, kinds.T),
    }
    return Design(keys, blocks)


def _columns(names: Sequence[str]) -> Floats:
    """One row a name, with a one at its column."""
    return np.array([[float(name == column) for column in COLUMNS] for name in names])


def _spread(terms: Floats, columns: Floats) -> Floats:
    """Every term of a key in every set of columns: [keys x COLUMNS, terms x sets]."""
    spread: Floats = np.einsum("kt,cs->kcts", terms, columns).reshape(len(terms) * len(columns), -1)
    return spread


def languages_named(models: Sequence[Model]) -> dict[str, float]:
    """Doublings of the number of languages that the maker names, over 29 (Qwen2.5's), a quarter each.

    Where a card names none, those of the model nearest in date that does; Math models say what they were tuned on.
    """
    named = [m for m in models if m.languages and m.family not in ("qwen2-math", "qwen2.5-math")]
    found = {}
    for model in models:
        near = min(named, key=lambda other: (abs(_years(other) - _years(model)), other.id), default=None)
        count = model.languages or (near.languages if near else None) or 29
        found[model.id] = float(np.log2(count / 29)) / 4
    return found


def _features(model: Model, *, thinking: bool) -> tuple[float, ...]:
    """Doublings of size over 8B, their square, doublings of active share, years since 2025, thinking, thinking x size,
    years x size: what training gained over the years, it gained more in large models.

    What only speaks answers nothing, so a talker and its vocoder are no part of the size.
    """
    voice = (model.architecture and model.architecture.speech_params) or 0
    total = float((model.total_params or 0) - voice)
    active = float(model.active_params or total)
    size = float(np.log2(total / 8e9))
    years = _years(model)
    return size, size**2 / 10, float(np.log2(active / total)), years, float(thinking), thinking * size, years * size


def _years(model: Model) -> float:
    """Years since 2025."""
    year, month, *_ = (int(part) for part in model.release_date.split("-"))
    return (date(year, month, 1) - date(2025, 1, 1)).days / 365.25


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

    def covariance(self, scales: Scales, *, noise: bool) -> Floats:
        """Of the scores, before they are seen."""
        whole = _covariance(_grams(self), self.variances, scales)
        return whole if noise else whole - np.diag(self.variances + scales.noise**2)


def problem(at: Design, observations: Sequence[Observation], sharpness: Mapping[str, float]) -> Problem:
    steep = np.array([[sharpness.get(o.benchmark, 1.0)] for o in observations])
    weights = at.asked(observations) * steep
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
    """Scales and sharpness, in turn until they settle: three rounds are enough (the evidence gains under 1 after that).

    The scales of offsets are averaged over the grid at the end: few scores bear on them, so the likeliest value is often the
    smallest, and to take that alone would promise that no offset exists where the scores only failed to show one.
    """
    scales, sharpness = Scales(), dict[str, float]()
    for _ in range(3):
        scales = _tuned_scales(problem(at, observations, sharpness), scales)
        sharpness = sharpened(at, observations, scales, sharpness)
    return _averaged_scales(problem(at, observations, sharpness), scales), sharpness


def _averaged_scales(posed: Problem, start: Scales) -> Scales:
    """Each offset's scale as the root of its mean square over the grid, weighted by the evidence, the others fixed."""
    grams = _grams(posed)
    averaged = {}
    for name in OF_OFFSETS:
        tried = [_covariance(grams, posed.variances, replace(start, **{name: value})) for value in GRID]
        evidence = np.array([_log_evidence(covariance, posed.logits) for covariance in tried])
        weights = np.exp(evidence - evidence.max())
        averaged[name] = round(float(np.sqrt(np.average(np.square(GRID), weights=weights))), 3)
    return replace(start, **averaged)


def _tuned_scales(posed: Problem, start: Scales) -> Scales:
    """The scales with the highest marginal likelihood, by coordinate search over a grid: deterministic."""
    grams = _grams(posed)
    best, best_evidence = start, _log_evidence(_covariance(grams, posed.variances, start), posed.logits)
    for name in TUNED:
        for value in GRID:
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
    """Every ability, flat [keys x COLUMNS], in the model's own origin."""
    at = posed.design
    weights = np.linalg.solve(_covariance(_grams(posed), posed.variances, scales), posed.logits)
    total: Floats = np.zeros(len(at.keys) * len(COLUMNS))
    for name, block in at.blocks.items():
        total = total + getattr(scales, name) ** 2 * (block @ (posed.blocks[name].T @ weights))
    return total


def fitted(posed: Problem, scales: Scales) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every ability and offset, [keys, columns].

    Zero is the average of the keys that have scores in a column. The column of a kind of picture holds the ability on it,
    vision and offset together, so that its standard deviation is that of the sum; `translation` is `TRANSLATION_IS`.
    """
    at = posed.design
    centring = np.eye(len(at.keys) * len(COLUMNS)) - _column_average(posed)
    sums = np.eye(len(COLUMNS))
    sums[[COLUMNS.index(kind) for kind in KIND_COLUMNS], COLUMNS.index("vision")] = 1
    sums[COLUMNS.index("translation")] = _columns(TRANSLATION_IS).T @ [0.5, 0.5, 1.0]
    wanted = np.kron(np.eye(len(at.keys)), sums) @ centring
    shape = (len(at.keys), len(COLUMNS))
    mean, sd = wanted @ posterior_mean(posed, scales), posterior_sd(posed, scales, wanted)
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


def _column_average(posed: Problem) -> Floats:
    """A matrix that gives each (key, column) the average over the keys that have scores in that column."""
    at = posed.design
    scored = scored_cells(posed)
    average = np.zeros((len(at.keys) * len(COLUMNS), len(at.keys) * len(COLUMNS)))
    for n, column in enumerate(COLUMNS):
        rows = [k * len(COLUMNS) + n for k, key in enumerate(at.keys) if (key, column) in scored]
        average[n :: len(COLUMNS), rows] = 1 / max(1, len(rows))
    return average


def scored_cells(posed: Problem) -> frozenset[tuple[Key, str]]:
    """Which abilities and offsets a published score backs directly."""
    return frozenset((o.key, column) for o in posed.observations for column in loading(BENCHMARKS[o.benchmark]))


def benchmark_ability(at: Design, mean: Floats, on: Sequence[Observation]) -> Floats:
    """What each scored key can do on its benchmark."""
    return at.asked(on) @ mean
