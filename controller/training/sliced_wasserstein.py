"""How far apart two sets of poses are, as distributions, with a gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

EXPLAINED = 0.99
"""Share of the captured poses' variance that the principal axes hold along which slices are
drawn."""
SMALLEST = 0.3
"""Deviations (of z-scored poses) that a principal axis is taken to have at least when it is
whitened: the finest ones would otherwise weigh as much as a stride."""
NEAR = 0.3
"""Deviations below which the distance counts by its square, and vanishes with its gradient."""


class SlicedWasserstein:
    """Sliced Wasserstein distance (Rabin et al. 2011): the mean, over directions, of the distance
    between the sorted projections of both sets, smooth near 0 (Huber 1964) and linear far away.
    Squares throughout would have a model chase the rarest poses.

    Directions are drawn among the whitened principal axes of ``captured`` z-scored poses (N, D).
    What ``watched`` makes of poses, a few columns (N, W), is always compared as well: what matters
    most may be three of some hundred values.
    """

    def __init__(self, captured: Tensor, watched: Callable[[Tensor], Tensor]) -> None:
        self.watched = watched
        self.deviation = watched(captured).std(dim=0)
        self.centre = captured.mean(dim=0)
        variance, axes = torch.linalg.eigh((captured - self.centre).T.cov())
        explained = variance.flip(0).cumsum(0) / variance.sum()
        count = int((explained < EXPLAINED).sum()) + 1
        self.axes = axes.flip(1)[:, :count] / variance.flip(0)[:count].sqrt().clamp(
            min=SMALLEST
        )  # (D, K)

    def slices(self, count: int, generator: torch.Generator) -> Tensor:
        """``(D, count)``: random directions, as columns by which z-scored poses are multiplied."""
        directions = torch.randn(self.axes.shape[1], count, generator=generator).to(
            self.axes.device
        )
        return self.axes @ (directions / directions.norm(dim=0))

    def __call__(self, poses: Tensor, captured: Tensor, slices: Tensor) -> Tensor:
        """The distance in deviations between two sets of as many z-scored poses, ``(N, D)`` each:
        the mean over ``slices`` and the mean over what is watched, added."""
        ours, theirs = (
            ascending(
                torch.cat(
                    ((rows - self.centre) @ slices, self.watched(rows) / self.deviation), dim=1
                )
            )
            for rows in (poses, captured)
        )
        apart = functional.smooth_l1_loss(ours, theirs, reduction="none", beta=NEAR).mean(dim=0)
        count = slices.shape[1]
        return apart[:count].mean() + apart[count:].mean()


def ascending(columns: Tensor) -> Tensor:
    """Each column of ``(N, C)`` in ascending order, differentiable: on a CPU by numpy, in a sixth
    of torch's time."""
    if columns.device.type != "cpu":
        return columns.sort(dim=0).values
    order = columns.detach().numpy().argsort(axis=0)
    return columns.gather(0, torch.from_numpy(order))
