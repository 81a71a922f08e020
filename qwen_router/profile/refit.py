"""Fit the classifier's last layer to a user's own labelled requests, and keep it only where it is better.

A part of the rows is held out; the new layer is written to the user's configuration folder only if it is at least as
accurate there and more certain of the truth (lower log loss). It is pulled towards the shipped layer, and the columns of
domains that the rows lack stay as they are. Everything below the last layer, depth and difficulty stay untouched.

    python -c "from qwen_router.profile.refit import user_layer; print(user_layer())"
"""

from __future__ import annotations

import json
import logging
import os
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qwen_router.errors import InvalidRequest
from qwen_router.folders import user_config_folder
from qwen_router.profile.classifier import Classifier, Floats
from qwen_router.profile.features import Text, features_of_many
from qwen_router.profile.reading import excerpt_of, strip_envelopes
from qwen_router.profile.types import DOMAINS, Domain

MIN_ROWS = 20
"""Fewer labelled rows than this say too little to move a layer, or to judge one."""
MIN_ROWS_OF_DOMAIN = 4
HELD_OUT = 0.25
PULL = 2.0
"""Strength of the pull towards the shipped layer, in rows: with few rows little moves."""
STEPS = 400
RATE = 0.02
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One request of the user's, with the domain that it has."""

    text: str
    domain: Domain


@dataclass(frozen=True, slots=True)
class Quality:
    """How a layer does on held-out rows: share right, and the mean negative logarithm of the true domain's probability."""

    accuracy: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Refit:
    """What came of it: both layers on the same `held_out` rows, and whether the new one was `better`."""

    classifier: Classifier
    rows: int
    held_out: int
    before: Quality
    after: Quality
    better: bool


def user_layer() -> Path:
    """Where a fitted last layer is kept."""
    return user_config_folder() / "classifier.npz"


def refit(rows: Sequence[Labelled], base: Classifier, *, seed: int = 3) -> Refit:
    """Fit `base`'s last layer to `rows`. Raises `InvalidRequest` when they are too few or of one domain only."""
    counts = Counter(row.domain for row in rows)
    kept = [domain for domain, count in counts.items() if count >= MIN_ROWS_OF_DOMAIN]
    rows = [row for row in rows if row.domain in kept]
    if len(rows) < MIN_ROWS or len(kept) < 2:
        told = ", ".join(f"{domain} {count}" for domain, count in counts.most_common()) or "none"
        raise InvalidRequest(
            f"too few labelled requests to learn from ({told})",
            fix=f"give at least {MIN_ROWS} rows with {MIN_ROWS_OF_DOMAIN} or more in each of two domains",
        )
    texts = [(strip_envelopes(row.text), row) for row in rows]
    inner = np.stack(
        [base.activations(base.inputs(f)) for f in features_of_many([Text(excerpt_of(t), len(t)) for t, _ in texts])]
    )
    labels = np.array([DOMAINS.index(row.domain) for row in rows])
    test = _held_out(labels, seed)
    out, bias = _fit(inner[~test], labels[~test], base)
    new = replace(base, out=out, out_bias=bias)
    before, after = (_quality(layer, inner[test], labels[test]) for layer in (base, new))
    better = after.accuracy >= before.accuracy and after.log_loss < before.log_loss
    return Refit(new if better else base, len(rows), int(test.sum()), before, after, better)


def _held_out(labels: NDArray[np.intp], seed: int) -> NDArray[np.bool_]:
    """A share of every domain's rows, at least one."""
    rng = np.random.default_rng(seed)
    test = np.zeros(labels.size, dtype=np.bool_)
    for label in np.unique(labels):
        at = rng.permutation(np.flatnonzero(labels == label))
        test[at[: max(1, round(at.size * HELD_OUT))]] = True
    return test


def _fit(inner: Floats, labels: NDArray[np.intp], base: Classifier) -> tuple[Floats, Floats]:
    """Adam on the cross-entropy over the domains that occur, every domain weighing the same, plus the pull."""
    present = np.unique(labels)
    start = np.vstack((base.out, base.out_bias))[:, present].astype(np.float64)
    ones = np.hstack((inner, np.ones((len(inner), 1), dtype=np.float32))).astype(np.float64)
    truth = (labels[:, None] == present).astype(np.float64)
    weights = (truth / truth.sum(axis=0)).sum(axis=1, keepdims=True) / present.size
    temperature = float(base.meta["temperature"])
    layer, first, second = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step in range(1, STEPS + 1):
        error = (_softmax(ones @ layer / temperature) - truth) * weights
        gradient = ones.T @ error / temperature + PULL / len(labels) * (layer - start)
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        layer -= RATE * (1 - step / STEPS) * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    whole = np.vstack((base.out, base.out_bias))
    whole[:, present] = layer
    return whole[:-1], whole[-1]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _quality(classifier: Classifier, inner: Floats, labels: NDArray[np.intp]) -> Quality:
    logits = (inner @ classifier.out + classifier.out_bias)[:, : len(DOMAINS)] / classifier.meta["temperature"]
    shares = _softmax(logits.astype(np.float64))
    right = shares[np.arange(labels.size), labels]
    return Quality(float((shares.argmax(axis=1) == labels).mean()), float(-np.log(right + 1e-12).mean()))


def save_layer(result: Refit, path: Path | None = None) -> Path:
    """Write the fitted layer; an interrupted write leaves the old one whole."""
    path = path or user_layer()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npz")
    told = {"version": result.classifier.meta["version"], "rows": result.rows, "accuracy": result.after.accuracy}
    np.savez(
        unfinished,
        out=result.classifier.out,
        out_bias=result.classifier.out_bias,
        about=np.frombuffer(json.dumps(told).encode(), dtype=np.uint8),
    )
    os.replace(unfinished, path)
    return path


def refitted(shipped: Classifier, path: Path | None = None) -> Classifier:
    """`shipped` with the user's last layer, if there is one and it was fitted on these very weights."""
    path = path or user_layer()
    if not path.is_file():
        return shipped
    try:
        with path.open("rb") as file, np.load(file) as layer:
            about = json.loads(layer["about"].tobytes())
            out, bias = layer["out"], layer["out_bias"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _log.warning("%s cannot be read (%s) and is ignored; run `qwen-router train` again", path, error)
        return shipped
    if about.get("version") != shipped.meta["version"] or out.shape != shipped.out.shape:
        _log.warning("%s was fitted on other weights and is ignored; run `qwen-router train` again", path)
        return shipped
    return replace(shipped, out=out, out_bias=bias)
