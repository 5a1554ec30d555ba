"""The skeleton of the character that the camera follows, drawn over its body: bones, and the axes
of each joint (x red, y green, z blue)."""

from __future__ import annotations

import numpy as np
from OpenGL import GL

from controller.viewer.gl import sticks
from controller.viewer.gl.instances import Capsules

BONE = (0.80, 0.78, 0.70)
"""Linear RGB, as the next."""
AXES = ((0.75, 0.04, 0.04), (0.06, 0.55, 0.06), (0.05, 0.16, 0.85))
THICK = 0.007
THIN = 0.0035
"""m: radii of bones and axes."""
LONG = 0.075
"""m: the length of an axis."""
FRONT = 0.02
"""The share of all depths that is kept for what is drawn over everything else."""


class Overlay:
    """A skeleton in graphics memory. Needs a current OpenGL context."""

    def __init__(self, segments: int) -> None:
        self._bones = Capsules(_look(THICK, BONE), segments)
        self._axes = [Capsules(_look(THIN, colour), segments) for colour in AXES]

    def send(self, positions: np.ndarray, rotations: np.ndarray, parents: tuple[int, ...]) -> None:
        """Draw joints at ``positions`` (J, 3), turned by global ``rotations`` (J, 3, 3)."""
        ends = [
            (positions[parent], positions[j]) for j, parent in enumerate(parents) if parent >= 0
        ]
        self._bones.send(sticks.stretched(np.array(ends).reshape(-1, 2, 3)))
        for axis, drawn in enumerate(self._axes):
            tips = positions + LONG * rotations[..., axis]
            drawn.send(sticks.stretched(np.stack((positions, tips), axis=1)))

    def draw(self) -> None:
        """Draw over whatever is there, with the program in use."""
        GL.glDepthRange(0.0, FRONT)
        self._bones.draw()
        for drawn in self._axes:
            drawn.draw()
        GL.glDepthRange(0.0, 1.0)


def _look(radius: float, colour: tuple[float, float, float]) -> np.ndarray:
    """A part one metre long, as a row of :attr:`controller.viewer.gl.body.Body.looks`."""
    return np.array([(radius, radius, 1.0, 1.0, *colour, -1.0)], dtype=np.float32)
