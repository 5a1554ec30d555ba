"""Which side of a character each joint is on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from controller.motion.chains import Pair
from controller.motion.evidence import Evidence
from controller.motion.overrides import SIDES

STATED_VOTES = 1000
"""Votes of an override for a side; a name has one."""
SHORT = 0.02
"""Feet that point ahead by less than this share of the character's size point nowhere."""


class Sides(NamedTuple):
    """The sides of all joints.

    names     for each joint, "left", "right" or, on the midline, an empty text
    doubtful  joints whose names contradict their place in the rest pose
    """

    names: list[str]
    doubtful: set[int]


def find_sides(
    evidence: Evidence, pairs: list[Pair], limbs: dict[str, Pair], stands: bool
) -> Sides:
    """The side of every joint.

    Names decide, by majority. Without them, left is +X when the character faces +Z; if the rest
    pose does not stand, the side stays empty.
    """
    sides = [""] * len(evidence.skeleton)
    doubtful: set[int] = set()
    forward = _forward(evidence, limbs)
    for pair in pairs:
        named = _side_by_name(evidence, pair)
        placed = _side_by_place(evidence, pair, forward) if stands and len(pair) == 2 else ""
        first = named or placed
        if not first:
            continue
        second = SIDES[1 - SIDES.index(first)]
        for chain, side in zip(pair, (first, second), strict=False):
            for joint in evidence.tree.subtree(chain.root):
                sides[joint] = side
                if placed not in ("", first):
                    doubtful.add(joint)
    return Sides(sides, doubtful)


def _side_by_name(evidence: Evidence, pair: Pair) -> str:
    """The side of the first chain, by a majority of the names in both."""
    votes = 0
    for chain, sign in zip(pair, (1, -1), strict=False):
        for joint in evidence.tree.subtree(chain.root):
            reading = evidence.readings[joint]
            weight = STATED_VOTES if reading.certain else 1
            votes += sign * weight * ((reading.side == "left") - (reading.side == "right"))
    if votes == 0:
        return ""
    return "left" if votes > 0 else "right"


def _side_by_place(evidence: Evidence, pair: Pair, forward: Tensor) -> str:
    """The side of the first of two chains in a rest pose that faces ``forward`` (x, z)."""
    one, other = (evidence.rest.joints[list(chain.path)].mean(dim=0) for chain in pair)
    across = (one - other)[[0, 2]]
    leftward = float(across[0] * forward[1] - across[1] * forward[0])
    if abs(leftward) < 1e-3 * float(evidence.rest.extent.max()):
        return ""
    return "left" if leftward > 0 else "right"


def _forward(evidence: Evidence, limbs: dict[str, Pair]) -> Tensor:
    """The way (x, z) that the rest pose faces: where the feet point, or +Z if they do not."""
    direction = torch.zeros(2)
    for pair in limbs.values():
        for chain in pair:
            if not chain.hangs:
                continue
            last = chain.path[-1]
            ankle = chain.parts["leg"].joints.get("end", last)
            direction += (evidence.rest.tips[last] - evidence.rest.joints[ankle])[[0, 2]]
    length = float(direction.norm())
    if length < SHORT * float(evidence.rest.extent.max()):
        return torch.tensor([0.0, 1.0])
    return direction / length
