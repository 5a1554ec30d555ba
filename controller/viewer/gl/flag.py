"""The flag: it stands upright, and its pennant is turned towards whoever looks."""

from __future__ import annotations

import numpy as np

from controller.viewer.gl.anatomy import GRAPHITE
from controller.viewer.gl.marks import WISH

HEIGHT = 1.9
"""m: of the pole, a little above people's heads."""
POLE = 0.014
FOOT = 0.07
"""m: radii of the pole and of the stone it stands in."""
HOIST = 0.17
FLY = 0.62
"""m: half the pennant's height at the pole, and its length."""
FULL_SIZE = 12.0
LARGEST = 3.0
"""m from which on it is drawn larger, so that it is seen from afar, and how many times at most."""

LOOKS = np.array(
    (
        (FOOT, FOOT, 0.0, 1.0, *GRAPHITE, -1.0),
        (POLE, POLE, HEIGHT, 1.0, *GRAPHITE, -1.0),
        (HOIST, 0.012, FLY, 0.06, *WISH, -1.0),
    ),
    dtype=np.float32,
)
"""(3, 8), shape, colour and cuff, as :attr:`controller.viewer.gl.body.Body.looks` has them."""


def placed(point: np.ndarray | None, eye: np.ndarray) -> np.ndarray:
    """(3, 3, 4): the three parts → the world, for a flag at a point (2,) as (x, z) and an eye (3,)
    in metres; (0, 3, 4) for no flag."""
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
    aside = size * np.stack((up, right, forward), axis=1)
    parts = np.empty((3, 3, 4), dtype=np.float32)
    parts[:, :, :3] = upright, upright, aside
    hoist = np.array((x, size * (HEIGHT - HOIST), z)) + size * 0.8 * HOIST * right
    parts[:, :, 3] = (x, 0.0, z), (x, 0.0, z), hoist
    return parts
