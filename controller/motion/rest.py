"""A skeleton's rest pose: where its joints are when nothing is rotated."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from controller.motion.skeleton import Skeleton

HANGING = 0.6
"""Cosine of the largest angle between a hanging limb and the vertical."""
NEAR_GROUND = 0.15
"""What is lower than this share of the character's height touches the ground."""


class Rest:
    """The rest pose.

    joints  (J, 3) positions, from the root
    tips    (J, 3) where the bones of leaf joints end; the joint's own position for the others
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        joints = [torch.zeros(3)]
        for joint, parent in enumerate(skeleton.parents[1:], start=1):
            joints.append(joints[parent] + skeleton.offsets[joint].cpu())
        self.joints = torch.stack(joints)
        self.tips = self.joints + skeleton.tips.cpu()
        points = torch.cat((self.joints, self.tips))
        self.floor = float(points[:, 1].min())
        self.extent = points.amax(dim=0) - points.amin(dim=0)

    def bones(self, chain: Sequence[int]) -> list[float]:
        """The length of the bone below each joint of a chain; a leaf's goes to its tip."""
        ends = [*(self.joints[joint] for joint in chain[1:]), self.tips[chain[-1]]]
        return [
            float((end - self.joints[joint]).norm()) for joint, end in zip(chain, ends, strict=True)
        ]

    def hangs(self, chain: Sequence[int]) -> bool:
        """Whether a chain of joints goes straight down to the ground."""
        points = torch.cat((self.joints[list(chain)], self.tips[list(chain)]))
        lowest = points[points[:, 1].argmin()]
        way = self.joints[chain[0]] - lowest
        near = float(lowest[1]) - self.floor <= NEAR_GROUND * float(self.extent[1])
        return near and float(way[1]) > HANGING * float(way.norm())
