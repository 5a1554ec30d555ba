"""What a bone made of capsules looks like by the roles of its joints: thickness and colour."""

from __future__ import annotations

from typing import NamedTuple

from controller.motion.names import Meaning
from controller.motion.roles import Roles

SKULL = 0.13
"""Metres from the joint under the head to the middle of its top."""
MAX_SOLES = 4
"""How many joints darken the ground under them."""


class Shape(NamedTuple):
    """A bone's look. Lengths are in metres, for the body of scale 1 (:mod:`controller.body.size`).

    start   radius at its start
    end     radius at its end
    depth   depth ÷ width
    cuff    length of the dark cuff where the limb bends. Negative: none; 0: the start's cap alone
    accent  it has the colour of its side
    level   it starts at the height at which it ends: hips are one broad piece, not two legs up to
            the waist
    """

    start: float
    end: float
    depth: float = 1.0
    cuff: float = -1.0
    accent: bool = False
    level: bool = False


TIP = Meaning("tip")
"""Stands for the end of a leaf's bone, in place of its child."""

FINGER = Shape(0.011, 0.009, accent=True)
HEAD = Shape(0.064, 0.086, 1.06)
NECK = Shape(0.046, 0.043)
COLLAR = Shape(0.066, 0.064)
PELVIS = Shape(0.092, 0.074, 1.18, level=True)
SHAPES = {
    "arm_base": Shape(0.068, 0.056),
    "arm_upper": Shape(0.060, 0.039, cuff=0.02),
    "arm_middle": Shape(0.044, 0.029, cuff=0.012, accent=True),
    "arm_end": Shape(0.034, 0.024, 0.62, accent=True),
    "arm_toe": Shape(0.034, 0.024, 0.62, accent=True),
    "leg_upper": Shape(0.076, 0.054),
    "leg_middle": Shape(0.060, 0.034, cuff=0.018, accent=True),
    "leg_end": Shape(0.043, 0.036, 0.9, accent=True),
    "leg_toe": Shape(0.036, 0.027, 0.72, accent=True),
    "hips": Shape(0.126, 0.104, 0.76),
    "spine": Shape(0.112, 0.138, 0.70),
}
"""The shape of the bone below a joint by its role, unless :func:`shape_of` knows better."""


def shape_of(joint: Meaning, child: Meaning, length: float) -> Shape:
    """The shape of the bone from ``joint`` to ``child`` (:data:`TIP` for a leaf's bone). Without a
    role, it is one that goes with the ``length`` in metres."""
    if "finger" in (joint.part, child.part):
        return FINGER
    if joint.region == "head":
        return HEAD
    if joint.region == "neck" or child.region in ("head", "neck"):
        return NECK
    if joint.region == "spine" and child.region == "arm":
        return COLLAR
    if joint.region == "hips" and child.region == "leg":
        return PELVIS

    role = "_".join(joint).rstrip("_")
    if role in SHAPES:
        return SHAPES[role]
    radius = min(max(0.18 * length, 0.012), 0.06)
    return Shape(radius, 0.8 * radius)


def is_sole(joint: Meaning) -> bool:
    """Whether the joint lies on the ground in a step, so that flesh belongs above it and not around
    it."""
    return joint == ("leg", "toe")


def soles(roles: Roles) -> tuple[int, ...]:
    """At most :data:`MAX_SOLES` joints that darken the ground under them."""
    joints = roles.foot_joints
    if len(joints) > MAX_SOLES:
        joints = tuple(limb.contact for limb in roles.limbs if limb.grounded)
    return joints[:MAX_SOLES]
