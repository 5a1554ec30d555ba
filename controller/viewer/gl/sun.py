"""The sun, which casts shadows, and the part of the world that its shadow map covers."""

from __future__ import annotations

import numpy as np

from controller.viewer.scene.camera import look_at, orthographic

UP = np.array((0.0, 1.0, 0.0))
_DIRECTION = (0.42, 0.80, -0.43)
TOWARDS = np.array(_DIRECTION) / np.linalg.norm(_DIRECTION)  # from the ground to the sun
HALF = 1.15  # metres from the shadow map's middle to its edge: a person with arms and legs spread
MIDDLE = UP * 0.85  # metres: the map's middle, above the ground under the character
_TO_UNIT = np.array(
    ((0.5, 0, 0, 0.5), (0, 0.5, 0, 0.5), (0, 0, 0.5, 0.5), (0, 0, 0, 1))
)  # from −1..1 to 0..1

# The following are for a character at the origin. They move with the character.
_VIEW = _TO_UNIT @ orthographic(HALF, 1.0, 9.0) @ look_at(MIDDLE + 5 * TOWARDS, MIDDLE)
_ACROSS = np.cross(UP, TOWARDS) / np.linalg.norm(np.cross(UP, TOWARDS))
_ALONG = np.cross(UP, _ACROSS) / TOWARDS[1]  # one unit upwards in the map, projected on the ground
_CORNERS = np.array([x * _ACROSS + z * _ALONG for z in (-1, 1) for x in (-1, 1)])
_GROUND = MIDDLE - TOWARDS * MIDDLE[1] / TOWARDS[1] + HALF * _CORNERS


def view(root: np.ndarray, level: float = 0.0) -> np.ndarray:
    """World → shadow map (4, 4), each axis in 0..1, around a character with its ``root`` (3,) on
    ground of a height of ``level`` m."""
    matrix = _VIEW.copy()
    matrix[:3, 3] -= _VIEW[:3, 0] * root[0] + _VIEW[:3, 2] * root[2]
    if level:
        matrix[:3, 3] -= _VIEW[:3, 1] * level
    return matrix


def shaded_ground(root: np.ndarray) -> np.ndarray:
    """The corners (4, 3) of the ground that the shadow map covers, as a triangle strip."""
    return _GROUND + np.array((root[0], 0.0, root[2]))
