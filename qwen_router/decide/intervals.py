"""Means with 95 % confidence intervals by bootstrap: how sure a figure over a log of requests is.

Percentiles of the means of resampled requests, from a fixed seed, so that the same log gives the same interval. Requests
count as drawn independently: a log in which one person asks the same thing all day is surer than it looks.

    python -c "from qwen_router.decide.intervals import mean_of; print(mean_of([0, 1, 1, 1]))"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SEED, RESAMPLES = 20_260_101, 2000
MANY = 20_000
"""From so many values on the interval is mean +/- 1.96 standard errors, which the bootstrap then agrees with to the digits
that are shown, and which takes no time."""
_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `count` values and its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int


def mean_of(values: Sequence[float] | npt.NDArray[np.float64], *, seed: int = SEED) -> Interval | None:
    """The mean of those values that are numbers, or None when none is."""
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return None
    mean = float(numbers.mean())
    if len(numbers) >= MANY:
        half = 1.96 * float(numbers.std(ddof=1)) / len(numbers) ** 0.5
        return Interval(mean, mean - half, mean + half, len(numbers))
    low, high = np.quantile(_resampled_means(numbers, seed), (0.025, 0.975))
    return Interval(mean, min(float(low), mean), max(float(high), mean), len(numbers))


def _resampled_means(numbers: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    if np.ptp(numbers) == 0:
        return np.full(RESAMPLES, numbers[0])
    random = np.random.default_rng(seed)
    means, rows = [], max(1, _CHUNK // len(numbers))
    for start in range(0, RESAMPLES, rows):
        picked = random.integers(0, len(numbers), size=(min(rows, RESAMPLES - start), len(numbers)))
        means.append(numbers[picked].mean(axis=1))
    return np.concatenate(means)
