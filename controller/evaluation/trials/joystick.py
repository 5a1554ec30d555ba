"""The joystick's trials: a new heading, walking backward and sideways, letting go of the stick."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act, record
from controller.evaluation.trials.base import Metric, trial
from controller.evaluation.trials.running import running_figures
from controller.motion import geometry, metrics
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.simulation import Simulation

PERIOD_S = 5.0
"""s between two headings of the response test (the field's usual test)."""
WITHIN = math.radians(5)
"""The heading is reached within this angle."""
STEADY_S = 1.0
"""s at the end of a period over which steady errors are averaged: about a stride, so that its sway
cancels."""
STOPPED = 0.1
"""m/s: a slower character is standing."""


def _headings(
    count: int, periods: int, fastest: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return headings (P, B) in radians and speeds (P, B) in m/s for the response test: 0.6 to 1.6
    m/s, or slower if the character's ``fastest`` speed is less than 2 m/s.

    For every turn to the left that one character has to make, another has to make the same turn to
    the right at the same speed, so that differences between the sides come from the policy and not
    from the draw.
    """
    half = (count + 1) // 2
    turn = (2 * torch.rand(periods, half, generator=generator) - 1) * math.pi
    slow = min(0.6, 0.3 * fastest)
    fast = min(1.6, 0.8 * fastest)
    speed = slow + (fast - slow) * torch.rand(periods, half, generator=generator)
    turns = torch.cat((turn, -turn), dim=1)[:, :count]
    speeds = torch.cat((speed, speed), dim=1)[:, :count]
    return geometry.wrap_angle(turns.cumsum(dim=0)), speeds


def response_figures(
    character: Character, act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Measure the response and the steady errors while walking, facing the way of travel, with a
    new heading and speed every 5 s.

    response_s         from the new heading until the facing is within 5° of it, over turns of more
                       than 5°; a character that never gets there counts as 5 s. Also for left and
                       right turns alone, by the shorter way
    heading_error_deg  |facing − heading|
    travel_error_deg   angle between the mean velocity and the heading
    speed_error_m_s    |mean speed − desired speed|

    The errors are averaged over the last second of each period. The first period only gets the
    character going.
    """
    generator = torch.Generator().manual_seed(seed)
    fps = character.fps
    period = round(PERIOD_S * fps)
    steady = round(STEADY_S * fps)
    periods = max(2, int(seconds / PERIOD_S))
    heading, speed = _headings(characters, periods, character.limits.forward_speed, generator)
    velocity = torch.stack((torch.sin(heading), torch.cos(heading)), dim=-1) * speed[..., None]

    def goals(frame: int, state: CharacterState) -> JoystickGoal:
        return JoystickGoal(velocity[frame // period], heading[frame // period])

    state = character.reset(characters, generator)
    run = record(character, act, state, goals, periods * period)

    yaw = run.yaw.unflatten(0, (periods, period))  # (P, period, B)
    error = geometry.wrap_angle(yaw - heading[:, None])
    turn = geometry.wrap_angle(heading[1:] - yaw[:-1, -1])
    reached = error[1:].abs() < WITHIN
    frames = torch.where(reached.any(dim=1), reached.float().argmax(dim=1) + 1, period)
    response = frames.float() / fps
    turns = turn.abs() > WITHIN

    mean_velocity = run.velocity.unflatten(0, (periods, period))[1:, -steady:].mean(dim=1)
    course = torch.atan2(mean_velocity[..., 0], mean_velocity[..., 1])
    travel_error = geometry.wrap_angle(course - heading[1:])
    return {
        "response_s": float(response[turns].mean()),
        "response_left_s": float(response[turns & (turn > 0)].mean()),
        "response_right_s": float(response[turns & (turn < 0)].mean()),
        "heading_error_deg": float(torch.rad2deg(error[1:, -steady:].abs()).mean()),
        "travel_error_deg": float(torch.rad2deg(travel_error.abs()).mean()),
        "speed_error_m_s": float((mean_velocity.norm(dim=-1) - speed[1:]).abs().mean()),
    }


def strafe_figures(character: Character, act: Act, characters: int, seed: int) -> dict[str, float]:
    """Measure walking backward and sideways, at 0.5 and 0.4 m/s (or two thirds of the character's
    limits, if that is slower), for 6 s: the errors, and how far the slower foot moves in a frame
    (:func:`controller.motion.metrics.glide`), over the last 2 s."""
    generator = torch.Generator().manual_seed(seed)
    fps = character.fps
    last = round(2 * fps)
    angle = torch.tensor([math.pi, math.pi / 2, -math.pi / 2])[torch.arange(characters) % 3]
    backward = min(0.5, 2 / 3 * character.limits.backward_speed)
    sideways = min(0.4, 2 / 3 * character.limits.sideways_speed)
    speed = torch.where(angle.abs() > 3, backward, sideways)
    facing = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
    direction = facing + angle
    velocity = torch.stack((torch.sin(direction), torch.cos(direction)), dim=-1) * speed[:, None]
    goal = JoystickGoal(velocity, facing)
    state = character.reset(characters, generator)
    run = record(character, act, state, lambda *_: goal, round(6 * fps))

    mean_velocity = run.velocity[-last:].mean(dim=0)
    course = torch.atan2(mean_velocity[:, 0], mean_velocity[:, 1])
    travel_error = torch.rad2deg(geometry.wrap_angle(course - direction).abs())
    facing_error = torch.rad2deg(geometry.wrap_angle(run.yaw[-last:] - facing).abs()).mean(dim=0)
    glide = metrics.glide(run.feet[-last:]).mean(dim=0)
    back = angle.abs() > 3
    return {
        "backward_travel_error_deg": float(travel_error[back].mean()),
        "backward_facing_error_deg": float(facing_error[back].mean()),
        "sideways_travel_error_deg": float(travel_error[~back].mean()),
        "sideways_facing_error_deg": float(facing_error[~back].mean()),
        "backward_glide_cm_per_frame": float(glide[back].mean()),
        "sideways_glide_cm_per_frame": float(glide[~back].mean()),
        "strafe_speed_error_m_s": float((mean_velocity.norm(dim=-1) - speed).abs().mean()),
    }


def stop_figures(character: Character, act: Act, characters: int, seed: int) -> dict[str, float]:
    """Measure stopping: walk at 1.2 m/s (or 60 % of the character's fastest speed, if that is
    slower) for 4 s, release the stick, stand for 12 s.

    stop_s                from the release until the root's speed falls below 0.1 m/s and stays
                          there for half a second (mean; 12 s if it never does)
    idle_drift_m_per_min  distance between where the root is 4 s after the release and where it is
                          at the end, per minute (mean)
    """
    generator = torch.Generator().manual_seed(seed)
    fps = character.fps
    heading = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
    ahead = torch.stack((torch.sin(heading), torch.cos(heading)), dim=-1)
    pace = min(1.2, 0.6 * character.limits.forward_speed)
    walk = round(4 * fps)
    stand = round(12 * fps)
    rest = round(4 * fps)
    pause = round(0.5 * fps)

    def goals(frame: int, state: CharacterState) -> JoystickGoal:
        return JoystickGoal(ahead * (pace if frame < walk else 0.0), heading)

    run = record(character, act, character.reset(characters, generator), goals, walk + stand)

    still = (run.velocity[walk:].norm(dim=-1) < STOPPED).float()
    stopped = still.unfold(0, pause, 1).amin(dim=-1) > 0  # (stand - pause + 1, B)
    stop = torch.where(stopped.any(dim=0), stopped.float().argmax(dim=0), stand) / fps

    minutes = (stand - rest - 1) / fps / 60
    drift = (run.position[-1] - run.position[walk + rest]).norm(dim=-1) / minutes
    return {"stop_s": float(stop.mean()), "idle_drift_m_per_min": float(drift.mean())}


@trial(
    JoystickTask,
    metrics=(
        Metric("response_s", "response", "s", better="lower", bad=3.0),
        Metric("response_left_s", "to the left", "s", better="lower"),
        Metric("response_right_s", "to the right", "s", better="lower"),
        Metric("heading_error_deg", "heading error", "°", 1, better="lower", bad=20.0),
        Metric("speed_error_m_s", "speed error", "m/s", 3, better="lower", bad=0.3),
        Metric("backward_travel_error_deg", "backward", "°", 1, better="lower"),
        Metric("sideways_travel_error_deg", "sideways", "°", 1, better="lower"),
        Metric("stop_s", "stop", "s", better="lower"),
        Metric("idle_drift_m_per_min", "drift", "m/min", better="lower"),
    ),
    summary="within 5° of a new heading in {response_s} s",
    symmetry="response_left_s",
)
def joystick_figures(
    simulation: Simulation[JoystickGoal], act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Measure response and steady errors, walking backward and sideways, stopping, and running if
    the character runs."""
    character = simulation.character
    return {
        **response_figures(character, act, characters, seconds, seed),
        **strafe_figures(character, act, characters, seed),
        **stop_figures(character, act, characters, seed),
        **running_figures(character, act, characters, seed),
    }
