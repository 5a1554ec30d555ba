"""The pose vector: what the motion VAE sees and predicts, and how it is made from a clip and
mirrored.

One pose describes frame t, seen from the character's own *facing frame* (origin: the hips'
projection on the ground; +Z: the way it faces; +X: its left; Ling et al. 2020, section 3):

| name           | width | unit     | what |
|----------------|-------|----------|--------------------------------------------------------------------------|
| root_velocity  | 3     | m/s, rad/s | forward, left and turning speed from t−1 to t, in the facing frame of t−1 |
| positions      | 3·J   | m        | joint positions in the facing frame of t |
| velocities     | 3·J   | m/s      | joint velocities relative to the world, in the axes of the facing frame of t |
| orientations   | 6·J   | –        | joint orientations in the facing frame of t, as 6D (Zhou et al. 2019) |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.skeleton import Clip, Skeleton, forward_kinematics

FPS = 30.0
FACING_SMOOTHING_S = 0.3
"""Standard deviation of the Gaussian over the facing. Hips and shoulders swing against each other
with each stride (about 0.9 Hz here); 0.3 s takes away four fifths of what is left of that swing and
keeps a turn's shape."""


@dataclass(frozen=True, eq=False)
class PoseLayout:
    """Where each part of a pose vector lies, for one skeleton. ``layout.positions`` and so on are
    slices."""

    skeleton: Skeleton

    @cached_property
    def joints(self) -> int:
        return len(self.skeleton)

    @cached_property
    def size(self) -> int:
        return 3 + 12 * self.joints

    root_velocity = slice(0, 3)

    @cached_property
    def positions(self) -> slice:
        return slice(3, 3 + 3 * self.joints)

    @cached_property
    def hip_height(self) -> int:
        """The column of the root joint's height."""
        return self.positions.start + 1

    @cached_property
    def velocities(self) -> slice:
        return slice(3 + 3 * self.joints, 3 + 6 * self.joints)

    @cached_property
    def orientations(self) -> slice:
        return slice(3 + 6 * self.joints, 3 + 12 * self.joints)

    @cached_property
    def feet(self) -> tuple[int, int]:
        """The left and right toe joints: the points that stand on the ground."""
        return _one_each_side(self.skeleton, ("toe", "ball", "foot"))

    @cached_property
    def mirror_joints(self) -> list[int]:
        """For each joint, the joint of the other side (itself on the midline)."""
        return [self.skeleton.index(mirrored_name(name)) for name in self.skeleton.names]

    def joint_positions(self, pose: Tensor) -> Tensor:
        """(..., D) → (..., J, 3) metres, in the facing frame, as predicted (bones may be off by
        millimetres)."""
        return pose[..., self.positions].unflatten(-1, (self.joints, 3))

    def joint_rotations(self, pose: Tensor) -> Tensor:
        """(..., D) → (..., J, 3, 3), in the facing frame, made orthonormal."""
        return geometry.matrix_from_6d(pose[..., self.orientations].unflatten(-1, (self.joints, 6)))

    def posed_joints(self, pose: Tensor) -> Tensor:
        """(..., D) → (..., J, 3) metres in the facing frame, by forward kinematics: what is drawn
        and measured.

        Root height is the predicted one; all else follows from orientations, so bones keep their
        lengths.
        """
        root = pose[..., self.hip_height, None] * pose.new_tensor([0.0, 1.0, 0.0])
        return forward_kinematics(self.skeleton, root, self.joint_rotations(pose))

    def mirror(self, pose: Tensor) -> Tensor:
        """The same poses with left and right exchanged, ``(..., D)``."""
        sign = torch.tensor([-1.0, 1.0, 1.0], dtype=pose.dtype, device=pose.device)
        root = pose[..., self.root_velocity] * torch.tensor(
            [1.0, -1.0, -1.0], dtype=pose.dtype, device=pose.device
        )
        swap = self.mirror_joints
        parts = [root]
        for part in (self.positions, self.velocities):
            parts.append(
                (pose[..., part].unflatten(-1, (self.joints, 3))[..., swap, :] * sign).flatten(-2)
            )
        # A reflection M = diag(−1, 1, 1) turns R into M·R·M: the M on the right negates the first
        # column.
        six = pose[..., self.orientations].unflatten(-1, (self.joints, 6))[..., swap, :]
        parts.append((six * torch.cat((-sign, sign))).flatten(-2))
        return torch.cat(parts, dim=-1)


def mirrored_name(name: str) -> str:
    """ "LeftFoot" ↔ "RightFoot"; names of the midline stay."""
    for one, other in (("Left", "Right"), ("left", "right"), ("L_", "R_")):
        if one in name:
            return name.replace(one, other, 1)
        if other in name:
            return name.replace(other, one, 1)
    return name


def _is_left(name: str) -> bool:
    return "left" in name.lower() or name.startswith("L_")


def _is_right(name: str) -> bool:
    return "right" in name.lower() or name.startswith("R_")


def _one_each_side(skeleton: Skeleton, words: tuple[str, ...]) -> tuple[int, int]:
    """The left and right joint whose name holds the first of ``words`` that is found on both
    sides."""
    for word in words:
        left = [
            i for i, name in enumerate(skeleton.names) if word in name.lower() and _is_left(name)
        ]
        right = [
            i for i, name in enumerate(skeleton.names) if word in name.lower() and _is_right(name)
        ]
        if left and right:
            return left[0], right[0]
    raise DataError(
        f"no left and right joint named like {' or '.join(words)} among {', '.join(skeleton.names)}"
    )


def facing(clip: Clip, smoothing_s: float = FACING_SMOOTHING_S) -> Tensor:
    """The way a character faces, ``(T,)`` yaw in radians: across hips and shoulders, smoothed over
    time.

    Hips and shoulders counter-rotate in a stride, so their sum swings less than either; a Gaussian
    takes most of the rest. The smoothing is of directions, not of angles, so it has no seam at ±π.
    """
    positions = clip.joint_positions()
    across = torch.zeros(len(clip), 3, dtype=positions.dtype)
    for words in (("upleg", "thigh", "hip_", "leg"), ("arm", "shoulder")):
        left, right = _one_each_side(clip.skeleton, words)
        across += torch.nn.functional.normalize(positions[:, left] - positions[:, right], dim=-1)
    forward = torch.linalg.cross(
        across, torch.tensor([0.0, 1.0, 0.0], dtype=across.dtype).expand_as(across)
    )
    forward = torch.nn.functional.normalize(forward[:, [0, 2]], dim=-1)
    smooth = gaussian_smooth(forward, smoothing_s * clip.fps)
    return torch.atan2(smooth[:, 0], smooth[:, 1])


def gaussian_smooth(signal: Tensor, sigma: float) -> Tensor:
    """Columns of ``(T, C)`` smoothed by a Gaussian of ``sigma`` frames; the ends are held."""
    radius = max(1, int(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=signal.dtype)
    kernel = torch.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2)
    kernel = kernel / kernel.sum()
    padded = torch.cat((signal[:1].expand(radius, -1), signal, signal[-1:].expand(radius, -1)))
    return torch.nn.functional.conv1d(padded.T[:, None], kernel[None, None])[:, 0].T


def encode(layout: PoseLayout, clip: Clip) -> Tensor:
    """A clip of T frames → its T−1 poses ``(T−1, D)``; the first frame only gives the second its
    velocities.

    The clip must be on the layout's skeleton, in metres, with the floor at y = 0.
    """
    if clip.skeleton.names != layout.skeleton.names:
        raise DataError(
            f"{clip.name}: joints {', '.join(clip.skeleton.names)} are not those of the layout"
        )
    yaw = facing(clip)
    to_facing = geometry.yaw_matrix(-yaw)  # (T, 3, 3)
    root = clip.positions * torch.tensor([1.0, 0.0, 1.0])
    world = clip.joint_positions()
    local = (to_facing[:, None] @ (world - root[:, None])[..., None]).squeeze(-1)
    speed = (world[1:] - world[:-1]) * clip.fps
    speed = (to_facing[1:, None] @ speed[..., None]).squeeze(-1)
    step = (to_facing[:-1] @ (root[1:] - root[:-1])[..., None]).squeeze(-1) * clip.fps
    turning = geometry.wrap_angle(yaw[1:] - yaw[:-1]) * clip.fps
    rotations = to_facing[:, None] @ clip.global_rotations()
    return torch.cat(
        (
            torch.stack((step[:, 2], step[:, 0], turning), dim=-1),
            local[1:].flatten(1),
            speed.flatten(1),
            geometry.matrix_to_6d(rotations[1:]).flatten(1),
        ),
        dim=-1,
    )


def root_trajectory(poses: Tensor, fps: float = FPS) -> tuple[Tensor, Tensor]:
    """World positions ``(..., T, 2)`` and yaws ``(..., T)`` of consecutive poses ``(..., T, D)``,
    from the origin.

    The root *after* each pose's own step; the inverse of the root part of :func:`encode`.
    """
    velocity = poses[..., PoseLayout.root_velocity]
    yaw_after = torch.cumsum(velocity[..., 2] / fps, dim=-1)
    yaw_before = yaw_after - velocity[..., 2] / fps
    step = (
        geometry.turn(torch.stack((velocity[..., 1], velocity[..., 0]), dim=-1), yaw_before) / fps
    )
    return torch.cumsum(step, dim=-2), geometry.wrap_angle(yaw_after)
