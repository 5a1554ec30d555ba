"""Which way is up, which way is ahead, and which hand is left: found from bodies in motion.

A person's trunk is above the feet, toes are ahead of heels, knees bend forward, and the left thigh
is to the left. Nothing is taken from a file's own axes, since every program has other ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from controller.core.errors import DataError
from controller.motion.capture import Capture
from controller.motion.roles import Limb, Roles

UPS = ("+Y", "+Z", "-Y", "-Z", "+X", "-X")
"""Axes that may point up, the usual ones first."""
UPRIGHT = 0.75
"""Cosine of the mean angle between a body's own upward direction and the axis that is taken for up.
Captured walking and running have 0.91 and more, a fall 0.71."""
HANDED = 0.5
"""Median cosine between a body's left and the left that follows from up and ahead. Captured
locomotion has 0.93 and more; in a left-handed file it has as much of the opposite sign."""
MOVING = 0.5
"""Leg lengths a second above which a body travels."""


@dataclass(frozen=True)
class Orientation:
    """How a file's axes lie.

    up        the axis that points up, one of :data:`UPS`
    mirrored  the file is left-handed, so that left and right would be exchanged
    ahead     mean cosine between the direction of travel and the toes' direction; NaN if nothing
              travels
    """

    up: str
    mirrored: bool
    ahead: float

    def matrix(self) -> Tensor:
        """(3, 3) float64: what takes the file's axes to ours, Y up and right-handed."""
        turn = turn_to_up(self.up)
        mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
        return mirror @ turn if self.mirrored else turn


def axis(name: str) -> Tensor:
    """The unit vector (3,) of an axis such as "+Y"."""
    vector = torch.zeros(3, dtype=torch.float64)
    vector["XYZ".index(name[1])] = 1.0 if name[0] == "+" else -1.0
    return vector


def turn_to_up(name: str) -> Tensor:
    """The rotation (3, 3) by a multiple of 90° that takes this axis to +Y."""
    source = axis(name)
    target = axis("+Y")
    if torch.equal(source, -target):
        return torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    cross = torch.linalg.cross(source, target)
    skew = torch.zeros(3, 3, dtype=torch.float64)
    skew[0, 1], skew[0, 2], skew[1, 2] = -cross[2], cross[1], -cross[0]
    skew = skew - skew.T
    return torch.eye(3, dtype=torch.float64) + skew + skew @ skew


def upright(capture: Capture, roles: Roles) -> tuple[str, float]:
    """The axis along which the trunk is above the feet, and the cosine of the mean angle to it."""
    trunk = [roles.hips, *(roles.neck or roles.spine)[:1]]
    ankles = [limb.joints[-1] for limb in grounded_limbs(roles)]
    way = capture.positions[:, trunk].mean(dim=1) - capture.positions[:, ankles].mean(dim=1)
    mean = normalize(way, dim=-1).mean(dim=0)
    cosines = {name: float(axis(name) @ mean) for name in UPS}
    best = max(cosines, key=lambda name: cosines[name])
    return best, cosines[best]


def grounded_limbs(roles: Roles) -> list[Limb]:
    """The limbs that stand on the ground: two of a biped, four of a quadruped."""
    limbs = list(roles.legs)
    if roles.kind == "quadruped" and roles.arms is not None:
        limbs += roles.arms
    return limbs


def forward(capture: Capture, roles: Roles) -> Tensor:
    """(T, 3) horizontal, Y up: where the body faces by its feet and knees, or, on four legs, by its
    trunk. Not normalised: where it is short, it says little."""
    if roles.kind == "quadruped":
        front = (roles.neck or roles.spine)[-1:]
        way = capture.positions[:, front[0]] - capture.positions[:, roles.hips]
        return way * way.new_tensor([1.0, 0.0, 1.0])
    way = feet_forward(capture, roles) + knees_forward(capture, roles)
    return way * way.new_tensor([1.0, 0.0, 1.0])


def feet_forward(capture: Capture, roles: Roles) -> Tensor:
    """(T, 3): the sum of both feet's directions, each weighted by how low and how flat it is. A
    foot in the air points anywhere."""
    length = leg_length(capture, roles)
    total = torch.zeros_like(capture.positions[:, 0])
    ankles = capture.positions[:, [limb.end or limb.contact for limb in roles.legs]]
    ground = torch.quantile(ankles[..., 1].amin(dim=1), 0.05)
    for side, limb in enumerate(roles.legs):
        ankle = limb.end if limb.end is not None else limb.contact
        if limb.toe is not None:
            foot = capture.positions[:, limb.toe] - capture.positions[:, ankle]
        else:
            foot = (capture.rotations[:, ankle] @ capture.tips[ankle][:, None]).squeeze(-1)
        size = foot.norm(dim=-1, keepdim=True).clamp(min=1e-9)
        flat = foot[:, [0, 2]].norm(dim=-1, keepdim=True) / size
        height = (ankles[:, side, 1:2] - ground).clamp(min=0)
        total = total + foot / size * flat.square() * torch.exp(-height / (0.05 * length))
    return total


def knees_forward(capture: Capture, roles: Roles) -> Tensor:
    """(T, 3): how far both knees are off the line from hip to ankle, in leg lengths, halved."""
    length = leg_length(capture, roles)
    total = torch.zeros_like(capture.positions[:, 0])
    for limb in roles.legs:
        if limb.upper is None or limb.middle is None or limb.end is None:
            continue
        hip, knee, ankle = (capture.positions[:, j] for j in (limb.upper, limb.middle, limb.end))
        along = normalize(ankle - hip, dim=-1)
        way = knee - hip
        total = total + way - (way * along).sum(dim=-1, keepdim=True) * along
    return 0.5 * total / length


def leftward(capture: Capture, roles: Roles) -> Tensor:
    """(T, 3) horizontal: from the right hip and shoulder to the left ones."""
    total = torch.zeros_like(capture.positions[:, 0])
    for pair in (roles.legs, roles.arms):
        if pair is not None:
            left, right = (capture.positions[:, limb.start] for limb in pair)
            total = total + normalize(left - right, dim=-1)
    return total * total.new_tensor([1.0, 0.0, 1.0])


def leg_length(capture: Capture, roles: Roles) -> float:
    """From hip to ankle along the bones, the mean of both legs, in the capture's units."""
    lengths = []
    for limb in roles.legs:
        chain = [joint for joint in (limb.upper, limb.middle, limb.end) if joint is not None]
        points = capture.positions[:, chain]
        lengths.append(float(points.diff(dim=1).norm(dim=-1).sum(dim=-1).median()))
    return sum(lengths) / len(lengths)


def handedness(capture: Capture, roles: Roles, facing: Tensor | None = None) -> float:
    """Median cosine between the body's left and the left that follows from up (+Y) and ahead.

    Negative in a left-handed file. ``facing`` (3,) is the direction in which the body faces in the
    first frame, where it is known.
    """
    up = axis("+Y")
    ahead = forward(capture, roles)
    left = leftward(capture, roles)
    if facing is not None:
        ahead = facing.to(ahead).expand(1, 3)
        left = left[:1]
    expected = torch.linalg.cross(up.expand_as(ahead), normalize(ahead, dim=-1))
    return float((expected * normalize(left, dim=-1)).sum(dim=-1).median())


def travel(capture: Capture, roles: Roles) -> float:
    """Mean cosine between travel and facing while the body travels; NaN if it never does."""
    root = capture.positions[:, roles.hips]
    if len(root) < 2:
        return math.nan
    velocity = (root[1:] - root[:-1]) * capture.fps * root.new_tensor([1.0, 0.0, 1.0])
    moving = velocity.norm(dim=-1) > MOVING * leg_length(capture, roles)
    if not bool(moving.any()):
        return math.nan
    ahead = normalize(forward(capture, roles)[1:], dim=-1)
    return float((normalize(velocity, dim=-1) * ahead).sum(dim=-1)[moving].mean())


def find_orientation(
    capture: Capture, roles: Roles, up: str | None = None, facing: str | None = None
) -> Orientation:
    """How a capture's axes lie. ``up``, and ``facing`` for the first frame, overrule what is found.

    Raises DataError if the body is upright along no axis, or if its left cannot be told from its
    right, with the option that mends it.
    """
    best, cosine = upright(capture, roles)
    if up is None and cosine < UPRIGHT:
        raise DataError(
            f"{capture.name}: the body stands upright along no axis (the best, {best}, is off by "
            f"{math.degrees(math.acos(cosine)):.0f}°); name the axis with --up"
        )
    chosen = up or best
    turned = capture.transformed(turn_to_up(chosen))
    direction = None if facing is None else turn_to_up(chosen) @ axis(facing)
    side = handedness(turned, roles, direction)
    if abs(side) < HANDED:
        raise DataError(
            f"{capture.name}: toes and knees do not show where the body faces; name the axis that "
            "it faces in its first frame with --forward"
        )
    ahead = travel(turned, roles)
    return Orientation(chosen, side < 0, ahead)
