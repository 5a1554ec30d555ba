"""The trial of characters that run: off from standing, on at speed, round a corner, to a halt."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act, record
from controller.motion import geometry, metrics
from controller.tasks.joystick import JoystickGoal

RUNNER = 2.8
"""m/s: a character whose captured motion is faster than this, over a second, runs; people walk up
to 2.5."""
FLIGHT = 5.0
"""cm: with both toes above this height a body is in flight. Standing toes are below 3."""
STANDING_S = 3.0
RUNNING_S = 8.0
STOPPING_S = 4.0
STOPPED = 0.1
"""m/s: a slower character stands."""
STRIDE_S = 0.6
"""s over which speeds are averaged: about a running stride, so that its sway cancels."""


def flight_share(feet: Tensor) -> float:
    """Share of frames in which both toes (T, B, F, 3) are above :data:`FLIGHT`."""
    return float((metrics.lower_foot(feet) > FLIGHT).float().mean())


def running_figures(character: Character, act: Act, characters: int, seed: int) -> dict[str, float]:
    """Measure running: stand 3 s, run 8 s at the character's fastest speed, turn by 90° at five
    sixths of it for 8 s, stop. No figures for characters that do not run.

    run_reach_s            from the command until 95 % of the fastest speed (mean; 8 s if never)
    run_speed_error_m_s    |mean speed − desired speed| over the last 5 s of the run
    run_heading_error_deg  |mean facing − heading| in them
    run_flight_fraction    share of their frames with both feet off the ground
    run_response_s         from the turn until the facing is within 5° of it (mean; 8 s if never)
    run_stop_s             from the release until the speed stays below 0.1 m/s (mean; 4 s if never)
    """
    top = character.limits.forward_speed
    if top < RUNNER:
        return {}
    generator = torch.Generator().manual_seed(seed)
    fps = character.fps
    stand, run = round(STANDING_S * fps), round(RUNNING_S * fps)
    heading = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
    side = 1.0 - 2.0 * (torch.arange(characters) % 2)
    corner = geometry.wrap_angle(heading + math.pi / 2 * side)

    def goals(frame: int, state: CharacterState) -> JoystickGoal:
        towards = heading if frame < stand + run else corner
        running = stand <= frame < stand + 2 * run
        pace = 0.0 if not running else top if frame < stand + run else 5 / 6 * top
        way = torch.stack((torch.sin(towards), torch.cos(towards)), dim=-1)
        return JoystickGoal(pace * way, towards)

    frames = stand + 2 * run + round(STOPPING_S * fps)
    taken = record(character, act, character.reset(characters, generator), goals, frames)

    stride = round(STRIDE_S * fps)
    speeds = taken.velocity.unfold(0, stride, 1).mean(dim=-1).norm(dim=-1)
    fast = speeds[stand : stand + run - stride] >= 0.95 * top
    steady = slice(stand + run - round(5 * fps), stand + run)
    mean = taken.velocity[steady].mean(dim=0)
    facing = geometry.wrap_angle(taken.yaw[steady] - heading).mean(dim=0)
    turning = geometry.wrap_angle(taken.yaw[stand + run : stand + 2 * run] - corner)
    there = turning.abs() < math.radians(5)
    still = taken.velocity[stand + 2 * run :].norm(dim=-1) < STOPPED
    return {
        "run_reach_s": _first(fast, stride / 2, run) / fps,
        "run_speed_error_m_s": float((mean.norm(dim=-1) - top).abs().mean()),
        "run_heading_error_deg": float(torch.rad2deg(facing.abs()).mean()),
        "run_flight_fraction": flight_share(taken.feet[steady]),
        "run_response_s": _first(there, 0, run) / fps,
        "run_stop_s": _first(_stays(still), 0, len(still)) / fps,
    }


def _first(reached: Tensor, offset: float, never: int) -> float:
    """The mean number of frames until ``reached`` (T, B), plus ``offset``; ``never`` if it is
    not."""
    frames = reached.float().argmax(dim=0) + 1 + offset
    return float(torch.where(reached.any(dim=0), frames, float(never)).mean())


def _stays(still: Tensor) -> Tensor:
    """(T, B): whether all later frames are ``still``, too."""
    return still.flip(0).long().cumprod(dim=0).flip(0).bool()
