"""A ground: heights over a plane, from a table that repeats in both directions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from controller.core.errors import require

NEAR = 0.02
"""m to each side over which the ground's slope is measured."""
UPHILL = 2.0
"""How much a wish is slowed uphill, by default: see :meth:`Ground.pace`."""
DOWNHILL = 0.8
"""The share of it that counts downhill."""
AHEAD = 0.5
"""m to each side over which a pace sees the slope: it is that of stairs, not of their steps."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Ground whose height is interpolated linearly in a table.

    name     what the window calls it
    heights  (N, M) metres, at N places along x and M along z
    cells    metres from one place to the next, along x and along z
    corner   (x, z) metres of the first place
    uphill   how much a wish is slowed uphill

    Beyond its ends the table begins again; at least one place each way is needed.
    """

    name: str
    heights: np.ndarray
    cells: tuple[float, float] = (1.0, 1.0)
    corner: tuple[float, float] = (0.0, 0.0)
    uphill: float = UPHILL
    flat: bool = field(init=False)

    def __post_init__(self) -> None:
        heights = np.ascontiguousarray(self.heights, np.float64)
        object.__setattr__(self, "heights", heights)
        object.__setattr__(self, "flat", not heights.any())
        require(heights.ndim == 2 and heights.size > 0, "ground: heights", heights.shape, "(N, M)")
        require(bool(np.isfinite(heights).all()), "ground: heights", "NaN", "finite numbers")
        require(all(cell > 0 for cell in self.cells), "ground: cells", self.cells, "above 0")
        require(0 <= self.uphill <= 20, "uphill", self.uphill, "0 to 20")

    @cached_property
    def table(self) -> np.ndarray:
        """(4,): the corner and how many places there are to a metre, for compiled code."""
        return np.array((*self.corner, 1 / self.cells[0], 1 / self.cells[1]))

    @property
    def size(self) -> tuple[float, float]:
        """Metres along x and z after which the ground repeats."""
        rows, columns = self.heights.shape
        return rows * self.cells[0], columns * self.cells[1]

    def height(self, x: Any, z: Any) -> np.ndarray:
        """The height in metres at points (x, z), numbers or arrays that broadcast."""
        rows, columns = self.heights.shape
        i, across = _place((np.asarray(x, np.float64) - self.corner[0]) / self.cells[0], rows)
        k, along = _place((np.asarray(z, np.float64) - self.corner[1]) / self.cells[1], columns)
        after = (i + 1) % rows
        beyond = (k + 1) % columns
        near = (1 - along) * self.heights[i, k] + along * self.heights[i, beyond]
        far = (1 - along) * self.heights[after, k] + along * self.heights[after, beyond]
        return (1 - across) * near + across * far

    def slope(self, x: Any, z: Any, reach: float = NEAR) -> np.ndarray:
        """(..., 2): metres by which the ground rises for each metre along x and along z, over
        ``reach`` m to each side."""
        east = self.height(x + reach, z) - self.height(x - reach, z)
        south = self.height(x, z + reach) - self.height(x, z - reach)
        return np.stack((east, south), axis=-1) / (2 * reach)

    def normal(self, x: Any, z: Any) -> np.ndarray:
        """(..., 3): the unit vector that stands on the ground."""
        slope = self.slope(np.asarray(x), np.asarray(z))
        up = np.stack((-slope[..., 0], np.ones(slope.shape[:-1]), -slope[..., 1]), axis=-1)
        return up / np.linalg.norm(up, axis=-1, keepdims=True)

    def pace(self, x: float, z: float, way: np.ndarray) -> float:
        """The share that is left of a speed at a point, the ``way`` (2,) being where to.

        It is 1 / (1 + uphill · s) for ground that rises by s for each metre, and as for 0.8 of s
        where it falls.
        """
        length = math.hypot(*way)
        if self.flat or length < 1e-6:
            return 1.0
        rise = float(self.slope(x, z, AHEAD) @ np.asarray(way, np.float64)) / length
        steep = rise if rise > 0 else -DOWNHILL * rise
        return 1 / (1 + self.uphill * steep)

    def hit(self, eye: np.ndarray, ray: np.ndarray) -> np.ndarray | None:
        """The first point (3,) of the ground on the way from ``eye`` (3,) along ``ray`` (3,), which
        ends at its tip; None if there is none, or if the eye is below the ground."""
        length = float(np.linalg.norm(ray))
        count = max(int(length / 0.1), 2)
        shares = np.linspace(0.0, 1.0, count)
        points = eye + shares[:, None] * ray
        below = points[:, 1] < self.height(points[:, 0], points[:, 2])
        first = int(below.argmax())
        if not below[first] or first == 0:
            return None
        low, high = shares[first - 1], shares[first]
        for _ in range(20):
            middle = (low + high) / 2
            point = eye + middle * ray
            if point[1] < self.height(point[0], point[2]):
                high = middle
            else:
                low = middle
        return eye + high * ray


def _place(value: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The place before a value in a table of so many that repeats, and the share of the way to the
    next one."""
    whole = np.floor(value)
    return whole.astype(np.int64) % count, value - whole


FLAT = Ground("flat", np.zeros((1, 1)))
