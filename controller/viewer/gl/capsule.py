"""The mesh that every part of a body is drawn with."""

from __future__ import annotations

import numpy as np


def capsule(segments: int, rings: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit capsule as vertices (V, 4) and triangles (T, 3), counter-clockwise seen from outside.

    A vertex is not a position but where it belongs: (cos, sin) of its angle around the axis, its
    latitude from 0 to 1 within its half, and which half (0 start, 1 end). The vertex shader makes
    any rounded cone of it: what latitude the two halves meet at depends on the two radii.
    """
    around = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    # The two halves share no ring: between them lies the cone, along which the normal stays the
    # same.
    rows = [(latitude, half) for half in (0.0, 1.0) for latitude in np.linspace(0, 1, rings + 1)]
    vertices = np.array(
        [(np.cos(a), np.sin(a), *row) for row in rows for a in around], dtype=np.float32
    )

    triangles = []
    for low in range(0, (len(rows) - 1) * segments, segments):
        for left in range(segments):
            right = (left + 1) % segments
            a = low + left
            b = low + right
            c = low + segments + left
            d = low + segments + right
            triangles += [(a, c, b), (b, c, d)]
    return vertices, np.array(triangles, dtype=np.uint16)
