"""Windows of captured motion for training."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.dataset import ClipEntry
from controller.motion.pose import PoseLayout


class Windows:
    """Windows of ``length`` consecutive poses of one clip.

    poses       (N, D) raw poses of all clips
    starts      (W,) the rows at which a window may start
    cumulative  (W,) sums of the windows' weights; ``balance`` 0 gives all the same, 1 gives rare
                velocities as much as common ones
    """

    def __init__(
        self, poses: Tensor, clips: list[ClipEntry], length: int, balance: float = 0.0
    ) -> None:
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
        self.cumulative = self._weights(balance).cumsum(0)

    def _weights(self, balance: float) -> Tensor:
        """One weight a window, by how rare its mean root velocity is, counted in cells of 0.2 m/s,
        0.2 m/s and 0.4 rad/s."""
        velocity = self.poses[:, PoseLayout.root_velocity]
        sums = torch.cat((torch.zeros(1, 3), velocity)).double().cumsum(0)
        mean = (sums[self.starts + self.length] - sums[self.starts]) / self.length
        cells = (mean / torch.tensor([0.2, 0.2, 0.4], dtype=torch.float64)).round().long()
        _, cell, counts = cells.unique(dim=0, return_inverse=True, return_counts=True)
        return counts[cell].double().pow(-balance)

    def draw(self, batch: int, generator: torch.Generator, poses: int | None = None) -> Tensor:
        """``(batch, length, D)`` raw poses of windows drawn with replacement, or the first
        ``poses`` of each."""
        share = torch.rand(batch, generator=generator, dtype=torch.float64)
        window = torch.searchsorted(self.cumulative, share * self.cumulative[-1])
        start = self.starts[window.clamp(max=len(self.starts) - 1)]
        return self.poses[start[:, None] + torch.arange(poses or self.length)]
