"""Seeing and touching walls: rays from where a character stands, and the distance to the nearest
wall."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.motion import geometry

RAYS = 16
"""Vision rays, as many as in the paper."""
SPREAD = math.radians(105)
"""The outermost rays' angle from the facing. The paper's go to 60°; a person sees this much, and a
character that turns round a corner touches what lies beside it."""
REACH = 30.0
"""m: the length of a ray that meets nothing."""


def ray_angles() -> Tensor:
    """(RAYS,) radians from the facing, from right to left."""
    return torch.linspace(-SPREAD, SPREAD, RAYS)


def cast(position: Tensor, yaw: Tensor, walls: Tensor) -> Tensor:
    """(B, RAYS) metres from positions (B, 2) to the first of the walls (B, W, 2, 2), two ends each,
    along the rays of characters that face ``yaw`` (B,)."""
    angle = yaw[:, None] + ray_angles().to(yaw)
    ray = torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1)[:, :, None]
    start = (walls[:, :, 0] - position[:, None])[:, None]
    wall = (walls[:, :, 1] - walls[:, :, 0])[:, None]

    across = cross(ray, wall)
    safe = torch.where(across.abs() < 1e-9, 1e-9, across)
    distance = cross(start, wall) / safe
    along = cross(start, ray) / safe
    # A hair beyond either end still counts as the wall, so that no ray slips through between two
    # walls that touch.
    hit = (distance >= 0) & (along >= -1e-5) & (along <= 1 + 1e-5) & (across.abs() >= 1e-9)
    return torch.where(hit, distance, REACH).amin(dim=-1).clamp(max=REACH)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """a × b of ground vectors (..., 2)."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def wall_distance(points: Tensor, walls: Tensor) -> Tensor:
    """(B, K) metres from points (B, K, 2) to the middle line of the nearest of the walls (B, W, 2,
    2)."""
    begin = walls[:, None, :, 0]
    wall = (walls[:, :, 1] - walls[:, :, 0])[:, None]
    offset = points[:, :, None] - begin
    share = (offset * wall).sum(dim=-1) / wall.square().sum(dim=-1).clamp(min=1e-9)
    square = (offset - share.clamp(0, 1)[..., None] * wall).square().sum(dim=-1)
    return (square.amin(dim=-1) + 1e-10).sqrt()


def ray_ends(position: Tensor, yaw: Tensor, walls: Tensor) -> Tensor:
    """(B, RAYS, 2) metres, as (x, z): where the rays of :func:`cast` end, for drawing."""
    angle = yaw[:, None] + ray_angles().to(yaw)
    ahead = torch.stack((torch.zeros_like(angle), cast(position, yaw, walls)), dim=-1)
    return position[:, None] + geometry.turn(ahead, angle)
