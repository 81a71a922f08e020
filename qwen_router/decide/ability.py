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


@dataclass(frozen=True, eq=False)
class AbilityTable:
    """Columns in the order of `DOMAINS`, then vision. The last row stands for every key that the table does not know.

    `reference` is the "mid-size model" of a profile's difficulty (`reference_model`). `scored` tells a figure that published
    scores back from a prior by size, date and family.
    """

    rows: Mapping[Key, int]
    means: Floats
    sds: Floats
    scored: NDArray[np.bool_]
    reference: Floats
    reference_vision: float
    reference_model: str
    penalties: Mapping[str, float]

    @classmethod
    def load(cls) -> AbilityTable:
        """The shipped table, read once a process."""
        return _load(SHIPPED)

    def arrays(self, keys: Sequence[Key]) -> tuple[Floats, Floats]:
        """Mean and standard deviation in logits, each [n, domains]. An unknown key gets a low mean and a wide sd."""
        at = self._at(keys)
        return self.means[at, :-1], self.sds[at, :-1]

    def vision(self, keys: Sequence[Key]) -> tuple[Floats, Floats]:
        """Mean and standard deviation in logits on questions about images, each [n]; blind models get the unknown row's."""
        at = self._at(keys)
        return self.means[at, -1], self.sds[at, -1]

    def is_scored(self, keys: Sequence[Key]) -> NDArray[np.bool_]:
        """Whether published scores back each ability, [n, domains]."""
        return self.scored[self._at(keys), :-1]

    def quant_penalty(self, name: str) -> float:
        """Logits that a quantisation takes off every ability. One that nobody measured counts as the worst known."""
        return self.penalties.get(name, max(self.penalties.values()))

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
    rows, unknown = table["rows"], table["unknown"]
    blind = (unknown["mean"][-1], unknown["sd"][-1], False)
    return AbilityTable(
        rows={(row["model"], row["thinking"]): n for n, row in enumerate(rows)},
        means=np.array([[*row["mean"], (row["vision"] or blind)[0]] for row in rows] + [unknown["mean"]]),
        sds=np.array([[*row["sd"], (row["vision"] or blind)[1]] for row in rows] + [unknown["sd"]]),
        scored=np.array([[*row["scored"], (row["vision"] or blind)[2]] for row in rows] + [[False] * len(unknown["mean"])]),
        reference=np.array(table["reference"]["mean"][:-1]),
        reference_vision=table["reference"]["mean"][-1],
        reference_model=table["reference"]["model"],
        penalties={name: entry["logits"] for name, entry in table["quantisations"].items()},
    )
