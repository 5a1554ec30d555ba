"""Marks on the ground: where the character goes, where it should go, by which line, which way it
should face."""

from __future__ import annotations

import math

import numpy as np

from controller.viewer.gl import sun
from controller.viewer.scene.scene import Scene

RING = 0.42  # metres
SECONDS_SHOWN = 0.6  # an arrow reaches as far as that speed goes in this time
STILL = 0.08  # m/s; slower than that is no direction
# linear RGB
WISH = (0.90, 0.36, 0.05)
ACTUAL = (0.85, 0.92, 1.00)
FACING = (0.55, 0.60, 0.65)
TARGET = (0.42, 0.25, 0.13)
SHADE = (0.0, 0.0, 0.0)

# metres, the ring around the point to go to, and the dial around that
FLAG = 0.3
DIAL = 0.5
# metres, and from how many points of a line to the next dash
DASH = 0.16
EVERY = 4
TALL = 1.6  # metres, of somebody whose shadow is only hinted at

WEDGED = -1.0
PLAIN = -2.0
SOFT = -3.0
CLOCK = -4.0
"""In place of an arrow's width: a ring with a wedge, a ring, a shadow, a dial (less the share that
is left of it)."""


def ground_marks(scene: Scene) -> np.ndarray:
    """(M, 2, 4) float32: each (x, z, yaw, extent) and (red, green, blue, width), as the shader
    mark.vert reads them.

    Small arrows along the line, a ring around the flag's point and its clock around that; a ring
    with a wedge for the wished facing, a broad arrow for the wish and over it a narrow one for what
    is.
    """
    return np.concatenate([_line_marks(scene.stage.line), _flag_marks(scene), _own_marks(scene)])


def quiet_marks(scene: Scene) -> np.ndarray:
    """(M, 2, 4), as :func:`ground_marks`, of what lies low behind everything: the shadows of other
    characters, which the shadow map does not cover, and the points where each of them goes."""
    others = np.zeros((0, 3)) if scene.others is None else scene.others.root.numpy()
    length = TALL * math.hypot(sun.TOWARDS[0], sun.TOWARDS[2]) / sun.TOWARDS[1]
    away = math.atan2(-sun.TOWARDS[0], -sun.TOWARDS[2])
    shadows = _marks(others[:, 0], others[:, 2], away, length, SHADE, SOFT)
    targets = scene.stage.targets
    if targets is None:
        return shadows
    return np.concatenate((shadows, _marks(targets[:, 0], targets[:, 1], 0.0, 0.14, TARGET, PLAIN)))


def _marks(
    x: object,
    z: object,
    yaw: object,
    extent: object,
    colour: tuple[float, float, float],
    width: object,
) -> np.ndarray:
    """Marks of one colour; what is not the same for all is an array (M,)."""
    columns = [
        np.atleast_1d(np.asarray(column, np.float32))
        for column in (x, z, yaw, extent, *colour, width)
    ]
    return np.stack(np.broadcast_arrays(*columns), axis=-1).reshape(-1, 2, 4)


def _line_marks(line: np.ndarray | None) -> np.ndarray:
    """Dashes that point along a line (N, 2), evenly spread."""
    line = np.zeros((0, 2)) if line is None else line
    start = line[:-1:EVERY]
    way = (line[1:] - line[:-1])[::EVERY]
    return _marks(start[:, 0], start[:, 1], np.arctan2(way[:, 0], way[:, 1]), DASH, WISH, 0.012)


def _flag_marks(scene: Scene) -> np.ndarray:
    if scene.stage.flag is None:
        return np.zeros((0, 2, 4), np.float32)
    x, z = scene.stage.flag
    ring = _marks(x, z, 0.0, FLAG, WISH, PLAIN)
    if scene.stage.clock is None:
        return ring
    return np.concatenate((ring, _marks(x, z, 0.0, DIAL, WISH, CLOCK - scene.stage.clock)))


def _own_marks(scene: Scene) -> np.ndarray:
    """Those around the character."""
    if scene.facing is None:
        return np.zeros((0, 2, 4), np.float32)
    x, _, z = scene.pose.root.tolist()
    marks = [_marks(x, z, scene.facing, RING, FACING, WEDGED)]
    for velocity, colour, width in ((scene.wish, WISH, 0.030), (scene.velocity, ACTUAL, 0.014)):
        speed = float(np.hypot(*velocity))
        if speed > STILL:
            sin, cos = (velocity / speed).tolist()
            place = x + RING * sin, z + RING * cos, math.atan2(sin, cos), speed * SECONDS_SHOWN
            marks.append(_marks(*place, colour, width))
    return np.concatenate(marks)
