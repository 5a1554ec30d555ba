"""Motion of one body brought onto the skeleton of another, on purpose.

Rotations are carried over part by part, in anatomical axes (:mod:`controller.data.anatomy`). The
hips travel as far as the legs are longer or shorter. Then the legs bend so that the feet are where
the scaled feet of the source are: what stood still still stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from controller.core.errors import DataError
from controller.data.anatomy import Anatomy, find_anatomy, has_two_bones
from controller.data.cleaning import levelled
from controller.motion import geometry, ik
from controller.motion.pose import facing
from controller.motion.roles import Limb, Roles
from controller.motion.skeleton import Clip, Skeleton, forward_kinematics, to_local

REACH = 0.995
"""Share of its bones' length to which a leg may be stretched: a straight knee pops."""
SINK_S = 0.2
"""Seconds within which the hips sink where a leg would not reach, and rise again."""

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

    scale  the target's leg length over the source's
    """

    source: Anatomy
    target: Anatomy

    def __post_init__(self) -> None:
        require_alike(self.source.roles, self.target.roles)

    @property
    def scale(self) -> float:
        return self.target.leg / self.source.leg

    def __call__(self, clip: Clip) -> Clip:
        """A clip of the source on the target's skeleton, with the floor at 0 in both."""
        clip = levelled(clip, self.source.roles.feet)
        joints = clip.joint_positions().double()
        rotations = self._carried(clip.global_rotations().double())
        root = self._root(joints, rotations)
        contacts = self._contacts(clip, joints, rotations)
        root = root - self._sink(root, rotations, contacts, clip.fps)[:, None] * root.new_tensor(
            [0.0, 1.0, 0.0]
        )
        for limb, contact in contacts.items():
            rotations = self._placed(limb, root, rotations, contact)
        skeleton = self.target.skeleton
        local = to_local(skeleton.parents, rotations)
        return Clip(clip.name, skeleton, root.float(), local.float(), clip.fps)

    def feet_apart(self, source: Clip, clip: Clip) -> Tensor:
        """(T, F) metres: how far the feet of a retargeted clip are from their places."""
        source = levelled(source, self.source.roles.feet)
        there = source.joint_positions().double()
        here = clip.joint_positions().double()
        places = self._contacts(source, there, clip.global_rotations().double())
        apart = [(here[:, limb.contact] - place).norm(dim=-1) for limb, place in places.items()]
        return torch.stack(apart, dim=-1)

    # -- rotations ---------------------------------------------------------------------------------

    def _carried(self, rotations: Tensor) -> Tensor:
        """(T, J, 3, 3) global rotations of the target from those of the source. A joint without
        counterpart is to its parent as it is when the body stands."""
        target = self.target
        anatomical = rotations @ self.source.axes
        found = {
            **self._trunk(anatomical),
            **self._limbs(anatomical),
        }
        result: list[Tensor] = []
        for joint, parent in enumerate(target.skeleton.parents):
            if joint in found:
                result.append(found[joint] @ target.axes[joint].T)
            else:
                above = result[parent]
                result.append(above @ target.standing[joint])
        return torch.stack(result, dim=1)

    def _trunk(self, anatomical: Tensor) -> dict[int, Tensor]:
        """Joint of the target → anatomical axes (T, 3, 3): along the spine, the neck and the tail,
        by how far up the chain each bone is."""
        found = {self.target.roles.hips: anatomical[:, self.source.roles.hips]}
        for ours, theirs in zip(_chains(self.target), _chains(self.source), strict=True):
            if len(ours) < 2 or not theirs:
                continue
            places = _places(self.target.skeleton, ours)
            known = _places(self.source.skeleton, theirs)
            turns = geometry.matrix_to_quaternion(anatomical[:, theirs])
            for joint, place in zip(ours, places, strict=True):
                above = next((i for i, other in enumerate(known) if other >= place - 1e-9), -1)
                above = above % len(known)
                below = max(above - 1, 0)
                span = known[above] - known[below]
                amount = (place - known[below]) / span if span > 1e-9 else 1.0
                share = turns.new_full((len(turns), 1), min(max(amount, 0.0), 1.0))
                mixed = geometry.slerp(turns[:, below], turns[:, above], share)
                found.setdefault(joint, geometry.quaternion_to_matrix(mixed))
        return found

    def _limbs(self, anatomical: Tensor) -> dict[int, Tensor]:
        """Joint of the target → anatomical axes (T, 3, 3) of the same part of the same limb."""
        found = {}
        for limb in self.target.roles.limbs:
            other = self.source.roles.limb(limb.region, limb.side)
            for part in ("base", "upper", "middle", "end", "toe"):
                ours = getattr(limb, part)
                theirs = None if other is None else getattr(other, part)
                if ours is not None and theirs is not None:
                    found[ours] = anatomical[:, theirs]
        return found

    # -- places ------------------------------------------------------------------------------------

    def _root(self, joints: Tensor, rotations: Tensor) -> Tensor:
        """(T, 3) metres: where the root must be for the middle of the hip joints to travel as the
        source's, scaled."""
        ours = [limb.start for limb in self.target.roles.legs]
        theirs = [limb.start for limb in self.source.roles.legs]
        zero = rotations.new_zeros(len(rotations), 3)
        above = forward_kinematics(self.target.skeleton, zero, rotations)[:, ours].mean(dim=1)
        return self.scale * joints[:, theirs].mean(dim=1) - above

    def _contacts(self, clip: Clip, joints: Tensor, rotations: Tensor) -> dict[Limb, Tensor]:
        """Limb of the target → where its contact must be, (T, 3) metres.

        It is where the source's contact is, scaled, moved along the foot by what the feet differ in
        length, so that ankles stay under the body. Front legs are moved along the body by what the
        trunks differ in length.
        """
        result = {}
        turn = geometry.yaw_matrix(facing(clip).double())
        for limb in self.target.roles.limbs:
            other = self.source.roles.limb(limb.region, limb.side)
            if not limb.grounded or other is None:
                continue
            assert limb.end is not None
            lateral = (rotations[:, limb.end] @ self.target.axes[limb.end])[..., 0]
            up = lateral.new_tensor([0.0, 1.0, 0.0]).expand_as(lateral)
            ahead = normalize(torch.linalg.cross(lateral, up, dim=-1), dim=-1)
            longer = self.target.sole(limb)[2] - self.scale * self.source.sole(other)[2]
            result[limb] = self.scale * joints[:, other.contact] + longer * ahead
            if limb.region == "arm":
                shift = self.target.from_hips(limb) - self.scale * self.source.from_hips(other)
                result[limb] = result[limb] + turn @ (shift * shift.new_tensor([1.0, 0.0, 1.0]))
        return result

    def _ankle(self, limb: Limb, rotations: Tensor, contact: Tensor) -> Tensor:
        """(T, 3) metres: where a limb's end must be for its contact to be at a place."""
        assert limb.end is not None
        if limb.contact == limb.end:
            return contact
        foot = self.target.segment(limb.end, limb.contact)
        return contact - (rotations[:, limb.end] @ foot[:, None]).squeeze(-1)

    def _sink(
        self, root: Tensor, rotations: Tensor, contacts: dict[Limb, Tensor], fps: float
    ) -> Tensor:
        """(T,) metres by which the hips must be lower so that all legs reach."""
        joints = forward_kinematics(self.target.skeleton, root, rotations)
        drops = [root.new_zeros(len(root))]
        for limb, contact in contacts.items():
            ankle = self._ankle(limb, rotations, contact)
            bones = self._bones(limb)
            reach = REACH * float(sum(bone.norm() for bone in bones))
            drops.append(ik.needed_drop(joints[:, limb.start], ankle, reach))
        needed = torch.stack(drops).amax(dim=0)
        return ik.smooth_cover(needed, round(SINK_S * fps))

    def _bones(self, limb: Limb) -> tuple[Tensor, Tensor]:
        assert limb.upper is not None and limb.middle is not None and limb.end is not None
        upper = self.target.segment(limb.upper, limb.middle)
        return upper, self.target.segment(limb.middle, limb.end)

    def _placed(self, limb: Limb, root: Tensor, rotations: Tensor, contact: Tensor) -> Tensor:
        """The rotations with a leg bent so that its contact is at its place; the foot keeps its
        own."""
        assert limb.upper is not None and limb.middle is not None
        skeleton = self.target.skeleton
        start = forward_kinematics(skeleton, root, rotations)[:, limb.upper]
        ankle = self._ankle(limb, rotations, contact)
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


def _chains(anatomy: Anatomy) -> tuple[list[int], list[int], list[int]]:
    """The chains of joints of a body's midline: from the hips to the joint that carries the arms,
    from there to the head, and the tail from the hips."""
    roles = anatomy.roles
    way = [anatomy.carrier]
    while way[0] != roles.hips:
        way.insert(0, anatomy.skeleton.parents[way[0]])
    neck = [anatomy.carrier] if roles.head is None else [roles.head]
    while neck[0] not in way and neck[0] >= 0:
        neck.insert(0, anatomy.skeleton.parents[neck[0]])
    return way, neck, [roles.hips, *roles.tail] if roles.tail else []


def _places(skeleton: Skeleton, chain: list[int]) -> list[float]:
    """Where along a chain the middle of each joint's bone is: 0 for the first and 1 for the last
    joint, which are what they are."""
    lengths = [float(skeleton.offsets[joint].norm()) for joint in chain[1:]]
    total = sum(lengths) or 1.0
    places = [0.0]
    done = lengths[0] if lengths else 0.0
    for length in lengths[1:]:
        places.append((done + length / 2) / total)
        done += length
    return [*places, 1.0] if lengths else places
