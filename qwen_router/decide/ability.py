"""How able each model is, per domain and thinking mode, and what a quantisation costs: the shipped table, as arrays.

Made by `training/abilities.py` from published scores (docs/abilities.md). Means and standard deviations are logits: one
domain is one scale, so `sigmoid(mean - reference + logit(1 - difficulty))` is the probability of a right answer. Turning
them into that probability is `predict.py`'s business.

    python -c "from qwen_router.decide.ability import AbilityTable as T; print(T.load().arrays([('Qwen/Qwen3-8B', True)]))"
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen_router.errors import CatalogError
from qwen_router.profile.types import DOMAINS

Floats = NDArray[np.float64]
Key = tuple[str, bool]
"""A model's id and whether it thinks."""

SHIPPED = Path(__file__).parent / "data" / "abilities.json"


UNHEARD_OF = "q4_0"
"""What a quantisation outside the table counts as: the worst of those with four bits that were measured."""


@dataclass(frozen=True, slots=True)
class QuantSizes:
    """How a quantisation's loss depends on size: `(reference / parameters) ** exponent`, within the sizes measured."""

    reference: float
    exponent: float
    smallest: float
    largest: float

    def factor(self, params: float | None) -> float:
        if params is None:
            return 1.0
        return float((self.reference / min(max(params, self.smallest), self.largest)) ** self.exponent)


@dataclass(frozen=True, eq=False)
class AbilityTable:
    """Columns in the order of `DOMAINS`. The last row stands for every key that the table does not know.

    `picture_means` and `picture_sds` hold vision, then the kinds in the order of `kinds`; `language_offsets` mean and sd.
    `reference` is the "mid-size model" of a profile's difficulty (`reference_model`). `scored` tells a figure that published
    scores back from a prior by size, date and family: domains, languages, vision, kinds.
    """

    rows: Mapping[Key, int]
    means: Floats
    sds: Floats
    language_offsets: Floats
    picture_means: Floats
    picture_sds: Floats
    kinds: tuple[str, ...]
    scored: NDArray[np.bool_]
    reference: Floats
    reference_vision: float
    reference_language: float
    reference_model: str
    penalties: Mapping[str, float]
    quant_sizes: QuantSizes

    @classmethod
    def load(cls) -> AbilityTable:
        """The shipped table, read once a process."""
        return _load(SHIPPED)

    def knows(self, model_id: str) -> bool:
        """Whether the table has a row for the model, in either mode."""
        return (model_id, False) in self.rows or (model_id, True) in self.rows

    def arrays(self, keys: Sequence[Key]) -> tuple[Floats, Floats]:
        """Mean and standard deviation in logits, each [n, domains]. An unknown key gets a low mean and a wide sd."""
        at = self._at(keys)
        return self.means[at], self.sds[at]

    def languages(self, keys: Sequence[Key]) -> tuple[Floats, Floats]:
        """What to add to an ability for a request that is neither English nor Chinese: mean and sd in logits, each [n].

        It rests on ten benchmarks of up to 55 languages each (INCLUDE, MMMLU, PolyMath, Multi-IF, ...), in every one against
        the model's own ability in that domain, shrunk by size, date, thinking, family and the number of languages that the
        maker names. A loss that all models share is part of it: the median over seven benchmarks that ask the same questions
        in English too. Scores are published as averages over languages, so rare and common ones are not told apart.

        Add it to every domain but `translation`, whose ability is in other languages already; standard deviations add as
        squares. A difficulty judged in that language holds the reference's loss already: then subtract `reference_language`.
        """
        offsets = self.language_offsets[self._at(keys)]
        return offsets[:, 0], offsets[:, 1]

    def vision(self, keys: Sequence[Key], kind: str | None = None) -> tuple[Floats, Floats]:
        """Mean and standard deviation in logits on questions about images, each [n]; blind models get the unknown row's.

        `kind` is one of `kinds` (chart, document, photo, math, video, screen): the ability there, on vision's scale
        and against its reference. Published scores hardly tell kinds apart, so these stay close to vision as a whole
        and are a little less certain; none is on charts alone. On audio there is nothing at all.
        """
        at, column = self._at(keys), 0 if kind is None else 1 + self.kinds.index(kind)
        return self.picture_means[at, column], self.picture_sds[at, column]

    def is_scored(self, keys: Sequence[Key]) -> NDArray[np.bool_]:
        """Whether published scores back each ability, [n, domains]."""
        return self.scored[self._at(keys), : len(DOMAINS)]

    def is_scored_in_languages(self, keys: Sequence[Key]) -> NDArray[np.bool_]:
        """Whether published scores back the offset of `languages`, [n]."""
        return self.scored[self._at(keys), len(DOMAINS)]

    def quant_penalty(self, name: str, params: float | None = None) -> float:
        """Logits that a quantisation takes off every ability, of a model of `params` parameters, all of them counted.

        Without `params`: at eight billion. A quantisation outside the table counts as `UNHEARD_OF`.
        """
        return self.penalties.get(name, self.penalties[UNHEARD_OF]) * self.quant_sizes.factor(params)

    def _at(self, keys: Sequence[Key]) -> list[int]:
        unknown = len(self.means) - 1
        return [self.rows.get(key, unknown) for key in keys]


@functools.cache
def _load(path: Path) -> AbilityTable:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogError(f"{path.name}: cannot be read: {error}", fix="reinstall qwen-router") from error
    if tuple(table["domains"]) != DOMAINS:
        fix = "run `python -m training.abilities --out qwen_router/decide/data/abilities.json`"
        raise CatalogError(f"{path.name} was made for the domains {table['domains']}", fix=fix)
    return _of(table)


def _of(table: Mapping[str, Any]) -> AbilityTable:
    rows, unknown, reference = table["rows"], table["unknown"], table["reference"]
    every = [*rows, unknown]
    pictures = np.array([row["pictures"] or unknown["pictures"] for row in every])
    return AbilityTable(
        rows={(row["model"], row["thinking"]): n for n, row in enumerate(rows)},
        means=np.array([row["mean"] for row in every]),
        sds=np.array([row["sd"] for row in every]),
        language_offsets=np.array([row["languages"] for row in every]),
        picture_means=pictures[:, 0],
        picture_sds=pictures[:, 1],
        kinds=tuple(table["kinds"]),
        scored=np.array([[mark == "1" for mark in row["scored"]] for row in rows] + [[False] * len(rows[0]["scored"])]),
        reference=np.array(reference["mean"]),
        reference_vision=reference["pictures"][0][0],
        reference_language=reference["languages"][0],
        reference_model=reference["model"],
        penalties={name: entry["logits"] for name, entry in table["quantisations"].items()},
        quant_sizes=QuantSizes(**table["quantisation_size"]),
    )
