"""A body from elsewhere on a character: levels of detail, and the transforms that draw it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from controller.body.fitting import Fit, fit
from controller.body.following import Follower
from controller.body.mesh import Level
from controller.body.rig import Rig, Shape
from controller.body.thinning import thinned
from controller.motion.skeleton import Skeleton

INFLUENCES = 4
COARSER = (4000, 1200)
"""Triangles, about, of the coarser levels of detail: twice those of the bodies that are made, since
clusters of vertices are rougher."""


@dataclass(frozen=True, eq=False)
class Run:
    """Triangles from ``start`` to ``end`` of a level, with one of the pictures (−1 for none), seen
    from behind, too, if they are ``double``."""

    start: int
    end: int
    picture: int
    double: bool


@dataclass(frozen=True, eq=False)
class TexturedLevel(Level):
    """A level whose colours are multiplied by textures. The fourth component of its colours is
    the alpha below which a texture is not drawn.

    uvs   (V, 2) float32 places in the textures, (0, 0) the upper left corner
    runs  the triangles of each material
    """

    uvs: np.ndarray
    runs: tuple[Run, ...]


class OwnBody:
    """A rig from elsewhere that follows the motion of ``skeleton`` while it is played.

    levels    of detail, the finest first
    pictures  their textures (H, W, 4) uint8
    """

    def __init__(self, rig: Rig, skeleton: Skeleton) -> None:
        """Raises DataError and ConfigError as :func:`controller.body.fitting.fit`."""
        self.skeleton = skeleton
        self.pictures = rig.pictures
        fitted = fit(rig, skeleton)
        self._follower = Follower(fitted)
        finest = _level(rig, fitted)
        self.levels = (finest, *(_coarser(finest, count) for count in COARSER))

    @property
    def bones(self) -> int:
        """How many transforms draw it."""
        return len(self._follower.places)

    def place(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """The transforms (..., D, 3, 4) float32 from the rest pose to the world, for the
        skeleton's joint positions (..., J, 3) in metres and global rotations (..., J, 3, 3)."""
        joints, own = self._follower.follow(positions, rotations)
        placed = np.empty((*own.shape[:-1], 4), dtype=np.float32)
        placed[..., :3] = own
        placed[..., 3] = joints - (own @ self._follower.places[..., None])[..., 0]
        return placed


def _level(rig: Rig, fitted: Fit) -> TexturedLevel:
    """The whole mesh as one level; what the rig's joints move moves with the driven ones."""
    shapes = sorted(rig.shapes, key=_look)
    followed, shares = zip(*(_strongest(shape, fitted) for shape in shapes), strict=True)
    runs = []
    triangles = []
    vertices = 0
    start = 0
    for (double, picture), group in groupby(shapes, key=_look):
        end = start
        for shape in group:
            triangles.append(shape.triangles + vertices)
            vertices += len(shape.positions)
            end += len(shape.triangles)
        runs.append(Run(start, end, picture, double))
        start = end
    positions = np.concatenate([shape.positions for shape in shapes]) - rig.root
    normals = np.concatenate([shape.normals for shape in shapes])
    colours = np.concatenate(
        [
            np.c_[np.sqrt(shape.colours), np.full(len(shape.colours), shape.material.cutoff)]
            for shape in shapes
        ]
    )
    turn = fitted.matrix / np.cbrt(np.linalg.det(fitted.matrix))
    return TexturedLevel(
        (positions @ fitted.matrix.T).astype(np.float32),
        (normals @ turn.T).astype(np.float32),
        np.concatenate(followed).astype(np.uint8),
        np.concatenate(shares).astype(np.uint8),
        np.rint(255 * colours.clip(0.0, 1.0)).astype(np.uint8),
        np.concatenate(triangles).astype(np.int32),
        np.concatenate([shape.uvs for shape in shapes]).astype(np.float32),
        tuple(runs),
    )


def _look(shape: Shape) -> tuple[bool, int]:
    return shape.material.double, shape.material.picture


def _strongest(shape: Shape, fitted: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Driven joints (V, 4) and weights (V, 4) in 255ths: the strongest influences on each vertex,
    those on joints that move as one joined."""
    count = len(shape.positions)
    total = np.zeros((count, max(len(fitted.drives), INFLUENCES)))
    rows = np.repeat(np.arange(count), shape.joints.shape[1])
    np.add.at(total, (rows, fitted.rider[shape.joints].ravel()), shape.weights.ravel())
    joints = np.argsort(-total, axis=1, kind="stable")[:, :INFLUENCES]
    kept = np.take_along_axis(total, joints, axis=1)
    shares = np.rint(255 * kept / kept.sum(axis=1, keepdims=True)).astype(int)
    shares[:, 0] += 255 - shares.sum(axis=1)
    return np.where(shares > 0, joints, 0), shares


def _coarser(level: TexturedLevel, count: int) -> TexturedLevel:
    """A level of about so many triangles; the same one if it has no more."""
    if len(level.triangles) <= 1.5 * count:
        return level
    kept, triangles, origins = thinned(level.positions, level.joints[:, 0], level.triangles, count)
    runs = []
    for run in level.runs:
        start, end = np.searchsorted(origins, (run.start, run.end))
        if end > start:
            runs.append(Run(int(start), int(end), run.picture, run.double))
    return TexturedLevel(
        level.positions[kept],
        level.normals[kept],
        level.joints[kept],
        level.weights[kept],
        level.colours[kept],
        triangles.astype(np.int32),
        level.uvs[kept],
        tuple(runs),
    )
