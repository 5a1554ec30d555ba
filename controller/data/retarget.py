"""Motion of one body brought onto the skeleton of another, on purpose.

Rotations are carried over part by part, in anatomical axes (:mod:`controller.data.anatomy`). The
hips travel as far as the legs are longer or shorter. Then the legs bend so that the feet are where
the scaled feet of the source are: what stood still still stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import normalize

from controller.core.errors import DataError
from controller.data.anatomy import Anatomy, find_anatomy, has_two_bones
from controller.data.cleaning import levelled
from controller.data.correspondence import carried
from controller.motion import geometry, ik
from controller.motion.pose import facing
from controller.motion.roles import Limb, Roles
from controller.motion.skeleton import Clip, Skeleton, forward_kinematics, to_local

REACH = 0.995
"""Share of its bones' length to which a leg may be stretched where the source's is not straighter:
a straight knee pops."""
SINK_S = 0.2
"""Seconds within which the hips sink where a leg would not reach, and rise again."""

UP = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
SAME_SKELETON_M = 1e-3
"""m by which the offsets of one skeleton may differ between two builds."""


@dataclass(frozen=True, eq=False)
class Target:
    """A skeleton to bring motion onto, with clips of its own that show how it moves.

    name  what it was read from
    """

    name: str
    skeleton: Skeleton
    anatomy: Anatomy

    @classmethod
    def of(cls, name: str, skeleton: Skeleton, clips: Sequence[Clip]) -> Target:
        """The target of a skeleton and clips on it."""
        return cls(name, skeleton, find_anatomy(skeleton, clips, Roles.of(skeleton)))

    def has(self, skeleton: Skeleton) -> bool:
        """Whether a skeleton is the target's, up to :data:`SAME_SKELETON_M`."""
        joints = (skeleton.names, skeleton.parents)
        if joints != (self.skeleton.names, self.skeleton.parents):
            return False
        apart = (skeleton.offsets - self.skeleton.offsets).abs().max()
        return float(apart) < SAME_SKELETON_M


def require_alike(source: Roles, target: Roles) -> None:
    """Raise DataError if one body has two legs and the other one four, or if a leg of either lacks
    a joint."""
    if source.kind != target.kind:
        raise DataError(f"a {source.kind} cannot be brought onto the skeleton of a {target.kind}")
    for roles in (source, target):
        for limb in roles.limbs:
            if limb.grounded and not has_two_bones(limb):
                raise DataError(
                    f"the {limb.side} {limb.region} has no hip, knee or ankle joint among "
                    f"{', '.join(roles.skeleton.names[joint] for joint in limb.joints)}; name them "
                    "with --roles"
                )


@dataclass(frozen=True, eq=False)
class Retargeter:
    """Brings clips of one body onto the skeleton of another. Raises DataError if one has two legs
    and the other four, or if a leg lacks a joint.

    Where one of them has no toes, the ankle is what stands on its floor, and legs are compared from
    the hip to the ankle.
    """

    source: Anatomy
    target: Anatomy

    def __post_init__(self) -> None:
        require_alike(self.source.roles, self.target.roles)

    @cached_property
    def legs(self) -> tuple[float, float]:
        """Metres: the leg lengths of source and target that are compared."""
        bodies = (self.source, self.target)
        to_floor = all(body.has_toes for body in bodies)
        source, target = (body.leg + (body.ankle if to_floor else 0.0) for body in bodies)
        return source, target

    @property
    def scale(self) -> float:
        """The target's leg length over the source's: what travel and speeds are multiplied by."""
        return self.legs[1] / self.legs[0]

    def __call__(self, clip: Clip) -> Clip:
        """A clip of the source on the target's skeleton, with the floor at 0 in both."""
        clip = levelled(clip, self.source.roles.feet)
        joints = clip.joint_positions().double()
        rotations = carried(self.source, self.target, clip.global_rotations().double())
        root = self._root(joints, rotations)
        ankles = self._ankles(clip, joints, rotations)
        sink = self._sink(joints, root, rotations, ankles)
        root = root - ik.smooth_cover(sink, round(SINK_S * clip.fps))[:, None] * UP
        for limb, ankle in ankles.items():
            rotations = self._placed(limb, root, rotations, ankle)
        skeleton = self.target.skeleton
        local = to_local(skeleton.parents, rotations)
        return Clip(clip.name, skeleton, root.float(), local.float(), clip.fps)

    def feet_apart(self, source: Clip, clip: Clip) -> Tensor:
        """(T, F) metres: how far the feet of a retargeted clip are from their places."""
        source = levelled(source, self.source.roles.feet)
        there = source.joint_positions().double()
        here = clip.joint_positions().double()
        ankles = self._ankles(source, there, clip.global_rotations().double())
        apart = [(here[:, limb.end] - place).norm(dim=-1) for limb, place in ankles.items()]
        return torch.stack(apart, dim=-1)

    def _root(self, joints: Tensor, rotations: Tensor) -> Tensor:
        """(T, 3) metres: where the root must be for the middle of the hip joints to travel as the
        source's, scaled."""
        ours = [limb.start for limb in self.target.roles.legs]
        theirs = [limb.start for limb in self.source.roles.legs]
        zero = rotations.new_zeros(len(rotations), 3)
        above = forward_kinematics(self.target.skeleton, zero, rotations)[:, ours].mean(dim=1)
        lower = self.legs[1] - self.target.leg - self.target.ankle
        lift = lower - self.scale * (self.legs[0] - self.source.leg - self.source.ankle)
        return self.scale * joints[:, theirs].mean(dim=1) - lift * UP - above

    def _ankles(self, clip: Clip, joints: Tensor, rotations: Tensor) -> dict[Limb, Tensor]:
        """Limb of the target → where its end must be, (T, 3) metres.

        If both bodies have toes, these are where the source's are, scaled, moved along the foot by
        what the feet differ in length, so that ankles stay under the body. Without toes, ankles are
        where the source's are. Front legs are moved along the body by what the trunks differ in
        length.
        """
        result = {}
        turn = geometry.yaw_matrix(facing(clip).double())
        for limb, other in self._standing_limbs():
            assert limb.end is not None and other.end is not None
            soles = (self.target.sole(limb), self.source.sole(other))
            if limb.contact == limb.end or other.contact == other.end:
                place = self.scale * joints[:, other.end]
                place = place - UP * (soles[0][1] - self.scale * soles[1][1])
            else:
                lateral = (rotations[:, limb.end] @ self.target.axes[limb.end])[..., 0]
                ahead = torch.linalg.cross(lateral, UP.expand_as(lateral), dim=-1)
                longer = soles[0][2] - self.scale * soles[1][2]
                toe = self.scale * joints[:, other.contact] + longer * normalize(ahead, dim=-1)
                foot = self.target.segment(limb.end, limb.contact)
                place = toe - (rotations[:, limb.end] @ foot[:, None]).squeeze(-1)
            if limb.region == "arm":
                shift = self.target.from_hips(limb) - self.scale * self.source.from_hips(other)
                place = place + turn @ (shift * (1 - UP))
            result[limb] = place
        return result

    def _standing_limbs(self) -> list[tuple[Limb, Limb]]:
        """The limbs of the target that stand on the ground, each with the source's."""
        pairs = []
        for limb in self.target.roles.limbs:
            other = self.source.roles.limb(limb.region, limb.side)
            if limb.grounded and other is not None:
                pairs.append((limb, other))
        return pairs

    def _sink(
        self, joints: Tensor, root: Tensor, rotations: Tensor, ankles: dict[Limb, Tensor]
    ) -> Tensor:
        """(T,) metres by which the hips must be lower so that all legs reach, as far stretched as
        those of the source."""
        ours = forward_kinematics(self.target.skeleton, root, rotations)
        drops = [root.new_zeros(len(root))]
        for limb, other in self._standing_limbs():
            chain = joints[:, [other.upper, other.middle, other.end]]
            length = chain.diff(dim=1).norm(dim=-1).sum(dim=-1)
            stretch = (chain[:, 2] - chain[:, 0]).norm(dim=-1) / length
            reach = sum(float(bone.norm()) for bone in self._bones(limb))
            reach = reach * stretch.clamp(min=REACH)
            drops.append(ik.needed_drop(ours[:, limb.start], ankles[limb], reach))
        return torch.stack(drops).amax(dim=0)

    def _bones(self, limb: Limb) -> tuple[Tensor, Tensor]:
        assert limb.upper is not None and limb.middle is not None and limb.end is not None
        upper = self.target.segment(limb.upper, limb.middle)
        return upper, self.target.segment(limb.middle, limb.end)

    def _placed(self, limb: Limb, root: Tensor, rotations: Tensor, ankle: Tensor) -> Tensor:
        """The rotations with a leg bent so that its end is at a place (T, 3); the foot keeps its
        own."""
        assert limb.upper is not None and limb.middle is not None
        skeleton = self.target.skeleton
        start = forward_kinematics(skeleton, root, rotations)[:, limb.upper]
        upper, middle = ik.two_bone(
            start,
            (rotations[:, limb.upper], rotations[:, limb.middle]),
            self._bones(limb),
            (rotations[:, limb.upper] @ self.target.hinges[limb][:, None]).squeeze(-1),
            ankle,
        )
        result = rotations.clone()
        result[:, limb.upper] = upper
        result[:, limb.middle] = middle
        moved = {limb.upper, limb.middle}
        for joint, parent in enumerate(skeleton.parents):
            if parent in moved and joint not in limb.joints:
                moved.add(joint)
                result[:, joint] = result[:, parent] @ self.target.standing[joint]
        return result
