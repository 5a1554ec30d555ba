"""A skinned body: triangles that follow the joints of a skeleton, and the file that stores it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from controller.core import checkpoint
from controller.core.errors import CheckpointError, DataError
from controller.motion.skeleton import Skeleton

KIND = "body"
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
        try:
            skeleton = Skeleton.from_dict(header["skeleton"])
            scale = float(header["reach"]) / FINEST
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            levels = []
            for number in range(int(header["levels"])):
                level = Level(
                    arrays[f"{number}.positions"].astype(np.float32) * scale,
                    arrays[f"{number}.normals"].astype(np.float32) / FINEST,
                    arrays[f"{number}.joints"],
                    arrays[f"{number}.weights"],
                    arrays[f"{number}.colours"],
                    arrays[f"{number}.triangles"].astype(np.int32),
                )
                _check(level, len(skeleton))
                levels.append(level)
            if not levels:
                raise DataError("it has no levels")
            positions = arrays["bind.positions"].reshape(len(skeleton), 3)
            rotations = arrays["bind.rotations"].reshape(len(skeleton), 3, 3)
        except (KeyError, TypeError, ValueError, DataError) as error:
            raise CheckpointError(f"{path}: not a body as it should be ({error})") from error
        return cls(skeleton, positions, rotations, tuple(levels))


def _check(level: Level, joints: int) -> None:
    """Raise DataError unless a level's arrays fit together and to so many joints."""
    count = len(level.positions)
    shapes = {
        "positions": (level.positions, 3),
        "normals": (level.normals, 3),
        "joints": (level.joints, 4),
        "weights": (level.weights, 4),
        "colours": (level.colours, 4),
    }
    for name, (array, columns) in shapes.items():
        if array.shape != (count, columns):
            raise DataError(f"{name} has the shape {array.shape}; allowed: {(count, columns)}")
    if level.triangles.ndim != 2 or level.triangles.shape[1] != 3 or not len(level.triangles):
        raise DataError(f"triangles has the shape {level.triangles.shape}; allowed: (T, 3)")
    if level.triangles.max() >= count or level.joints.max() >= joints:
        raise DataError("a triangle or a vertex names what is not there")
    if not (level.weights.astype(int).sum(axis=1) == 255).all():
        raise DataError("weights do not sum up to 255")
