"""Windows of captured motion for training."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.dataset import ClipEntry
from controller.motion.pose import PoseLayout

FAR = 2**19
"""Cells from zero that can be told apart, of root velocities."""


def rarity(velocity: Tensor, balance: float) -> Tensor:
    """One weight (N,) for each root velocity (N, 3), forward, left and turning, in m/s and rad/s:
    count^−balance, of velocities in its cell of 0.2 m/s, 0.2 m/s and 0.4 rad/s."""
    return rarity_of_cells(cells(velocity), balance)


def cells(velocity: Tensor) -> Tensor:
    """The cell (N,) of each root velocity (N, 3), as one number."""
    steps = (velocity / velocity.new_tensor([0.2, 0.2, 0.4])).round().long().clamp(-FAR, FAR)
    forward, left, turning = steps.unbind(dim=-1)
    return (forward * 2 * FAR + left) * 2 * FAR + turning


def rarity_of_cells(cells: Tensor, balance: float) -> Tensor:
    """count^−balance (N,), of the equal numbers among ``cells`` (N,)."""
    _, cell, counts = cells.unique(return_inverse=True, return_counts=True)
    return counts[cell].double().pow(-balance)


class Windows:
    """Windows of ``length`` consecutive poses of one clip.

    poses       (N, D) raw poses of all clips
    starts      (W,) the rows at which a window may start
    cumulative  (W,) sums of the windows' weights; ``balance`` 0 gives all the same, 1 gives rare
                velocities as much as common ones
    labels      (W,) the number of each window's style; zeros without styles
    """

    def __init__(
        self,
        poses: Tensor,
        clips: list[ClipEntry],
        length: int,
        balance: float = 0.0,
        styles: int = 0,
        style_balance: float = 0.0,
    ) -> None:
        """The last ``styles`` columns of poses are the weights of styles. With a ``style_balance``
        of 1 all styles are drawn equally often, with 0 as often as they were captured."""
        starts = [
            torch.arange(clip.start, clip.start + clip.length - length + 1)
            for clip in clips
            if clip.length >= length
        ]
        if not starts:
            longest = max((clip.length for clip in clips), default=0)
            raise DataError(
                f"no clip is long enough: the longest has {longest} poses, a window needs {length}"
            )
        self.poses = poses
        self.length = length
        self.starts = torch.cat(starts)
        self.labels = self.starts.new_zeros(1).expand_as(self.starts)  # takes no memory
        self.weights = self._weights(starts, balance)
        if styles:
            self.labels = poses[self.starts, -styles:].argmax(dim=-1)
            sums = torch.zeros(styles).double().index_add_(0, self.labels, self.weights)
            self.weights = self.weights * sums[self.labels].pow(-style_balance)
        self.cumulative = self.weights.cumsum(0)

    def _weights(self, starts: list[Tensor], balance: float) -> Tensor:
        """One weight a window, by how rare its mean root velocity is. ``starts`` are those of each
        clip, which are looked at one by one: the table of poses may be larger than memory."""
        found = []
        for own in starts:
            rows = slice(int(own[0]), int(own[-1]) + self.length)
            velocity = self.poses[rows, PoseLayout.root_velocity].double()
            sums = torch.cat((torch.zeros(1, 3).double(), velocity.cumsum(0)))
            found.append(cells((sums[self.length :] - sums[: -self.length]) / self.length))
        return rarity_of_cells(torch.cat(found), balance)

    def of_style(self, label: int, name: str) -> Windows:
        """The windows of the style with this number, from 0. DataError, which calls it by ``name``,
        if there are none."""
        rows = self.labels == label
        if not bool(rows.any()):
            raise DataError(
                f"no clip of the style {name!r} for training is as long as a window, {self.length} "
                "poses"
            )
        chosen = copy.copy(self)
        chosen.starts = self.starts[rows]
        chosen.labels = self.labels[rows]
        chosen.weights = self.weights[rows]
        chosen.cumulative = chosen.weights.cumsum(0)
        return chosen

    def draw(self, batch: int, generator: torch.Generator, poses: int | None = None) -> Tensor:
        """``(batch, length, D)`` raw poses of windows drawn with replacement, or the first
        ``poses`` of each."""
        share = torch.rand(batch, generator=generator, dtype=torch.float64)
        window = torch.searchsorted(self.cumulative, share * self.cumulative[-1])
        start = self.starts[window.clamp(max=len(self.starts) - 1)]
        return self.poses[start[:, None] + torch.arange(poses or self.length)]
