"""Is what was built what was read? Joints by forward kinematics against the file's own joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from controller.motion.capture import Capture
from controller.motion.roles import Roles
from controller.motion.skeleton import Clip, Skeleton

LARGEST_MM = 10.0
"""mm: a clip whose worst joint is further off than this in 95 % of its frames is refused."""


@dataclass(frozen=True)
class RoundTrip:
    """How far a clip's joints are from the file's, in mm.

    mean     over all joints and frames
    typical  of the worst joint, exceeded in 5 % of the frames
    worst    of any joint in any frame
    joint    the worst joint's name
    """

    name: str
    mean: float
    typical: float
    worst: float
    joint: str

    @property
    def is_good(self) -> bool:
        """Whether the clip may be used."""
        return self.typical <= LARGEST_MM

    @property
    def complaint(self) -> str:
        """What is wrong with a clip that may not be used."""
        return f"joint {self.joint} is {self.typical:.0f} mm from where the file has it"


def compare(clip: Clip, capture: Capture, order: list[int]) -> RoundTrip:
    """Compare a clip with the capture from which it was built, frame by frame, in the world.

    ``order`` gives for each joint of the clip the capture's.
    """
    built = clip.joint_positions().double()
    apart = 1000 * (built - capture.positions[:, order]).norm(dim=-1)
    typical = torch.quantile(apart, 0.95, dim=0)
    joint = int(typical.argmax())
    return RoundTrip(
        clip.name,
        float(apart.mean()),
        float(typical[joint]),
        float(apart.max()),
        clip.skeleton.names[joint],
    )


def summary(trips: Sequence[RoundTrip]) -> dict[str, Any]:
    """The round trips of all clips as plain values in mm, for a data set's header and its users:
    ``mean_mm``, ``worst_mm`` with its ``worst_joint`` and ``worst_clip``, and the mean of each clip
    in ``clips``. Empty without round trips."""
    if not trips:
        return {}
    worst = max(trips, key=lambda trip: trip.worst)
    return {
        "mean_mm": sum(trip.mean for trip in trips) / len(trips),
        "worst_mm": worst.worst,
        "worst_joint": worst.joint,
        "worst_clip": worst.name,
        "clips": {trip.name: round(trip.mean, 3) for trip in trips},
    }


def implausible(skeleton: Skeleton, roles: Roles) -> str:
    """What is wrong with a body in its rest pose, in words; empty if nothing is."""
    joints = rest_joints(skeleton)
    tips = joints + skeleton.tips
    height = float(torch.cat((joints, tips))[:, 1].amax() - torch.cat((joints, tips))[:, 1].amin())
    if height < 0.1:
        return f"it is {100 * height:.0f} cm tall"
    if roles.kind == "quadruped":
        return _limb_fault(skeleton, roles, height)
    left, right = (limb.start for limb in roles.legs)
    ground = float(joints[:, 1].min())
    shares = {
        "hips": ((float(joints[roles.hips, 1]) - ground) / height, 0.38, 0.7),
        "hip joints apart": (float((joints[left] - joints[right]).norm()) / height, 0.03, 0.3),
    }
    if roles.head is not None:
        trunk = float((joints[roles.head] - joints[roles.hips]).norm())
        shares["hips to head"] = (trunk / height, 0.2, 0.6)
    for name, (share, low, high) in shares.items():
        if not low <= share <= high:
            return f"{name} at {share:.2f} of its height; {low} to {high} is a body's"
    return _limb_fault(skeleton, roles, height)


def _limb_fault(skeleton: Skeleton, roles: Roles, height: float) -> str:
    """A limb bone that is too short or too long for the height, in words; empty if none is."""
    for limb in roles.limbs:
        chain = [joint for joint in (limb.upper, limb.middle, limb.end) if joint is not None]
        for joint in chain[1:]:
            share = float(skeleton.offsets[joint].norm()) / height
            if not 0.04 <= share <= 0.6:
                name = skeleton.names[joint]
                return f"the bone to {name} has {share:.2f} of its height; 0.04 to 0.6 is a body's"
    return ""


def rest_joints(skeleton: Skeleton) -> Tensor:
    """(J, 3) metres: joints in the rest pose."""
    joints = [torch.zeros(3)]
    for joint, parent in enumerate(skeleton.parents[1:], start=1):
        joints.append(joints[parent] + skeleton.offsets[joint])
    return torch.stack(joints)
