"""Confidence intervals of means: the percentile bootstrap (Efron 1979)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval from ``low`` to ``high``, with the ``count`` of values. The ends are
    None with fewer than two values, the mean with none."""

    mean: float | None
    low: float | None
    high: float | None
    count: int

    def plain(self) -> dict[str, Any]:
        """The same as a dictionary for JSON."""
        return asdict(self)


def estimate(
    values: Sequence[float | None], level: float = LEVEL, resamples: int = RESAMPLES
) -> Estimate:
    """The mean of the finite values, and its interval at a level.

    Of N values, N are drawn with replacement, ``resamples`` times. The interval goes from the
    (1 − level)/2 to the (1 + level)/2 quantile of the means of these draws. The same values always
    give the same interval. With few values it is too narrow: with N = 10 normal values, an interval
    at 95 % covers the true mean in 90 cases of 100.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    known = np.array(finite, dtype=np.float64)
    count = len(known)
    if count < 2:
        return Estimate(float(known[0]) if count else None, None, None, count)
    rows = np.random.default_rng(0).integers(count, size=(resamples, count))
    means = known[rows].mean(axis=1)
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
    return Estimate(float(known.mean()), float(low), float(high), count)
