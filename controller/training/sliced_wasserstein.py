"""The distance between two sets of poses, as distributions, with a gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from controller.dynamics.style_axes import SMALLEST

EXPLAINED = 0.99
"""Share of the captured poses' variance in the principal axes among which slices are drawn."""
NEAR = 0.3
"""Deviations below which the distance counts by its square, so that its gradient vanishes with
it."""


class SlicedWasserstein:
    """Sliced Wasserstein distance (Rabin et al. 2011): the mean, over directions, of the distance
    between the sorted projections of both sets, smooth near 0 (Huber 1964) and linear far away.
    With squares throughout, a model would chase the rarest poses.

    Directions are drawn among the whitened principal axes of ``captured`` z-scored poses (N, D).
    ``watched`` computes a few columns (N, W) of poses which are always compared as well: what
    matters most may be three of some hundred values. So are the projections on the columns of
    ``apart`` (D, A), along which kinds of captured poses lie apart
    (:mod:`controller.dynamics.style_axes`).
    """

    def __init__(
        self,
        captured: Tensor,
        watched: Callable[[Tensor], Tensor],
        apart: Tensor | None = None,
    ) -> None:
        self.watched = watched
        self.apart = apart
        self.deviation = watched(captured).std(dim=0)
        self.centre = captured.mean(dim=0)

        variance, axes = torch.linalg.eigh((captured - self.centre).T.cov())
        descending = variance.flip(0)
        explained = descending.cumsum(0) / variance.sum()
        count = int((explained < EXPLAINED).sum()) + 1
        deviations = descending[:count].sqrt().clamp(min=SMALLEST)
        self.axes = axes.flip(1)[:, :count] / deviations  # (D, K)

    def slices(self, count: int, generator: torch.Generator) -> Tensor:
        """``(D, count)``: random directions, as columns by which z-scored poses are multiplied."""
        directions = torch.randn(self.axes.shape[1], count, generator=generator)
        directions = directions.to(self.axes.device)
        return self.axes @ (directions / directions.norm(dim=0))

    def __call__(self, poses: Tensor, captured: Tensor, slices: Tensor) -> Tensor:
        """The distance in deviations between two sets of equally many z-scored poses, ``(N, D)``
        each: the mean over ``slices`` plus the mean over the watched columns."""
        ours = ascending(self._columns(poses, slices))
        theirs = ascending(self._columns(captured, slices))
        distance = functional.smooth_l1_loss(ours, theirs, reduction="none", beta=NEAR).mean(dim=0)
        count = slices.shape[1]
        watched = count + len(self.deviation)
        total = distance[:count].mean() + distance[count:watched].mean()
        return total if self.apart is None else total + distance[watched:].mean()

    def _columns(self, poses: Tensor, slices: Tensor) -> Tensor:
        projected = (poses - self.centre) @ slices
        columns = [projected, self.watched(poses) / self.deviation]
        if self.apart is not None:
            columns.append((poses - self.centre) @ self.apart)
        return torch.cat(columns, dim=1)


def ascending(columns: Tensor) -> Tensor:
    """Each column of ``(N, C)`` in ascending order, differentiable. On a CPU numpy sorts in a sixth
    of torch's time."""
    if columns.device.type != "cpu":
        return columns.sort(dim=0).values
    order = columns.detach().numpy().argsort(axis=0)
    return columns.gather(0, torch.from_numpy(order))
