"""Judge the classifier on sources it has not seen, and write what came out into the model card.

Leave one source out over {math, code, reasoning, general}; calibration on the same held-out answers; difficulty on held-out
MMLU subjects against text length. Trains through `training/classifier.py`; writes only between markers in docs/profile.md.

    python training/classifier.py --requests R --outcomes O --evaluate
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

from qwen_router.profile.features import Features
from qwen_router.profile.types import DOMAINS

if TYPE_CHECKING:
    from training.classifier import Row

_NAMES: list[str] = [*DOMAINS]
FOUR = ("math", "code", "reasoning", "general")
START, END = "<!-- figures: written by training/classifier.py -->", "<!-- end of figures -->"
_FOLD_EPOCHS = 5
_FOLD_CAP = 900
"""Rows of one source that a fold trains on at most (thrice for outcomes and generated asks): thirteen folds have to end."""


def four(domain: str) -> str:
    return domain if domain in FOUR else "general"


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins (Guo et al., arXiv 1706.04599)."""
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for place in range(bins):
        inside = places == place
        if inside.any():
            total += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(total)


def best_temperature(logits: NDArray[np.float64], labels: NDArray[np.int_], weights: NDArray[np.float64]) -> float:
    """The temperature with the lowest weighted negative log-likelihood, on a grid of 2 %."""
    grid = np.exp(np.arange(np.log(0.4), np.log(8), 0.02))
    rows = np.arange(len(labels))
    losses = [-(weights * np.log(_softmax(logits / t)[rows, labels] + 1e-12)).sum() for t in grid]
    return float(grid[int(np.argmin(losses))])


def evaluation(rows: Sequence[Row], features: Sequence[Features], *, seed: int, precision: float) -> dict[str, Any]:
    """Thresholds and figures from models that have not seen the source they judge."""
    from training import classifier as trainer

    groups = [row.group if not row.group.startswith("mmlu") else "mmlu" for row in rows]
    left_out = sorted({g for g, row in zip(groups, rows, strict=True) if row.domain and g not in ("generated", "mmlu")})
    held: list[NDArray[np.int_]] = []
    raws = []
    for group in left_out:
        test = np.array([i for i, g in enumerate(groups) if g == group])
        kept = _capped([i for i, g in enumerate(groups) if g != group], groups, seed=seed)
        net = trainer.train([rows[i] for i in kept], [features[i] for i in kept], seed=seed, epochs=_FOLD_EPOCHS)
        raws.append(trainer.predict(net, [features[i] for i in test]))
        held.append(test)
        print(
            f"  without {group}: {_accuracy(raws[-1], [rows[i] for i in test]):.3f} of {len(test)}",
            file=sys.stderr,
            flush=True,
        )
    index, raw = np.concatenate(held), np.concatenate(raws).astype(np.float64)
    unseen = _unseen_figures([rows[i] for i in index], raw[:, : len(DOMAINS)], precision)
    seen = _random_holdout(rows, features, seed=seed)
    hard = _difficulty(rows, features, seed=seed)
    figures = {"unseen_sources": unseen, "random_tenth": seen, "difficulty": hard}
    return {"temperature": unseen["temperature"], "abstain_below": unseen["abstain_below"], "figures": figures}


def _capped(kept: list[int], groups: list[str], *, seed: int) -> list[int]:
    """At most `_FOLD_CAP` rows of a source, thrice as many of the two that cover all domains."""
    order = np.random.default_rng(seed).permutation(kept).tolist()
    seen: dict[str, int] = {}
    chosen = []
    for i in order:
        seen[groups[i]] = seen.get(groups[i], 0) + 1
        if seen[groups[i]] <= _FOLD_CAP * (3 if groups[i] in ("mmlu", "generated") else 1):
            chosen.append(i)
    return chosen


def _accuracy(raw: NDArray[np.float32], rows: Sequence[Row]) -> float:
    guess = raw[:, : len(DOMAINS)].argmax(axis=1)
    return float(np.mean([four(DOMAINS[g]) == four(str(row.domain)) for g, row in zip(guess, rows, strict=True)]))


def _unseen_figures(rows: Sequence[Row], logits: NDArray[np.float64], precision: float) -> dict[str, Any]:
    labels = np.array([_NAMES.index(str(row.domain)) for row in rows])
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row.group] = sizes.get(row.group, 0) + 1
    weights = np.array([sizes[row.group] ** -0.5 for row in rows])
    weights /= weights.sum()
    halves = np.array([sorted(sizes).index(row.group) % 2 == 0 for row in rows])
    crossed = np.empty(len(rows))  # each half of the sources is judged with the temperature of the other
    for half in (True, False):
        probabilities = _softmax(
            logits[halves == half]
            / best_temperature(logits[halves != half], labels[halves != half], weights[halves != half])
        )
        crossed[halves == half] = probabilities.max(axis=1)
    temperature = best_temperature(logits, labels, weights)
    guess = logits.argmax(axis=1)
    right = guess == labels
    truth_4 = [four(str(row.domain)) for row in rows]
    guess_4 = [four(DOMAINS[g]) for g in guess]
    confidence = _softmax(logits / temperature).max(axis=1)
    right_4 = np.array([a == b for a, b in zip(truth_4, guess_4, strict=True)])
    abstain_below = _threshold(confidence, right_4, weights, precision)
    kept = confidence >= abstain_below
    by_source = {
        g: round(float(np.mean([a == b for a, b, row in zip(truth_4, guess_4, rows, strict=True) if row.group == g])), 3)
        for g in sizes
    }
    return {
        "macro_f1_of_4": round(float(f1_score(truth_4, guess_4, labels=FOUR, average="macro")), 3),
        "accuracy_of_4": round(float(np.mean([a == b for a, b in zip(truth_4, guess_4, strict=True)])), 3),
        "accuracy_of_9": round(float(right.mean()), 3), "ece_crossed": round(calibration_error(crossed, right), 3),
        "temperature": round(temperature, 3), "abstain_below": round(abstain_below, 3),
        "coverage": round(float(kept.mean()), 3),
        "accuracy_of_9_when_kept": round(float(right[kept].mean()), 3),
        "accuracy_of_4_when_kept": round(float(right_4[kept].mean()), 3), "by_source_of_4": by_source,
        "confusion_of_4": confusion_matrix(truth_4, guess_4, labels=FOUR).tolist(),
    }  # fmt: skip


def _threshold(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64], precision: float
) -> float:
    """The lowest threshold above which the weighted share of right answers reaches `precision`, at most 0.4."""
    for threshold in np.arange(0.25, 0.4, 0.01):
        kept = confidence >= threshold
        if kept.any() and np.average(right[kept], weights=weights[kept]) >= precision:
            return float(threshold)
    return 0.4


def _random_holdout(rows: Sequence[Row], features: Sequence[Features], *, seed: int) -> dict[str, Any]:
    from training import classifier as trainer

    test = np.random.default_rng(seed + 1).random(len(rows)) < 0.1
    net = trainer.train(
        [r for r, t in zip(rows, test, strict=True) if not t],
        [f for f, t in zip(features, test, strict=True) if not t],
        seed=seed,
        epochs=_FOLD_EPOCHS,
    )
    chosen = [i for i in np.flatnonzero(test).tolist() if rows[i].domain is not None and rows[i].group != "generated"]
    raw = trainer.predict(net, [features[i] for i in chosen])
    guess = raw[:, : len(DOMAINS)].argmax(axis=1)
    truth = np.array([_NAMES.index(str(rows[i].domain)) for i in chosen])
    truth_4, guess_4 = ([four(DOMAINS[i]) for i in places] for places in (truth, guess))
    depth_rows = [
        (1 / (1 + np.exp(-r[-2])), rows[i].depth) for r, i in zip(raw, chosen, strict=True) if rows[i].depth is not None
    ]
    error = float(np.mean([abs(float(a) - float(b)) for a, b in depth_rows if b is not None]))
    return {
        "rows": len(chosen), "macro_f1_of_9": round(float(f1_score(truth, guess, average="macro")), 3),
        "macro_f1_of_4": round(float(f1_score(truth_4, guess_4, labels=FOUR, average="macro")), 3),
        "depth_mean_error": round(error, 3),
    }  # fmt: skip


def _difficulty(rows: Sequence[Row], features: Sequence[Features], *, seed: int) -> dict[str, Any]:
    """AUC on held-out MMLU subjects (every second one, both ways), against text length; a logistic calibration of both."""
    from training import classifier as trainer

    subjects = sorted({row.group for row in rows if row.group.startswith("mmlu:")})
    raws, fails, lengths = [], [], []
    for fold in (0, 1):
        out = set(subjects[fold::2])
        kept = [i for i, row in enumerate(rows) if row.group not in out]
        test = [i for i, row in enumerate(rows) if row.group in out]
        net = trainer.train([rows[i] for i in kept], [features[i] for i in kept], seed=seed, epochs=_FOLD_EPOCHS)
        raws += trainer.predict(net, [features[i] for i in test])[:, -1].tolist()
        fails += [int(rows[i].fails or 0) for i in test]
        lengths += [len(rows[i].text) for i in test]
    return {
        "questions": len(fails), "auc_held_out_subjects": round(float(roc_auc_score(fails, raws)), 3),
        "auc_text_length": round(float(roc_auc_score(fails, lengths)), 3),
        "share_failed": round(float(np.mean(fails)), 3),
    }  # fmt: skip


def difficulty_level(rows: Sequence[Row], features: Sequence[Features], *, seed: int) -> dict[str, Any]:
    """Slope and offset of the difficulty from a random tenth of all rows whose share of failures is known or a stated prior.

    Over MMLU alone the slope would be so flat that a greeting came out as hard as an exam; what this costs there is told.
    """
    from training import classifier as trainer

    known = np.array([i for i, row in enumerate(rows) if row.fails is not None])
    tenth = set(np.random.default_rng(seed).choice(known, len(known) // 10, replace=False).tolist())
    kept = [i for i in range(len(rows)) if i not in tenth]
    test = sorted(tenth)
    net = trainer.train([rows[i] for i in kept], [features[i] for i in kept], seed=seed, epochs=_FOLD_EPOCHS)
    raw = trainer.predict(net, [features[i] for i in test])[:, -1].astype(np.float64)
    fails = np.array([rows[i].fails for i in test], dtype=np.float64)
    twice = np.concatenate((raw, raw))[:, None]  # each row as a failure and a success, weighed by its share
    fit = LogisticRegression().fit(twice, np.repeat([1, 0], len(raw)), sample_weight=np.concatenate((fails, 1 - fails)))
    shares = fit.predict_proba(raw[:, None])[:, 1]
    exam = np.array([rows[i].group.startswith("mmlu:") for i in test])
    level = {
        "rows": len(test),
        "mean_absolute_error_elsewhere": round(float(np.abs(shares - fails)[~exam].mean()), 3),
        "ece_mmlu": round(calibration_error(shares[exam], fails[exam] > 0.5), 3),
    }
    slope, offset = round(float(fit.coef_[0, 0]), 3), round(float(fit.intercept_[0]), 3)
    return {"difficulty_slope": slope, "difficulty_offset": offset, "difficulty_level": level}


def write_figures(page: Path, figures: dict[str, Any], data: list[dict[str, Any]]) -> None:
    """Replace what stands between the markers of the model card; a page without markers is left alone."""
    if not page.exists() or not figures["figures"]:
        return
    before, found, rest = page.read_text("utf-8").partition(START)
    if found:
        after = rest.partition(END)[2]
        page.write_text(f"{before}{START}\n{_figures_text(figures)}\n{_data_text(data)}\n{END}{after}", "utf-8")


def _figures_text(figures: dict[str, Any]) -> str:
    unseen, seen, hard = (figures["figures"][name] for name in ("unseen_sources", "random_tenth", "difficulty"))
    kept = f"answers {unseen['coverage']:.0%} of unseen-source rows, {unseen['accuracy_of_4_when_kept']:.1%} right of four"
    values = {
        "leave one source out, macro-F1 over math, code, reasoning, general": unseen["macro_f1_of_4"],
        "leave one source out, accuracy over the same four": unseen["accuracy_of_4"],
        "leave one source out, accuracy over all nine": unseen["accuracy_of_9"],
        "expected calibration error, unseen sources, temperature from the other half of them": unseen["ece_crossed"],
        "abstains below confidence": f"{unseen['abstain_below']} ({kept})",
        "rows of the random tenth": seen["rows"],
        "random tenth, macro-F1 over four": seen["macro_f1_of_4"],
        "random tenth, macro-F1 over nine": seen["macro_f1_of_9"],
        "random tenth, mean absolute error of depth": seen["depth_mean_error"],
        "difficulty, questions of unseen MMLU subjects": hard["questions"],
        "difficulty, AUC there": hard["auc_held_out_subjects"],
        "difficulty, AUC of text length there": hard["auc_text_length"],
        "difficulty, rows of a random tenth": figures["difficulty_level"]["rows"],
        "difficulty, expected calibration error on the MMLU questions among them": figures["difficulty_level"]["ece_mmlu"],
        "difficulty, mean absolute error against the published shares and stated priors of the others": figures[
            "difficulty_level"
        ]["mean_absolute_error_elsewhere"],
    }
    lines = ["| figure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in values.items())]
    rows = [
        f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in zip(FOUR, unseen["confusion_of_4"], strict=True)
    ]
    table = [
        "",
        "Confusion, unseen sources (rows: label, columns: given)",
        "",
        f"| | {' | '.join(FOUR)} |",
        "|---|---|---|---|---|",
        *rows,
    ]
    each = [
        "",
        "Accuracy over the four by the source left out: "
        + ", ".join(f"{g} {v}" for g, v in sorted(unseen["by_source_of_4"].items(), key=lambda kv: kv[1]))
        + ".",
    ]
    return "\n".join((*lines, *table, *each))


def _data_text(data: list[dict[str, Any]]) -> str:
    rows = [f"| {row['source']} | {row['licence']} | {row['domain']} | {row['rows']} |" for row in data]
    return "\n".join(("", "| source | licence | domain | rows |", "|---|---|---|---|", *rows))
