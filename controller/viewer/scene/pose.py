"""Poses to be shown, and those between two of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from controller.motion import geometry


@dataclass(frozen=True, eq=False)
class Pose:
    """One instant of a character in the world, or of several: their number then comes first in
    every shape.

    root         (3,) metres
    quaternions  (J, 4), each joint's rotation relative to the world
    """

    root: Tensor
    quaternions: Tensor

    @classmethod
    def from_matrices(cls, root: Tensor, rotations: Tensor) -> Pose:
        """From the root's position (3,) and global rotation matrices (J, 3, 3)."""
        return cls(root, geometry.matrix_to_quaternion(rotations))

    def __getitem__(self, row: int) -> Pose:
        """One of several."""
        return Pose(self.root[row], self.quaternions[row])

    def without(self, row: int) -> Pose | None:
        """All of several but one; None if that leaves nobody."""
        rest = torch.arange(len(self.root)) != row
        return Pose(self.root[rest], self.quaternions[rest]) if len(self.root) > 1 else None

    def matrices(self) -> Tensor:
        """Global rotations as matrices (J, 3, 3)."""
        return geometry.quaternion_to_matrix(self.quaternions)

    def towards(self, other: Pose, amount: float) -> Pose:
        """The pose at ``amount`` in [0, 1] of the way: the root on a straight line, joints along
        the shorter arc."""
        share = torch.tensor(amount, dtype=self.root.dtype)
        return Pose(
            torch.lerp(self.root, other.root, share),
            geometry.slerp(self.quaternions, other.quaternions, share),
        )
