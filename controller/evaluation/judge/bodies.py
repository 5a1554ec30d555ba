"""The drawn bodies of characters: joints by forward kinematics, and the parts they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from controller.evaluation.judge.motion import Motion
from controller.model.normalizer import Normalizer
from controller.motion import geometry
from controller.motion.pose import PoseLayout
from controller.motion.roles import Limb


@dataclass(frozen=True)
class Anatomy:
    """Joints of the legs that stand on the ground, F of them, in the order of ``layout.feet``.

    toes    the joints that stand on the ground
    ankles  the joints above them
    knees   the joints above the ankles
    legs    all joints of these legs
    others  all other joints
    """

    toes: tuple[int, ...]
    ankles: tuple[int, ...]
    knees: tuple[int, ...]
    legs: tuple[int, ...]
    others: tuple[int, ...]

    @classmethod
    def of(cls, layout: PoseLayout) -> Anatomy:
        """Raises DataError if the skeleton has no pair of legs."""
        limbs: dict[int, Limb] = {limb.contact: limb for limb in layout.roles.limbs}
        chains = [_three(limbs[foot].joints, layout) for foot in layout.feet]
        legs = sorted(joint for foot in layout.feet for joint in limbs[foot].joints)
        others = sorted(set(range(layout.joints)) - set(legs))
        knees, ankles, toes = (tuple(column) for column in zip(*chains, strict=True))
        return cls(toes, ankles, knees, tuple(legs), tuple(others))


def _three(chain: tuple[int, ...], layout: PoseLayout) -> tuple[int, int, int]:
    """The last three joints of a leg; its parents where it has fewer."""
    toe = chain[-1]
    ankle = chain[-2] if len(chain) > 1 else max(layout.skeleton.parents[toe], 0)
    knee = chain[-3] if len(chain) > 2 else max(layout.skeleton.parents[ankle], 0)
    return knee, ankle, toe


@dataclass(frozen=True)
class Bodies:
    """S characters over T frames.

    local     (S, T, J, 3) metres, joints in the facing frame
    world     (S, T, J, 3) metres, joints in the world
    position  (S, T, 2) metres and ``yaw`` (S, T) radians, of the root
    """

    local: Tensor
    world: Tensor
    position: Tensor
    yaw: Tensor

    @classmethod
    def of(cls, layout: PoseLayout, normalizer: Normalizer, motion: Motion) -> Bodies:
        """The bodies of a motion."""
        rows = [normalizer.denormalize(pose) for pose in motion.pose]
        local = torch.stack([layout.posed_joints(pose) for pose in rows])
        ground = geometry.turn(local[..., [0, 2]], motion.yaw[..., None])
        ground = ground + motion.position[..., None, :]
        world = torch.stack((ground[..., 0], local[..., 1], ground[..., 1]), dim=-1)
        return cls(local, world, motion.position, motion.yaw)
