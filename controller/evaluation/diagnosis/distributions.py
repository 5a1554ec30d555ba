"""How similar the values of two samples are."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def coverage(inner: list[float], outer: list[float]) -> float:
    """Share, 0 to 1, of one interval that lies in another. An interval goes from the first to the
    last number of a list."""
    low = max(inner[0], outer[0])
    high = min(inner[-1], outer[-1])
    if inner[-1] > inner[0]:
        return max(0.0, high - low) / (inner[-1] - inner[0])
    return float(low <= high)


def mass_within(values: Tensor, interval: list[float]) -> float:
    """Share, 0 to 1, of values that lie from the first to the last number of ``interval``."""
    inside = (values >= interval[0]) & (values <= interval[-1])
    return float(inside.double().mean())


def wasserstein(one: Tensor, other: Tensor) -> float:
    """The 1-Wasserstein distance of two samples of any sizes, in their own unit: how far, on
    average, values must be moved to turn one distribution into the other. NaN if a value is not
    finite.

    On a line it is ∫|F₁ − F₂|, where F are the distribution functions (Vallender 1974).
    """
    one = one.flatten().double().sort().values
    other = other.flatten().double().sort().values
    points = torch.cat((one, other)).sort().values
    if not bool(torch.isfinite(points).all()):
        return math.nan
    below = [
        torch.searchsorted(part, points[:-1], right=True).double() / len(part)
        for part in (one, other)
    ]
    return float(((below[0] - below[1]).abs() * points.diff()).sum())
