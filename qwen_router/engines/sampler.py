"""Draws the next token from a model's scores, in numpy: the same draw for every engine that gives scores.

Penalty first, then temperature, top-k, top-p, min-p: the order of transformers. Keeps no history; whoever loops does.

    python -c "import numpy as np; from qwen_router.catalog.types import Sampling; \\
        from qwen_router.engines.sampler import Sampler; print(Sampler(Sampling(temperature=0), 1).pick(np.eye(3)[2]))"
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from qwen_router.catalog.types import Sampling

Scores = npt.NDArray[np.float32]
"""One logit for each token of the vocabulary."""


@dataclass
class Sampler:
    """Draws for one reply. The same seed and the same scores give the same tokens; None seeds from the system."""

    sampling: Sampling
    seed: int | None
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(None if self.seed is None else self.seed % 2**63)

    def pick(
        self,
        scores: Scores,
        *,
        seen: Set[int] = frozenset(),
        banned: int | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> int:
        """The id of the next token: never `banned`, and only what is `allowed` (as long as `scores`; None: anything);
        `seen` are the ids that a presence penalty counts.
        """
        sampling = self.sampling
        if allowed is not None:
            scores = np.where(allowed, scores, np.float32(-np.inf))
        if banned is not None or (sampling.presence_penalty and seen):
            scores = scores.copy()
        if banned is not None:
            scores[banned] = -np.inf
        if sampling.presence_penalty and seen:
            scores[sorted(seen)] -= sampling.presence_penalty
        if not sampling.temperature:
            return int(scores.argmax())
        order = _highest_first(scores, sampling.top_k or len(scores))
        shares = _shares(scores[order].astype(np.float64) / sampling.temperature)
        keep = np.ones(len(shares), dtype=np.bool_)
        if sampling.top_p is not None:
            keep &= shares.cumsum() - shares < sampling.top_p
        if sampling.min_p:
            keep &= shares >= sampling.min_p * shares[0]
        keep[0] = True
        sums = np.cumsum(shares * keep)
        return int(order[np.searchsorted(sums, self._random.random() * sums[-1], side="right")])


def _highest_first(scores: Scores, count: int) -> npt.NDArray[np.intp]:
    """The ids of the `count` highest scores; between equals the lower id comes first."""
    if count < len(scores):
        found = np.sort(np.argpartition(scores, -count)[-count:])
        return found[np.argsort(-scores[found], kind="stable")]
    return np.argsort(-scores, kind="stable")


def _shares(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Softmax; the first is the highest."""
    powers: npt.NDArray[np.float64] = np.exp(logits - logits[0])
    shares: npt.NDArray[np.float64] = powers / powers.sum()
    return shares
