"""The pose vector: what the motion VAE observes and predicts, and how a clip becomes pose vectors.

One pose describes frame t in the character's own *facing frame* (origin: the hips' projection on
the ground; +Z: the way it faces; +X: its left; Ling et al. 2020, section 3):

| name          | width | unit       | what                                                      |
|---------------|-------|------------|-----------------------------------------------------------|
| root_velocity | 3     | m/s, rad/s | forward, left and turning speed from t−1 to t, in the     |
|               |       |            | facing frame of t−1                                       |
| positions     | 3·J   | m          | joint positions in the facing frame of t                  |
| velocities    | 3·J   | m/s        | joint velocities relative to the world, in the axes of    |
|               |       |            | the facing frame of t                                     |
| orientations  | 6·J   | –          | joint orientations in the facing frame of t, as 6D (Zhou  |
|               |       |            | et al. 2019)                                              |
| style         | S     | –          | weights of S styles, with a sum of 1, for motion whose    |
|               |       |            | clips are labelled; what is asked for, never predicted    |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.roles import Roles
from controller.motion.skeleton import Clip, Skeleton, forward_kinematics

FPS = 30.0
"""Frames a second of the simulation and of all data that it learns from."""
FACING_SMOOTHING_S = 0.3
"""Standard deviation of the Gaussian over the facing. Hips and shoulders swing against each other
with each stride (about 0.9 Hz here); 0.3 s removes four fifths of what remains of that swing and
keeps the shape of a turn."""


@dataclass(frozen=True, eq=False)
class PoseLayout:
    """Where each part of a pose vector is, for one skeleton. ``layout.positions`` and the other
    parts are slices."""

    skeleton: Skeleton
    styles: tuple[str, ...] = ()
    """Names of the styles whose weights are at the end of each pose; none without labels."""

    @cached_property
    def roles(self) -> Roles:
        """What each joint is. Raises DataError if the skeleton cannot be understood."""
        return Roles.of(self.skeleton)

    @cached_property
    def joints(self) -> int:
        """The number of joints, J."""
        return len(self.skeleton)

    @cached_property
    def size(self) -> int:
        """The width of a pose vector, D."""
        return self.style.stop

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
    def style(self) -> slice:
        """The weights of :attr:`styles`."""
        start = self.orientations.stop
        return slice(start, start + len(self.styles))

    @cached_property
    def body(self) -> slice:
        """All columns but the weights of styles: what a motion VAE predicts."""
        return slice(0, self.orientations.stop)

    @cached_property
    def feet(self) -> tuple[int, ...]:
        """The joints that stand on the ground, usually toes: left before right, hind legs before
        front legs. A biped has two."""
        return self.roles.feet

    @cached_property
    def mirror_joints(self) -> list[int]:
        """For each joint, the joint of the other side (itself on the midline)."""
        return self.roles.mirror

    def joint_positions(self, pose: Tensor) -> Tensor:
        """(..., D) → (..., J, 3) metres in the facing frame, as predicted: the lengths of bones may
        be wrong by millimetres."""
        return pose[..., self.positions].unflatten(-1, (self.joints, 3))

    def joint_rotations(self, pose: Tensor) -> Tensor:
        """(..., D) → orthonormal (..., J, 3, 3) in the facing frame."""
        six = pose[..., self.orientations].unflatten(-1, (self.joints, 6))
        return geometry.matrix_from_6d(six)

    def posed_joints(self, pose: Tensor) -> Tensor:
        """(..., D) → (..., J, 3) metres in the facing frame, by forward kinematics. This is what is
        drawn and measured.

        The root's height is the predicted one. Everything else follows from the orientations, so
        bones keep their lengths.
        """
        root = pose[..., self.hip_height, None] * pose.new_tensor([0.0, 1.0, 0.0])
        return forward_kinematics(self.skeleton, root, self.joint_rotations(pose))

    def mirror(self, pose: Tensor) -> Tensor:
        """The same poses with left and right exchanged, ``(..., D)``."""
        sign = pose.new_tensor([-1.0, 1.0, 1.0])
        root_sign = pose.new_tensor([1.0, -1.0, -1.0])
        swap = self.mirror_joints

        parts = [pose[..., self.root_velocity] * root_sign]
        for part in (self.positions, self.velocities):
            vectors = pose[..., part].unflatten(-1, (self.joints, 3))
            parts.append((vectors[..., swap, :] * sign).flatten(-2))
        # A reflection M = diag(−1, 1, 1) turns R into M·R·M. The M on the right negates the first
        # column.
        six = pose[..., self.orientations].unflatten(-1, (self.joints, 6))[..., swap, :]
        parts.append((six * torch.cat((-sign, sign))).flatten(-2))
        parts.append(pose[..., self.style])
        return torch.cat(parts, dim=-1)


def facing(clip: Clip, smoothing_s: float = FACING_SMOOTHING_S) -> Tensor:
    """The yaw in radians ``(T,)`` of the way a character faces, smoothed over time.

    It is at right angles to the lines across the hips and the shoulders. These counter-rotate in a
    stride, so their sum swings less than either; a Gaussian removes most of the rest. Directions
    are smoothed, not angles, so there is no seam at ±π. Raises DataError if the skeleton has no
    pair of legs.
    """
    roles = Roles.of(clip.skeleton)
    positions = clip.joint_positions()
    across = torch.zeros(len(clip), 3, dtype=positions.dtype)
    for pair in (roles.legs, roles.arms):
        if pair is not None:
            left, right = pair
            line = positions[:, left.start] - positions[:, right.start]
            across += torch.nn.functional.normalize(line, dim=-1)

    up = torch.tensor([0.0, 1.0, 0.0], dtype=across.dtype)
    forward = torch.linalg.cross(across, up.expand_as(across))
    forward = torch.nn.functional.normalize(forward[:, [0, 2]], dim=-1)
    smooth = gaussian_smooth(forward, smoothing_s * clip.fps)
    return torch.atan2(smooth[:, 0], smooth[:, 1])


def gaussian_smooth(signal: Tensor, sigma: float) -> Tensor:
    """Columns of ``(T, C)`` smoothed by a Gaussian of ``sigma`` frames. The first and last rows are
    repeated beyond the ends."""
    radius = max(1, int(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=signal.dtype)
    kernel = torch.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2)
    kernel = kernel / kernel.sum()
    padded = torch.cat((signal[:1].expand(radius, -1), signal, signal[-1:].expand(radius, -1)))
    return torch.nn.functional.conv1d(padded.T[:, None], kernel[None, None])[:, 0].T


def encode(layout: PoseLayout, clip: Clip) -> Tensor:
    """The T−1 poses ``(T−1, D)`` of a clip of T frames; the first frame only gives the second its
    velocities.

    The clip must be in metres, with the floor at y = 0. Weights of styles are not among the
    columns. Raises DataError if its joints are not
    those of the layout.
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
    """World positions ``(..., T, 2)`` and yaws ``(..., T)`` of consecutive poses ``(..., T, D)``
    that start at the origin.

    They are the root's *after* each pose's own step: the inverse of the root part of
    :func:`encode`.
    """
    velocity = poses[..., PoseLayout.root_velocity]
    yaw_after = torch.cumsum(velocity[..., 2] / fps, dim=-1)
    yaw_before = yaw_after - velocity[..., 2] / fps
    ground_velocity = torch.stack((velocity[..., 1], velocity[..., 0]), dim=-1)
    step = geometry.turn(ground_velocity, yaw_before) / fps
    return torch.cumsum(step, dim=-2), geometry.wrap_angle(yaw_after)
