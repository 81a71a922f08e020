"""Published relations between models: the scores that carry each, and whether it survives without them.

For each relation the table's difference is given with its standard deviation; then every score that the two models have on
the benchmarks in question is dropped, the abilities are fitted again, and the difference is given once more. What is left
then comes from size, date, family, thinking and the other domains.

    python -m training.abilities --relations
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np

from training.ability_model import (
    COLUMNS,
    Design,
    Key,
    Observation,
    Scales,
    loading,
    posterior_mean,
    posterior_sd,
    problem,
    sharpened,
)
from training.benchmark_domains import BENCHMARKS, LANGUAGES

ONE_PERCENT_LOGITS = 0.04
"""One point of a hundred at an even chance."""


@dataclass(frozen=True)
class Relation:
    """`above` has at least `below`'s ability, less `slack` logits, in the sum of `columns`.

    `also_without` names further models whose scores there are dropped as well: those from which the fit could learn what
    sets `above` apart.
    """

    claim: str
    above: Key
    below: Key
    columns: tuple[str, ...]
    slack: float = 0.0
    also_without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """Differences in logits with standard deviations: in the table, and without the scores that carry the relation."""

    relation: Relation
    rows: tuple[str, ...]
    with_rows: tuple[float, float]
    without_rows: tuple[float, float]

    def holds(self) -> bool:
        return self.with_rows[0] >= -self.relation.slack

    def survives(self) -> bool:
        return self.without_rows[0] >= -self.relation.slack


def _qwen(name: str, *, thinking: bool = False) -> Key:
    return f"Qwen/{name}", thinking


def relations() -> tuple[Relation, ...]:
    """The four that issue 6 names, one entry a domain and size."""
    small, large = _qwen("Qwen3-4B", thinking=True), _qwen("Qwen2.5-72B-Instruct")
    sparse, dense = _qwen("Qwen3-30B-A3B", thinking=True), _qwen("QwQ-32B", thinking=True)
    claim = "Qwen3-4B, thinking, {} Qwen2.5-72B-Instruct"
    found = [Relation(claim.format("at or above"), small, large, (domain,)) for domain in ("math", "code")]
    found += [
        Relation(claim.format("below"), large, small, columns) for columns in (("knowledge",), ("knowledge", LANGUAGES))
    ]
    claim = "Qwen3-30B-A3B, thinking, within 1 % of QwQ-32B or above"
    found += [
        Relation(claim, sparse, dense, (domain,), slack=ONE_PERCENT_LOGITS)
        for domain in ("math", "code", "reasoning", "knowledge")
    ]
    for kind, domain, sizes in (
        ("Coder", "code", ("0.5B", "1.5B", "3B", "7B", "14B", "32B")),
        ("Math", "math", ("1.5B", "7B", "72B")),
    ):
        names = [f"Qwen2.5-{kind}-{size}-Instruct" for size in sizes]
        for name, size in zip(names, sizes, strict=True):
            plain = f"Qwen2.5-{size}-Instruct"
            found.append(Relation(f"Qwen2.5-{kind}-{size} above Qwen2.5-{size}", _qwen(name), _qwen(plain), (domain,)))
        every = tuple(f"Qwen/{name}" for name in names)
        claim = f"Qwen2.5-{kind}-7B above Qwen2.5-7B, with no {kind} scored at all"
        found.append(
            Relation(claim, _qwen(f"Qwen2.5-{kind}-7B-Instruct"), _qwen("Qwen2.5-7B-Instruct"), (domain,), 0.0, every)
        )
    return tuple(found)


def checked(
    at: Design, observations: Sequence[Observation], scales: Scales, sharpness: Mapping[str, float]
) -> tuple[Checked, ...]:
    whole = problem(at, observations, sharpness)
    mean = posterior_mean(whole, scales)
    results = []
    for relation in relations():
        contrast = np.zeros((1, len(at.keys) * len(COLUMNS)))
        for column in relation.columns:
            contrast[0, at.row(relation.above, column)] = 1
            contrast[0, at.row(relation.below, column)] = -1
        carried = [o for o in observations if _carries(relation, o)]
        rest = [o for o in observations if not _carries(relation, o)]
        cut = problem(at, rest, sharpened(at, rest, scales, sharpness, rounds=1))
        pair = (float((contrast @ mean)[0]), float(posterior_sd(whole, scales, contrast)[0]))
        without = (float((contrast @ posterior_mean(cut, scales))[0]), float(posterior_sd(cut, scales, contrast)[0]))
        results.append(Checked(relation, _rows(relation, carried), pair, without))
    return tuple(results)


def _carries(relation: Relation, seen: Observation) -> bool:
    """A score of either model on a benchmark that asks for what the relation is about."""
    asked = loading(BENCHMARKS[seen.benchmark])
    own = seen.key in (relation.above, relation.below) or seen.key[0] in relation.also_without
    return own and all(column in asked for column in relation.columns) and (LANGUAGES in asked) <= _spoken(relation)


def _spoken(relation: Relation) -> bool:
    """Maths in other languages carries a relation in maths too; knowledge in English carries none in languages."""
    return LANGUAGES in relation.columns or relation.columns != ("knowledge",)


def _rows(relation: Relation, carried: Sequence[Observation]) -> tuple[str, ...]:
    """`benchmark above : below`, with a dash where only one of the two was scored."""
    scores = {(o.benchmark, o.key): f"{o.percent:g}" for o in carried}
    names = sorted({o.benchmark for o in carried if o.key in (relation.above, relation.below)})
    pairs = ((n, scores.get((n, relation.above), "–"), scores.get((n, relation.below), "–")) for n in names)
    return tuple(f"{name} {above} : {below}" for name, above, below in pairs)


def report(results: Sequence[Checked]) -> str:
    """A markdown table; `sure` is the posterior probability that the relation holds."""
    lines = [
        "| relation | in | scores that carry it | in the table | sure | without them | sure | survives |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        slack = result.relation.slack
        (with_mean, with_sd), (mean, sd) = result.with_rows, result.without_rows
        cells = (
            result.relation.claim,
            " + ".join(result.relation.columns),
            "; ".join(result.rows),
            f"{with_mean:+.2f} ± {with_sd:.2f}",
            f"{_sure(with_mean + slack, with_sd):.0%}",
            f"{mean:+.2f} ± {sd:.2f}",
            f"{_sure(mean + slack, sd):.0%}",
            "yes" if result.survives() else "no",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _sure(mean: float, sd: float) -> float:
    return 0.5 * (1 + erf(mean / sd / sqrt(2)))
