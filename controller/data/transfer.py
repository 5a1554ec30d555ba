"""Is a retargeted clip the clip that it was made from? Bone directions, places of feet, foot skate.

Joints cannot be compared one by one as in :mod:`controller.data.roundtrip`: the two bodies have
other bones. What must be alike is where limbs point, where feet are, and how still they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.cleaning import levelled
from controller.data.retarget import Retargeter
from controller.motion.metrics import foot_skate
from controller.motion.midline import joint_pairs
from controller.motion.pose import FPS
from controller.motion.roles import Roles
from controller.motion.skeleton import Clip

MORE_SKATE = 1.5
SKATE_NOISE = 0.03
"""A clip whose foot skate is above this many times that of its source, plus so many cm a frame, is
left out."""
LARGEST_FEET_MM = 30.0
"""mm: a clip whose worst foot is further off its place in 95 % of its frames is left out."""
LARGEST_BONES_DEG = 30.0
"""Degrees: a clip whose worst limb bone points elsewhere by more on average is left out."""


@dataclass(frozen=True)
class Transfer:
    """How a clip came over to another body.

    frames        of the source
    scale         leg lengths, and so travel and speeds, over those of the source
    skate_before  foot skate of the source, cm a frame at :data:`FPS`
    skate_after   that of the retargeted clip
    joints_mm     mean distance of joints that both have, after scaling
    feet_mm       distance of the worst foot from its place, exceeded in 5 % of the frames
    bones_deg     mean angle between limb bones of source and target
    worst_deg     the same of the worst bone
    bone          the joint at the worst bone's end
    """

    name: str
    frames: int
    scale: float
    skate_before: float
    skate_after: float
    joints_mm: float
    feet_mm: float
    bones_deg: float
    worst_deg: float
    bone: str

    @property
    def complaint(self) -> str:
        """What is wrong with a clip that may not be used; empty if nothing is."""
        if self.feet_mm > LARGEST_FEET_MM:
            return f"a foot is {self.feet_mm:.0f} mm from where the source's is"
        if self.worst_deg > LARGEST_BONES_DEG:
            return f"the bone to {self.bone} is {self.worst_deg:.0f}° off the source's"
        if self.skate_after > MORE_SKATE * self.skate_before + SKATE_NOISE:
            return (
                f"foot skate rises from {self.skate_before:.2f} to {self.skate_after:.2f} cm a "
                "frame"
            )
        return ""


def compare(retarget: Retargeter, source: Clip, clip: Clip) -> Transfer:
    """Compare a clip with the source from which ``retarget`` made it. Raises DataError if it is
    not finite."""
    ours = retarget.target.roles
    theirs = retarget.source.roles
    there = levelled(source, theirs.feet).joint_positions().double()
    here = clip.joint_positions().double()
    if not bool(here.isfinite().all()):
        raise DataError("what came out is not finite")
    pairs = torch.tensor(joint_pairs(ours, theirs))
    apart = here[:, pairs[:, 0]] - retarget.scale * there[:, pairs[:, 1]]
    bones = _bone_angles(here, there, ours, theirs)
    bone = max(bones, key=lambda joint: bones[joint])
    feet = retarget.feet_apart(source, clip)
    return Transfer(
        clip.name,
        len(source),
        retarget.scale,
        _skate(source, theirs),
        _skate(clip, ours),
        1000 * float(apart.norm(dim=-1).mean()),
        1000 * float(torch.quantile(feet, 0.95, dim=0).max()),
        sum(bones.values()) / len(bones),
        bones[bone],
        clip.skeleton.names[bone],
    )


def _skate(clip: Clip, roles: Roles) -> float:
    """Foot skate in cm a frame, with the floor where the data set will have it."""
    level = levelled(clip.resampled(FPS), roles.feet)
    return float(foot_skate(level.joint_positions()[:, list(roles.feet)]).mean())


def _bone_angles(here: Tensor, there: Tensor, ours: Roles, theirs: Roles) -> dict[int, float]:
    """Joint → mean angle in degrees between the bones to it in two motions (T, J, 3): the thighs,
    shins, upper arms and forearms that both have."""
    angles = {}
    for limb in ours.limbs:
        other = theirs.limb(limb.region, limb.side)
        if other is None:
            continue
        for start, end in pairwise(("upper", "middle", "end")):
            joints = [getattr(side, part) for side in (limb, other) for part in (start, end)]
            if None in joints:
                continue
            one = here[:, joints[1]] - here[:, joints[0]]
            two = there[:, joints[3]] - there[:, joints[2]]
            cross = torch.linalg.cross(one, two).norm(dim=-1)
            angle = torch.atan2(cross, (one * two).sum(dim=-1))
            angles[joints[1]] = float(torch.rad2deg(angle).mean())
    return angles


def summary(transfers: Sequence[Transfer]) -> dict[str, Any]:
    """How all retargeted clips came over, as plain values for a data set's header and its users.
    Means are over all frames, ``skate_ratio`` is the median over clips. Empty if none was
    retargeted."""
    if not transfers:
        return {}
    frames = sum(transfer.frames for transfer in transfers)
    means = {
        name: sum(getattr(transfer, name) * transfer.frames for transfer in transfers) / frames
        for name in ("skate_before", "skate_after", "joints_mm", "bones_deg")
    }
    worst = max(transfers, key=lambda transfer: transfer.worst_deg)
    ratios = (transfer.skate_after / max(transfer.skate_before, 1e-6) for transfer in transfers)
    return {
        **means,
        "skate_ratio": median(ratios),
        "worst_deg": worst.worst_deg,
        "worst_bone": worst.bone,
        "worst_clip": worst.name,
        "feet_mm": max(transfer.feet_mm for transfer in transfers),
        "clips": {
            transfer.name: {
                "scale": round(transfer.scale, 4),
                "skate_before": round(transfer.skate_before, 4),
                "skate_after": round(transfer.skate_after, 4),
                "joints_mm": round(transfer.joints_mm, 1),
                "bones_deg": round(transfer.bones_deg, 2),
                "feet_mm": round(transfer.feet_mm, 1),
            }
            for transfer in transfers
        },
    }
