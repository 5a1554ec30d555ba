"""The light that casts shadows, and what of the world its shadow map covers."""

from __future__ import annotations

import numpy as np

from controller.viewer.scene.camera import look_at, orthographic

UP = np.array((0.0, 1.0, 0.0))
TOWARDS = np.array((0.42, 0.80, -0.43)) / np.linalg.norm(
    (0.42, 0.80, -0.43)
)  # from the ground to the sun
HALF = 1.15  # metres from the shadow map's middle to its edge: a person with arms and legs spread
MIDDLE = UP * 0.85  # metres above the ground under the character
TO_UNIT = np.array(
    ((0.5, 0, 0, 0.5), (0, 0.5, 0, 0.5), (0, 0, 0.5, 0.5), (0, 0, 0, 1))
)  # from −1..1 to 0..1

# For a character at the origin; it takes everything along as it walks.
_VIEW = TO_UNIT @ orthographic(HALF, 1.0, 9.0) @ look_at(MIDDLE + 5 * TOWARDS, MIDDLE)
_ACROSS = np.cross(UP, TOWARDS) / np.linalg.norm(np.cross(UP, TOWARDS))
_ALONG = np.cross(UP, _ACROSS) / TOWARDS[1]  # what one unit up in the map is on the ground
_GROUND = (
    MIDDLE
    - TOWARDS * MIDDLE[1] / TOWARDS[1]
    + HALF * np.array([x * _ACROSS + z * _ALONG for z in (-1, 1) for x in (-1, 1)])
)


def view(root: np.ndarray) -> np.ndarray:
    """World → shadow map (4, 4), each axis in 0..1, for the surroundings of a character at ``root``
    (3,)."""
    matrix = _VIEW.copy()
    matrix[:3, 3] -= _VIEW[:3, 0] * root[0] + _VIEW[:3, 2] * root[2]
    return matrix


def shaded_ground(root: np.ndarray) -> np.ndarray:
    """The corners (4, 3) of the ground that the shadow map covers, in a triangle strip's order."""
    return _GROUND + np.array((root[0], 0.0, root[2]))
