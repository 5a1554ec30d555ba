"""Plain figures: a thin rounded cone for each line."""

from __future__ import annotations

import numpy as np

from controller.body.colours import SIDE_COLOURS
from controller.viewer.scene.sticks import Sticks

RADIUS = 0.013
"""m."""
MIDDLE = (0.62, 0.42, 0.10)
"""Linear RGB of lines on the midline: another one than a body's, so that the two are not mixed
up."""
COLOURS = SIDE_COLOURS | {"": MIDDLE}
LOOKS = {
    side: np.array([(RADIUS, RADIUS, 1.0, 1.0, *colour, -1.0)], dtype=np.float32)
    for side, colour in COLOURS.items()
}
"""Side → (1, 8), a part one metre long, as a row of :attr:`body.Body.looks`."""


def place(sticks: Sticks | None, side: str) -> np.ndarray:
    """The transforms part → world (N, 3, 4) of the lines of one side; (0, 3, 4) without any."""
    if sticks is None:
        return np.zeros((0, 3, 4), np.float32)
    return stretched(sticks.ends[sticks.sides == side])


def stretched(ends: np.ndarray) -> np.ndarray:
    """The transforms (N, 3, 4) of parts one metre long to lines between two ends (N, 2, 3).

    A part is stretched along its length alone, so that all lines are equally thick.
    """
    span = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(span, axis=1, keepdims=True)
    along = span / np.maximum(length, 1e-9)
    upright = np.abs(along[:, 1:2]) > 0.9
    helper = np.where(upright, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    across = np.cross(along, helper)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    columns = (across, span, np.cross(across, along), ends[:, 0])
    placed: np.ndarray = np.stack(columns, axis=2).astype(np.float32)
    return placed
