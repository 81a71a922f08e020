"""Difficulty: the probability that a mid-size model fails, learned from outcomes on exam questions and anchored elsewhere.

Two steps, both linear and fitted after the network, whose own weights never see an outcome. A ridge regression on meanings
and form says how much harder than others an exam question is. A logistic regression weighs that with the domain and the
depth, over every row whose share of failures is known or a stated prior (`rows.py`), so that a greeting is not an exam.

    python training/classifier.py --requests R --outcomes O
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from qwen_router.profile.classifier import difficulty_inputs
from qwen_router.profile.types import DOMAINS
from training.net import Examples, Net, predict
from training.rows import Row, source_of
from training.words import DIMENSIONS, meanings

RIDGE = 10_000.0
"""Strength of the ridge over standardised inputs: of 1,000 to 20,000, the best on held-out subjects."""
CAP = 1_500
"""Rows of one source that the level is fitted on at most; the outcomes, the only measured ones, are all taken."""
OUTCOMES_WEIGH = 4.0
"""How much more an outcome counts than its source's size alone would give it."""
BATCH = 1024


@dataclass(frozen=True, slots=True)
class Hardness:
    """`inputs` (3V + form,), `bias` and `words` (DIMENSIONS,) give a text's own hardness; `level` weighs it."""

    inputs: NDArray[np.float64]
    bias: float
    words: NDArray[np.float64]
    level: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parts:
    """What difficulty is computed from, for some rows: (rows, 3V + form), (rows, DIMENSIONS), probabilities, depth."""

    inputs: NDArray[np.float64]
    words: NDArray[np.float64]
    domains: NDArray[np.float64]
    depth: NDArray[np.float64]

    def own(self, hard: Hardness) -> NDArray[np.float64]:
        return np.asarray(self.inputs @ hard.inputs + hard.bias + self.words @ hard.words)

    def logits(self, hard: Hardness) -> NDArray[np.float64]:
        """Difficulty before the logistic function."""
        return self.leveled(hard) @ hard.level

    def leveled(self, hard: Hardness) -> NDArray[np.float64]:
        own = self.own(hard)
        return np.stack([difficulty_inputs(d, x, o) for d, x, o in zip(self.domains, self.depth, own, strict=True)])


@torch.no_grad()
def parts_of(net: Net, examples: Examples, places: Sequence[int], temperature: float) -> Parts:
    """Read the network for the rows at `places`."""
    pooled, words = [], []
    for at in range(0, len(places), BATCH):
        chosen = np.asarray(places[at : at + BATCH])
        pooled.append(net.pooled(examples.batch(chosen, None)).numpy())
        words.append(np.stack([_mean_meaning(examples, i) for i in chosen]))
    raw = predict(net, examples, places).astype(np.float64)
    powers = np.exp((raw[:, : len(DOMAINS)] - raw[:, : len(DOMAINS)].max(axis=1, keepdims=True)) / temperature)
    inputs = np.hstack((np.concatenate(pooled), examples.form[np.asarray(places)]))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return Parts(inputs.astype(np.float64), np.concatenate(words), shares, 1 / (1 + np.exp(-raw[:, -1])))


def _mean_meaning(examples: Examples, place: int) -> NDArray[np.float64]:
    words = examples.words[place]
    if not words.size:
        return np.zeros(DIMENSIONS)
    return np.asarray(meanings(examples.teacher[words].astype(np.float32)).mean(axis=0), dtype=np.float64)


def fit(
    net: Net,
    rows: Sequence[Row],
    examples: Examples,
    *,
    temperature: float,
    seed: int,
    without: frozenset[str] = frozenset(),
) -> Hardness:
    """Fit both steps; rows of the MMLU subjects in `without` are left out."""
    exam = [i for i, row in enumerate(rows) if source_of(row) == "mmlu" and not row.copy and row.group not in without]
    parts = parts_of(net, examples, exam, temperature)
    fails = np.array([rows[i].fails for i in exam], dtype=np.float64)
    joined = np.hstack((parts.inputs, parts.words))
    mean, spread = joined.mean(axis=0), joined.std(axis=0) + 1e-6
    ridge = Ridge(alpha=RIDGE).fit((joined - mean) / spread, fails)
    slopes = ridge.coef_ / spread
    size = max(float(np.std(joined @ slopes)), 1e-12)
    slopes, bias = slopes / size, -float(mean @ slopes) / size
    split = parts.inputs.shape[1]
    unleveled = Hardness(slopes[:split], bias, slopes[split:], np.zeros(0))
    return _leveled(net, rows, examples, unleveled, temperature, seed, without)


def _leveled(
    net: Net,
    rows: Sequence[Row],
    examples: Examples,
    hard: Hardness,
    temperature: float,
    seed: int,
    without: frozenset[str],
) -> Hardness:
    seen: dict[str, int] = {}
    chosen = []
    for i in np.random.default_rng(seed).permutation(len(rows)).tolist():
        source = source_of(rows[i])
        capped = source != "mmlu" and seen.get(source, 0) >= CAP
        if rows[i].copy or rows[i].fails is None or rows[i].group in without or capped:
            continue
        seen[source] = seen.get(source, 0) + 1
        chosen.append(i)
    inputs = parts_of(net, examples, chosen, temperature).leveled(hard)
    share = np.array([rows[i].fails for i in chosen], dtype=np.float64)
    sources = [source_of(rows[i]) for i in chosen]
    weight = np.array([seen[source] ** -0.5 * (OUTCOMES_WEIGH if source == "mmlu" else 1.0) for source in sources])
    weight *= len(weight) / weight.sum()
    # each row counts as a failure and as a success, weighed by its share; the domains' shares sum to 1 and are the offset
    fitted = LogisticRegression(fit_intercept=False, C=1.0, max_iter=2000).fit(
        np.vstack((inputs, inputs)),
        np.repeat([1, 0], len(share)),
        sample_weight=np.concatenate((weight * share, weight * (1 - share))),
    )
    return Hardness(hard.inputs, hard.bias, hard.words, np.asarray(fitted.coef_[0], dtype=np.float64))


def apgr(difficulty: NDArray[np.float64], weak: NDArray[np.float64], strong: NDArray[np.float64]) -> float:
    """Average performance gap recovered (RouteLLM, arXiv 2406.18665): the hardest share goes to the strong model; the part
    of the gap between the models that this closes, averaged over shares from 0 to 1. A random order gives 0.5."""
    order = np.argsort(-difficulty, kind="stable")
    gained = np.concatenate(([0.0], np.cumsum((strong - weak)[order]))) / (strong.sum() - weak.sum())
    shares = np.round(np.linspace(0, 1, 101) * len(order)).astype(int)
    return float(np.trapezoid(gained[shares], dx=0.01))
