"""The flag: it stands upright, and its pennant faces the camera."""

from __future__ import annotations

import numpy as np

from controller.body.colours import GRAPHITE
from controller.ground.ground import Ground
from controller.viewer.gl.marks import WISH

HEIGHT = 1.9
"""m: the pole's height, a little above a person's head."""
POLE = 0.014
"""m: the pole's radius."""
FOOT = 0.07
"""m: the radius of the stone in which the pole stands."""
HOIST = 0.17
"""m: half the pennant's height at the pole."""
FLY = 0.62
"""m: the pennant's length."""
FULL_SIZE = 12.0
"""m from the camera: beyond this the flag is drawn larger, to be visible from afar."""
LARGEST = 3.0
"""How many times larger at most."""

LOOKS = np.array(
    (
        (FOOT, FOOT, 0.0, 1.0, *GRAPHITE, -1.0),
        (POLE, POLE, HEIGHT, 1.0, *GRAPHITE, -1.0),
        (HOIST, 0.012, FLY, 0.06, *WISH, -1.0),
    ),
    dtype=np.float32,
)
"""(3, 8): stone, pole and pennant, as rows of :attr:`controller.viewer.gl.body.Body.looks`."""


def place(point: np.ndarray | None, eye: np.ndarray, ground: Ground | None = None) -> np.ndarray:
    """The transforms part → world of the flag's three parts, (3, 3, 4); (0, 3, 4) without a flag.

    ``point`` (2,) is the flag's place as (x, z), ``eye`` (3,) the camera's, in metres.
    It stands on the ``ground``, which is flat if there is none.
    """
    if point is None:
        return np.zeros((0, 3, 4), np.float32)

    x, z = point.tolist()
    away = np.array((x - eye[0], z - eye[2]))
    distance = max(float(np.hypot(*away)), 1e-6)
    size = min(max(distance / FULL_SIZE, 1.0), LARGEST)

    forward = np.array((away[0] / distance, 0.0, away[1] / distance))
    up = np.array((0.0, 1.0, 0.0))
    right = np.array((-forward[2], 0.0, forward[0]))
    upright = size * np.stack((right, up, -forward), axis=1)
    sideways = size * np.stack((up, right, forward), axis=1)

    foot = np.array((x, 0.0, z))
    hoist = np.array((x, size * (HEIGHT - HOIST), z)) + size * 0.8 * HOIST * right
    parts = np.empty((3, 3, 4), dtype=np.float32)
    parts[:, :, :3] = upright, upright, sideways
    parts[:, :, 3] = foot, foot, hoist
    if ground is not None:
        parts[:, 1, 3] += float(ground.height(x, z))
    return parts
