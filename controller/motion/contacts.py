"""What legs stand on: where feet touch the ground, and what poses show of the legs above them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from controller.motion.pose import FPS, PoseLayout
from controller.motion.roles import Limb

USUAL_LEG = 0.865
"""m from hip to ankle of the body for which lengths and speeds are stated here. Lengths grow with
the leg, speeds with its root, as those of pendulums do (Froude)."""
LOW = 0.035
LIFTED = 0.05
"""m above the height at which it stands: a point of a foot that comes lower than the first is down,
and one that rises above the second is up."""
SLOW = 0.2
QUICK = 0.35
"""m/s: the same of its speed."""
FEWEST = 8
"""Poses; of fewer no height is learned."""
PLANTIGRADE = 0.15
"""A heel that stands higher than this share of the leg never stands on the ground: it is a hock."""
FASTEST = 0.995
"""Quantile of a knee's speeds that counts as its fastest."""
LEAST_KNEE_SPEED = 4.0
"""rad/s: what a knee may always do, if the poses show slower ones only."""


@dataclass(frozen=True)
class Thresholds:
    """When a point of a foot stands: lower than ``low`` m above the height at which it stands and
    slower than ``slow`` m/s, until it is above ``lifted`` or faster than ``quick``."""

    low: float = LOW
    lifted: float = LIFTED
    slow: float = SLOW
    quick: float = QUICK

    @classmethod
    def of(cls, leg: float) -> Thresholds:
        """Those of a body whose legs are so many metres long."""
        size = leg / USUAL_LEG
        return cls(LOW * size, LIFTED * size, SLOW * size**0.5, QUICK * size**0.5)


def contacts(height: Tensor, speed: Tensor, thresholds: Thresholds) -> Tensor:
    """Whether points stand, ``(T, ...)`` booleans, by hysteresis over time.

    ``height`` (T, ...) is in metres above the height at which each point stands, ``speed`` (T, ...)
    in m/s in the step into each frame.
    """
    down = torch.zeros_like(height[0], dtype=torch.bool)
    result = []
    for now_height, now_speed in zip(height, speed, strict=True):
        down = stands(down, now_height, now_speed, thresholds)
        result.append(down)
    return torch.stack(result)


def stands(was: Tensor, height: Tensor, speed: Tensor, thresholds: Thresholds) -> Tensor:
    """One step of :func:`contacts`: whether points stand, ``(...)`` booleans, if they ``was``
    standing before it."""
    begins = (height < thresholds.low) & (speed < thresholds.slow)
    goes_on = (height < thresholds.lifted) & (speed < thresholds.quick)
    return torch.where(was, goes_on, begins)


@dataclass(frozen=True)
class Leg:
    """A leg that stands on the ground, with two bones.

    joints    hip, knee, ankle, and the toe, which is the ankle of a foot without toes
    forward   (3,) which way the foot points, in the frame of its ankle
    hinge     (3,) the axis about which the knee bends, in the frame of its hip
    tip       (3,) from the toe to the tip of the foot, in the frame of the toe
    standing  heights of toe and ankle in metres while they stand
    length    of its two bones, in metres
    fastest   rad/s: the speed of the knee
    plants    whether the heel stands on the ground, too
    """

    joints: tuple[int, int, int, int]
    forward: Tensor
    hinge: Tensor
    tip: Tensor
    standing: tuple[float, float]
    length: float
    fastest: float
    plants: bool


def legs_of(layout: PoseLayout, poses: Tensor) -> tuple[Leg, ...]:
    """The legs on which a body stands, as poses ``(N, D)`` in their own units show them.

    Legs that lack a hip, knee or ankle joint are left out, so there may be none.
    """
    legs = [
        _leg(layout, poses, limb)
        for limb in layout.roles.limbs
        if limb.grounded and None not in (limb.upper, limb.middle, limb.end)
    ]
    return tuple(legs)


def bend(hip: Tensor, knee: Tensor, ankle: Tensor) -> Tensor:
    """How far knees are bent: the angles (...) in radians between thighs and shins, from positions
    (..., 3)."""
    thigh = knee - hip
    shin = ankle - knee
    across = torch.linalg.cross(thigh, shin).norm(dim=-1)
    return torch.atan2(across, (thigh * shin).sum(dim=-1))


def _leg(layout: PoseLayout, poses: Tensor, limb: Limb) -> Leg:
    assert limb.upper is not None and limb.middle is not None and limb.end is not None
    joints = (limb.upper, limb.middle, limb.end, limb.contact)
    places = layout.posed_joints(poses)[:, list(joints)]
    speeds = poses[:, layout.velocities].unflatten(-1, (-1, 3))[:, list(joints)]
    rotations = layout.joint_rotations(poses)
    hip, knee, ankle, toe = places.unbind(1)

    length = float(((knee - hip).norm(dim=-1) + (ankle - knee).norm(dim=-1)).mean())
    thresholds = Thresholds.of(length)
    still = speeds[:, 3].norm(dim=-1) < thresholds.slow
    planted = still & (speeds[:, 2].norm(dim=-1) < thresholds.slow)
    stands = _height(toe, still), _height(ankle, planted)
    hinge = torch.linalg.cross(knee - hip, ankle - knee).mean(dim=0, keepdim=True)
    before = places - speeds / FPS
    quick = (bend(hip, knee, ankle) - bend(*before[:, :3].unbind(1))).abs() * FPS
    slowest = LEAST_KNEE_SPEED * (USUAL_LEG / length) ** 0.5
    return Leg(
        joints,
        _mean_in(rotations[:, limb.end], _ahead(ankle, toe)),
        _mean_in(rotations[:, limb.upper], hinge.expand_as(hip)),
        _tip(layout, limb.contact),
        stands,
        length,
        max(float(torch.quantile(quick, FASTEST)), slowest),
        limb.contact != limb.end and stands[1] - stands[0] < PLANTIGRADE * length,
    )


def _height(point: Tensor, still: Tensor) -> float:
    """The height at which a point (N, 3) stands: the median of what is still, or else nearly its
    lowest."""
    height = point[:, 1]
    if int(still.sum()) >= FEWEST:
        return float(height[still].median())
    return float(torch.quantile(height, 0.1))


def _ahead(ankle: Tensor, toe: Tensor) -> Tensor:
    """Which way feet point over the ground (N, 3): the facing, if they have no toes."""
    level = ankle.new_tensor([1.0, 0.0, 1.0])
    way = (toe - ankle) * level
    if bool((way.norm(dim=-1) < 1e-4).any()):
        return ankle.new_tensor([0.0, 0.0, 1.0]).expand_as(ankle)
    return normalize(way, dim=-1)


def _mean_in(rotations: Tensor, vectors: Tensor) -> Tensor:
    """The mean direction (3,) of vectors (N, 3) in the frames of rotations (N, 3, 3)."""
    own = (rotations.transpose(-1, -2) @ vectors[..., None]).squeeze(-1)
    return normalize(own.mean(dim=0), dim=-1)


def _tip(layout: PoseLayout, joint: int) -> Tensor:
    """From a joint to the end of its bone."""
    children = layout.skeleton.children(joint)
    return layout.skeleton.offsets[children[0]] if children else layout.skeleton.tips[joint]
