"""Measuring a character: the field's metrics on recorded motion, over fixed seeds.

Figures are those of the *drawn* character: joint positions by forward kinematics with fixed bone lengths, in the
world. The point of a foot is its toe joint.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from controller import geometry, metrics
from controller.character import Character, CharacterState
from controller.dataset import MotionDataset
from controller.feet import Feet
from controller.simulation import LATENT_LIMIT, Simulation
from controller.tasks.joystick import JoystickGoal, JoystickTask

PERIOD_S = 5.0
"""s between two headings of the response test (the field's)."""
WITHIN = math.radians(5)
STEADY_S = 1.0
"""s at the end of a period over which steady errors are averaged: about a stride, so that its swing cancels."""
STOPPED = 0.1
"""m/s under which a character stands."""
RANGE_DEVIATIONS = 3.0

Act = Callable[[CharacterState, Any], Tensor]


@dataclass(frozen=True)
class Recording:
    """T frames of B characters.

    feet      (T, B, 2, 3) world positions of the toes
    position  (T, B, 2) of the root on the ground;  yaw (T, B)
    velocity  (T, B, 2) of the root over the ground, m/s, in the world
    pose      (T, B, D) z-scored
    alive     (B,) sane in every frame
    """

    feet: Tensor
    position: Tensor
    yaw: Tensor
    velocity: Tensor
    pose: Tensor
    alive: Tensor


@torch.inference_mode()
def record(
    simulation: Simulation, act: Act, state: CharacterState, goals: Callable[[int, CharacterState], Any], frames: int
) -> Recording:
    """Run ``frames`` steps: ``act(state, goal)`` gives latents, taken as they are; ``goals(frame, state)`` the goals."""
    character = simulation.character
    feet = Feet(character.layout, state.pose.device)
    states, alive = [], torch.ones(len(state), dtype=torch.bool)
    for frame in range(frames):
        state = character.step(state, act(state, goals(frame, state)))
        alive &= simulation.alive(state).cpu() & in_range(character, state.pose).cpu()
        states.append(state)
    pose = torch.stack([s.pose for s in states])
    position = torch.stack([s.position for s in states])
    yaw = torch.stack([s.yaw for s in states])
    local = feet.positions(character.model.normalizer.denormalize(pose))
    ground = geometry.turn(local[..., [0, 2]], yaw[..., None]) + position[..., None, :]
    world = torch.stack((ground[..., 0], local[..., 1], ground[..., 1]), dim=-1)
    velocity = torch.stack([character.world_velocity(s) for s in states])
    return Recording(world.cpu(), position.cpu(), yaw.cpu(), velocity.cpu(), pose.cpu(), alive)


def in_range(character: Character, pose: Tensor) -> Tensor:
    """(B,) booleans: every joint position is within its captured range ± 3σ."""
    part, normalizer = character.layout.positions, character.model.normalizer
    low, high = normalizer.normalize(normalizer.low)[part], normalizer.normalize(normalizer.high)[part]
    joints = pose[..., part]
    return ((joints > low - RANGE_DEVIATIONS) & (joints < high + RANGE_DEVIATIONS)).all(dim=-1)


def ground_figures(feet: Tensor, fps: float) -> dict[str, float]:
    """Foot skate, skating ratio, floating and sinking of world feet ``(T, ..., 2, 3)``."""
    low = metrics.lower_foot(feet)
    p5, p50, p95 = metrics.quantiles(low, (0.05, 0.5, 0.95))
    return {
        "foot_skate_cm_per_frame": float(metrics.foot_skate(feet).mean()),
        "skating_ratio": float(metrics.skating(feet, fps).float().mean()),
        "float_cm_p5": p5,
        "float_cm_median": p50,
        "float_cm_p95": p95,
        "sink_fraction": float((low < -1).float().mean()),
    }


def motion_figures(character: Character, recording: Recording) -> dict[str, float]:
    """What can be said of any recording: ground contact, and the share of characters sane in every frame."""
    return ground_figures(recording.feet, character.fps) | {"alive_fraction": float(recording.alive.float().mean())}


def captured_figures(data: MotionDataset, fps: float = 30.0) -> dict[str, float]:
    """:func:`ground_figures` of the captured motion itself, all clips."""
    skate, ratio, low = [], [], []
    for clip in data.clips:
        local = data.layout.joint_positions(data.poses[clip.rows])[:, list(data.layout.feet)]
        velocity = data.poses[clip.rows, data.layout.velocities].unflatten(-1, (-1, 3))[:, list(data.layout.feet)]
        # The stored velocity is each toe's motion over the ground since the last frame: add it up for a world path.
        path = torch.cumsum(velocity[..., [0, 2]] / fps, dim=0)
        feet = torch.stack((path[..., 0], local[..., 1], path[..., 1]), dim=-1)
        skate.append(metrics.foot_skate(feet))
        ratio.append(metrics.skating(feet, fps))
        low.append(metrics.lower_foot(feet))
    heights = torch.cat(low)
    p5, p50, p95 = metrics.quantiles(heights, (0.05, 0.5, 0.95))
    return {
        "foot_skate_cm_per_frame": float(torch.cat(skate).mean()),
        "skating_ratio": float(torch.cat(ratio).float().mean()),
        "float_cm_p5": p5,
        "float_cm_median": p50,
        "float_cm_p95": p95,
        "sink_fraction": float((heights < -1).float().mean()),
    }


def nearest_pose_cm(
    data: MotionDataset, normalizer: Any, pose: Tensor, sample: int = 2000, shortlist: int = 32
) -> float:
    """Median over a sample of z-scored poses ``(..., D)`` of the mean joint distance in cm to the nearest captured one.

    The nearest is searched among the ``shortlist`` nearest by root-mean-square distance, mirrored poses included.
    """
    flat = pose.flatten(0, -2)
    rows = torch.linspace(0, len(flat) - 1, min(sample, len(flat))).long()
    ours = data.layout.joint_positions(normalizer.denormalize(flat[rows]))
    captured = data.layout.joint_positions(data.split(held_out=False)[0])
    distances = []
    for chunk in ours.split(256):
        near = (
            torch.cdist(chunk.flatten(1), captured.flatten(1))
            .topk(min(shortlist, len(captured)), largest=False)
            .indices
        )
        distances.append((chunk[:, None] - captured[near]).norm(dim=-1).mean(dim=-1).amin(dim=-1))
    return 100 * float(torch.cat(distances).median())


# -- joystick --------------------------------------------------------------------------------------------------------


def _headings(count: int, periods: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Headings (P, B) in radians and speeds (P, B) in m/s of the response test."""
    heading = (2 * torch.rand(periods, count, generator=generator) - 1) * math.pi
    return heading, 0.6 + torch.rand(periods, count, generator=generator)


def response_figures(simulation: Simulation, act: Act, characters: int, seconds: float, seed: int) -> dict[str, float]:
    """Response and steady errors while walking, facing the way of travel, with a new heading and speed every 5 s.

    ``response_s``: from the new wish until the facing is within 5° of it, left and right turns apart by the shorter
    way, counted from turns of more than 5°; one that never gets there counts as 5 s. ``heading_error_deg``: |facing −
    wish|; ``travel_error_deg``: angle between mean velocity and wish; ``speed_error_m_s``: |mean speed − wish|; all
    over the last second of each period. The first period only sets the character going.
    """
    generator = torch.Generator().manual_seed(seed)
    fps = simulation.character.fps
    period, steady = round(PERIOD_S * fps), round(STEADY_S * fps)
    periods = max(2, int(seconds / PERIOD_S))
    heading, speed = _headings(characters, periods, generator)
    velocity = torch.stack((torch.sin(heading), torch.cos(heading)), dim=-1) * speed[..., None]

    def goals(frame: int, state: CharacterState) -> JoystickGoal:
        return JoystickGoal(velocity[frame // period], heading[frame // period])

    state = simulation.character.reset(characters, generator)
    run = record(simulation, act, state, goals, periods * period)
    off = geometry.wrap_angle(run.yaw.unflatten(0, (periods, period)) - heading[:, None])  # (P, period, B)
    before = run.yaw.unflatten(0, (periods, period))[:-1, -1]
    turn = geometry.wrap_angle(heading[1:] - before)
    reached = off[1:].abs() < WITHIN
    first = torch.where(reached.any(dim=1), reached.float().argmax(dim=1) + 1, period).float() / fps
    asked = turn.abs() > WITHIN
    mean_velocity = run.velocity.unflatten(0, (periods, period))[1:, -steady:].mean(dim=1)
    across = geometry.wrap_angle(torch.atan2(mean_velocity[..., 0], mean_velocity[..., 1]) - heading[1:])
    return {
        "response_s": float(first[asked].mean()),
        "response_left_s": float(first[asked & (turn > 0)].mean()),
        "response_right_s": float(first[asked & (turn < 0)].mean()),
        "heading_error_deg": float(torch.rad2deg(off[1:, -steady:].abs()).mean()),
        "travel_error_deg": float(torch.rad2deg(across.abs()).mean()),
        "speed_error_m_s": float((mean_velocity.norm(dim=-1) - speed[1:]).abs().mean()),
    }


def strafe_figures(simulation: Simulation, act: Act, characters: int, seed: int) -> dict[str, float]:
    """Walking backward and sideways, at 0.5 and 0.4 m/s, for 6 s: errors over the last 2 s."""
    generator = torch.Generator().manual_seed(seed)
    fps = simulation.character.fps
    angle = torch.tensor([math.pi, math.pi / 2, -math.pi / 2])[torch.arange(characters) % 3]
    speed = torch.where(angle.abs() > 3, 0.5, 0.4)
    facing = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
    direction = facing + angle
    goal = JoystickGoal(torch.stack((torch.sin(direction), torch.cos(direction)), dim=-1) * speed[:, None], facing)
    run = record(simulation, act, simulation.character.reset(characters, generator), lambda *_: goal, round(6 * fps))
    last = run.velocity[-round(2 * fps) :].mean(dim=0)
    across = torch.rad2deg(geometry.wrap_angle(torch.atan2(last[:, 0], last[:, 1]) - direction).abs())
    off = torch.rad2deg(geometry.wrap_angle(run.yaw[-round(2 * fps) :] - facing).abs()).mean(dim=0)
    back = angle.abs() > 3
    return {
        "backward_travel_error_deg": float(across[back].mean()),
        "backward_facing_error_deg": float(off[back].mean()),
        "sideways_travel_error_deg": float(across[~back].mean()),
        "sideways_facing_error_deg": float(off[~back].mean()),
        "strafe_speed_error_m_s": float((last.norm(dim=-1) - speed).abs().mean()),
    }


def stop_figures(simulation: Simulation, act: Act, characters: int, seed: int) -> dict[str, float]:
    """Walk at 1.2 m/s for 4 s, release the stick, stand for 12 s.

    ``stop_s``: from the release until the root's speed falls under 0.1 m/s and stays there for half a second (mean;
    12 s if never). ``idle_drift_m_per_min``: distance between where the root was 4 s after the release and where it
    is at the end, per minute (mean).
    """
    generator = torch.Generator().manual_seed(seed)
    fps = simulation.character.fps
    heading = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
    ahead = torch.stack((torch.sin(heading), torch.cos(heading)), dim=-1)
    walk, stand, hold = round(4 * fps), round(12 * fps), round(0.5 * fps)

    def goals(frame: int, state: CharacterState) -> JoystickGoal:
        return JoystickGoal(ahead * (1.2 if frame < walk else 0.0), heading)

    run = record(simulation, act, simulation.character.reset(characters, generator), goals, walk + stand)
    still = (run.velocity[walk:].norm(dim=-1) < STOPPED).float()
    held = still.unfold(0, hold, 1).amin(dim=-1) > 0  # (stand - hold + 1, B)
    stop = torch.where(held.any(dim=0), held.float().argmax(dim=0), stand) / fps
    rest = round(4 * fps)
    drift = (run.position[-1] - run.position[walk + rest]).norm(dim=-1) / ((stand - rest) / fps / 60)
    return {"stop_s": float(stop.mean()), "idle_drift_m_per_min": float(drift.mean())}


def evaluate(
    simulation: Simulation,
    policy: Callable[[Tensor], Tensor] | None,
    characters: int = 64,
    seconds: float = 20.0,
    seed: int = 1,
    data: MotionDataset | None = None,
) -> dict[str, Any]:
    """All figures of a task as one JSON-able dictionary. ``policy`` None draws z ~ N(0, I)."""
    character, task = simulation.character, simulation.task
    generator = torch.Generator().manual_seed(seed)

    def act(state: CharacterState, goal: Any) -> Tensor:
        if policy is None:
            return torch.randn(len(state), character.latent, generator=generator).to(state.pose.device)
        return policy(simulation.observe(state, goal)).clamp(-LATENT_LIMIT, LATENT_LIMIT)

    state, first = simulation.reset(characters, generator)
    current = [first]

    def goals(frame: int, state: CharacterState) -> Any:
        current[0] = task.next_goal(state, current[0], generator)
        return current[0]

    run = record(simulation, act, state, goals, round(seconds * character.fps))
    figures: dict[str, Any] = {"task": task.name, "characters": characters, "seconds": seconds, "seed": seed}
    figures |= motion_figures(character, run)
    if isinstance(task, JoystickTask) and policy is not None:
        figures |= response_figures(simulation, act, characters, seconds, seed)
        figures |= strafe_figures(simulation, act, characters, seed)
        figures |= stop_figures(simulation, act, characters, seed)
    if policy is None:
        speed = run.velocity.norm(dim=-1)
        figures["speed_m_s_p5"], figures["speed_m_s_p50"], figures["speed_m_s_p95"] = metrics.quantiles(
            speed, (0.05, 0.5, 0.95)
        )
    captured = captured_figures(data) if data else character.header.get("captured")
    figures["captured"] = captured
    figures["nearest_pose_cm_median"] = nearest_pose_cm(data, character.model.normalizer, run.pose) if data else None
    return figures
