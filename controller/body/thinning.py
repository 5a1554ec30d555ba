"""Meshes with fewer triangles, for characters that are far away.

Vertices in one cell of a grid become one (J. Rossignac and P. Borrel, *Multi-resolution 3D
approximations for rendering complex scenes*, 1993). Rough, but it keeps weights, colours and
texture coordinates, which are those of a vertex that was there, and needs no other package.
"""

from __future__ import annotations

import numpy as np

TRIES = 12


def thinned(
    positions: np.ndarray, parts: np.ndarray, triangles: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thin a mesh to about ``count`` triangles, and not more.

    Vertices (V, 3) of different ``parts`` (V,) stay apart. Returns the kept vertices, the triangles
    (T, 3) between them, and for each of these the one that it comes from, in rising order.
    """
    size = float(np.ptp(positions, axis=0).max())
    finest = 1e-3 * size
    coarsest = size
    best = _clustered(positions, parts, triangles, coarsest)
    for _ in range(TRIES):
        cell = np.sqrt(finest * coarsest)
        tried = _clustered(positions, parts, triangles, cell)
        if len(tried[1]) > count:
            finest = cell
        else:
            coarsest = cell
            best = tried
    return best


def _clustered(
    positions: np.ndarray, parts: np.ndarray, triangles: np.ndarray, cell: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mesh with one vertex for each cell of this size: that nearest to the cell's mean."""
    cells = np.column_stack((np.floor(positions / cell).astype(int), parts))
    _, cluster = np.unique(cells, axis=0, return_inverse=True)
    cluster = cluster.reshape(-1)
    sizes = np.bincount(cluster)
    means = np.stack([np.bincount(cluster, positions[:, axis]) for axis in range(3)], axis=1)
    away = np.linalg.norm(positions - (means / sizes[:, None])[cluster], axis=1)
    order = np.lexsort((away, cluster))
    chosen = order[np.searchsorted(cluster[order], np.arange(len(sizes)))]

    corners = cluster[triangles]
    a, b, c = corners.T
    whole = (a != b) & (b != c) & (c != a)
    _, first = np.unique(np.sort(corners, axis=1), axis=0, return_index=True)
    origins = np.sort(first[whole[first]])
    used, inverse = np.unique(corners[origins], return_inverse=True)
    return chosen[used], inverse.reshape(-1, 3), origins
