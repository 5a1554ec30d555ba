"""Poses as the viewer shows them, and interpolation between two poses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from controller.motion import geometry


@dataclass(frozen=True, eq=False)
class Pose:
    """The pose of a character in the world at one instant, or the poses of N characters.

    The shapes are those for one character; for several, N comes first.

    root         (3,) metres, the root's position
    quaternions  (J, 4) each joint's rotation relative to the world
    """

    root: Tensor
    quaternions: Tensor

    @classmethod
    def from_matrices(cls, root: Tensor, rotations: Tensor) -> Pose:
        """The pose with this root position (3,) and these global rotation matrices (J, 3, 3)."""
        return cls(root, geometry.matrix_to_quaternion(rotations))

    def __getitem__(self, row: int) -> Pose:
        """The pose of one of several characters."""
        return Pose(self.root[row], self.quaternions[row])

    def without(self, row: int) -> Pose | None:
        """The poses of all characters except one; None if there is only that one."""
        if len(self.root) == 1:
            return None
        others = torch.arange(len(self.root)) != row
        return Pose(self.root[others], self.quaternions[others])

    def matrices(self) -> Tensor:
        """The global rotations as matrices (J, 3, 3)."""
        return geometry.quaternion_to_matrix(self.quaternions)

    def towards(self, other: Pose, amount: float) -> Pose:
        """The pose at ``amount`` in [0, 1] of the way to the ``other`` one.

        The root moves on a straight line; each joint turns along the shorter arc.
        """
        share = torch.tensor(amount, dtype=self.root.dtype)
        return Pose(
            torch.lerp(self.root, other.root, share),
            geometry.slerp(self.quaternions, other.quaternions, share),
        )
