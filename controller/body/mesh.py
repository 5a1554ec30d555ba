"""A skinned body: triangles that follow the joints of a skeleton, and the file that stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from controller.core import checkpoint, headers
from controller.core.errors import DataError
from controller.motion.skeleton import Skeleton

KIND = "body"
MOST_LEVELS = 16
FINEST = 32767
"""Positions and normals are stored as whole numbers from −FINEST to FINEST."""


@dataclass(frozen=True, eq=False)
class Level:
    """One level of detail: V vertices and T triangles.

    positions  (V, 3) float32 metres, in the bound pose
    normals    (V, 3) float32 unit vectors
    joints     (V, 4) uint8 or uint16, the joints that a vertex follows
    weights    (V, 4) uint8, in 255ths; their sum is 255
    colours    (V, 4) uint8: the square roots of linear red, green and blue, and openness to the
               sky, in 255ths
    triangles  (T, 3) int32 counter-clockwise from outside
    """

    positions: np.ndarray
    normals: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    colours: np.ndarray
    triangles: np.ndarray


@dataclass(frozen=True, eq=False)
class SkinnedBody:
    """A body for one skeleton, bound to it in one pose.

    skeleton   whose joints it follows
    positions  (J, 3) metres: the bound pose's joints, from the root
    rotations  (J, 3, 3) the bound pose's rotations, relative to the world
    levels     of detail, the finest first
    """

    skeleton: Skeleton
    positions: np.ndarray
    rotations: np.ndarray
    levels: tuple[Level, ...]

    @cached_property
    def _unbound(self) -> np.ndarray:
        """(J, 3, 3) the inverses of the bound rotations."""
        return np.ascontiguousarray(self.rotations.transpose(0, 2, 1), np.float32)

    @cached_property
    def _bound(self) -> np.ndarray:
        """(J, 3) the bound positions in the joints' own frames."""
        return np.einsum("jki,jk->ji", self.rotations, self.positions).astype(np.float32)

    @property
    def bones(self) -> int:
        """How many transforms draw it."""
        return len(self.skeleton)

    def place(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """The transforms (..., J, 3, 4) float32 from the bound pose to the world, for joint
        positions (..., J, 3) in metres and global rotations (..., J, 3, 3)."""
        placed = np.empty((*rotations.shape[:-1], 4), dtype=np.float32)
        np.matmul(rotations, self._unbound, out=placed[..., :3])
        placed[..., 3] = positions - (rotations @ self._bound[..., None])[..., 0]
        return placed

    def fits(self, skeleton: Skeleton) -> bool:
        """Whether it was made for this skeleton."""
        own = self.skeleton
        return (
            own.names == skeleton.names
            and own.parents == skeleton.parents
            and bool(torch.allclose(own.offsets, skeleton.offsets.cpu().float(), atol=1e-4))
        )

    def save(self, path: Path | str) -> None:
        """Write the file atomically."""
        reach = max(float(np.abs(level.positions).max()) for level in self.levels)
        tensors = {
            "bind.positions": torch.tensor(self.positions, dtype=torch.float32),
            "bind.rotations": torch.tensor(self.rotations, dtype=torch.float32),
        }
        for number, level in enumerate(self.levels):
            arrays = {
                "positions": np.rint(level.positions * (FINEST / reach)).astype(np.int16),
                "normals": np.rint(level.normals * FINEST).astype(np.int16),
                "joints": level.joints,
                "weights": level.weights,
                "colours": level.colours,
                # torch computes little with uint16, but it stores it
                "triangles": level.triangles.astype(np.uint16),
            }
            for name, array in arrays.items():
                tensors[f"{number}.{name}"] = torch.from_numpy(np.ascontiguousarray(array))
        header = {
            "skeleton": self.skeleton.to_dict(),
            "reach": reach,
            "levels": len(self.levels),
        }
        checkpoint.save(path, KIND, header, tensors)

    @classmethod
    def load(cls, path: Path | str) -> SkinnedBody:
        """Read a file. Raises CheckpointError if it is missing, damaged or not a body."""
        header, tensors = checkpoint.load(path, KIND)
        with headers.reading(path, KIND):
            skeleton = Skeleton.from_dict(headers.skeleton(header.get("skeleton")))
            scale = headers.number("reach", header.get("reach"), 1e-3, 1e3) / FINEST
            count = headers.whole("levels", header.get("levels"), 1, MOST_LEVELS)
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            levels = []
            for number in range(count):
                levels.append(_level(arrays, f"{number}.", scale, len(skeleton)))
            positions = _array(arrays, "bind.positions", (np.float32,), (len(skeleton), 3))
            rotations = _array(arrays, "bind.rotations", (np.float32,), (len(skeleton), 3, 3))
            if not np.isfinite(positions).all() or not np.isfinite(rotations).all():
                raise DataError("its bound pose is not finite")
            return cls(skeleton, positions, rotations, tuple(levels))


def _array(
    arrays: Mapping[str, np.ndarray],
    name: str,
    dtypes: tuple[type[np.generic], ...],
    shape: tuple[int | None, ...],
) -> np.ndarray:
    """A copy of the array of that name. DataError unless it has one of the dtypes and the shape, in
    which None stands for 1 or more."""
    array = arrays[name]
    same = len(array.shape) == len(shape) and all(
        found == count or (count is None and found > 0)
        for found, count in zip(array.shape, shape, strict=True)
    )
    if not same:
        raise DataError(f"{name} has the shape {array.shape}; allowed: {shape}")
    if array.dtype.type not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise DataError(f"{name} has the dtype {array.dtype}; allowed: {names}")
    return array.copy()


def _level(arrays: Mapping[str, np.ndarray], prefix: str, scale: float, joints: int) -> Level:
    """A level of detail from the arrays of a file. Raises DataError, or KeyError if one is
    missing."""
    found = _array(arrays, f"{prefix}positions", (np.int16,), (None, 3))
    count = len(found)
    level = Level(
        found.astype(np.float32) * scale,
        _array(arrays, f"{prefix}normals", (np.int16,), (count, 3)).astype(np.float32) / FINEST,
        _array(arrays, f"{prefix}joints", (np.uint8, np.uint16), (count, 4)),
        _array(arrays, f"{prefix}weights", (np.uint8,), (count, 4)),
        _array(arrays, f"{prefix}colours", (np.uint8,), (count, 4)),
        _array(arrays, f"{prefix}triangles", (np.uint16,), (None, 3)).astype(np.int32),
    )
    if level.triangles.max() >= count or level.joints.max() >= joints:
        raise DataError("a triangle or a vertex names what is not there")
    if not (level.weights.astype(int).sum(axis=1) == 255).all():
        raise DataError("weights do not sum up to 255")
    return level
