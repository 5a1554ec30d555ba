"""A skeleton, a clip of motion on it, and forward kinematics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.overrides import RoleOverrides


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints in an order in which a parent comes before its children.

    names      of the joints, the root first
    parents    index of each joint's parent; −1 for the root
    offsets    (J, 3) metres, from the parent's origin, in the parent's frame; the root's is zero
    tips       (J, 3) metres, where the bone of a leaf joint ends (BVH's End Site); zero for the
               others
    overrides  stated roles of joints, which win over the guesses of :class:`roles.Roles`
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Tensor
    tips: Tensor
    overrides: RoleOverrides = field(default_factory=RoleOverrides)

    def __post_init__(self) -> None:
        count = len(self.names)
        if (
            len(self.parents) != count
            or self.offsets.shape != (count, 3)
            or self.tips.shape != (count, 3)
        ):
            raise DataError(f"a skeleton of {count} joints needs as many parents, offsets and tips")
        if count == 0 or self.parents[0] != -1:
            raise DataError("a skeleton starts with its root, whose parent is -1")
        for joint, parent in enumerate(self.parents[1:], start=1):
            if not 0 <= parent < joint:
                raise DataError(f"joint {self.names[joint]}: its parent must come before it")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The joint of that name. Raises DataError, with all names, if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise DataError(
                f"no joint {name!r} in this skeleton; it has {', '.join(self.names)}"
            ) from None

    def children(self, joint: int) -> tuple[int, ...]:
        """The joints whose parent is ``joint``."""
        return tuple(child for child, parent in enumerate(self.parents) if parent == joint)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON. The key "overrides" is there only if there are any."""
        plain: dict[str, Any] = {
            "names": list(self.names),
            "parents": list(self.parents),
            "offsets": [[round(float(x), 7) for x in row] for row in self.offsets],
            "tips": [[round(float(x), 7) for x in row] for row in self.tips],
        }
        if self.overrides:
            plain["overrides"] = self.overrides.to_dict()
        return plain

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Skeleton:
        """The inverse of :meth:`to_dict`. Raises DataError or ConfigError if the parts disagree."""
        return cls(
            tuple(data["names"]),
            tuple(data["parents"]),
            torch.tensor(data["offsets"], dtype=torch.float32),
            torch.tensor(data["tips"], dtype=torch.float32),
            RoleOverrides.from_dict(data.get("overrides", {})),
        )


def to_global(parents: tuple[int, ...], local: Tensor) -> Tensor:
    """Rotations relative to the parents ``(..., J, 3, 3)`` → rotations relative to what the root's
    is relative to."""
    result: list[Tensor] = []
    for joint, parent in enumerate(parents):
        rotation = local[..., joint, :, :]
        result.append(rotation if parent < 0 else result[parent] @ rotation)
    return torch.stack(result, dim=-3)


def to_local(parents: tuple[int, ...], rotations: Tensor) -> Tensor:
    """The inverse of :func:`to_global`."""
    above = rotations[..., list(parents[1:]), :, :]
    rest = above.transpose(-1, -2) @ rotations[..., 1:, :, :]
    return torch.cat((rotations[..., :1, :, :], rest), dim=-3)


def forward_kinematics(skeleton: Skeleton, root: Tensor, rotations: Tensor) -> Tensor:
    """Joint positions ``(..., J, 3)`` in metres from the root's position ``(..., 3)`` and global
    rotations ``(..., J, 3, 3)``.

    With *global* rotations a bone depends on its parent's rotation alone, so errors do not add up
    along a limb, and bones keep their lengths under any rotations.
    """
    parents = list(skeleton.parents[1:])
    offsets = skeleton.offsets[1:].to(rotations)
    bones = (rotations[..., parents, :, :] @ offsets[..., None]).squeeze(-1)  # (..., J-1, 3)
    positions = [root]
    for joint, parent in enumerate(parents, start=1):
        positions.append(positions[parent] + bones[..., joint - 1, :])
    return torch.stack(positions, dim=-2)


@dataclass(frozen=True, eq=False)
class Clip:
    """Motion of one skeleton over T frames.

    positions  (T, 3) metres, of the root
    rotations  (T, J, 3, 3), each joint relative to its parent
    fps        frames a second
    """

    name: str
    skeleton: Skeleton
    positions: Tensor
    rotations: Tensor
    fps: float

    def __len__(self) -> int:
        return self.positions.shape[0]

    def global_rotations(self) -> Tensor:
        """(T, J, 3, 3), relative to the world."""
        return to_global(self.skeleton.parents, self.rotations)

    def joint_positions(self) -> Tensor:
        """(T, J, 3) metres, in the world."""
        return forward_kinematics(self.skeleton, self.positions, self.global_rotations())

    def resampled(self, fps: float) -> Clip:
        """The same motion at another frame rate, with positions interpolated linearly and rotations
        by slerp. The first frame stays."""
        if abs(self.fps - fps) < 1e-3 * fps or len(self) < 2:
            return Clip(self.name, self.skeleton, self.positions, self.rotations, fps)

        count = int((len(self) - 1) * fps / self.fps + 1e-6) + 1
        times = torch.arange(count, dtype=torch.float64) * (self.fps / fps)
        before = times.floor().long().clamp(max=len(self) - 2)
        amount = (times - before).to(self.positions)
        position = torch.lerp(self.positions[before], self.positions[before + 1], amount[:, None])
        every = geometry.matrix_to_quaternion(self.rotations)
        quaternion = geometry.slerp(every[before], every[before + 1], amount[:, None, None])
        rotation = geometry.quaternion_to_matrix(quaternion)
        return Clip(self.name, self.skeleton, position, rotation, fps)
