"""The trained classifier: domain probabilities, depth and difficulty of a text, from shipped weights, in numpy.

Reads features (`features.py`), knows nothing of requests, tokens or languages. `training/classifier.py` makes the weights.
A model is additive: a table of hashed n-grams plus a small network over the features of form.

    python -c "from qwen_router.profile.classifier import default_classifier; print(default_classifier().meta['version'])"
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qwen_router.errors import CatalogError
from qwen_router.profile.chars import DATA
from qwen_router.profile.features import BUCKET_BITS, FORM, Features
from qwen_router.profile.types import DOMAINS

Floats = NDArray[np.float32]
COLUMNS = len(DOMAINS) + 2
"""Nine domains, then depth, then difficulty (both before the logistic function)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the classifier says of one text; `domains` are calibrated and in the order of `DOMAINS`."""

    domains: tuple[float, ...]
    depth: float
    difficulty: float


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Weights and what belongs to them: `meta` holds the threshold, the temperature, and where the weights come from."""

    table: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    direct: Floats
    out_bias: Floats
    meta: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path = DATA) -> Self:
        """Read `classifier.npz` and `classifier.json`; about 10 ms."""
        meta = json.loads((folder / "classifier.json").read_text("utf-8"))
        if (meta["bucket_bits"], tuple(meta["form"])) != (BUCKET_BITS, FORM):
            raise CatalogError(
                f"{folder / 'classifier.json'} was trained for other features", fix="python training/classifier.py"
            )
        with np.load(folder / "classifier.npz") as shipped:
            table = shipped["table"].astype(np.float32) * shipped["table_scale"]
            rest = {name: shipped[name] for name in ("hidden", "hidden_bias", "out", "direct", "out_bias")}
        return cls(table, **rest, meta=meta)

    @property
    def abstain_below(self) -> float:
        return float(self.meta["abstain_below"])

    def raw(self, features: Features) -> Floats:
        """The outputs before calibration, `COLUMNS` of them."""
        ngrams = features.weights @ self.table.take(features.buckets, axis=0)
        inner = np.tanh(features.form @ self.hidden + self.hidden_bias)
        total: Floats = ngrams + inner @ self.out + features.form @ self.direct + self.out_bias
        return total

    def scores(self, features: Features) -> Scores:
        return self.calibrated(self.raw(features))

    def calibrated(self, raw: Floats) -> Scores:
        """Turn raw outputs into probabilities with the temperatures that held-out sources gave."""
        values = raw.tolist()
        logits = [value / self.meta["temperature"] for value in values[: len(DOMAINS)]]
        top = max(logits)
        powers = [math.exp(value - top) for value in logits]
        total = sum(powers)
        difficulty = self.meta["difficulty_slope"] * values[-1] + self.meta["difficulty_offset"]
        return Scores(tuple(power / total for power in powers), _logistic(values[-2]), _logistic(difficulty))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-min(30.0, max(-30.0, value))))


@cache
def default_classifier() -> Classifier:
    """The shipped classifier, read when it is first needed."""
    return Classifier.load()
