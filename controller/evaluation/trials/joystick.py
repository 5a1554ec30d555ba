"""The joystick's trials: a new heading, walking backward and sideways, letting go of the stick."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act, record
from controller.motion import geometry, metrics
from controller.tasks.joystick import JoystickGoal
from controller.tasks.simulation import Simulation

PERIOD_S = 5.0
"""s between two headings of the response test (the field's)."""
WITHIN = math.radians(5)
STEADY_S = 1.0
"""s at the end of a period over which steady errors are averaged: about a stride, so that its swing
cancels."""
STOPPED = 0.1
"""m/s under which a character stands."""


def _headings(count: int, periods: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Headings (P, B) in radians and speeds (P, B) in m/s of the response test.

    Every turn that one character is asked to make to the left, another is asked to make to the
    right at the same speed, so that the two sides differ by the policy and not by the draw.
    """
    half = (count + 1) // 2
    turn = (2 * torch.rand(periods, half, generator=generator) - 1) * math.pi
    speed = 0.6 + torch.rand(periods, half, generator=generator)
    turns = torch.cat((turn, -turn), dim=1)[:, :count]
    speeds = torch.cat((speed, speed), dim=1)[:, :count]
    return geometry.wrap_angle(turns.cumsum(dim=0)), speeds


def response_figures(
    character: Character, act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Response and steady errors while walking, facing the way of travel, with a new heading and
    speed every 5 s.

    ``response_s``: from the new wish until the facing is within 5° of it, left and right turns
    apart by the shorter way, counted from turns of more than 5°; one that never gets there counts
    as 5 s. ``heading_error_deg``: |facing − wish|; ``travel_error_deg``: angle between mean
    velocity and wish; ``speed_error_m_s``: |mean speed − wish|; all over the last second of each
    period. The first period only sets the character going.
    """
    generator = torch.Generator().manual_seed(seed)
    fps = character.fps
    period = round(PERIOD_S * fps)
    steady = round(STEADY_S * fps)
    periods = max(2, int(seconds / PERIOD_S))
    heading, speed = _headings(characters, periods, generator)
    velocity = torch.stack((torch.sin(heading), torch.cos(heading)), dim=-1) * speed[..., None]

    def goals(frame: int, state: CharacterState) -> JoystickGoal:
        return JoystickGoal(velocity[frame // period], heading[frame // period])

    state = character.reset(characters, generator)
    run = record(character, act, state, goals, periods * period)
    off = geometry.wrap_angle(
        run.yaw.unflatten(0, (periods, period)) - heading[:, None]
    )  # (P, period, B)
    before = run.yaw.unflatten(0, (periods, period))[:-1, -1]
    turn = geometry.wrap_angle(heading[1:] - before)
    reached = off[1:].abs() < WITHIN
    first = torch.where(reached.any(dim=1), reached.float().argmax(dim=1) + 1, period).float() / fps
    asked = turn.abs() > WITHIN
    mean_velocity = run.velocity.unflatten(0, (periods, period))[1:, -steady:].mean(dim=1)
    across = geometry.wrap_angle(
        torch.atan2(mean_velocity[..., 0], mean_velocity[..., 1]) - heading[1:]
    )
    return {
        "response_s": float(first[asked].mean()),
        "response_left_s": float(first[asked & (turn > 0)].mean()),
        "response_right_s": float(first[asked & (turn < 0)].mean()),
        "heading_error_deg": float(torch.rad2deg(off[1:, -steady:].abs()).mean()),
        "travel_error_deg": float(torch.rad2deg(across.abs()).mean()),
        "speed_error_m_s": float((mean_velocity.norm(dim=-1) - speed[1:]).abs().mean()),
    }


def strafe_figures(character: Character, act: Act, characters: int, seed: int) -> dict[str, float]:
    """Walking backward and sideways, at 0.5 and 0.4 m/s, for 6 s: errors, and how far the slower
    foot moves in a frame (:func:`controller.motion.metrics.glide`), over the last 2 s."""
    generator = torch.Generator().manual_seed(seed)
    fps = character.fps
    angle = torch.tensor([math.pi, math.pi / 2, -math.pi / 2])[torch.arange(characters) % 3]
    speed = torch.where(angle.abs() > 3, 0.5, 0.4)
    facing = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
    direction = facing + angle
    goal = JoystickGoal(
        torch.stack((torch.sin(direction), torch.cos(direction)), dim=-1) * speed[:, None], facing
    )
    run = record(
        character, act, character.reset(characters, generator), lambda *_: goal, round(6 * fps)
    )
    last = run.velocity[-round(2 * fps) :].mean(dim=0)
    across = torch.rad2deg(
        geometry.wrap_angle(torch.atan2(last[:, 0], last[:, 1]) - direction).abs()
    )
    off = torch.rad2deg(geometry.wrap_angle(run.yaw[-round(2 * fps) :] - facing).abs()).mean(dim=0)
    back = angle.abs() > 3
    glide = metrics.glide(run.feet[-round(2 * fps) :]).mean(dim=0)
    return {
        "backward_travel_error_deg": float(across[back].mean()),
        "backward_facing_error_deg": float(off[back].mean()),
        "sideways_travel_error_deg": float(across[~back].mean()),
        "sideways_facing_error_deg": float(off[~back].mean()),
        "backward_glide_cm_per_frame": float(glide[back].mean()),
        "sideways_glide_cm_per_frame": float(glide[~back].mean()),
        "strafe_speed_error_m_s": float((last.norm(dim=-1) - speed).abs().mean()),
    }


def stop_figures(character: Character, act: Act, characters: int, seed: int) -> dict[str, float]:
    """Walk at 1.2 m/s for 4 s, release the stick, stand for 12 s.

    ``stop_s``: from the release until the root's speed falls under 0.1 m/s and stays there for half
    a second (mean; 12 s if never). ``idle_drift_m_per_min``: distance between where the root was 4
    s after the release and where it is at the end, per minute (mean).
    """
    generator = torch.Generator().manual_seed(seed)
    fps = character.fps
    heading = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
    ahead = torch.stack((torch.sin(heading), torch.cos(heading)), dim=-1)
    walk = round(4 * fps)
    stand = round(12 * fps)
    hold = round(0.5 * fps)

    def goals(frame: int, state: CharacterState) -> JoystickGoal:
        return JoystickGoal(ahead * (1.2 if frame < walk else 0.0), heading)

    run = record(character, act, character.reset(characters, generator), goals, walk + stand)
    still = (run.velocity[walk:].norm(dim=-1) < STOPPED).float()
    held = still.unfold(0, hold, 1).amin(dim=-1) > 0  # (stand - hold + 1, B)
    stop = torch.where(held.any(dim=0), held.float().argmax(dim=0), stand) / fps
    rest = round(4 * fps)
    drift = (run.position[-1] - run.position[walk + rest]).norm(dim=-1) / (
        (stand - rest - 1) / fps / 60
    )
    return {"stop_s": float(stop.mean()), "idle_drift_m_per_min": float(drift.mean())}


def joystick_figures(
    simulation: Simulation, act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Response and steady errors, walking backward and sideways, stopping."""
    character = simulation.character
    figures = response_figures(character, act, characters, seconds, seed)
    figures |= strafe_figures(character, act, characters, seed)
    return figures | stop_figures(character, act, characters, seed)
