"""Where a character's feet are, and how far they move over the ground in a step."""

from __future__ import annotations

import torch
from torch import Tensor

from controller import geometry
from controller.features import FPS, PoseLayout


class Feet:
    """Forward kinematics of both toe joints alone, at a fraction of the whole skeleton's cost."""

    def __init__(self, layout: PoseLayout, device: torch.device | str = "cpu") -> None:
        self.layout = layout
        parents, offsets = layout.skeleton.parents, layout.skeleton.offsets
        self.above: list[int] = []
        bones = []
        for foot in layout.feet:
            joint = foot
            while parents[joint] >= 0:
                bones.append(offsets[joint])
                self.above.append(parents[joint])
                joint = parents[joint]
        self.bones = torch.stack(bones).unflatten(0, (2, -1)).to(device)  # (2, C, 3)

    def positions(self, pose: Tensor) -> Tensor:
        """(..., D) poses in their own units → left and right toe ``(..., 2, 3)``, metres in the facing frame."""
        six = pose[..., self.layout.orientations].unflatten(-1, (self.layout.joints, 6))[..., self.above, :]
        rotations = geometry.matrix_from_6d(six).unflatten(-3, self.bones.shape[:2])  # (..., 2, C, 3, 3)
        height = pose[..., self.layout.hip_height, None, None] * pose.new_tensor([0.0, 1.0, 0.0])
        return height + (rotations @ self.bones[..., None]).squeeze(-1).sum(dim=-2)

    @staticmethod
    def displacement(before: Tensor, after: Tensor, root_velocity: Tensor) -> Tensor:
        """How both feet moved over the ground in one step, ``(..., 2, 3)`` metres in the earlier facing frame.

        ``before`` and ``after`` ``(..., 2, 3)`` are positions in their own facing frames; ``root_velocity``
        ``(..., 3)`` is that of the later pose.
        """
        step = root_velocity / FPS
        ground = geometry.turn(after[..., [0, 2]], step[..., None, 2]) + step[..., None, [1, 0]]
        return torch.stack((ground[..., 0], after[..., 1], ground[..., 1]), dim=-1) - before
