"""Walking up to a point and standing there: how the point is observed, how fast to go, what it
pays."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.motion import geometry
from controller.tasks.tracking import (
    EXACT,
    Tolerance,
    facing_reward,
    observe_wish,
    velocity_reward,
)

STOP_WITHIN = 0.1
"""m: nearer to its point than this, a character should stand."""
BRAKING = 2.0
"""m/s²: how hard to brake before that. At 1.2 m/s this stops a character in 0.4 s."""
SOFT = 0.2
"""m/s: below this speed the braking becomes gentler, so that the desired speed has a slope
everywhere."""
FADE_WITHIN = 0.1
"""m: nearer than this, the direction of the point fades out. It would jump as the hips sway across
the point."""
MOST_TURN = math.radians(120)
"""A point farther round than this is observed as if it were here, on its own side. A wish to face a
point straight behind pulls to neither side, and changes sides as the hips sway; characters that
observed that hesitated."""


def observe_point(state: CharacterState, point: Tensor) -> Tensor:
    """(B, 3): points (B, 2) on the ground, as (x, z), in each character's facing frame.

    Cosine and sine of the angle from the facing to the point, both fading to 0 within some 10 cm of
    it, and the distance d as d/(1 + d). All within ±1.
    """
    local = geometry.turn(point - state.position, -state.yaw)
    square = local.square().sum(dim=-1)
    distance = (square + 1e-8).sqrt()
    faded = (square + FADE_WITHIN**2).sqrt()
    columns = (local[:, 1] / faded, local[:, 0] / faded, distance / (1 + distance))
    return torch.stack(columns, dim=-1)


def distance_to(state: CharacterState, point: Tensor) -> Tensor:
    """(B,) metres over the ground to points (B, 2), with a gradient even at distance 0."""
    return ((point - state.position).square().sum(dim=-1) + 1e-8).sqrt()


def braking_speed(distance: Tensor) -> Tensor:
    """The fastest speed in m/s from which a character can still stop at a distance (B,) in metres;
    0 within STOP_WITHIN."""
    room = (distance - STOP_WITHIN).clamp(min=0)
    return (2 * BRAKING * room + SOFT**2).sqrt() - SOFT


def facing_weight(distance: Tensor) -> Tensor:
    """(B,): how much it matters to face the point, from 0 within 0.4 m of it to 1 from 1 m on. On
    top of the point all facings are equally good, and a step back or aside is better than turning
    round."""
    return ((distance - 0.4) / 0.6).clamp(0, 1)


def approach(
    state: CharacterState, point: Tensor, speed: Tensor, facing: Tensor
) -> tuple[Tensor, Tensor]:
    """How to walk towards points (B, 2).

    Returns the velocity (B, 2) straight there at a ``speed`` (B,) in m/s, and the angle (B,) in
    [−π, π) from the facing to the point. The angle is 0 where ``facing`` (B,), the weight of facing
    the point, is 0.
    """
    offset = point - state.position
    velocity = offset / distance_to(state, point)[:, None] * speed[:, None]
    # On top of the point the angle has no slope, but there it has no weight, either.
    safe = torch.where((facing > 0)[:, None], offset, 1.0)
    angle = geometry.wrap_angle(torch.atan2(safe[:, 0], safe[:, 1]) - state.yaw)
    return velocity, torch.where(facing > 0, angle, 0.0)


def observe_approach(state: CharacterState, point: Tensor, speed: Tensor, facing: Tensor) -> Tensor:
    """(B, 4): the wish of :func:`approach` as a joystick's wish is observed, so that a joystick
    policy can follow it. The angle is at most :data:`MOST_TURN`."""
    velocity, angle = approach(state, point, speed, facing)
    yaw = state.yaw + facing * angle.clamp(-MOST_TURN, MOST_TURN)
    return observe_wish(velocity, yaw, state.yaw)


def approach_reward(
    character: Character,
    after: CharacterState,
    point: Tensor,
    speed: Tensor,
    facing: Tensor,
    tolerance: Tolerance = EXACT,
) -> dict[str, Tensor]:
    """The reward's terms for going as :func:`approach` says: see :func:`going_reward`."""
    velocity, angle = approach(after, point, speed, facing)
    return going_reward(character, after, velocity, angle, facing, tolerance)


def going_reward(
    character: Character,
    after: CharacterState,
    velocity: Tensor,
    angle: Tensor,
    facing: Tensor,
    tolerance: Tolerance = EXACT,
) -> dict[str, Tensor]:
    """The reward's terms for going with a desired velocity (B, 2) in m/s and an ``angle`` (B,) from
    the facing to the desired one: :func:`velocity_reward` and :func:`facing_reward`.

    As ``facing``, a weight (B,), falls from 1 to 0, the second term gives way to 0.55·exp(−|ω|), ω
    being the turning in rad/s: a character that stands should not turn, either.
    """
    turning = character.root_velocity(after.pose)[:, 2].abs()
    towards = facing_reward(angle, tolerance)
    return {
        "velocity": velocity_reward(character.world_velocity(after), velocity, tolerance),
        "facing": facing * towards + (1 - facing) * 0.55 * torch.exp(-turning),
    }


def around(centre: Tensor, distance: Tensor, share: Tensor) -> Tensor:
    """(B, 2): points at distances (B,) from centres (B, 2), in directions that are shares (B,) of a
    whole turn."""
    angle = 2 * math.pi * share
    return centre + torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1) * distance[:, None]
