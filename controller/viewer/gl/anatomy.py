"""What a bone looks like, told from its joints' names: thickness and colour."""

from __future__ import annotations

import re
from typing import NamedTuple

REACH = 1.085  # metres along the bones from the hips to the toes of the body that the sizes below are for
SKULL = 0.13  # metres from the joint under the head to the middle of its top

# Linear RGB
PORCELAIN = (0.60, 0.58, 0.55)
GRAPHITE = (0.05, 0.055, 0.065)
BLUE = (0.07, 0.22, 0.42)
CORAL = (0.52, 0.13, 0.07)


class Shape(NamedTuple):
    """A bone's look: radii at its start and end, depth ÷ width, and the length of the dark cuff
    where it bends.

    Lengths in metres.
    """

    start: float
    end: float
    depth: float = 1.0
    cuff: float = -1.0  # none; at 0 the cap of the start alone is dark
    accent: bool = False  # in the colour of its side
    level: bool = False  # starts on the height where it ends: hips are one broad piece, not two legs to the waist


# The first pattern found in "joint>child" (lower case; a leaf's child is "tip") gives the shape.
SHAPES = tuple(
    (re.compile(pattern), shape)
    for pattern, shape in (
        (r"thumb|index|middle|ring|pinky|finger", Shape(0.011, 0.009, accent=True)),
        (r"head.*>", Shape(0.064, 0.086, 1.06)),
        (r">.*head|neck", Shape(0.046, 0.043)),
        (r"(spine|chest|torso|back).*>.*(shoulder|clav|collar|arm)", Shape(0.066, 0.064)),
        (r"(shoulder|clav|collar).*>", Shape(0.068, 0.056)),
        (r"(hand|wrist).*>", Shape(0.034, 0.024, 0.62, accent=True)),
        (r"(forearm|lowerarm|elbow).*>", Shape(0.044, 0.029, cuff=0.012, accent=True)),
        (r"(arm|humerus).*>", Shape(0.060, 0.039, cuff=0.02)),
        (r"(toe|ball).*>", Shape(0.036, 0.027, 0.72, accent=True)),
        (r"(foot|ankle).*>", Shape(0.043, 0.036, 0.9, accent=True)),
        (r"(hips|pelvis|root).*>.*(leg|thigh|hip|femur)", Shape(0.092, 0.074, 1.18, level=True)),
        (r"(upleg|upperleg|thigh|femur|(left|right)_?hip).*>", Shape(0.076, 0.054)),
        (r"(leg|shin|calf|knee|tibia).*>", Shape(0.060, 0.034, cuff=0.018, accent=True)),
        (r"(hips|pelvis|root).*>", Shape(0.126, 0.104, 0.76)),
        (r"(spine|chest|torso|abdomen|back).*>", Shape(0.112, 0.138, 0.70)),
    )
)


def shape_of(joint: str, child: str, length: float) -> Shape:
    """The shape of the bone from ``joint`` to ``child``; for names never heard of, one that goes
    with its length."""
    name = f"{joint}>{child}".lower()
    for pattern, shape in SHAPES:
        if pattern.search(name):
            return shape
    radius = min(max(0.18 * length, 0.012), 0.06)
    return Shape(radius, 0.8 * radius)


def side_colour(joint: str) -> tuple[float, float, float]:
    """Blue on the left, coral on the right, graphite for what has no side."""
    if re.search(r"left|^l[_.]|[_.]l$", joint.lower()) or re.match(r"[lL][A-Z]", joint):
        return BLUE
    if re.search(r"right|^r[_.]|[_.]r$", joint.lower()) or re.match(r"[rR][A-Z]", joint):
        return CORAL
    return GRAPHITE


def is_head(joint: str) -> bool:
    """Whether the joint carries the head."""
    return "head" in joint.lower()


def is_sole(joint: str) -> bool:
    """Whether the joint lies on the ground in a step, so that flesh belongs above it and not around
    it."""
    return re.search(r"toe|ball", joint.lower()) is not None


def is_foot(joint: str) -> bool:
    """Whether the joint belongs to a foot."""
    return is_sole(joint) or re.search(r"foot|ankle", joint.lower()) is not None
