"""Walking up to a point and standing there: what is seen of the point, how fast to go, what it
pays."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.motion import geometry
from controller.tasks.tracking import facing_reward, observe_wish, velocity_reward

STOP_WITHIN = 0.1
"""m: nearer to its point than this, a character is to stand."""
BRAKING = 2.0
"""m/s²: how hard it is to brake before that. Who walks at 1.2 m/s is able to stop in 0.4 s."""
SOFT = 0.2
"""m/s: under this speed it brakes less and less hard, so that the wish has a slope everywhere."""
SEEN_FROM = 0.1
"""m: within this, the direction of the point fades out, which would jump as the hips sway across
it."""
SHOWN = math.radians(120)
"""A point farther round than this is shown as if it were here, on the side on which it lies. The
wish to face a point straight behind is one to turn to neither side, and one that changes sides as
the hips sway: who saw it hesitated."""


def observe_point(state: CharacterState, point: Tensor) -> Tensor:
    """(B, 3): points (B, 2) on the ground, as (x, z), as each character sees them from its facing
    frame.

    Cosine and sine of the angle from the facing to the point, both fading to 0 within some 10 cm of
    it, and the distance d as d/(1 + d). All within ±1.
    """
    local = geometry.turn(point - state.position, -state.yaw)
    square = local.square().sum(dim=-1)
    distance = (square + 1e-8).sqrt()
    faded = (square + SEEN_FROM**2).sqrt()
    return torch.stack(
        (local[:, 1] / faded, local[:, 0] / faded, distance / (1 + distance)), dim=-1
    )


def distance_to(state: CharacterState, point: Tensor) -> Tensor:
    """(B,) metres over the ground, with a gradient even where there is none left."""
    return ((point - state.position).square().sum(dim=-1) + 1e-8).sqrt()


def braking_speed(distance: Tensor) -> Tensor:
    """The fastest speed in m/s from which one can still stop at a distance (B,) in metres: 0 within
    STOP_WITHIN."""
    left = (distance - STOP_WITHIN).clamp(min=0)
    return (2 * BRAKING * left + SOFT**2).sqrt() - SOFT


def facing_weight(distance: Tensor) -> Tensor:
    """(B,) from 0 within 0.4 m of the point to 1 from 1 m on: how much it matters to face it. On
    top of it every way is as good, and a step back or aside is better than turning round."""
    return ((distance - 0.4) / 0.6).clamp(0, 1)


def approach(
    state: CharacterState, point: Tensor, speed: Tensor, facing: Tensor
) -> tuple[Tensor, Tensor]:
    """How to walk towards points (B, 2): the velocity (B, 2) straight there at a ``speed`` (B,) in
    m/s, and the angle (B,) in [−π, π) from the facing to the point, 0 where the weight ``facing``
    (B,) of facing it is 0."""
    offset = point - state.position
    velocity = offset / distance_to(state, point)[:, None] * speed[:, None]
    # On top of the point the angle has no slope, but there it has no weight, either.
    seen = torch.where((facing > 0)[:, None], offset, 1.0)
    angle = geometry.wrap_angle(torch.atan2(seen[:, 0], seen[:, 1]) - state.yaw)
    return velocity, torch.where(facing > 0, angle, 0.0)


def observe_approach(state: CharacterState, point: Tensor, speed: Tensor, facing: Tensor) -> Tensor:
    """(B, 4): the wish of :func:`approach` as the joystick's is seen, so that who follows a stick
    can follow it; the angle no larger than :data:`SHOWN`."""
    velocity, angle = approach(state, point, speed, facing)
    return observe_wish(velocity, state.yaw + facing * angle.clamp(-SHOWN, SHOWN), state.yaw)


def approach_reward(
    character: Character, after: CharacterState, point: Tensor, speed: Tensor, facing: Tensor
) -> dict[str, Tensor]:
    """What going as :func:`approach` says pays: see :func:`going_reward`."""
    return going_reward(character, after, *approach(after, point, speed, facing), facing)


def going_reward(
    character: Character, after: CharacterState, velocity: Tensor, angle: Tensor, facing: Tensor
) -> dict[str, Tensor]:
    """:func:`velocity_reward` for a wished velocity (B, 2) in m/s, and :func:`facing_reward` for
    the angle (B,) from the facing to the wished one.

    As ``facing``, a weight (B,), falls from 1 to 0, the second gives way to 0.55·exp(−|ω|), ω being
    the turning in rad/s: to stand is not to turn, either.
    """
    turning = character.root_velocity(after.pose)[:, 2].abs()
    return {
        "velocity": velocity_reward(character.world_velocity(after), velocity),
        "facing": facing * facing_reward(angle) + (1 - facing) * 0.55 * torch.exp(-turning),
    }


def around(centre: Tensor, distance: Tensor, share: Tensor) -> Tensor:
    """(B, 2): points at distances (B,) from centres (B, 2), in directions given as shares (B,) of a
    whole turn."""
    angle = 2 * math.pi * share
    return centre + torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1) * distance[:, None]
