"""Marks on the ground: velocities, the desired facing direction, the path, the flag, the crowd."""

from __future__ import annotations

import math

import numpy as np

from controller.viewer.gl import sun
from controller.viewer.scene.scene import Scene

# Linear RGB
WISH = (0.90, 0.36, 0.05)
ACTUAL = (0.85, 0.92, 1.00)
FACING = (0.55, 0.60, 0.65)
TARGET = (0.42, 0.25, 0.13)
SHADE = (0.0, 0.0, 0.0)

RING = 0.42  # metres: radius of the ring around the character
FLAG = 0.3  # metres: radius of the ring around the point to go to
DIAL = 0.5  # metres: radius of the dial around that
GOAL = 0.14  # metres: radius of the rings around the points that the others go to
DASH = 0.16  # metres: length of the dashes along a line
EVERY = 4  # points of a line from one dash to the next
ARROW_SECONDS = 0.6  # an arrow is as long as the way at its speed in this time
STILL = 0.08  # m/s; a slower velocity has no arrow
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


def ground_marks(scene: Scene) -> np.ndarray:
    """The marks of the character and its task, (M, 2, 4) float32.

    Each is (x, z, yaw, extent) and (red, green, blue, width), as the shader mark.vert reads them:
    small arrows along the line, a ring around the flag and its clock around that, a ring with a
    wedge for the desired facing direction, a broad arrow for the desired velocity, and over it a
    narrow one for the actual velocity.
    """
    return np.concatenate([_line_marks(scene.stage.line), _flag_marks(scene), _own_marks(scene)])


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
    values = (x, z, yaw, extent, *colour, width)
    columns = [np.atleast_1d(np.asarray(value, np.float32)) for value in values]
    return np.stack(np.broadcast_arrays(*columns), axis=-1).reshape(-1, 2, 4)


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
