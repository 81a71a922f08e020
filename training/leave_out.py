"""Judge the classifier on sources that it has not seen: leave one source out, every source in turn; difficulty by subject.

Each model is trained without one source and judged on it alone. What comes out sets the temperature and the abstain
threshold. Plots, robustness and the rest are `benchmarks/classifier.py`'s.

    python training/classifier.py --requests R --outcomes O --evaluate
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score

from qwen_router.profile.types import DOMAINS
from training.net import NAMES, Examples, predict, train
from training.rows import Row, source_of

FOUR = ("math", "code", "reasoning", "general")
WORKERS = 2
FOLD_EPOCHS = 5
FOLD_CAP = 1_200
FOLD_CAP_OURS = 4_000
"""Rows of one source that a fold trains on at most: of the shared ones, and of those that cover many kinds."""
ABSTAIN_PRECISION = 0.95
"""The threshold is the lowest confidence from which on this share is right on unseen sources, over the four groups of
domains (math, code, reasoning, the rest) that a choice of model turns on."""
ABSTAIN_MOST = 0.5
"""No threshold above this: a router that mostly says it does not know is of no use."""


def four(domain: str | None) -> str:
    """The group of a domain that the choice of a model turns on."""
    return domain if domain is not None and domain in FOUR else "general"


@dataclass(frozen=True, slots=True)
class Unseen:
    """Raw outputs of models that had not seen the source of the row: `raw` is (len(places), outputs)."""

    places: NDArray[np.intp]
    raw: NDArray[np.float32]


_shared: tuple[Sequence[Row], Examples, int] | None = None
"""What the worker processes inherit by fork: rows, examples, seed."""


def shared_sources(rows: Sequence[Row]) -> list[str]:
    """The sources of the shared data that have domains: those whose figures count. MMLU teaches, and is not left out."""
    ours = ("corpus-", "templates", "puzzles", "causes", "gym", "graded", "mmlu")
    return sorted({source for row in rows if row.domain and not (source := source_of(row)).startswith(ours)})


def folds(rows: Sequence[Row], examples: Examples, sources: Sequence[str], *, seed: int) -> dict[str, Unseen]:
    """One model a source, trained without it and judged on its rows (varied copies left out)."""
    global _shared
    _shared = (rows, examples, seed)
    with ProcessPoolExecutor(WORKERS) as pool:
        return dict(zip(sources, pool.map(_fold, sources), strict=True))


def _fold(source: str) -> Unseen:
    assert _shared is not None
    rows, examples, seed = _shared
    torch.set_num_threads(1)
    names = [source_of(row) for row in rows]
    test = np.array([i for i, name in enumerate(names) if name == source and rows[i].domain and not rows[i].copy])
    net = train(rows, examples, seed=seed, chosen=_capped(rows, names, source, seed), epochs=FOLD_EPOCHS)
    raw = predict(net, examples, test)
    right = np.mean([four(NAMES[g]) == four(rows[i].domain) for g, i in zip(_domains(raw), test, strict=True)])
    print(f"  without {source}: {right:.3f} of {len(test)}", file=sys.stderr, flush=True)
    return Unseen(test, raw)


def _domains(raw: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.asarray(raw[:, : len(DOMAINS)].argmax(axis=1), dtype=np.intp)


def _capped(rows: Sequence[Row], names: list[str], left_out: str, seed: int) -> list[int]:
    """Places of the rows of all other sources, at most so many of each (half as many varied copies)."""
    shared = set(shared_sources(rows))
    seen: dict[tuple[str, bool], int] = {}
    chosen = []
    for i in np.random.default_rng(seed).permutation(len(rows)).tolist():
        if names[i] == left_out:
            continue
        key = (names[i], rows[i].copy)
        seen[key] = seen.get(key, 0) + 1
        cap = FOLD_CAP if names[i] in shared else FOLD_CAP_OURS
        if seen[key] <= (cap // 2 if rows[i].copy else cap):
            chosen.append(i)
    return chosen


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins (Guo et al., arXiv 1706.04599)."""
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    inside = [(places == place) for place in range(bins)]
    return float(sum(part.mean() * abs(confidence[part].mean() - right[part].mean()) for part in inside if part.any()))


def best_temperature(logits: NDArray[np.float64], labels: NDArray[np.intp], weights: NDArray[np.float64]) -> float:
    """The temperature with the lowest weighted negative log-likelihood, on a grid of 2 %."""
    grid = np.exp(np.arange(np.log(0.4), np.log(8), 0.02))
    rows = np.arange(len(labels))
    losses = [-(weights * np.log(softmax(logits / t)[rows, labels] + 1e-12)).sum() for t in grid]
    return float(grid[int(np.argmin(losses))])


@dataclass(frozen=True, slots=True)
class Answers:
    """What models without the source said of its rows, all sources behind one another."""

    rows: list[Row]
    logits: NDArray[np.float64]
    labels: NDArray[np.intp]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[Row], unseen: dict[str, Unseen]) -> Answers:
        """Every source weighs the square root of its size."""
        judged = [rows[i] for part in unseen.values() for i in part.places]
        logits = np.concatenate([part.raw[:, : len(DOMAINS)] for part in unseen.values()]).astype(np.float64)
        labels = np.array([NAMES.index(str(row.domain)) for row in judged])
        weights = np.concatenate([np.full(len(part.places), len(part.places) ** -0.5) for part in unseen.values()])
        return cls(judged, logits, labels, weights / weights.sum())

    def truth(self) -> list[str]:
        return [four(row.domain) for row in self.rows]

    def given(self) -> list[str]:
        return [four(NAMES[g]) for g in self.logits.argmax(axis=1)]

    def right(self) -> NDArray[np.bool_]:
        """Over the four groups."""
        return np.array([a == b for a, b in zip(self.truth(), self.given(), strict=True)])


def answers_of(rows: Sequence[Row], examples: Examples, *, seed: int, kept: Path | None = None) -> Answers:
    """The answers of models without the shared source that they judge; taken from the file `kept` if it is there, else put
    there, for training and evaluation need the same ones."""
    if kept is not None and kept.exists():
        with np.load(kept) as file:
            unseen = {name: Unseen(file[f"{name}/places"], file[f"{name}/raw"]) for name in file["sources"].tolist()}
        return Answers.of(rows, unseen)
    unseen = folds(rows, examples, shared_sources(rows), seed=seed)
    if kept is not None:
        arrays = {f"{name}/{part}": getattr(one, part) for name, one in unseen.items() for part in ("places", "raw")}
        np.savez(kept, sources=np.array(list(unseen)), **arrays)
    return Answers.of(rows, unseen)


def figures_of(answers: Answers) -> dict[str, Any]:
    """The figures of one leave-one-source-out run, and the two numbers that ship with the weights."""
    temperature = best_temperature(answers.logits, answers.labels, answers.weights)
    confidence = softmax(answers.logits / temperature).max(axis=1)
    right_of_9 = answers.logits.argmax(axis=1) == answers.labels
    right = answers.right()
    abstain_below = _threshold(confidence, right, answers.weights)
    kept = confidence >= abstain_below
    names = [source_of(row) for row in answers.rows]
    by_source = {name: round(float(right[[n == name for n in names]].mean()), 3) for name in sorted(set(names))}
    truth, given = answers.truth(), answers.given()
    figures = {
        "macro_f1_of_4": f1_score(truth, given, labels=FOUR, average="macro", zero_division=0.0),
        "accuracy_of_4": right.mean(),
        "mean_over_sources_of_4": np.mean(list(by_source.values())),
        "accuracy_of_9": right_of_9.mean(),
        "ece": _crossed_error(answers, names),
        "coverage": kept.mean(),
        "accuracy_of_4_when_kept": right[kept].mean(),
    }
    return {
        "temperature": round(temperature, 3),
        "abstain_below": round(abstain_below, 3),
        "figures": {name: round(float(value), 3) for name, value in figures.items()}
        | {
            "by_source_of_4": by_source,
            "confusion_of_4": confusion_matrix(truth, given, labels=FOUR).tolist(),
        },
    }


def _crossed_error(answers: Answers, names: list[str]) -> float:
    """Calibration error where each half of the sources is judged with the temperature of the other half."""
    order = sorted(set(names))
    half = np.array([order.index(name) % 2 == 0 for name in names])
    confidence = np.empty(len(names))
    for side in (True, False):
        other = half != side
        temperature = best_temperature(answers.logits[other], answers.labels[other], answers.weights[other])
        confidence[half == side] = softmax(answers.logits[half == side] / temperature).max(axis=1)
    return calibration_error(confidence, answers.logits.argmax(axis=1) == answers.labels)


def _threshold(confidence: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    for threshold in np.arange(0.25, ABSTAIN_MOST, 0.01):
        kept = confidence >= threshold
        if kept.any() and np.average(right[kept], weights=weights[kept]) >= ABSTAIN_PRECISION:
            return float(threshold)
    return ABSTAIN_MOST
