"""Batched rotations, yaw frames and root integration.

Conventions: metres, radians, right-handed, Y up. At yaw 0 a character faces +Z and its left is +X.
Yaw turns about +Y, so a positive yaw turns left. Quaternions are (w, x, y, z). Every function takes
any leading batch dimensions, keeps the dtype of its input and works on CPU and GPU tensors alike.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

AXES = {"X": 0, "Y": 1, "Z": 2}
"""Axis → coordinate."""


def wrap_angle(angle: Tensor) -> Tensor:
    """The same angle in [−π, π)."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def axis_rotation(axis: str, angle: Tensor) -> Tensor:
    """Rotation matrices ``(..., 3, 3)`` about the coordinate axis "X", "Y" or "Z"."""
    i = AXES[axis]
    j = (i + 1) % 3
    k = (i + 2) % 3
    cos = torch.cos(angle)
    sin = torch.sin(angle)
    matrix = torch.zeros(*angle.shape, 3, 3, dtype=angle.dtype, device=angle.device)
    matrix[..., i, i] = 1
    matrix[..., j, j] = cos
    matrix[..., k, k] = cos
    matrix[..., j, k] = -sin
    matrix[..., k, j] = sin
    return matrix


def euler_to_matrix(angles: Tensor, order: str) -> Tensor:
    """Rotation matrices ``(..., 3, 3)`` of intrinsic Euler angles ``(..., 3)`` in this order: "ZXY"
    is R = Rz·Rx·Ry."""
    matrix = axis_rotation(order[0], angles[..., 0])
    for index, axis in enumerate(order[1:], start=1):
        matrix = matrix @ axis_rotation(axis, angles[..., index])
    return matrix


def matrix_to_euler(matrix: Tensor, order: str = "ZXY") -> Tensor:
    """Intrinsic Euler angles ``(..., 3)`` of rotation matrices, for any of the six orders of three
    axes.

    At gimbal lock (middle angle ±90°) the third angle is 0 and the first is the whole turn.
    """
    i, j, k = (AXES[axis] for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    middle = torch.asin((sign * matrix[..., i, k]).clamp(-1, 1))

    locked = matrix[..., i, k].abs() > 1 - 1e-7
    whole_turn = torch.atan2(sign * matrix[..., k, j], matrix[..., j, j])
    first = torch.atan2(-sign * matrix[..., j, k], matrix[..., k, k])
    first = torch.where(locked, whole_turn, first)
    third = torch.atan2(-sign * matrix[..., i, j], matrix[..., i, i])
    third = torch.where(locked, torch.zeros_like(third), third)
    return torch.stack((first, middle, third), dim=-1)


def matrix_to_6d(matrix: Tensor) -> Tensor:
    """The first two columns of a rotation matrix, ``(..., 6)`` (Zhou et al., CVPR 2019)."""
    return torch.cat((matrix[..., :, 0], matrix[..., :, 1]), dim=-1)


def matrix_from_6d(vectors: Tensor) -> Tensor:
    """Rotation matrices ``(..., 3, 3)`` from two column vectors by Gram-Schmidt (Zhou et al., CVPR
    2019)."""
    a = vectors[..., :3]
    b = vectors[..., 3:]
    x = torch.nn.functional.normalize(a, dim=-1)
    y = torch.nn.functional.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack((x, y, torch.linalg.cross(x, y, dim=-1)), dim=-1)


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Rotation matrices ``(..., 3, 3)`` of unit quaternions ``(..., 4)``."""
    w, x, y, z = torch.unbind(quaternion, dim=-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*quaternion.shape[:-1], 3, 3)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Unit quaternions ``(..., 4)``, w ≥ 0, by the largest of Shepperd's four candidates (1978)."""
    m = matrix
    t0 = m[..., 0, 0]
    t1 = m[..., 1, 1]
    t2 = m[..., 2, 2]
    squares = torch.stack(
        (1 + t0 + t1 + t2, 1 + t0 - t1 - t2, 1 - t0 + t1 - t2, 1 - t0 - t1 + t2), dim=-1
    )

    wx = m[..., 2, 1] - m[..., 1, 2]
    wy = m[..., 0, 2] - m[..., 2, 0]
    wz = m[..., 1, 0] - m[..., 0, 1]
    xy = m[..., 0, 1] + m[..., 1, 0]
    xz = m[..., 0, 2] + m[..., 2, 0]
    yz = m[..., 1, 2] + m[..., 2, 1]
    candidates = torch.stack(
        (
            torch.stack((squares[..., 0], wx, wy, wz), dim=-1),
            torch.stack((wx, squares[..., 1], xy, xz), dim=-1),
            torch.stack((wy, xy, squares[..., 2], yz), dim=-1),
            torch.stack((wz, xz, yz, squares[..., 3]), dim=-1),
        ),
        dim=-2,
    )

    best = squares.argmax(dim=-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quaternion = torch.nn.functional.normalize(candidates.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def slerp(start: Tensor, end: Tensor, amount: Tensor) -> Tensor:
    """Spherical interpolation of unit quaternions ``(..., 4)`` along the shorter arc. ``amount`` in
    [0, 1] broadcasts to ``(..., 1)``."""
    cosine = (start * end).sum(-1, keepdim=True)
    end = torch.where(cosine < 0, -end, end)
    angle = torch.acos(cosine.abs().clamp(max=1.0))
    sine = torch.sin(angle)
    amount = amount.expand_as(angle)

    # If the two are almost equal, a straight line is exact enough, and the sine would divide by 0.
    near = sine < 1e-5
    safe = torch.where(near, torch.ones_like(sine), sine)
    first = torch.where(near, 1 - amount, torch.sin((1 - amount) * angle) / safe)
    second = torch.where(near, amount, torch.sin(amount * angle) / safe)
    return torch.nn.functional.normalize(first * start + second * end, dim=-1)


def rotation_between(source: Tensor, target: Tensor) -> Tensor:
    """The smallest rotation ``(..., 3, 3)`` from the direction ``source`` to ``target``, ``(...,
    3)`` each. The two must not be opposite."""
    a = torch.nn.functional.normalize(source, dim=-1)
    b = torch.nn.functional.normalize(target, dim=-1)
    cosine = (a * b).sum(-1, keepdim=True)
    quaternion = torch.cat((1 + cosine, torch.linalg.cross(a, b)), -1)
    return quaternion_to_matrix(torch.nn.functional.normalize(quaternion, dim=-1))


def yaw_matrix(yaw: Tensor) -> Tensor:
    """Rotation matrices ``(..., 3, 3)`` about +Y by ``yaw`` (...) radians."""
    return axis_rotation("Y", yaw)


def yaw_of(forward: Tensor) -> Tensor:
    """The yaw (...) in radians of directions ``(..., 3)``: 0 along +Z, +π/2 along +X."""
    return torch.atan2(forward[..., 0], forward[..., 2])


def turn(vector: Tensor, yaw: Tensor) -> Tensor:
    """Ground vectors ``(..., 2)`` as (x, z), turned by ``yaw`` (...) about +Y: from a yaw frame to
    the world."""
    cos = torch.cos(yaw)
    sin = torch.sin(yaw)
    x = vector[..., 0]
    z = vector[..., 1]
    return torch.stack((cos * x + sin * z, cos * z - sin * x), dim=-1)


def integrate_root(
    position: Tensor, yaw: Tensor, velocity: Tensor, seconds: float
) -> tuple[Tensor, Tensor]:
    """Move a root by its own velocity for some ``seconds``.

    ``position`` (..., 2) is (x, z) in metres, ``yaw`` (...) in radians. ``velocity`` (..., 3) is
    (forward m/s, left m/s, turn rad/s) in the facing frame *before* the step (Ling et al. 2020,
    section 3). Returns the new position and yaw.
    """
    ground_velocity = torch.stack((velocity[..., 1], velocity[..., 0]), dim=-1)
    step = turn(ground_velocity, yaw) * seconds
    return position + step, wrap_angle(yaw + velocity[..., 2] * seconds)


def best_rotation(source: Tensor, target: Tensor) -> Tensor:
    """The rotation ``(..., 3, 3)`` that turns vectors ``source`` (..., C, 3) most nearly onto
    ``target``, in least squares (Kabsch 1976)."""
    product = source.transpose(-1, -2) @ target
    u, _, vh = torch.linalg.svd(product)
    v = vh.transpose(-1, -2)
    sign = torch.sign(torch.linalg.det(v @ u.transpose(-1, -2)))
    last = torch.ones(*sign.shape, 3, dtype=source.dtype, device=source.device)
    last[..., 2] = sign
    return v * last[..., None, :] @ u.transpose(-1, -2)
