"""The trained classifier: domain probabilities, depth and difficulty of a text, from shipped weights, in numpy.

Reads features (`features.py`), knows nothing of requests, tokens or languages. `training/classifier.py` makes the weights;
`refit.py` fits the last layer to a user's own requests. A text becomes three things: sums of a table of hashed n-grams,
averages of static word vectors (made from a multilingual teacher, so that a word in one language lies near its
translation), and features of form. One hidden layer joins them.

    python -c "from qwen_router.profile.classifier import default_classifier; print(default_classifier().meta['version'])"
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qwen_router.errors import CatalogError
from qwen_router.profile.chars import DATA
from qwen_router.profile.features import BUCKET_BITS, END_WORDS, FORM, Features
from qwen_router.profile.types import DOMAINS

Floats = NDArray[np.float32]
Bytes = NDArray[np.int8]
COLUMNS = len(DOMAINS) + 1
"""Nine domains, then depth (before the logistic function)."""
OWN_LIMIT = 2.5
"""How far a text's own hardness may count, in standard deviations of the exam questions that it was learned on."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the classifier says of one text; `domains` are calibrated and in the order of `DOMAINS`."""

    domains: tuple[float, ...]
    depth: float
    difficulty: float


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Weights and what belongs to them.

    `table` (2^17, T) and `vectors` (words, V) are 8-bit; `hidden` is (2T + 3V + len(FORM), H) and holds the scales of the
    table, `out` is (H, COLUMNS). Difficulty is linear: `hard` (3V + len(FORM),) over meanings and form, with `hardness`
    (words,), give the text's own hardness, and `level` weighs it with domain and depth (`difficulty_inputs`). `form_mean` is
    the average form of the training rows. `meta` holds the threshold, the temperature, and where the weights come from.
    """

    table: Bytes
    vectors: Bytes
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats
    form_mean: Floats
    hard: Floats
    hard_bias: float
    hardness: Floats
    level: Floats
    meta: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path = DATA) -> Self:
        """Read `classifier.npz`, `classifier.json` and `words.npz`."""
        meta = json.loads((folder / "classifier.json").read_text("utf-8"))
        if (meta["bucket_bits"], tuple(meta["form"])) != (BUCKET_BITS, FORM):
            raise CatalogError(
                f"{folder / 'classifier.json'} was trained for other features", fix="python training/classifier.py"
            )
        with np.load(folder / "classifier.npz") as shipped, np.load(folder / "words.npz") as words:
            names = ("table", "hidden", "hidden_bias", "out", "out_bias", "form_mean", "hard", "level")
            weights = {name: shipped[name] for name in names}
            hardness = words["hardness"] * words["hardness_scale"]
            hard_bias = float(shipped["hard_bias"])
            return cls(vectors=words["vectors"], hardness=hardness, hard_bias=hard_bias, **weights, meta=meta)

    @property
    def abstain_below(self) -> float:
        return float(self.meta["abstain_below"])

    def inputs(self, features: Features) -> Floats:
        """What the hidden layer sees: n-grams (characters and words, then shapes), word vectors (all, first, last), form."""
        rows = self.table.take(features.buckets, axis=0).astype(np.float32)
        at = features.shapes_at
        words, shapes = features.weights[:at] @ rows[:at], features.weights[at:] @ rows[at:]
        return np.concatenate((words, shapes, pooled(self.vectors, features.words), features.form))

    def activations(self, inputs: Floats) -> Floats:
        """The hidden layer's outputs, (H,): what the last layer is fitted on."""
        inner: Floats = np.tanh(inputs @ self.hidden + self.hidden_bias)
        return inner

    def raw(self, features: Features) -> Floats:
        """The outputs before calibration, `COLUMNS` of them."""
        total: Floats = self.activations(self.inputs(features)) @ self.out + self.out_bias
        return total

    def scores(self, features: Features) -> Scores:
        inputs = self.inputs(features)
        values = (self.activations(inputs) @ self.out + self.out_bias).tolist()
        domains = self._shares(values)
        depth = _logistic(values[-1])
        own = float(inputs[2 * self.table.shape[1] :] @ self.hard) + self.hard_bias
        if features.words.size:
            own += float(self.hardness.take(features.words).sum()) / features.words.size
        difficulty = _logistic(float(self.level @ difficulty_inputs(domains, depth, own)))
        return Scores(domains, depth, difficulty)

    def _shares(self, values: list[float]) -> tuple[float, ...]:
        """Probabilities of the domains, with the temperature that held-out sources gave."""
        logits = [value / self.meta["temperature"] for value in values[: len(DOMAINS)]]
        top = max(logits)
        powers = [math.exp(value - top) for value in logits]
        total = sum(powers)
        return tuple(power / total for power in powers)


def difficulty_inputs(domains: Sequence[float], depth: float, own: float) -> Floats:
    """What difficulty is linear in: the domains, the depth within each, and the text's own hardness.

    The last was learned on exam questions, so it counts in two parts, by how much the text looks like one.
    """
    shares = np.array(domains, dtype=np.float32)
    knowledge = shares[DOMAINS.index("knowledge")]
    own = max(-OWN_LIMIT, min(OWN_LIMIT, own))
    return np.concatenate((shares, shares * depth, (own * knowledge, own * (1 - knowledge)))).astype(np.float32)


def pooled(vectors: Bytes, words: NDArray[np.intp]) -> Floats:
    """Three unit vectors in a row: the sum over all words, over the first `END_WORDS`, over the last; zeros without any."""
    if words.size == 0:
        return np.zeros(3 * vectors.shape[1], dtype=np.float32)
    rows = vectors.take(words, axis=0)
    sums = np.empty((3, vectors.shape[1]), dtype=np.float32)
    for place, part in enumerate((rows, rows[:END_WORDS], rows[-END_WORDS:])):
        part.sum(axis=0, dtype=np.float32, out=sums[place])
    sums /= np.sqrt(np.einsum("ij,ij->i", sums, sums))[:, None] + 1e-6
    return sums.ravel()


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-min(30.0, max(-30.0, value))))


@cache
def default_classifier() -> Classifier:
    """The shipped classifier, with the last layer that `qwen-router train` fitted, if any; read when first needed."""
    from qwen_router.profile.refit import refitted

    return refitted(Classifier.load())
