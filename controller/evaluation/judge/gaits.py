"""Which gait a character has at each moment: what it does with its root, for bodies of any size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.motion import geometry
from controller.motion.pose import FPS

GAITS = ("stand", "slow", "walk", "fast", "run", "turn", "back", "side")
SPEEDS = (0.06, 0.3, 0.5, 0.7)
"""Where slow, walk, fast and run begin, in √(g·h) with h the height of the hips. Bodies of all
sizes change from a walk to a run near 0.7, that is, at a Froude number of 0.5 (Alexander 1989)."""
GRAVITY = 9.81
TURNING = math.radians(45)
"""rad/s: a character that turns faster turns, whatever else it does."""
BACK = math.radians(135)
SIDE = math.radians(45)
"""Angles between the direction of travel and the facing, from which on it goes backward or
sideways."""


def pace(hips: float) -> float:
    """√(g·h) in m/s, the unit of speed for a body with hips at a height of ``hips`` metres."""
    return math.sqrt(GRAVITY * hips)


def gaits(position: Tensor, yaw: Tensor, frames: Tensor, hips: float) -> Tensor:
    """(S, T) numbers of :data:`GAITS` at each frame, from roots ``(S, T, 2)`` and yaws ``(S, T)``
    over segments of ``frames`` (S,) frames: by the second around the frame, or what there is of
    it."""
    half = round(FPS / 2)
    now = torch.arange(position.shape[1])
    first = (now - half).clamp(min=0).expand(yaw.shape)
    last = torch.minimum((now + half).expand(yaw.shape), frames[:, None] - 1)
    first = torch.minimum(first, last - 1)  # beyond the end of a segment
    seconds = (last - first) / FPS

    turned = geometry.wrap_angle(torch.diff(yaw, dim=1, prepend=yaw[:, :1])).cumsum(dim=1)
    rate = (turned.gather(1, last) - turned.gather(1, first)) / seconds
    index = last[..., None].expand_as(position)
    start = first[..., None].expand_as(position)
    moved = position.gather(1, index) - position.gather(1, start)
    velocity = geometry.turn(moved, -yaw) / seconds[..., None]
    return label(velocity, rate, hips)


def label(velocity: Tensor, rate: Tensor, hips: float) -> Tensor:
    """Numbers of :data:`GAITS` for velocities ``(..., 2)`` in m/s, (left, forward), and rates of
    turning (...) in rad/s."""
    speed = velocity.norm(dim=-1) / pace(hips)
    result = torch.bucketize(speed, torch.tensor(SPEEDS), right=True)
    aside = torch.atan2(velocity[..., 0], velocity[..., 1]).abs()
    moving = speed >= SPEEDS[0]
    result = torch.where(moving & (aside > SIDE), GAITS.index("side"), result)
    result = torch.where(moving & (aside > BACK), GAITS.index("back"), result)
    return torch.where(rate.abs() > TURNING, GAITS.index("turn"), result)
