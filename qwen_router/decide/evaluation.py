"""How good a router is on requests whose outcome with every model is known: arithmetic over arrays, no files, no clock.

A way to choose is judged by its mean quality and cost beside every fixed model, mixing them at random, the best model per
domain and the oracle, with bootstrap intervals over the requests; differences are taken within each resample (paired).
What the router would choose comes from `decide` itself (`routed`). Reading outcomes and printing is the doors' business.

    python -c "import numpy as np; from qwen_router.decide.evaluation import apgr; \\
        print(apgr(np.array([0, 1]), weak=np.array([1, 0]), strong=np.array([1, 1])))"
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen_router.catalog import Catalog
from qwen_router.decide.candidates import CandidateTable, advised_builds, candidate_table
from qwen_router.decide.choose import decide
from qwen_router.hardware.machine import Machine
from qwen_router.policy import Policy
from qwen_router.profile.types import Profile
from qwen_router.request import Request

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DRAWS = 1_000
GRID = 101
"""Costs at which the area under a curve is summed."""
QUANT = "bf16"
"""Recorded outcomes are mostly of unquantised weights."""
FOLDS = 5
SLACKS = np.round((np.arange(25) / 24) ** 2.5, 4)
"""Quality slacks of a sweep, from none to anything goes."""
SETTINGS = 41
"""Prices and shares of a sweep."""
BATCH = 50
"""Resamples that are averaged together."""
ALIKE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What came of every request with every model: quality from 0 to 1 and cost, both [request, model]."""

    models: tuple[str, ...]
    quality: Floats
    cost: Floats

    def __len__(self) -> int:
        return len(self.quality)

    def taken(self, choice: Ints) -> tuple[Floats, Floats]:
        """Quality and cost of what was chosen, [..., request]. -1 is nobody: no quality, no cost."""
        rows = np.arange(len(self))
        return tuple(np.where(choice < 0, 0.0, column[rows, choice]) for column in (self.quality, self.cost))  # type: ignore[return-value]

    def shares(self, choice: Ints) -> Floats:
        """The share of the requests that each model gets."""
        return np.array([(choice == m).mean() for m in range(len(self.models))])


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: Floats) -> Estimate:
        low, high = np.percentile(draws, (2.5, 97.5))
        return cls(float(value), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Judged:
    """One way to choose. `regret` is what the oracle's quality has more; `above_mixing` what this has more than mixing fixed
    models at random for the same mean cost: positive is worth something. `above_best` and `above_domains` are quality
    against the best fixed model and the domain-only rule. `shares` are per model; what lacks to 1 was not answered."""

    name: str
    quality: Estimate
    cost: Estimate
    regret: Estimate
    above_mixing: Estimate
    above_best: Estimate
    above_domains: Estimate | None
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class JudgedCurve:
    """A sweep: (setting, mean cost, mean quality) by rising cost. `area` is the mean quality over the costs between the
    cheapest and the dearest fixed model, `area_above_mixing` what it has more than mixing; None where all cost the same."""

    name: str
    points: tuple[tuple[float, float, float], ...]
    area: Estimate | None
    area_above_mixing: Estimate | None


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One choice a setting: `choice` is [setting, request]."""

    name: str
    settings: Floats
    choice: Ints


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything judged on the same requests and the same resamples. `mixed` are (cost, quality) of mixing fixed models."""

    best_fixed: str
    mixed: tuple[tuple[float, float], ...]
    rules: tuple[Judged, ...]
    curves: tuple[JudgedCurve, ...]

    def rule(self, name: str) -> Judged:
        return next(rule for rule in self.rules if rule.name == name)

    def curve(self, name: str) -> JudgedCurve:
        return next(curve for curve in self.curves if curve.name == name)


# ── ways to choose ──────────────────────────────────────────────────────────────────────────────────────────────────


def oracle(outcomes: Outcomes) -> Ints:
    """For each request the cheapest of the models that do best; ties go to the first."""
    best = outcomes.quality.max(axis=1, keepdims=True)
    return np.asarray(np.where(outcomes.quality >= best - ALIKE, outcomes.cost, np.inf).argmin(axis=1), dtype=np.int64)


def best_fixed(outcomes: Outcomes) -> int:
    """The model with the best mean quality; ties go to the cheaper, then to the first."""
    return int(_best(outcomes.quality.mean(axis=0)[None], outcomes.cost.mean(axis=0))[0])


def _best(worth: Floats, cost: Floats) -> Ints:
    """The place of the highest `worth` of each row; ties go to the cheaper. -1 where nothing is worth anything (-inf)."""
    top = worth.max(axis=-1, keepdims=True)
    place = np.where(worth >= top - ALIKE, cost, np.inf).argmin(axis=-1)
    return np.asarray(np.where(np.isfinite(top[..., 0]), place, -1), dtype=np.int64)


def priced(predicted: Floats, cost: Floats, prices: Floats) -> Ints:
    """[price, request]: the model with the most predicted quality less price times `cost`. -inf is a model that may not."""
    return np.stack([_best(predicted - price * cost, cost) for price in prices])


def prices_between(predicted: Floats, cost: Floats, count: int) -> Floats:
    """Rising prices of a unit of cost, from 0 to where nothing but the cheapest pays, spread so that the choices change
    evenly: quantiles of the prices at which one request changes from one model to another."""
    finite = np.where(np.isfinite(predicted), predicted, np.nan)
    gains = [
        (finite[:, dear] - finite[:, cheap]) / (cost[dear] - cost[cheap])
        for dear in range(len(cost))
        for cheap in range(len(cost))
        if cost[dear] > cost[cheap]
    ]
    slopes = np.concatenate(gains) if gains else np.zeros(0)
    slopes = slopes[slopes > 0]
    if not slopes.size:
        return np.zeros(1)
    return np.concatenate(([0.0], np.quantile(slopes, np.linspace(0, 1, max(2, count - 1)))[:-1], [slopes.max() * 1.001]))


def ranked(score: Floats, shares: Floats, *, weak: int, strong: int) -> Ints:
    """[share, request]: the requests with the highest score, that share of them, go to `strong`. Ties keep their order."""
    place = np.empty(len(score), dtype=np.int64)
    place[np.argsort(-score, kind="stable")] = np.arange(len(score))
    return np.where(place < np.round(shares[:, None] * len(score)), strong, weak)


def folds_of(groups: Sequence[str | None], count: int = FOLDS) -> Ints:
    """A fold for each request. Requests of one group share theirs where every one has a group and there are at least as many
    groups as folds; groups are dealt out in alphabetical order, else the requests in theirs."""
    names = sorted({group for group in groups if group is not None})
    if None in groups or len(names) < count:
        return np.arange(len(groups)) % count
    fold = {name: n % count for n, name in enumerate(names)}
    return np.array([fold[str(group)] for group in groups], dtype=np.int64)


def domain_only(outcomes: Outcomes, domains: Sequence[str], folds: Ints, prices: Floats) -> Ints:
    """[price, request]: the best fixed model of the request's domain, as the other folds' outcomes show it (of all domains
    where they hold none of it). At price 0 by quality alone."""
    names = np.array(domains)
    choice = np.zeros((len(prices), len(outcomes)), dtype=np.int64)
    for fold in np.unique(folds):
        others = folds != fold
        others = others if others.any() else np.ones_like(others)
        for domain in np.unique(names[folds == fold]):
            known = others & (names == domain)
            known = known if known.any() else others
            quality, cost = outcomes.quality[known].mean(axis=0), outcomes.cost[known].mean(axis=0)
            choice[:, (folds == fold) & (names == domain)] = priced(quality[None], cost, prices)
    return choice


def domain_prices(outcomes: Outcomes, domains: Sequence[str]) -> Floats:
    """Prices over which the domain-only rule is swept."""
    names = np.array(domains)
    means = np.stack([outcomes.quality[names == domain].mean(axis=0) for domain in np.unique(names)])
    return prices_between(means, outcomes.cost.mean(axis=0), SETTINGS)


@dataclass(frozen=True, slots=True, eq=False)
class Routed:
    """What `decide` makes of each request: the place of the chosen model (-1: nothing fits) and, per model, the best
    predicted quality among its candidates that were not refused (-inf: none), [request, model]."""

    choice: Ints
    predicted: Floats


def table_of(ids: Collection[str], policy: Policy, machine: Machine, catalog: Catalog) -> CandidateTable | None:
    """The candidates of these models at one quantisation, those of an unknown architecture left out; None where fewer than
    two are left."""
    policy = policy.model_copy(update={"quants": (QUANT,)})
    builds = [build for build in advised_builds(catalog, policy) if build.model.id in ids]
    known = candidate_table(builds, machine, policy).known
    kept = [build for build, known in zip(builds, known, strict=True) if known]
    return candidate_table(kept, machine, policy) if len(kept) > 1 else None


def routed(requests: Sequence[Request], profiles: Sequence[Profile], table: CandidateTable, models: Sequence[str]) -> Routed:
    """Decide every request over `table`, whose builds are of `models` (catalog ids)."""
    place = {model: m for m, model in enumerate(models)}
    model_of = np.array([place[build.model.id] for build in table.builds], dtype=np.int64)[table.build_of]
    choice = np.full(len(requests), -1, dtype=np.int64)
    predicted = np.full((len(requests), len(models)), -np.inf)
    for n, (request, profile) in enumerate(zip(requests, profiles, strict=True)):
        decision = decide(request, profile, table)
        if decision.chosen is not None:
            choice[n] = place[decision.chosen.build.model.id]
        possible = decision.possible
        np.maximum.at(predicted[n], model_of[possible], decision.prediction.quality[possible])
    return Routed(choice, predicted)


def with_slack(table: CandidateTable, slack: float) -> CandidateTable:
    """The table under the same policy with another `quality_slack`, sure or unsure. Rules that set their own keep it."""
    changed = table.policy.objective.model_copy(update={"quality_slack": slack, "unsure_quality_slack": slack})
    return replace(table, policy=table.policy.model_copy(update={"objective": changed}))


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What the router made of all requests; `score` orders those of two models, the ones that need the better one first."""

    choice: Ints
    sweeps: tuple[Sweep, ...]
    score: Floats | None


def chosen_by_decision(
    outcomes: Outcomes,
    requests: Sequence[Request],
    profiles: Sequence[Profile],
    table: CandidateTable,
    ids: Sequence[str],
    *,
    sweep: bool = False,
) -> Chosen:
    """By `decide` and the table's policy; `ids` name the outcomes' models as the table does. With `sweep` also over slacks
    (where the objective has one) and over prices of the outcomes' mean costs."""
    here = routed(requests, profiles, table, ids)
    sweeps = []
    objective = table.policy.objective
    if sweep and objective.floor is None and objective.minimise != "utility":
        choices = [routed(requests, profiles, with_slack(table, float(slack)), ids).choice for slack in SLACKS]
        sweeps.append(Sweep("router, by slack", SLACKS, np.stack(choices)))
    if sweep:
        cost = outcomes.cost.mean(axis=0)
        prices = prices_between(here.predicted, cost, SETTINGS)
        sweeps.append(Sweep("router, by price", prices, priced(here.predicted, cost, prices)))
    score = None
    if len(outcomes.models) == 2:
        strong, predicted = best_fixed(outcomes), np.nan_to_num(here.predicted, neginf=0.0)
        score = predicted[:, strong] - predicted[:, 1 - strong]
    return Chosen(here.choice, tuple(sweeps), score)


def chosen_by_difficulty(outcomes: Outcomes, profiles: Sequence[Profile]) -> Chosen:
    """Two models of which `decide` does not know both: the better one gets the requests of the highest predicted difficulty,
    half of them at the router's point."""
    strong = best_fixed(outcomes)
    difficulty, shares = np.array([profile.difficulty for profile in profiles]), np.linspace(0, 1, SETTINGS)
    choice = ranked(difficulty, shares, weak=1 - strong, strong=strong)
    return Chosen(choice[SETTINGS // 2], (Sweep("router, by share", shares, choice),), difficulty)


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def mixing(quality: Floats, cost: Floats, at: Floats) -> Floats:
    """The best mean quality that mixing fixed models at random reaches for a mean cost of at most `at`: the upper hull of
    their points. Any leading axes; models are the last of `quality` and `cost`.

    Below the cheapest model's cost it falls straight to nothing at no cost: some requests are not answered.
    """
    spent = at[..., None, None]
    low, high = cost[..., :, None], cost[..., None, :]
    width = high - low
    share = np.where(width > 0, np.clip((spent - low) / np.where(width > 0, width, 1.0), 0, 1), 0.0)
    mixed = quality[..., :, None] + share * (quality[..., None, :] - quality[..., :, None])
    reached = np.where(low <= spent, mixed, -np.inf).max(axis=(-2, -1))
    least = cost.min(axis=-1)
    cheapest = np.where(cost <= least[..., None], quality, -np.inf).max(axis=-1)
    return np.asarray(np.where(at < least, cheapest * at / np.where(least > 0, least, 1.0), reached))


def apgr(score: Floats, *, weak: Floats, strong: Floats, weights: Floats | None = None) -> float:
    """Average performance gap recovered (RouteLLM, arXiv 2406.18665): with the highest scores sent to the strong model,
    the part of the gap in mean quality between both models that is closed, averaged over the shares of calls from 0 to 1.

    A random order gives 0.5; requests of equal score are sent in random order. Not a number where there is no gap. The paper
    averages over ten shares, this integrates over all of them.
    """
    order = np.argsort(-score, kind="stable")
    counted = np.ones(len(score)) if weights is None else weights
    gain = (counted * (strong - weak))[order]
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    share = np.concatenate(([0.0], np.cumsum(counted[order])[ends])) / counted.sum()
    gained = np.concatenate(([0.0], np.cumsum(gain)[ends]))
    if abs(gain.sum()) <= ALIKE * len(score):
        return float("nan")
    return _area(gained, share) / float(gain.sum())


def resamples(count: int, *, draws: int, seed: int) -> Iterator[Floats]:
    """How often each request is drawn, over the number of requests: one array a draw, the same for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(0, count, count), minlength=count) / count


def judged_apgr(
    scores: Mapping[str, Floats], *, weak: Floats, strong: Floats, draws: int = DRAWS, seed: int = 0
) -> dict[str, tuple[Estimate, Estimate]]:
    """For each score its APGR, and what the first score has more of it (paired). Empty where the models do equally well."""
    values = np.array([apgr(score, weak=weak, strong=strong) for score in scores.values()])
    if not np.isfinite(values).all():
        return {}
    drawn = np.array(
        [
            [apgr(score, weak=weak, strong=strong, weights=weights) for score in scores.values()]
            for weights in resamples(len(weak), draws=draws, seed=seed)
        ]
    )
    drawn = drawn[np.isfinite(drawn).all(axis=1)]  # a resample may have no gap
    return {
        name: (Estimate.of(values[i], drawn[:, i]), Estimate.of(values[0] - values[i], drawn[:, 0] - drawn[:, i]))
        for i, name in enumerate(scores)
    }


def evaluate(
    outcomes: Outcomes,
    choices: Mapping[str, Ints],
    sweeps: Sequence[Sweep] = (),
    *,
    domains: Ints | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation:
    """Judge every fixed model, a random one, the domain-only rule (its choice in `domains`), the oracle, and `choices`."""
    models = len(outcomes.models)
    ways = {name: np.full(len(outcomes), m) for m, name in enumerate(outcomes.models)}
    ways |= {"domain only": domains} if domains is not None else {}
    ways |= {"oracle": oracle(outcomes), **choices}
    names = [*ways, "a random model"]
    taken = [outcomes.taken(choice) for choice in ways.values()] + [
        (outcomes.quality.mean(axis=1), outcomes.cost.mean(axis=1))
    ]
    swept = [outcomes.taken(sweep.choice) for sweep in sweeps]
    quality = np.vstack([*(q for q, _ in taken), *(q for q, _ in swept)])
    cost = np.vstack([*(c for _, c in taken), *(c for _, c in swept)])
    both = np.hstack((quality.T, cost.T))  # [request, 2 x column]
    waiting = resamples(len(outcomes), draws=draws, seed=seed)
    drawn = [np.array(batch) @ both for batch in iter(lambda: list(islice(waiting, BATCH)), [])]
    means = np.vstack((both.mean(axis=0), *drawn))  # the first row is the figure itself, the others its resamples
    mean_quality, mean_cost = np.split(means, 2, axis=1)
    fixed = mean_quality[:, :models], mean_cost[:, :models]
    best = best_fixed(outcomes)
    shares = [outcomes.shares(choice) for choice in ways.values()] + [np.full(models, 1 / models)]

    def judged(i: int) -> Judged:
        here = mean_quality[:, i]
        against = {
            "regret": mean_quality[:, names.index("oracle")] - here,
            "above_mixing": here - mixing(*fixed, mean_cost[:, i]),
            "above_best": here - mean_quality[:, best],
        }
        domain = None if domains is None else _estimate(here - mean_quality[:, names.index("domain only")])
        return Judged(
            name=names[i],
            quality=_estimate(here),
            cost=_estimate(mean_cost[:, i]),
            **{name: _estimate(values) for name, values in against.items()},
            above_domains=domain,
            shares=tuple(float(share) for share in shares[i]),
        )

    rules = tuple(judged(i) for i in range(len(names)))
    curves, at = [], len(names)
    for sweep in sweeps:
        columns = slice(at, at + len(sweep.settings))
        curves.append(_judged_curve(sweep, mean_quality[:, columns], mean_cost[:, columns], *fixed))
        at += len(sweep.settings)
    grid = np.linspace(fixed[1][0].min(), fixed[1][0].max(), GRID)
    mixed = mixing(fixed[0][0], fixed[1][0], grid)
    points = tuple((float(c), float(q)) for c, q in zip(grid, mixed, strict=True))
    return Evaluation(outcomes.models[best], points, rules, tuple(curves))


def _estimate(rows: Floats) -> Estimate:
    return Estimate.of(rows[0], rows[1:])


def _judged_curve(sweep: Sweep, quality: Floats, cost: Floats, fixed_quality: Floats, fixed_cost: Floats) -> JudgedCurve:
    """Rows are the figure and its resamples, columns settings, or models in what is `fixed`."""
    order = np.lexsort((quality[0], cost[0]))
    points = tuple((float(sweep.settings[i]), float(cost[0, i]), float(quality[0, i])) for i in order)
    low, high = fixed_cost.min(axis=1), fixed_cost.max(axis=1)
    if not (high > low).all():
        return JudgedCurve(sweep.name, points, None, None)
    cheapest = fixed_cost[0].argmin()  # a curve may always fall back on the cheapest model
    cost = np.column_stack((cost, fixed_cost[:, cheapest]))
    quality = np.column_stack((quality, fixed_quality[:, cheapest]))
    areas, mixed = np.empty(len(cost)), np.empty(len(cost))
    for row in range(len(cost)):
        by_cost = np.lexsort((quality[row], cost[row]))
        grid = np.linspace(low[row], high[row], GRID)
        areas[row] = _area(np.interp(grid, cost[row][by_cost], quality[row][by_cost]), np.linspace(0, 1, GRID))
        mixed[row] = _area(mixing(fixed_quality[row], fixed_cost[row], grid), np.linspace(0, 1, GRID))
    return JudgedCurve(sweep.name, points, _estimate(areas), _estimate(areas - mixed))


def _area(heights: Floats, at: Floats) -> float:
    """Under straight lines between the points (`numpy.trapezoid`, which numpy 1 calls otherwise)."""
    return float(((heights[1:] + heights[:-1]) / 2 * np.diff(at)).sum())


def evaluation_line(evaluation: Evaluation, models: Sequence[str]) -> dict[str, Any]:
    """The evaluation for programs, figures rounded to five digits."""
    figures = ("quality", "cost", "regret", "above_mixing", "above_best", "above_domains")
    return {
        "best_fixed": evaluation.best_fixed,
        "ways": {
            rule.name: {
                **{name: estimate_line(getattr(rule, name)) for name in figures},
                "shares": {name: round(share, 5) for name, share in zip(models, rule.shares, strict=True)},
            }
            for rule in evaluation.rules
        },
        "curves": {
            curve.name: {
                "points": [
                    {"setting": round(s, 5), "cost": round(c, 5), "quality": round(q, 5)} for s, c, q in curve.points
                ],
                "area": estimate_line(curve.area),
                "area_above_mixing": estimate_line(curve.area_above_mixing),
            }
            for curve in evaluation.curves
        },
    }


def estimate_line(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": round(estimate.value, 5), "interval_95": [round(estimate.low, 5), round(estimate.high, 5)]}
