"""Inverse kinematics of a limb with two bones: a hip, a knee and an ankle that is to be somewhere.

Positions are (..., 3) in metres, rotations (..., 3, 3) in the world, with any leading dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from controller.motion import geometry

STRAIGHT = 0.05
"""Sine of the bend (3°) below which the plane of a limb follows its joint's own hinge more than the
bones: those of a straight limb span no plane."""


def two_bone(
    start: Tensor,
    rotations: tuple[Tensor, Tensor],
    bones: tuple[Tensor, Tensor],
    hinge: Tensor,
    target: Tensor,
) -> tuple[Tensor, Tensor]:
    """Rotations of the upper and the middle joint of a limb that bring its end to ``target``.

    ``start`` (..., 3) is the upper joint, ``rotations`` are both joints' as they were, ``bones``
    (3,) the two bones in the frames of their joints, and ``hinge`` (..., 3) the axis in the world
    about which the lower bone turns when the limb bends. The limb keeps its plane and its twist:
    the angle between the bones follows from the law of cosines, and then the whole limb swings by
    the smallest rotation. A target out of reach is pointed at with a straight limb, and one that is
    too near with a folded one.
    """
    upper, middle = rotations
    first = (upper @ bones[0][..., None]).squeeze(-1)
    second = (middle @ bones[1][..., None]).squeeze(-1)
    axis = _bend_axis(first, second, hinge)
    a = bones[0].norm(dim=-1)
    b = bones[1].norm(dim=-1)
    way = target - start
    distance = torch.minimum(torch.maximum(way.norm(dim=-1), (a - b).abs()), a + b)
    bend = torch.acos(((distance.square() - a * a - b * b) / (2 * a * b)).clamp(-1, 1))
    flat = second - (second * axis).sum(dim=-1, keepdim=True) * axis
    now = _angle(first, flat, axis)
    turned = about(axis, bend - now) @ geometry.rotation_between(second, flat)
    second = (turned @ second[..., None]).squeeze(-1)
    swing = geometry.rotation_between(first + second, way)
    return swing @ upper, swing @ turned @ middle


def about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotations (..., 3, 3) about unit axes (..., 3) by angles (...) in radians."""
    half = angle[..., None] / 2
    quaternion = torch.cat((torch.cos(half), torch.sin(half) * axis), dim=-1)
    return geometry.quaternion_to_matrix(quaternion)


def _bend_axis(first: Tensor, second: Tensor, hinge: Tensor) -> Tensor:
    """The unit axis (..., 3) at right angles to ``first`` about which the limb bends."""
    along = normalize(first, dim=-1)
    normal = torch.linalg.cross(along, normalize(second, dim=-1))
    axis = normal + 2 * STRAIGHT * normalize(hinge, dim=-1)
    axis = axis - (axis * along).sum(dim=-1, keepdim=True) * along
    return normalize(axis, dim=-1)


def _angle(source: Tensor, target: Tensor, axis: Tensor) -> Tensor:
    """The signed angle (...) from one direction to another about a unit axis."""
    cross = torch.linalg.cross(source, target)
    return torch.atan2((cross * axis).sum(dim=-1), (source * target).sum(dim=-1))


def needed_drop(start: Tensor, target: Tensor, reach: Tensor) -> Tensor:
    """By how many metres (...) a limb's upper joint must sink so that its end reaches the target
    with a length of ``reach`` (...); 0 where it does. A target that is too far to the side needs
    what brings both to one height."""
    way = start - target
    side = way[..., [0, 2]].square().sum(dim=-1)
    height = (reach.square() - side).clamp(min=0).sqrt()
    return (way[..., 1] - height).clamp(min=0)


def smooth_cover(values: Tensor, radius: int) -> Tensor:
    """The smallest smooth-looking curve (T,) that is nowhere below ``values``: their maximum over
    ``radius`` frames to both sides, smoothed by a Hann window no wider than that."""
    if radius < 1 or not bool(values.any()):
        return values
    row = torch.nn.functional.pad(values[None, None], (2 * radius, 2 * radius), mode="constant")
    highest = torch.nn.functional.max_pool1d(row, 2 * radius + 1, 1)
    window = torch.hann_window(2 * radius + 3, periodic=False, dtype=values.dtype)[1:-1]
    window = window / window.sum()
    return torch.nn.functional.conv1d(highest, window[None, None])[0, 0]
