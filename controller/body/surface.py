"""The surface of volumes as a closed mesh of triangles."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np

from controller.body.volumes import Part, body_distance, sample
from controller.core.errors import ConfigError, DataError

MISSING = "making a body needs the packages of the extra body: pip install -e '.[body]'"
PROBE = 0.0015
"""m: the step with which slopes are measured."""
OPENNESS = (0.012, 0.03, 0.06, 0.11)
"""m above the surface where it is asked how far the body is."""


def check_packages() -> None:
    """Raise ConfigError, which says what to install, without the packages that mesh a surface."""
    for name in ("scipy", "skimage", "fast_simplification"):
        if importlib.util.find_spec(name) is None:
            raise ConfigError(MISSING)


def mesh(parts: Sequence[Part], step: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in metres and triangles (T, 3), counter-clockwise from outside, of the whole
    body, sampled with this ``step`` in metres.

    Raises DataError if the body falls apart.
    """
    from skimage.measure import marching_cubes

    field, low = sample(parts, step)
    # A surface that almost meets a grid point has slivers there, which survive simplification.
    least = 0.08 * step
    field = np.where(np.abs(field) < least, np.copysign(least, field), field)
    vertices, triangles, _, _ = marching_cubes(field, 0.0, gradient_direction="descent")
    vertices = vertices * step + low
    kept = _largest(len(vertices), triangles)
    if len(kept) < 0.6 * len(triangles):
        raise DataError("the body falls apart: the skeleton's bones are too far from each other")
    return compact(vertices, kept)


def simplify(
    vertices: np.ndarray, triangles: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same surface with at most ``count`` triangles (Garland and Heckbert, "Surface
    Simplification Using Quadric Error Metrics")."""
    if len(triangles) <= count:
        return vertices, triangles
    import fast_simplification

    points, faces = fast_simplification.simplify(
        vertices.astype(np.float32), triangles.astype(np.int32), target_count=count, agg=5
    )
    return compact(points.astype(float), faces)


def compact(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without vertices that no triangle uses."""
    used, numbers = np.unique(triangles, return_inverse=True)
    return vertices[used], numbers.reshape(-1, 3)


def settle(parts: Sequence[Part], vertices: np.ndarray, most: float) -> np.ndarray:
    """The vertices moved onto the surface itself, by Newton's method, ``most`` metres at most."""
    points = vertices.copy()
    for _ in range(3):
        slope = gradient(parts, points)
        squared = np.maximum((slope * slope).sum(axis=1), 0.05)
        move = -(body_distance(parts, points) / squared)[:, None] * slope
        length = np.linalg.norm(move, axis=1, keepdims=True)
        points += move * np.minimum(1.0, most / np.maximum(length, 1e-9))
    far = np.linalg.norm(points - vertices, axis=1) > 2 * most
    points[far] = vertices[far]
    return points


def gradient(parts: Sequence[Part], points: np.ndarray) -> np.ndarray:
    """(N, 3): how the distance changes per metre."""
    corners = np.array(((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)))
    slope = sum(
        corner * body_distance(parts, points + PROBE * corner)[:, None] for corner in corners
    )
    return np.asarray(slope) / (4 * PROBE)


def normals(parts: Sequence[Part], points: np.ndarray) -> np.ndarray:
    """(N, 3) unit vectors out of the body."""
    slope = gradient(parts, points)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)


def openness(parts: Sequence[Part], points: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """(N,) how much of the sky a point of the surface sees, from 0 to 1: ambient occlusion by
    distances along the normal (Evans, "Fast Approximations for Global Illumination")."""
    hidden = np.zeros(len(points))
    for place, height in enumerate(OPENNESS):
        free = body_distance(parts, points + height * outward)
        hidden += 0.55 ** (place + 1) * np.clip(1 - free / height, 0, 1)
    return np.clip(1 - 1.15 * hidden, 0.15, 1)


def _largest(count: int, triangles: np.ndarray) -> np.ndarray:
    """The triangles of the largest connected piece."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate((triangles[:, :2], triangles[:, 1:]))
    links = coo_array((np.ones(len(edges)), edges.T), shape=(count, count))
    _, label = connected_components(links, directed=False)
    of_triangle = label[triangles[:, 0]]
    return triangles[of_triangle == np.bincount(of_triangle).argmax()]
