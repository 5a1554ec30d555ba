"""Windows of captured motion to train on."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.dataset import ClipEntry
from controller.motion.pose import PoseLayout


class Windows:
    """Training windows: raw poses ``(N, D)`` and the rows at which a window of ``length`` poses may
    start."""

    def __init__(
        self, poses: Tensor, clips: list[ClipEntry], length: int, balance: float = 0.0
    ) -> None:
        starts = [
            torch.arange(c.start, c.start + c.length - length + 1)
            for c in clips
            if c.length >= length
        ]
        if not starts:
            longest = max((c.length for c in clips), default=0)
            raise DataError(
                f"no clip is long enough: the longest has {longest} poses, a window needs {length}"
            )
        self.poses = poses
        self.length = length
        self.starts = torch.cat(starts)
        self.cumulative = self._weights(balance).cumsum(0)

    def _weights(self, balance: float) -> Tensor:
        """One weight a window, by how rare its mean root velocity is: cells of 0.2 m/s, 0.2 m/s and
        0.4 rad/s."""
        sums = (
            torch.cat((torch.zeros(1, 3), self.poses[:, PoseLayout.root_velocity]))
            .double()
            .cumsum(0)
        )
        mean = (sums[self.starts + self.length] - sums[self.starts]) / self.length
        cells = (mean / torch.tensor([0.2, 0.2, 0.4], dtype=torch.float64)).round().long()
        _, which, counts = cells.unique(dim=0, return_inverse=True, return_counts=True)
        return counts[which].double().pow(-balance)

    def draw(self, batch: int, generator: torch.Generator, poses: int | None = None) -> Tensor:
        """``(batch, length, D)`` raw poses of windows drawn with replacement, or the first
        ``poses`` of each."""
        at = torch.rand(batch, generator=generator, dtype=torch.float64) * self.cumulative[-1]
        chosen = self.starts[
            torch.searchsorted(self.cumulative, at).clamp(max=len(self.starts) - 1)
        ]
        return self.poses[chosen[:, None] + torch.arange(poses or self.length)]
