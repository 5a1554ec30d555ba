"""Walls of a maze, and the rays by which they are seen, as rectangles."""

from __future__ import annotations

import numpy as np

HEIGHT = 0.45
THICKNESS = 0.1
"""m: of a wall as it is drawn, so low that the camera sees over it."""
# linear RGB
PLASTER = (0.36, 0.40, 0.45)
RAY = (0.90, 0.36, 0.05)
RAY_WIDTH = 0.012
RAY_HEIGHT = 0.3
"""m."""


def faces(walls: np.ndarray | None) -> np.ndarray:
    """(5·W, 4, 4) float32: the four sides and the top of every wall (W, 2, 2), as the shader
    face.vert reads them."""
    if walls is None:
        return np.zeros((0, 4, 4), np.float32)
    begin = walls[:, 0]
    way = walls[:, 1] - walls[:, 0]
    along = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    half = THICKNESS / 2 * along
    across = np.stack((-half[:, 1], half[:, 0]), axis=1)
    corners = [
        begin - half - across,
        begin + way + half - across,
        begin + way + half + across,
        begin - half + across,
    ]
    up = np.broadcast_to((0.0, HEIGHT, 0.0), (len(walls), 3))
    sides = [
        _rectangles(_on_ground(one), up, _on_ground(following - one), PLASTER)
        for one, following in zip(corners, corners[1:] + corners[:1], strict=True)
    ]
    lid = _on_ground(corners[0]) + up
    top = _rectangles(
        lid, _on_ground(corners[3] - corners[0]), _on_ground(corners[1] - corners[0]), PLASTER
    )
    return np.concatenate([*sides, top])


def beams(rays: np.ndarray | None) -> np.ndarray:
    """(R, 4, 4) float32: a thin flat band for every ray (R, 2, 2)."""
    if rays is None:
        return np.zeros((0, 4, 4), np.float32)
    way = rays[:, 1] - rays[:, 0]
    across = RAY_WIDTH * np.stack((way[:, 1], -way[:, 0]), axis=1)
    across /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    raised = np.array((0.0, RAY_HEIGHT, 0.0))
    return _rectangles(
        _on_ground(rays[:, 0] - across / 2) + raised, _on_ground(way), _on_ground(across), RAY
    )


def _on_ground(points: np.ndarray) -> np.ndarray:
    """(N, 2) as (x, z) → (N, 3)."""
    return np.stack((points[:, 0], np.zeros(len(points)), points[:, 1]), axis=1)


def _rectangles(
    corner: np.ndarray, first: np.ndarray, second: np.ndarray, colour: tuple[float, float, float]
) -> np.ndarray:
    """(N, 4, 4): a corner, both edges from there, (N, 3) each, and a colour; ``first`` × ``second``
    points outward."""
    rows = np.zeros((len(corner), 4, 4), np.float32)
    rows[:, 0, :3], rows[:, 1, :3], rows[:, 2, :3], rows[:, 3, :3] = corner, first, second, colour
    rows[:, 3, 3] = -1.0
    return rows
