"""Measurements of a character: the field's metrics on recorded motion, with fixed seeds.

Figures describe the *drawn* character: joint positions in the world by forward kinematics with
fixed bone lengths. A foot is measured at its toe joint.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from controller.control.monte_carlo import MonteCarlo
from controller.data.dataset import MotionDataset
from controller.data.measures import captured_figures, ground_figures
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act, Rollout, drawn_latents, record
from controller.evaluation.diagnostics import bone_length_error
from controller.evaluation.trials import TRIALS
from controller.motion import geometry, metrics
from controller.motion.pose import PoseLayout
from controller.tasks.simulation import Simulation

Control = Callable[[Tensor], Tensor] | MonteCarlo
"""What controls a character: a policy (observations → latents), or Monte Carlo control."""
PERCENTILES = (0.05, 0.5, 0.95)
CLOSE_CHARACTERS = 32
"""Characters of a recording for which all joints are measured."""


def world_joints(layout: PoseLayout, poses: Tensor, position: Tensor, yaw: Tensor) -> Tensor:
    """Drawn joints in the world ``(..., J, 3)`` from poses ``(..., D)`` in their own units and the
    roots' positions ``(..., 2)`` and yaws ``(...)``."""
    local = layout.posed_joints(poses)
    ground = geometry.turn(local[..., [0, 2]], yaw[..., None]) + position[..., None, :]
    return torch.stack((ground[..., 0], local[..., 1], ground[..., 1]), dim=-1)


def run_figures(character: Character, run: Rollout) -> dict[str, float]:
    """Figures of any recording: :func:`ground_figures`, the sane share, jerk and bone lengths (of
    the first 32 characters), and 5/50/95 % of speeds and turn rates."""
    close = (slice(None), slice(CLOSE_CHARACTERS))
    poses = character.model.normalizer.denormalize(run.pose[close])
    joints = world_joints(character.layout, poses, run.position[close], run.yaw[close])
    figures = ground_figures([run.feet], character.fps) | {
        "alive_fraction": float(run.alive.float().mean()),
        "jerk_m_s3": float(metrics.jerk(joints, character.fps).mean()),
        "bone_length_error_mm": bone_length_error(character.layout, poses),
    }
    speed = metrics.quantiles(run.velocity.norm(dim=-1), PERCENTILES)
    turning = geometry.wrap_angle(run.yaw[1:] - run.yaw[:-1]) * character.fps
    turns = metrics.quantiles(torch.rad2deg(turning), PERCENTILES)
    for name, values in (("speed_m_s", speed), ("turn_deg_s", turns)):
        figures |= {
            f"{name}_p{round(100 * p)}": value for p, value in zip(PERCENTILES, values, strict=True)
        }
    return figures


def random_figures(
    character: Character, characters: int, frames: int, seed: int
) -> tuple[dict[str, float], Rollout]:
    """:func:`run_figures` of free rollouts with z drawn at random, and the rollouts."""
    generator = torch.Generator().manual_seed(seed)
    state = character.reset(characters, generator)
    run = record(character, drawn_latents(character, generator), state, lambda *_: None, frames)
    return run_figures(character, run), run


def nearest_poses_cm(
    data: MotionDataset, normalizer: Any, pose: Tensor, sample: int, shortlist: int = 32
) -> Tensor:
    """Mean joint distances in cm, (at most ``sample``,), from some of the z-scored poses ``(...,
    D)`` to the nearest captured pose of the training clips.

    The search covers the ``shortlist`` poses that are nearest by root-mean-square distance. Mirror
    images count as captured poses.
    """
    flat = pose.flatten(0, -2)
    rows = torch.linspace(0, len(flat) - 1, min(sample, len(flat))).long()
    joints = data.layout.joint_positions(normalizer.denormalize(flat[rows]))
    captured = data.layout.joint_positions(data.split(held_out=False)[0])
    count = min(shortlist, len(captured))
    distances = []
    for chunk in joints.split(256):
        rough = torch.cdist(chunk.flatten(1), captured.flatten(1))
        near = rough.topk(count, largest=False).indices
        exact = (chunk[:, None] - captured[near]).norm(dim=-1).mean(dim=-1)
        distances.append(exact.amin(dim=-1))
    return 100 * torch.cat(distances)


def nearest_pose_cm(
    data: MotionDataset, normalizer: Any, pose: Tensor, sample: int = 2000
) -> float:
    """The median of :func:`nearest_poses_cm`."""
    return float(nearest_poses_cm(data, normalizer, pose, sample).median())


def acting(simulation: Simulation, control: Control) -> Act:
    """A policy, or Monte Carlo control, as a function from states and goals to latents."""

    def act(state: CharacterState, goal: Any) -> Tensor:
        if isinstance(control, MonteCarlo):
            latent = control(state, goal)
        else:
            latent = control(simulation.observe(state, goal))
        return simulation.clamp(latent)

    return act


def steered_run(
    simulation: Simulation, act: Act, characters: int, frames: int, seed: int
) -> Rollout:
    """Record characters that ``act`` controls at a task, with goals as in training."""
    generator = torch.Generator().manual_seed(seed)
    state, goal = simulation.reset(characters, generator)

    def goals(frame: int, state: CharacterState) -> Any:
        nonlocal goal
        goal = simulation.task.next_goal(state, goal, generator)
        return goal

    return record(simulation.character, act, state, goals, frames)


def measure(
    simulation: Simulation, control: Control | None, characters: int, seconds: float, seed: int
) -> tuple[dict[str, float], Rollout]:
    """The figures of a recording, with those of the task's own trial if it has one, and the
    recording. Without a ``control``, z is drawn at random. A figure that could not be measured is
    NaN."""
    character = simulation.character
    frames = round(seconds * simulation.character.fps)
    if control is None:
        return random_figures(character, characters, frames, seed)
    act = acting(simulation, control)
    run = steered_run(simulation, act, characters, frames, seed)
    figures = run_figures(character, run)
    if simulation.task.name in TRIALS:
        figures |= TRIALS[simulation.task.name](simulation, act, characters, seconds, seed)
    return figures, run


def evaluate(
    simulation: Simulation,
    policy: Control | None,
    characters: int = 64,
    seconds: float = 20.0,
    seed: int = 1,
    data: MotionDataset | None = None,
) -> dict[str, Any]:
    """All figures of a task as one dictionary for JSON. Without a ``policy``, z is drawn at random.

    A figure that could not be measured is None: a single character, for example, may not have
    turned left at all. Raises DataError if ``data`` are of another skeleton than the character.
    """
    character = simulation.character
    if data is not None:
        data.require_layout(character.layout, "the character")
    figures: dict[str, Any] = {
        "task": simulation.task.name,
        "characters": characters,
        "seconds": seconds,
        "seed": seed,
    }
    measured, run = measure(simulation, policy, characters, seconds, seed)
    figures |= {name: None if math.isnan(value) else value for name, value in measured.items()}
    figures["captured"] = captured_figures(data) if data else character.header.get("captured")
    figures["nearest_pose_cm_median"] = (
        nearest_pose_cm(data, character.model.normalizer, run.pose) if data else None
    )
    return figures
