"""Marks on the ground: velocities, the desired facing direction, the path, the flag, the crowd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from controller.body.colours import SIDE_COLOURS
from controller.viewer.gl import sun
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.spring import Spring

# Linear RGB
WISH = (0.90, 0.36, 0.05)
ACTUAL = (0.85, 0.92, 1.00)
FACING = (0.55, 0.60, 0.65)
TARGET = (0.42, 0.25, 0.13)
SHADE = (0.0, 0.0, 0.0)
WAY = (0.75, 0.85, 0.95)

RING = 0.42  # metres: radius of the ring around the character
FLAG = 0.3  # metres: radius of the ring around the point to go to
DIAL = 0.5  # metres: radius of the dial around that
GOAL = 0.14  # metres: radius of the rings around the points that the others go to
DASH = 0.16  # metres: length of the dashes along a line
EVERY = 4  # points of a line from one dash to the next
ARROW_SECONDS = 0.6  # an arrow is as long as the way at its speed in this time
STILL = 0.08  # m/s; a slower velocity has no arrow
SHORTEST = 0.008  # metres; a shorter piece of a way has no dash
TALL = 1.6  # metres: the height of the others, for their simplified shadows

# What the shader draws in place of an arrow, whose width would be positive
WEDGED = -1.0
"""A ring with a wedge."""
PLAIN = -2.0
"""A ring."""
SOFT = -3.0
"""A shadow."""
CLOCK = -4.0
"""A dial; the part of it that is left, from 0 to 1, is subtracted from this number."""
PRINT = -6.0
"""The mark of a toe or a heel; its strength, from 0 to 1, is subtracted from this number."""
DASHED = -8.0
"""A thin dash; the same of its strength."""
KINDS = {
    "WEDGED": WEDGED,
    "PLAIN": PLAIN,
    "SOFT": SOFT,
    "CLOCK": CLOCK,
    "PRINT": PRINT,
    "DASHED": DASHED,
}
"""What the shaders call them."""

PAD = 0.03  # metres: half the length of the mark of a toe or heel, without its round ends
SIDES = {side: SIDE_COLOURS[name] for side, name in ((1.0, "left"), (-1.0, "right"))}
AHEAD = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2)
"""s: points of the way that is wished for."""
TURNS = 0.25
"""s: half-life with which the velocity becomes the desired one on that way."""


def ground_marks(scene: Scene) -> np.ndarray:
    """The marks of the character and its task, (M, 2, 4) float32.

    Each is (x, z, yaw, extent) and (red, green, blue, width), as the shader mark.vert reads them:
    small arrows along the line, a ring around the flag and its clock around that, a ring with a
    wedge for the desired facing direction, a broad arrow for the desired velocity, and over it a
    narrow one for the actual velocity.
    """
    line = _line_marks(scene.stage.line)
    return np.concatenate([line, _flag_marks(scene), _own_marks(scene)])


def trace_marks(scene: Scene) -> np.ndarray:
    """The marks of the character's feet, of its way and of the way that is wished for, (M, 2, 4),
    under all others of its own."""
    wished = wished_way(scene)
    traces = scene.traces
    if traces is None:
        return wished
    age = np.linspace(0.0, 1.0, max(len(traces.way) - 1, 0))
    way = _dashes(traces.way, WAY, 0.75 * age)
    x, z, yaw, strength, sides = traces.prints.T
    sin = PAD * np.sin(yaw)
    cos = PAD * np.cos(yaw)
    width = PRINT - np.clip(strength, 0.0, 1.0)
    parts = [way, wished]
    for side in np.unique(sides).tolist():
        own = sides == side
        places = (x - sin)[own], (z - cos)[own], yaw[own]
        parts.append(_marks(*places, 2 * PAD, SIDES.get(side, FACING), width[own]))
    return np.concatenate(parts)


def wished_way(scene: Scene) -> np.ndarray:
    """The way (M, 2, 4) that the character would go if a spring brought its velocity to the desired
    one; nothing for one that nobody steers."""
    if scene.facing is None:
        return np.zeros((0, 2, 4), np.float32)
    x, _, z = scene.pose.root.tolist()
    decay = Spring(0.0, TURNS).decay
    times = np.array((0.0, *AHEAD))[:, None]
    left = 2 / decay - np.exp(-decay * times) * (2 / decay + times)  # ∫ of what the spring leaves
    way = (x, z) + scene.wish * times + (scene.velocity - scene.wish) * left
    return _dashes(way, WISH, np.linspace(0.9, 0.25, len(AHEAD)))


def _dashes(
    way: np.ndarray, colour: tuple[float, float, float], strength: np.ndarray
) -> np.ndarray:
    """A dash on the middle of each piece of a way (N, 2); none where it does not move."""
    pieces = np.diff(way, axis=0)
    long = np.hypot(pieces[:, 0], pieces[:, 1])
    moves = long > SHORTEST
    start = (way[:-1] + 0.2 * pieces)[moves]
    yaw = np.arctan2(pieces[:, 0], pieces[:, 1])[moves]
    width = DASHED - strength[moves]
    return _marks(start[:, 0], start[:, 1], yaw, 0.6 * long[moves], colour, width)


def crowd_marks(scene: Scene) -> np.ndarray:
    """The marks of the other characters, (M, 2, 4), which all other marks cover.

    These are the shadows of the others, which the shadow map does not include, and rings around the
    points that they go to.
    """
    others = np.zeros((0, 3)) if scene.others is None else scene.others.root.numpy()
    length = TALL * math.hypot(sun.TOWARDS[0], sun.TOWARDS[2]) / sun.TOWARDS[1]
    away = math.atan2(-sun.TOWARDS[0], -sun.TOWARDS[2])
    shadows = _marks(others[:, 0], others[:, 2], away, length, SHADE, SOFT)
    targets = scene.stage.targets
    if targets is None:
        return shadows
    rings = _marks(targets[:, 0], targets[:, 1], 0.0, GOAL, TARGET, PLAIN)
    return np.concatenate((shadows, rings))


def _marks(
    x: object,
    z: object,
    yaw: object,
    extent: object,
    colour: tuple[float, float, float],
    width: object,
) -> np.ndarray:
    """Marks (M, 2, 4) of one colour. Each other argument is a number or an array (M,)."""
    values: tuple[Any, ...] = (x, z, yaw, extent, *colour, width)
    sizes = [np.size(value) for value in values]
    rows = np.empty((min(sizes) and max(sizes), 8), np.float32)
    for column, value in enumerate(values):
        rows[:, column] = value
    return rows.reshape(-1, 2, 4)


def _line_marks(line: np.ndarray | None) -> np.ndarray:
    """Evenly spaced arrows along a line (N, 2)."""
    if line is None:
        return np.zeros((0, 2, 4), np.float32)
    start = line[:-1:EVERY]
    direction = (line[1:] - line[:-1])[::EVERY]
    yaw = np.arctan2(direction[:, 0], direction[:, 1])
    return _marks(start[:, 0], start[:, 1], yaw, DASH, WISH, 0.012)


def _flag_marks(scene: Scene) -> np.ndarray:
    """The ring around the flag, and the dial around that."""
    if scene.stage.flag is None:
        return np.zeros((0, 2, 4), np.float32)
    x, z = scene.stage.flag
    ring = _marks(x, z, 0.0, FLAG, WISH, PLAIN)
    if scene.stage.clock is None:
        return ring
    dial = _marks(x, z, 0.0, DIAL, WISH, CLOCK - scene.stage.clock)
    return np.concatenate((ring, dial))


def _own_marks(scene: Scene) -> np.ndarray:
    """The marks around the character."""
    if scene.facing is None:
        return np.zeros((0, 2, 4), np.float32)
    x, _, z = scene.pose.root.tolist()
    marks = [_marks(x, z, scene.facing, RING, FACING, WEDGED)]
    for velocity, colour, width in ((scene.wish, WISH, 0.030), (scene.velocity, ACTUAL, 0.014)):
        speed = float(np.hypot(*velocity))
        if speed > STILL:
            sin, cos = (velocity / speed).tolist()
            start = (x + RING * sin, z + RING * cos)
            yaw = math.atan2(sin, cos)
            marks.append(_marks(*start, yaw, speed * ARROW_SECONDS, colour, width))
    return np.concatenate(marks)
