"""Strips of stick figures as SVG: where several values of z lead from the same pose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton, forward_kinematics

VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Values in standard deviations of one latent unit, while all others are 0."""
FRAMES = 20
"""Frames for which z is constant. In a single one, joints move by a centimetre: too little to
see."""
WIDTH = 190
HEIGHT = 150
"""Size of a cell in pixels; there is one a value."""
SCALE = 64.0
"""Pixels a metre."""
START = (62.0, 122.0)
"""Pixels from a cell's upper left corner at which the first pose stands."""
TURN = math.radians(35)
TILT = math.radians(14)
"""The view: from the right side of a character that faces +Z, turned by TURN towards its front and
looking down by TILT, in radians."""
LEFT = "#ce543c"
RIGHT = "#2e6cb8"
MIDDLE = "#3c3c3c"
COLOURS = {"left": LEFT, "right": RIGHT, "": MIDDLE}
"""Side of a joint → colour."""
FAINT = "#c9c9c4"
PATH = "#8a8a84"

Place = tuple[float, float]
"""A point in a cell, in pixels to the right of and below its upper left corner."""


class Traversal(NamedTuple):
    """B characters over T frames from their start, in metres.

    joints  (T, B, J, 3) in the world
    tips    (T, B, J, 3) where the bones of leaf joints end
    path    (T, B, 2) the root on the ground as (x, z)
    """

    joints: Tensor
    tips: Tensor
    path: Tensor


@torch.no_grad()
def traverse(character: Character, pose: Tensor, latent: Tensor) -> Traversal:
    """Play each z of ``latent`` (B, latent) for :data:`FRAMES` frames from one z-scored pose
    (D,)."""
    batch = len(latent)
    states = [CharacterState(pose.expand(batch, -1), torch.zeros(batch, 2), torch.zeros(batch))]
    for _ in range(FRAMES):
        states.append(character.step(states[-1], latent))

    placed = [character.joints(state) for state in states]
    root = torch.stack([one for one, _ in placed])
    rotations = torch.stack([one for _, one in placed])
    joints = forward_kinematics(character.skeleton, root, rotations)
    tips = joints + (rotations @ character.skeleton.tips[:, :, None]).squeeze(-1)
    return Traversal(joints, tips, torch.stack([state.position for state in states]))


def unit_values(character: Character, unit: int) -> Tensor:
    """Latents (V, latent) in which one unit has each of :data:`VALUES` and all others are 0."""
    latent = torch.zeros(len(VALUES), character.latent)
    latent[:, unit] = torch.tensor(VALUES)
    return latent


def effect(traversal: Traversal) -> float:
    """How far apart the values of z move the joints: the mean distance in metres between the last
    frames of neighbouring values."""
    ends = traversal.joints[-1]
    return float((ends[1:] - ends[:-1]).norm(dim=-1).mean())


def walking_pose(character: Character) -> Tensor:
    """The reset pose (D,) at the upper quartile of forward speed, which walks."""
    speed = character.root_velocity(character.reset_poses)[:, 0]
    return character.reset_poses[speed.argsort()[3 * (len(speed) - 1) // 4]]


def strip(skeleton: Skeleton, traversal: Traversal, labels: Sequence[str]) -> str:
    """An SVG element with a labelled cell for each of B values of z.

    A cell shows the first pose in grey, the last one in colours (the left limbs red, the right ones
    blue), and the way over the ground between them.
    """
    sides = Roles.of(skeleton, complete=False).sides
    cells = []
    for index, label in enumerate(labels):
        joints, tips, path = (part[:, index] for part in traversal)
        ground = torch.stack((path[:, 0], torch.zeros(len(path)), path[:, 1]), dim=-1)
        first = _bones(skeleton, joints[0], tips[0])
        last = _bones(skeleton, joints[-1], tips[-1])
        parts = [
            f'<g transform="translate({index * WIDTH},0)">',
            f'<text x="{WIDTH / 2:g}" y="14">{label}</text>',
            _line([_pixels(ground)], PATH, 1.5, "3 3"),
            _line([line for _, line in first], FAINT, 2),
        ]
        for side in ("left", "", "right"):
            lines = [line for joint, line in last if sides[joint] == side]
            parts.append(_line(lines, COLOURS[side], 2.4))
        cells.append("".join([*parts, "</g>"]))
    return (
        f'<svg viewBox="0 0 {WIDTH * len(labels)} {HEIGHT}" class="strip" role="img" '
        f'aria-label="stick figures, one for each value of z">{"".join(cells)}</svg>'
    )


def _bones(skeleton: Skeleton, joints: Tensor, tips: Tensor) -> list[tuple[int, list[Place]]]:
    """The bones between (J, 3) ``joints`` and to their ``tips``, as lines in a cell, each with the
    joint at its end or, for a tip, at its start."""
    points = _pixels(joints)
    ends = _pixels(tips)
    lines = [
        (joint, [points[parent], points[joint]])
        for joint, parent in enumerate(skeleton.parents)
        if parent >= 0
    ]
    lines += [
        (joint, [points[joint], ends[joint]])
        for joint in range(len(skeleton))
        if skeleton.tips[joint].any()
    ]
    return lines


def _pixels(points: Tensor) -> list[Place]:
    """Where world points (N, 3) in metres are in a cell, in parallel projection."""
    x, y, z = points.unbind(dim=-1)
    across = x * math.sin(TURN) + z * math.cos(TURN)
    away = x * math.cos(TURN) - z * math.sin(TURN)
    up = y * math.cos(TILT) + away * math.sin(TILT)
    right = START[0] + SCALE * across
    down = START[1] - SCALE * up
    return list(zip(right.tolist(), down.tolist(), strict=True))


def _line(lines: list[list[Place]], colour: str, width: float, dashes: str = "none") -> str:
    """An SVG path of several lines."""
    strokes = ["L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in lines]
    way = "".join(f"M{stroke}" for stroke in strokes)
    return (
        f'<path d="{way}" stroke="{colour}" stroke-width="{width:g}" '
        f'stroke-dasharray="{dashes}" fill="none"/>'
    )
