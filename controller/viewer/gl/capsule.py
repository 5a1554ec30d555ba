"""The mesh of a capsule. Every part of a body is drawn with it."""

from __future__ import annotations

import numpy as np


def capsule(segments: int, rings: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit capsule: vertices (V, 4) and triangles (T, 3), counter-clockwise from outside.

    A vertex is not a position. It is the cosine and sine of its angle around the axis, its latitude
    from 0 to 1 within its half, and the number of that half (0 start, 1 end). The vertex shader
    turns it into a point of any rounded cone, since the latitude at which the two halves meet
    depends on the two radii.
    """
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    latitudes = np.linspace(0, 1, rings + 1)
    # The two halves share no ring: between them lies the cone, along which the normal is constant.
    rows = [(latitude, half) for half in (0.0, 1.0) for latitude in latitudes]
    vertices = [(np.cos(angle), np.sin(angle), *row) for row in rows for angle in angles]

    triangles = []
    for row in range(len(rows) - 1):
        lower = row * segments
        upper = lower + segments
        for left in range(segments):
            right = (left + 1) % segments
            triangles.append((lower + left, upper + left, lower + right))
            triangles.append((lower + right, upper + left, upper + right))
    return np.array(vertices, dtype=np.float32), np.array(triangles, dtype=np.uint16)
