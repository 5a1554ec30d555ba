"""The axes of a body's parts, found from its motion, so that one pose is one pose on any skeleton.

A joint's own frame is what a program made of it: the rest pose may be a T, an A or no pose at all.
So every joint gets *anatomical axes* besides: +Y along the part towards the body, +X about which
it bends, and +Z ahead. On all skeletons the same pose then has the same anatomical axes.

- A thigh, a shin, an upper arm and a forearm: along the bone, and about the hinge of the knee or
  the elbow, which is found from how the two bones bend.
- A foot and its toes: flat on the floor, along the foot, as they are while the foot stands still.
- All others (trunk, head, clavicles, hands): those of the world when the body stands upright.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import normalize

from controller.data.orientation import forward
from controller.data.reference import asymmetry, slouch
from controller.motion import geometry
from controller.motion.capture import Capture
from controller.motion.roles import Limb, Roles
from controller.motion.skeleton import Clip, Skeleton, forward_kinematics, to_global

CANDIDATES = 4000
"""Frames of a set of clips in which a body's axes are looked for."""
BEST = 0.02
"""Share of them in which it stands most upright, and in which a foot stands most still."""
FEW = 15
"""Frames that are averaged at least: single ones are in mid-stride."""
SURE = 0.7
"""How far the directions of a hinge agree: the length of their mean over the mean of lengths."""
BENT = 0.02
"""Mean sine of a limb's bend below which it shows no hinge."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A skeleton with the anatomical axes of its joints.

    roles     of its joints
    axes      (J, 3, 3) float64: columns are the anatomical axes in the joint's own frame
    standing  (J, 3, 3) float64: rotations relative to the parents when the body stands; those of
              the root relative to where it faces
    hinges    limb → its hinge (3,), in the frame of its upper joint
    leg       metres from the hip joint along the bones to the ankle
    """

    skeleton: Skeleton
    roles: Roles
    axes: Tensor
    standing: Tensor
    hinges: dict[Limb, Tensor]
    leg: float

    def segment(self, start: int, end: int) -> Tensor:
        """(3,) metres: from one joint to one below it, in the frame of the first. Joints between
        the two are as they are when the body stands."""
        chain = [end]
        while chain[-1] != start:
            chain.append(self.skeleton.parents[chain[-1]])
        way = torch.zeros(3, dtype=torch.float64)
        for child in chain[:-1]:
            if child != end:
                way = self.standing[child] @ way
            way = way + self.skeleton.offsets[child].double()
        return way

    def sole(self, limb: Limb) -> Tensor:
        """(3,) metres: from the ankle to the contact, in the anatomical axes of the foot; zero if
        the limb ends at the ankle."""
        if limb.end is None or limb.contact == limb.end:
            return torch.zeros(3, dtype=torch.float64)
        return self.axes[limb.end].T @ self.segment(limb.end, limb.contact)

    @cached_property
    def ankle(self) -> float:
        """Metres from the contact up to the ankle while a foot is flat; 0 if it is the contact."""
        return -sum(float(self.sole(leg)[1]) for leg in self.roles.legs) / 2

    @property
    def has_toes(self) -> bool:
        """Whether the contacts of the legs are below the ankles."""
        return all(leg.contact != leg.end for leg in self.roles.legs)

    def from_hips(self, limb: Limb) -> Tensor:
        """(3,) metres: from between the hip joints to the start of a limb when the body stands and
        faces +Z."""
        turned = to_global(self.skeleton.parents, self.standing)
        joints = forward_kinematics(self.skeleton, turned.new_zeros(3), turned)
        hips = joints[[leg.start for leg in self.roles.legs]].mean(dim=0)
        return joints[limb.start] - hips


def has_two_bones(limb: Limb) -> bool:
    """Whether a limb has all three joints of two bones."""
    return limb.upper is not None and limb.middle is not None and limb.end is not None


def find_anatomy(skeleton: Skeleton, clips: Sequence[Clip], roles: Roles) -> Anatomy:
    """The anatomy of a skeleton from clips on it, with the floor anywhere."""
    sample = _sample(clips, roles)
    standing = _standing(sample, roles)
    axes = standing.transpose(-1, -2).clone()
    hinges: dict[Limb, Tensor] = {}
    local = standing.clone()
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            local[joint] = standing[parent].T @ standing[joint]
    draft = Anatomy(skeleton, roles, axes, local, hinges, 1.0)
    for limb in roles.limbs:
        if has_two_bones(limb):
            _limb_axes(draft, limb, sample)
        if limb.grounded and limb.end is not None:
            _foot_axes(draft, limb, sample)
    return Anatomy(skeleton, roles, axes, local, hinges, _leg(draft))


@dataclass(frozen=True, eq=False)
class _Sample:
    """Frames of a body: joints (N, J, 3) and global rotations (N, J, 3, 3) in the world, ``facing``
    (N, 3, 3), which turns the world so that the body faces +Z, and ``pace`` (N, J) in m/s."""

    joints: Tensor
    rotations: Tensor
    facing: Tensor
    pace: Tensor


def _sample(clips: Sequence[Clip], roles: Roles) -> _Sample:
    step = max(1, sum(map(len, clips)) // CANDIDATES)
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for clip in clips:
        rotations = clip.global_rotations().double()
        joints = clip.joint_positions().double()
        capture = Capture(
            clip.name, clip.skeleton.names, clip.skeleton.parents, joints, rotations,
            clip.skeleton.tips.double(), clip.fps,
        )  # fmt: skip
        ahead = forward(capture, roles)
        facing = geometry.yaw_matrix(-torch.atan2(ahead[:, 0], ahead[:, 2]))
        pace = joints.diff(dim=0).norm(dim=-1) * clip.fps
        pace = torch.cat((pace[:1], pace))
        rows = torch.arange(0, len(clip), step)
        parts.append((joints[rows], rotations[rows], facing[rows], pace[rows]))
    return _Sample(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _standing(sample: _Sample, roles: Roles) -> Tensor:
    """(J, 3, 3): the mean of each joint's rotations, facing +Z, in the frames in which the body
    stands most upright and symmetrically, with hanging arms."""
    joints = (sample.joints - sample.joints[:, roles.hips, None]) @ sample.facing.mT
    cost = asymmetry(joints, roles) + slouch(joints, roles)
    for limb in roles.limbs:
        if limb.region == "arm" and limb.end is not None and not limb.grounded:
            arm = joints[:, limb.start] - joints[:, limb.end]
            cost = cost + 0.3 * (arm.norm(dim=-1) - arm[:, 1])
    chosen = cost.argsort()[: _count(len(cost))]
    return mean_rotation((sample.facing[:, None] @ sample.rotations)[chosen])


def _count(frames: int) -> int:
    """How many of so many frames are the best ones."""
    return max(round(BEST * frames), min(FEW, frames))


def mean_rotation(rotations: Tensor) -> Tensor:
    """The rotation (..., 3, 3) that is nearest to all of (N, ..., 3, 3), by their mean's polar
    part."""
    u, _, vh = torch.linalg.svd(rotations.mean(dim=0))
    sign = torch.linalg.det(u @ vh)
    ones = torch.ones_like(sign)
    return u * torch.stack((ones, ones, sign), dim=-1)[..., None, :] @ vh


def _limb_axes(anatomy: Anatomy, limb: Limb, sample: _Sample) -> None:
    """Set the axes of a limb's upper and middle joint, and its hinge."""
    assert limb.upper is not None and limb.middle is not None and limb.end is not None
    upper, middle = sample.rotations[:, limb.upper], sample.rotations[:, limb.middle]
    bones = (
        anatomy.segment(limb.upper, limb.middle),
        anatomy.segment(limb.middle, limb.end),
    )
    first = normalize((upper @ bones[0][:, None]).squeeze(-1), dim=-1)
    second = normalize((middle @ bones[1][:, None]).squeeze(-1), dim=-1)
    bend = torch.linalg.cross(first, second)
    across = 1.0 if limb.region == "leg" else -1.0
    for joint, bone, rotations in ((limb.upper, bones[0], upper), (limb.middle, bones[1], middle)):
        hinge = across * anatomy.axes[joint][:, 0]
        own = (rotations.mT @ bend[..., None]).squeeze(-1)
        size = own.norm(dim=-1).mean()
        if float(size) > BENT and float(own.mean(dim=0).norm()) > SURE * float(size):
            hinge = own.mean(dim=0)
        anatomy.axes[joint] = _axes(-bone, hinge)
        if joint == limb.upper:
            anatomy.hinges[limb] = anatomy.axes[joint][:, 0]


def _axes(along: Tensor, across: Tensor) -> Tensor:
    """(3, 3): orthogonal axes with +Y along the first and +X as near as possible to the second
    vector."""
    y = normalize(along, dim=-1)
    x = normalize(across - (across @ y) * y, dim=-1)
    return torch.stack((x, y, torch.linalg.cross(x, y)), dim=-1)


def _foot_axes(anatomy: Anatomy, limb: Limb, sample: _Sample) -> None:
    """Set the axes of an ankle and its toe from the frames in which the foot stands most still."""
    assert limb.end is not None
    pace = torch.maximum(sample.pace[:, limb.end], sample.pace[:, limb.contact])
    height = sample.joints[:, limb.contact, 1]
    tall = sample.joints[:, anatomy.roles.hips, 1] - height
    pace = torch.where(tall < 0.8 * tall.median(), torch.inf, pace)
    still = pace.argsort()[: _count(len(pace))]
    for joint in {limb.end, limb.contact}:
        flat = mean_rotation((sample.facing @ sample.rotations[:, joint])[still])
        anatomy.axes[joint] = flat.T
    if limb.contact != limb.end:
        bone = anatomy.axes[limb.end].T @ anatomy.segment(limb.end, limb.contact)
        if float(bone[[0, 2]].norm()) > 0.5 * float(bone.norm()):
            turn = geometry.yaw_matrix(torch.atan2(bone[0], bone[2]))
            for joint in (limb.end, limb.contact):
                anatomy.axes[joint] = anatomy.axes[joint] @ turn


def _leg(anatomy: Anatomy) -> float:
    """Metres from the hip joint along the bones to the ankle, the mean of both legs."""
    total = 0.0
    for leg in anatomy.roles.legs:
        chain = [joint for joint in (leg.upper, leg.middle, leg.end) if joint is not None]
        bones = (anatomy.segment(start, end) for start, end in pairwise(chain))
        total += sum(float(bone.norm()) for bone in bones)
    return total / 2
