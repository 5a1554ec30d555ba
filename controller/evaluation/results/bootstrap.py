"""How far a mean can be trusted: percentile bootstrap intervals (Efron 1979)."""

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
    """A mean, and the interval from ``low`` to ``high``; both None where there were fewer than two
    values. ``count`` of values."""

    mean: float | None
    low: float | None
    high: float | None
    count: int

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def estimate(
    values: Sequence[float | None], level: float = LEVEL, resamples: int = RESAMPLES
) -> Estimate:
    """The mean of the values that are numbers, and its interval at a level.

    As many values as there are, N, are drawn from them with replacement, ``resamples`` times; the
    interval goes from the (1 − level)/2 to the (1 + level)/2 quantile of the means drawn. The same
    values always give the same interval. With few values it is too narrow: of normal values, N =
    10, one at 95 % covers the true mean in 90 cases of 100.
    """
    known = np.array(
        [value for value in values if value is not None and math.isfinite(value)], dtype=np.float64
    )
    if len(known) < 2:
        return Estimate(float(known[0]) if len(known) else None, None, None, len(known))
    rows = np.random.default_rng(0).integers(len(known), size=(resamples, len(known)))
    low, high = np.quantile(known[rows].mean(axis=1), ((1 - level) / 2, (1 + level) / 2))
    return Estimate(float(known.mean()), float(low), float(high), len(known))
