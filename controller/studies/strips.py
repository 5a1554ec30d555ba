"""Strips of stick figures as SVG: what several values of z make of the same pose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.motion.pose import mirrored_name
from controller.motion.skeleton import Skeleton, forward_kinematics

VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Deviations at which a latent unit is held, while all others are held at 0."""
FRAMES = 20
"""Frames for which z is held: in a single one joints move by a centimetre, which nobody could
see."""
WIDTH = 190
HEIGHT = 150
"""Pixels of a cell, one a value."""
SCALE = 64.0
"""Pixels a metre."""
START = (62.0, 122.0)
"""Pixels from a cell's upper left corner at which the pose stands from which all go on."""
TURN = math.radians(35)
TILT = math.radians(14)
"""The view: from the right side of a character that faces +Z, turned towards its front and looking
down by so much."""
LEFT = "#ce543c"
RIGHT = "#2e6cb8"
MIDDLE = "#3c3c3c"
FAINT = "#c9c9c4"
PATH = "#8a8a84"


Place = tuple[float, float]
"""Of a point in a cell, in pixels to the right and down from its upper left corner."""


class Traversal(NamedTuple):
    """B characters over T frames, the first of which is where they start: world ``joints`` and
    ``tips`` of bones (T, B, J, 3) and the root's places on the ground ``path`` (T, B, 2), as (x,
    z), in metres."""

    joints: Tensor
    tips: Tensor
    path: Tensor


@torch.no_grad()
def traverse(character: Character, pose: Tensor, latent: Tensor) -> Traversal:
    """Each z of ``latent`` (B, latent) held for :data:`FRAMES` frames from one z-scored pose
    (D,)."""
    batch = len(latent)
    states = [CharacterState(pose.expand(batch, -1), torch.zeros(batch, 2), torch.zeros(batch))]
    for _ in range(FRAMES):
        states.append(character.step(states[-1], latent))
    root, rotations = (
        torch.stack(part) for part in zip(*map(character.joints, states), strict=True)
    )
    joints = forward_kinematics(character.skeleton, root, rotations)
    tips = joints + (rotations @ character.skeleton.tips[:, :, None]).squeeze(-1)
    return Traversal(joints, tips, torch.stack([state.position for state in states]))


def unit_values(character: Character, unit: int) -> Tensor:
    """The latents (V, latent) in which one unit has each of :data:`VALUES`, and all others are
    0."""
    latent = torch.zeros(len(VALUES), character.latent)
    latent[:, unit] = torch.tensor(VALUES)
    return latent


def effect(traversal: Traversal) -> float:
    """How far apart the values of z take the joints: mean distance in metres between the ends of
    neighbouring ones."""
    ends = traversal.joints[-1]
    return float((ends[1:] - ends[:-1]).norm(dim=-1).mean())


def walking_pose(character: Character) -> Tensor:
    """A reset pose (D,) that walks: the one with the upper quartile's forward speed."""
    speed = character.root_velocity(character.reset_poses)[:, 0]
    return character.reset_poses[speed.argsort()[3 * (len(speed) - 1) // 4]]


def strip(skeleton: Skeleton, traversal: Traversal, labels: Sequence[str]) -> str:
    """An SVG element with a cell for each of B values of z, labelled: grey the pose at the start,
    coloured the one at the end (the left limbs red, the right ones blue), and the way over the
    ground between."""
    cells = []
    for index, label in enumerate(labels):
        joints, tips, path = (part[:, index] for part in traversal)
        ground = torch.stack((path[:, 0], torch.zeros(len(path)), path[:, 1]), dim=-1)
        cells.append(
            f'<g transform="translate({index * WIDTH},0)">'
            f'<text x="{WIDTH / 2:g}" y="14">{label}</text>'
            + _line([_pixels(ground)], PATH, 1.5, "3 3")
            + _line(_bones(skeleton, joints[0], tips[0]), FAINT, 2)
            + "".join(
                _line(_bones(skeleton, joints[-1], tips[-1], side), side, 2.4)
                for side in (LEFT, MIDDLE, RIGHT)
            )
            + "</g>"
        )
    return (
        f'<svg viewBox="0 0 {WIDTH * len(labels)} {HEIGHT}" class="strip" role="img" '
        f'aria-label="stick figures, one for each value of z">{"".join(cells)}</svg>'
    )


def _bones(
    skeleton: Skeleton, joints: Tensor, tips: Tensor, colour: str | None = None
) -> list[list[Place]]:
    """The bones from (J, 3) joints to joints and ``tips``, of one side if a ``colour`` names it, as
    lines in a cell."""
    points = _pixels(joints)
    ends = _pixels(tips)
    lines = [
        (joint, points[parent], points[joint])
        for joint, parent in enumerate(skeleton.parents)
        if parent >= 0
    ]
    lines += [
        (joint, points[joint], ends[joint])
        for joint in range(len(skeleton))
        if skeleton.tips[joint].any()
    ]
    return [
        [start, end]
        for joint, start, end in lines
        if colour in (None, _colour(skeleton.names[joint]))
    ]


def _colour(joint: str) -> str:
    if mirrored_name(joint) == joint:
        return MIDDLE
    return LEFT if "left" in joint.lower() or joint.startswith("L_") else RIGHT


def _pixels(points: Tensor) -> list[Place]:
    """World points (N, 3) seen from afar → places in a cell."""
    x, y, z = points.unbind(dim=-1)
    across = x * math.sin(TURN) + z * math.cos(TURN)
    away = x * math.cos(TURN) - z * math.sin(TURN)
    up = y * math.cos(TILT) + away * math.sin(TILT)
    return list(
        zip((START[0] + SCALE * across).tolist(), (START[1] - SCALE * up).tolist(), strict=True)
    )


def _line(lines: list[list[Place]], colour: str, width: float, dashes: str = "none") -> str:
    way = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in lines)
    return f'<path d="{way}" stroke="{colour}" stroke-width="{width:g}" stroke-dasharray="{dashes}" fill="none"/>'
