"""Motion as a file holds it: joints in the world, in the file's own units and axes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from controller.motion.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Capture:
    """What was captured, joint by joint, before anything is made of it.

    name       what to call it, usually the file's name
    names      one a joint; a parent comes before its children
    parents    index of each joint's parent, −1 for the root
    positions  (T, J, 3) float64, in the world, in file units
    rotations  (T, J, 3, 3) float64, of each joint's frame in the world
    tips       (J, 3) float64, where a leaf's bone ends, in the joint's own frame
    fps        frames a second
    """

    name: str
    names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: Tensor
    rotations: Tensor
    tips: Tensor
    fps: float

    def __len__(self) -> int:
        return self.positions.shape[0]

    def transformed(self, matrix: Tensor) -> Capture:
        """The same motion in other axes: points are multiplied by an orthogonal ``matrix`` (3, 3),
        which may be a reflection."""
        matrix = matrix.to(self.positions)
        return replace(
            self,
            positions=self.positions @ matrix.T,
            rotations=matrix @ self.rotations @ matrix.T,
            tips=self.tips @ matrix.T,
        )

    def scaled(self, unit: float) -> Capture:
        """The same motion with all lengths multiplied by ``unit``."""
        return replace(self, positions=unit * self.positions, tips=unit * self.tips)

    def posed(self, frame: int) -> Skeleton:
        """A skeleton whose rest pose is the pose of one frame, and whose frames are the world's."""
        place = self.positions[frame]
        parents = torch.tensor(self.parents)
        offsets = place - place[parents.clamp(min=0)]
        offsets[0] = 0
        tips = (self.rotations[frame] @ self.tips[..., None]).squeeze(-1)
        return Skeleton(self.names, self.parents, offsets.float(), tips.float())

    def subset(self, joints: list[int], parents: list[int]) -> Capture:
        """The same motion with these joints alone, whose new parents are given."""
        return replace(
            self,
            names=tuple(self.names[joint] for joint in joints),
            parents=tuple(parents),
            positions=self.positions[:, joints],
            rotations=self.rotations[:, joints],
            tips=self.tips[joints],
        )

    def children(self, joint: int) -> list[int]:
        """The joints whose parent this is."""
        return [child for child, parent in enumerate(self.parents) if parent == joint]
