"""Commands in hindsight: what a joystick must have asked for in captured clips.

All functions are pure. Training and the judge of naturalness share them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from controller.data.dataset import ClipEntry
from controller.model.normalizer import Normalizer
from controller.motion import geometry
from controller.motion.pose import FPS, gaussian_smooth, root_trajectory

FASTEST = 1.1
"""Commands are at most this many times as fast as the character's fastest captured second."""
TURN_FRAMES = 20
"""Frames over which a turn rate is measured."""
TURNING_FRAMES = 36
"""Frames within which a body that goes aside or backward is seen to turn the way it goes."""
ASIDE = math.radians(60)
"""A body goes aside or backward if its way is farther than this from its facing."""
AHEAD = math.radians(45)
"""It goes ahead if its way is within this of its facing."""
MOVES = 0.15
"""m/s: who is slower goes no way."""


class Reference(NamedTuple):
    """N captured poses, clip by clip. Each clip begins at the origin and faces +Z.

    pose      (N, D) z-scored
    position  (N, 2) metres, as (x, z), and ``yaw`` (N,) radians of the root
    velocity  (N, 2) m/s, as (x, z): the root's, smoothed
    facing    (N,) radians: the yaw that was meant (see :func:`meant_facing`)
    first     (N,) the first row of the same clip, and ``last`` (N,) the last one
    """

    pose: Tensor
    position: Tensor
    yaw: Tensor
    velocity: Tensor
    facing: Tensor
    first: Tensor
    last: Tensor


def reference(
    poses: Tensor, clips: Sequence[ClipEntry], normalizer: Normalizer, smoothing: float
) -> Reference:
    """Poses ``(N, D)`` in their own units, which ``clips`` cover in order, with velocities smoothed
    over ``smoothing`` frames, so that commands have no sway of the hips. All is on the device of
    the ``normalizer``."""
    device = normalizer.mean.device
    parts = []
    for clip in clips:
        position, yaw = root_trajectory(poses[clip.rows])
        moved = torch.diff(position, dim=0, prepend=torch.zeros(1, 2)) * FPS
        velocity = gaussian_smooth(moved, smoothing)
        facing = meant_facing(velocity, yaw)
        bounds = torch.tensor([clip.start, clip.start + clip.length - 1])
        ends = bounds.expand(clip.length, 2).unbind(-1)
        parts.append((position, yaw, velocity, facing, *ends))
    columns = (torch.cat(column).to(device) for column in zip(*parts, strict=True))
    return Reference(normalizer.normalize(poses.to(device)), *columns)


def meant_facing(velocity: Tensor, yaw: Tensor) -> Tensor:
    """(N,) radians: which way a body meant to face in each of N frames of a clip, from smoothed
    velocities (N, 2) and yaws (N,).

    A body that is about to turn round already goes the new way while it still faces the old one.
    Its facing of that moment would be a command to walk backward, and nothing in it would say that
    a turn was meant. So where a body goes aside or backward and faces its way within
    :data:`TURNING_FRAMES`, it meant to face as it will then.
    """
    speed = velocity.square().sum(dim=-1).sqrt()
    way = torch.atan2(velocity[:, 0], velocity[:, 1])
    off = geometry.wrap_angle(way - yaw).abs()
    moves = speed > MOVES
    turns = moves & (off > ASIDE)
    arrived = moves & (off < AHEAD)
    meant = yaw.clone()
    frames = torch.arange(len(yaw), device=yaw.device)
    for ahead in range(1, TURNING_FRAMES + 1):
        later = (frames + ahead).clamp(max=len(yaw) - 1)
        now = turns & arrived[later]
        meant = torch.where(now, yaw[later], meant)
        turns = turns & ~now
    return meant


def gait(captured: Reference, rows: Tensor) -> Tensor:
    """(S, 3): how the clips move around ``rows`` (S,): smoothed velocities forward and to the left
    in m/s, and the turn rate in rad/s over :data:`TURN_FRAMES` frames."""
    local = geometry.turn(captured.velocity[rows], -captured.yaw[rows])
    earlier = torch.maximum(rows - TURN_FRAMES // 2, captured.first[rows])
    later = torch.minimum(rows + TURN_FRAMES // 2, captured.last[rows])
    turned = captured.yaw[later] - captured.yaw[earlier]
    rate = geometry.wrap_angle(turned) * FPS / (later - earlier).clamp(min=1)
    return torch.stack((local[:, 1], local[:, 0], rate), dim=-1)


def command(
    captured: Reference, rows: Tensor, ahead: Tensor, position: Tensor, pull: float, fastest: float
) -> tuple[Tensor, Tensor]:
    """Desired velocities (S, 2) in m/s and facings (S,) in radians of characters at ``position``
    (S, 2) that should be where the clips are at ``rows`` (S,).

    The velocity and the facing that was meant are the clip's, ``ahead`` (S,) frames later. ``pull``
    m/s lead back to the clip's place for each metre away from it. No velocity is above ``fastest``
    m/s.
    """
    later = torch.minimum(rows + ahead, captured.last[rows])
    velocity = captured.velocity[later] + pull * (captured.position[rows] - position)
    speed = velocity.square().sum(dim=-1, keepdim=True).clamp(min=1e-12).sqrt()
    return velocity * (fastest / speed).clamp(max=1), captured.facing[later]
