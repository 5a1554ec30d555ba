"""Making volumes: a bone between two points, an ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from controller.body.volumes import STATIONS, Volume

UP = np.array((0.0, 1.0, 0.0))
FRONT = np.array((0.0, 0.0, 1.0))
Row = Sequence[float]


def bone(
    start: np.ndarray,
    end: np.ndarray,
    profile: Sequence[Row],
    *,
    front: np.ndarray = FRONT,
    caps: tuple[float, float] | None = None,
    power: float = 2.0,
    blend: float = 0.03,
    scale: float = 1.0,
) -> Volume:
    """A volume from ``start`` to ``end`` (3,).

    A row of the ``profile`` is a place from 0 to 1 along the bone, half the width across, half the
    depth towards ``front``, and optionally the offset towards the front; these are multiplied by
    ``scale``, as are the caps and the blend. Between rows the sections change smoothly. Caps are by
    default as long as the sections at the ends are wide.
    """
    from scipy.interpolate import PchipInterpolator

    span = end - start
    length = float(np.linalg.norm(span))
    along = span / length if length > 1e-6 else UP
    rows = np.array([(*row, 0.0)[:4] for row in profile])
    if len(rows) == 1:
        rows = np.repeat(rows, 2, axis=0)
        rows[1, 0] = rows[0, 0] + 1.0
    places = np.linspace(rows[0, 0], rows[-1, 0], STATIONS)
    smooth = PchipInterpolator(rows[:, 0], rows[:, 1:])(places) * scale
    first = start + span * rows[0, 0]
    table = np.column_stack((smooth[:, :2], np.zeros(STATIONS), smooth[:, 2]))
    if caps is None:
        ends = (float(table[0, :2].mean()), float(table[-1, :2].mean()))
    else:
        ends = (caps[0] * scale, caps[1] * scale)
    reach = length * float(rows[-1, 0] - rows[0, 0]) if length > 1e-6 else 0.0
    return Volume(first, frame(along, front), reach, table, ends, power, blend * scale)


def ellipsoid(
    centre: np.ndarray,
    radii: Row,
    *,
    up: np.ndarray = UP,
    front: np.ndarray = FRONT,
    power: float = 2.0,
    blend: float = 0.03,
    scale: float = 1.0,
) -> Volume:
    """An ellipsoid around ``centre`` (3,) with its radii across, along ``up`` and to the front."""
    across, along, deep = (scale * radius for radius in radii)
    table = np.tile((across, deep, 0.0, 0.0), (2, 1))
    return Volume(centre, frame(up, front), 0.0, table, (along, along), power, blend * scale)


def frame(along: np.ndarray, front: np.ndarray) -> np.ndarray:
    """(3, 3) rows across, along and front, orthonormal: the front as close as possible to the one
    that is given."""
    forward = front - along * (front @ along)
    if np.linalg.norm(forward) < 1e-3:
        forward = UP - along * (UP @ along)
    if np.linalg.norm(forward) < 1e-3:
        forward = FRONT - along * (FRONT @ along)
    forward = forward / np.linalg.norm(forward)
    return np.stack((np.cross(along, forward), along, forward))
