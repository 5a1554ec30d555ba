"""Smooth volumes: distances to tapered bones, blended into one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FAR = np.float32(1.0)
"""m: the distance that counts as "nowhere near"; larger than any blend."""
STATIONS = 48
"""Rows of a volume's table after interpolation."""
EDGE = 0.005
"""m: the radius, about, of the edge of a sole."""
TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Volume:
    """A bone's flesh: elliptic sections along a straight axis, closed by elliptic caps.

    start  (3,) metres, where the axis begins
    frame  (3, 3) rows: across, along and front, orthonormal
    length metres along the axis; 0 for an ellipsoid
    table  (S, 4) for stations spread evenly along the axis: half the width across, half the depth
           in the front direction, and the section's offsets in these directions, metres
    caps   metres that the volume extends beyond its start and its end
    power  exponent of the sections: 2 an ellipse, more is boxier
    blend  metres over which it melts into the volumes before it in its part
    """

    start: np.ndarray
    frame: np.ndarray
    length: float
    table: np.ndarray
    caps: tuple[float, float]
    power: float = 2.0
    blend: float = 0.03

    def box(self, margin: float) -> tuple[np.ndarray, np.ndarray]:
        """The lower and upper corner (3,) of a box around it, ``margin`` metres wider."""
        ends = np.array((-self.caps[0], self.length + self.caps[1]))
        across = self._reach(0, 2)
        front = self._reach(1, 3)
        local = np.array(
            [(x, y, z) for x in (-across, across) for y in ends for z in (-front, front)]
        )
        corners = self.start + local @ self.frame
        return corners.min(axis=0) - margin, corners.max(axis=0) + margin

    def _reach(self, size: int, offset: int) -> float:
        return float((self.table[:, size] + np.abs(self.table[:, offset])).max())

    def distance(self, points: np.ndarray) -> np.ndarray:
        """About the signed distance (N,) in metres of points (N, 3), negative inside.

        That of an ellipsoid to first order: k (k − 1) / |∇k²|/2, k being 1 on its surface (Quilez,
        "Ellipsoid SDF").
        """
        local = (points - self.start.astype(np.float32)) @ self.frame.T.astype(np.float32)
        x, y, z = local.T
        station = np.clip(y, 0.0, self.length)
        beyond = y - station
        at = np.linspace(0.0, max(self.length, TINY), len(self.table))
        width, depth, right, forward = (np.interp(station, at, column) for column in self.table.T)
        cap = np.where(beyond < 0, self.caps[0], self.caps[1])
        u = np.abs((x - right) / width)
        v = np.abs((z - forward) / depth)
        w = np.abs(beyond / cap)
        size = (u**self.power + v**self.power + w**self.power) ** (1 / self.power)
        slope = np.sqrt((u / width) ** 2 + (v / depth) ** 2 + (w / cap) ** 2)
        distance = size * (size - 1) / np.maximum(slope, TINY)
        inside = np.minimum(width, depth)
        distance = np.maximum(distance, -inside)
        return distance.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Part:
    """Volumes that are one part of the body: the trunk, a leg, …

    name     "trunk", "head", "left_leg", …
    volumes  that melt into one another, each by its own blend
    blend    metres over which the part melts into those before it
    floor    height in metres below which it is cut off flat; None for none
    """

    name: str
    volumes: tuple[Volume, ...]
    blend: float
    floor: float | None = None

    def cut(self, distance: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Distances to the part without what is below its floor, for points at this height in
        metres."""
        if self.floor is None:
            return distance
        return -smooth_minimum(-distance, height - self.floor, EDGE)


def smooth_minimum(one: np.ndarray, other: np.ndarray, width: float) -> np.ndarray:
    """The smaller of two distances, rounded where they differ by less than ``width`` (Quilez,
    "smooth minimum", the quadratic one)."""
    near = np.maximum(width - np.abs(one - other), 0.0) / max(width, TINY)
    return np.minimum(one, other) - near * near * (width / 4)


def part_distances(parts: Sequence[Part], points: np.ndarray) -> np.ndarray:
    """(P, N) metres: for each part, the distances of points (N, 3)."""
    points = points.astype(np.float32)
    rows = []
    for part in parts:
        total = part.volumes[0].distance(points)
        for volume in part.volumes[1:]:
            total = smooth_minimum(total, volume.distance(points), volume.blend)
        rows.append(part.cut(total, points[:, 1]))
    return np.stack(rows)


def body_distance(parts: Sequence[Part], points: np.ndarray) -> np.ndarray:
    """(N,) metres: the distances of points (N, 3) to the whole body."""
    rows = part_distances(parts, points)
    total = rows[0]
    for part, row in zip(parts[1:], rows[1:], strict=True):
        total = smooth_minimum(total, row, part.blend)
    return total


def sample(parts: Sequence[Part], step: float) -> tuple[np.ndarray, np.ndarray]:
    """The distance to the body on a grid (X, Y, Z) with this ``step``, and its origin (3,).

    Each volume is computed only around itself; elsewhere the distance is at least right in sign.
    """
    volumes = [volume for part in parts for volume in part.volumes]
    boxes = [volume.box(3 * step) for volume in volumes]
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    shape = np.ceil((high - low) / step).astype(int) + 1
    total = np.full(shape, FAR, np.float32)
    for part in parts:
        own = np.full(shape, FAR, np.float32)
        for volume in part.volumes:
            margin = max(volume.blend, part.blend) + 2 * step
            _melt(own, volume, volume.blend, volume.box(margin), low, step)
        lower = np.min([volume.box(part.blend + step)[0] for volume in part.volumes], axis=0)
        upper = np.max([volume.box(part.blend + step)[1] for volume in part.volumes], axis=0)
        cells = _cells(lower, upper, low, step, shape)
        height = low[1] + step * np.arange(cells[1].start, cells[1].stop)[:, None]
        own_cells = part.cut(own[cells], height.astype(np.float32))
        total[cells] = smooth_minimum(total[cells], own_cells, part.blend)
    return total, low


def _cells(
    lower: np.ndarray, upper: np.ndarray, low: np.ndarray, step: float, shape: np.ndarray
) -> tuple[slice, slice, slice]:
    first = np.clip(np.floor((lower - low) / step).astype(int), 0, shape)
    last = np.clip(np.ceil((upper - low) / step).astype(int) + 1, 0, shape)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return x, y, z


def _melt(
    field: np.ndarray,
    volume: Volume,
    blend: float,
    box: tuple[np.ndarray, np.ndarray],
    low: np.ndarray,
    step: float,
) -> None:
    cells = _cells(*box, low, step, np.array(field.shape))
    axes = [low[i] + step * np.arange(cell.start, cell.stop) for i, cell in enumerate(cells)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    distance = volume.distance(points.reshape(-1, 3)).reshape(points.shape[:3])
    field[cells] = smooth_minimum(field[cells], distance, blend)
