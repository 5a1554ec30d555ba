"""The walls of a maze, and lines of sight, as rectangles."""

from __future__ import annotations

import numpy as np

from controller.ground.ground import Ground

HEIGHT = 0.45
"""m: a drawn wall's height, low enough for the camera to see over it."""
BURIED = 0.3
"""m of a wall that are below ground that is not flat."""
PIECE = 0.5
"""m of a wall or ray that are straight there."""
THICKNESS = 0.1
"""m: a drawn wall's thickness."""
RAY_WIDTH = 0.012
"""m: a drawn ray's width."""
RAY_HEIGHT = 0.3
"""m: a drawn ray's height above the ground."""

# Linear RGB
PLASTER = (0.36, 0.40, 0.45)
RAY = (0.90, 0.36, 0.05)


def all_faces(
    walls: np.ndarray | None, rays: np.ndarray | None, ground: Ground | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`faces` and :func:`beams`, on the ``ground`` if there is one. There, long ones are cut
    into pieces, and walls begin below it."""
    if ground is None:
        return faces(walls), beams(rays)
    walls, rays = (None if lines is None else _pieces(lines) for lines in (walls, rays))
    standing = _on(faces(walls), ground)
    upright = standing[:, 1, 1] == HEIGHT
    standing[upright, 0, 1] -= BURIED
    standing[upright, 1, 1] += BURIED
    return standing, _on(beams(rays), ground)


def _pieces(lines: np.ndarray) -> np.ndarray:
    """Lines (N, 2, 2) cut into pieces of :data:`PIECE` at most."""
    pieces = []
    for start, end in lines:
        count = max(int(np.ceil(np.linalg.norm(end - start) / PIECE)), 1)
        points = start + np.linspace(0, 1, count + 1)[:, None] * (end - start)
        pieces.append(np.stack((points[:-1], points[1:]), axis=1))
    return np.concatenate(pieces) if pieces else lines


def _on(rectangles: np.ndarray, ground: Ground) -> np.ndarray:
    """Rectangles as in :func:`_rectangles` with their corners as high above the ground as they were
    above 0."""
    corner = rectangles[:, 0]
    level = ground.height(corner[:, 0], corner[:, 2])
    for edge in (rectangles[:, 1], rectangles[:, 2]):
        edge[:, 1] += ground.height(corner[:, 0] + edge[:, 0], corner[:, 2] + edge[:, 2]) - level
    corner[:, 1] += level
    return rectangles


def faces(walls: np.ndarray | None) -> np.ndarray:
    """The four sides and the top of every wall (W, 2, 2): (5·W, 4, 4) float32 for face.vert.

    A wall is given by its two ends, as (x, z) in metres.
    """
    if walls is None:
        return np.zeros((0, 4, 4), np.float32)

    start = walls[:, 0]
    span = walls[:, 1] - start
    end = start + span
    along = span / np.maximum(np.linalg.norm(span, axis=1, keepdims=True), 1e-6)
    half = THICKNESS / 2 * along
    across = np.stack((-half[:, 1], half[:, 0]), axis=1)
    corners = [
        start - half - across,
        end + half - across,
        end + half + across,
        start - half + across,
    ]

    up = np.broadcast_to((0.0, HEIGHT, 0.0), (len(walls), 3))
    rectangles = []
    for corner, following in zip(corners, corners[1:] + corners[:1], strict=True):
        side = _on_ground(following - corner)
        rectangles.append(_rectangles(_on_ground(corner), up, side, PLASTER))

    across_top = _on_ground(corners[3] - corners[0])
    along_top = _on_ground(corners[1] - corners[0])
    top = _on_ground(corners[0]) + up
    rectangles.append(_rectangles(top, across_top, along_top, PLASTER))
    return np.concatenate(rectangles)


def beams(rays: np.ndarray | None) -> np.ndarray:
    """A thin flat band for every ray (R, 2, 2): (R, 4, 4) float32 for face.vert.

    A ray is given by its two ends, as (x, z) in metres.
    """
    if rays is None:
        return np.zeros((0, 4, 4), np.float32)

    span = rays[:, 1] - rays[:, 0]
    across = RAY_WIDTH * np.stack((span[:, 1], -span[:, 0]), axis=1)
    across /= np.maximum(np.linalg.norm(span, axis=1, keepdims=True), 1e-6)
    corner = _on_ground(rays[:, 0] - across / 2) + np.array((0.0, RAY_HEIGHT, 0.0))
    return _rectangles(corner, _on_ground(span), _on_ground(across), RAY)


def _on_ground(points: np.ndarray) -> np.ndarray:
    """Points or vectors (N, 2), as (x, z), in the ground's plane: (N, 3)."""
    return np.stack((points[:, 0], np.zeros(len(points)), points[:, 1]), axis=1)


def _rectangles(
    corner: np.ndarray, first: np.ndarray, second: np.ndarray, colour: tuple[float, float, float]
) -> np.ndarray:
    """Rectangles (N, 4, 4): a corner and the two edges from there, (N, 3) each, and a colour.

    ``first`` × ``second`` points outward.
    """
    rows = np.zeros((len(corner), 4, 4), np.float32)
    rows[:, 0, :3] = corner
    rows[:, 1, :3] = first
    rows[:, 2, :3] = second
    rows[:, 3, :3] = colour
    rows[:, 3, 3] = -1.0  # no dark cuff
    return rows
