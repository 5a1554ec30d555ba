"""Lines over the ground, as points ``(N, 2)`` in metres: even spacing and smoothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from controller.core.errors import require

SPACING = 0.1
"""m between two points of a path."""
SHORTEST = 0.5
"""m: the shortest possible path."""


def resample(points: Tensor, spacing: float = SPACING) -> Tensor:
    """(P, 2): points ``spacing`` metres apart, measured along the line. A shorter remainder at its
    end is dropped.

    Raises ConfigError if the line is shorter than half a metre or not finite.
    """
    require(bool(points.isfinite().all()), "path", "not finite everywhere", "finite points")
    steps = (points[1:] - points[:-1]).norm(dim=-1)
    moves = steps > 0
    points = torch.cat((points[:1], points[1:][moves]))
    steps = steps[moves]
    along = torch.cat((steps.new_zeros(1), steps.cumsum(dim=0)))
    length = float(along[-1])
    require(length >= SHORTEST, "path", f"{length:.2f} m long", f"{SHORTEST} m or more")

    count = int(length / spacing + 1e-4) + 1
    targets = spacing * torch.arange(count, dtype=points.dtype)
    after = torch.searchsorted(along, targets, right=True).clamp(max=len(steps))
    share = ((targets - along[after - 1]) / steps[after - 1])[:, None]
    return points[after - 1] + share * (points[after] - points[after - 1])


def smooth(points: Tensor, deviation: float) -> Tensor:
    """Apply a Gaussian filter to evenly spaced points. Its standard deviation is counted in points;
    the ends stay."""
    reach = min(round(3 * deviation), len(points) - 1)
    offsets = torch.arange(-reach, reach + 1, dtype=points.dtype)
    kernel = torch.exp(-0.5 * (offsets / deviation).square())
    # Beyond its ends the line continues point-symmetrically, so that the filter leaves them where
    # they are.
    before = 2 * points[:1] - points[1 : reach + 1].flip(0)
    after = 2 * points[-1:] - points[-reach - 1 : -1].flip(0)
    longer = torch.cat((before, points, after)).T[:, None]
    return functional.conv1d(longer, (kernel / kernel.sum())[None, None])[:, 0].T
