"""Windows of captured motion for training."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.dataset import ClipEntry
from controller.motion.pose import PoseLayout


def rarity(velocity: Tensor, balance: float) -> Tensor:
    """One weight (N,) for each root velocity (N, 3), forward, left and turning, in m/s and rad/s:
    count^−balance, of velocities in its cell of 0.2 m/s, 0.2 m/s and 0.4 rad/s."""
    cells = (velocity / velocity.new_tensor([0.2, 0.2, 0.4])).round().long()
    _, cell, counts = cells.unique(dim=0, return_inverse=True, return_counts=True)
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
        self.labels = torch.zeros_like(self.starts)
        self.weights = self._weights(balance)
        if styles:
            self.labels = poses[self.starts, -styles:].argmax(dim=-1)
            sums = torch.zeros(styles).double().index_add_(0, self.labels, self.weights)
            self.weights = self.weights * sums[self.labels].pow(-style_balance)
        self.cumulative = self.weights.cumsum(0)

    def _weights(self, balance: float) -> Tensor:
        """One weight a window, by how rare its mean root velocity is."""
        velocity = self.poses[:, PoseLayout.root_velocity]
        sums = torch.cat((torch.zeros(1, 3), velocity)).double().cumsum(0)
        mean = (sums[self.starts + self.length] - sums[self.starts]) / self.length
        return rarity(mean, balance)

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
