"""Captured clips as commands: what a joystick must have asked for, and characters that follow it.

All functions are pure and take arrays, so that training may use them as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from controller.data.dataset import ClipEntry
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.judge.motion import Motion
from controller.evaluation.judge.segments import Segments
from controller.model.normalizer import Normalizer
from controller.motion.pose import FPS, gaussian_smooth, root_trajectory
from controller.tasks.joystick import JoystickGoal

FASTEST = 1.1
"""Commands are at most this many times as fast as the character's fastest captured second."""
LATENT_LIMIT = 2.5
"""Latents of the encoder are clamped to ±2.5. Far from captured poses it answers with latents of
ten deviations."""

Act = Callable[[CharacterState, JoystickGoal, Tensor], Tensor]
"""Returns latents ``(S, latent)`` for states, goals, and rows ``(S,)`` of the reference."""


class Reference(NamedTuple):
    """N captured poses, clip by clip. Each clip begins at the origin and faces +Z.

    pose      (N, D) z-scored
    position  (N, 2) metres, as (x, z), and ``yaw`` (N,) radians of the root
    velocity  (N, 2) m/s, as (x, z): the root's, smoothed
    first     (N,) the first row of the same clip, and ``last`` (N,) the last one
    """

    pose: Tensor
    position: Tensor
    yaw: Tensor
    velocity: Tensor
    first: Tensor
    last: Tensor


def reference(
    poses: Tensor, clips: Sequence[ClipEntry], normalizer: Normalizer, smoothing: float
) -> Reference:
    """Poses ``(N, D)`` in their own units, which ``clips`` cover in order, with velocities smoothed
    over ``smoothing`` frames, so that commands have no sway of the hips."""
    parts = []
    for clip in clips:
        position, yaw = root_trajectory(poses[clip.rows])
        moved = torch.diff(position, dim=0, prepend=torch.zeros(1, 2)) * FPS
        bounds = torch.tensor([clip.start, clip.start + clip.length - 1])
        ends = bounds.expand(clip.length, 2).unbind(-1)
        parts.append((position, yaw, gaussian_smooth(moved, smoothing), *ends))
    columns = (torch.cat(column) for column in zip(*parts, strict=True))
    return Reference(normalizer.normalize(poses), *columns)


def command(
    captured: Reference, rows: Tensor, ahead: Tensor, position: Tensor, pull: float, fastest: float
) -> tuple[Tensor, Tensor]:
    """Desired velocities (S, 2) in m/s and facings (S,) in radians of characters at ``position``
    (S, 2) that should be where the clips are at ``rows`` (S,).

    The velocity and the facing are the clip's, ``ahead`` (S,) frames later. ``pull`` m/s lead back
    to the clip's place for each metre away from it. No velocity is above ``fastest`` m/s.
    """
    later = torch.minimum(rows + ahead, captured.last[rows])
    velocity = captured.velocity[later] + pull * (captured.position[rows] - position)
    speed = velocity.square().sum(dim=-1, keepdim=True).clamp(min=1e-12).sqrt()
    return velocity * (fastest / speed).clamp(max=1), captured.yaw[later]


@torch.inference_mode()
def follow(
    character: Character, captured: Reference, segments: Segments, act: Act, pull: float
) -> Motion:
    """Characters that begin in the first poses of the segments and follow them by ``act``."""
    rows = segments.start
    state = CharacterState(captured.pose[rows], captured.position[rows], captured.yaw[rows])
    fastest = FASTEST * character.limits.forward_speed
    states = []
    for following in segments.rows().unbind(dim=1):
        velocity, facing = command(captured, rows, segments.ahead, state.position, pull, fastest)
        latent = act(state, JoystickGoal(velocity, facing), rows)
        state = character.step(state, latent)
        states.append(state)
        rows = following
    return Motion(
        torch.stack([each.pose for each in states], dim=1),
        torch.stack([each.position for each in states], dim=1),
        torch.stack([each.yaw for each in states], dim=1),
    )


def encoder_led(character: Character, captured: Reference) -> Act:
    """The encoder in place of a policy: it sees the captured next pose."""
    model = character.model
    offsets = torch.arange(-model.past, model.future + 1)

    def act(state: CharacterState, goal: JoystickGoal, rows: Tensor) -> Tensor:
        around = rows[:, None] + offsets
        around = torch.maximum(around, captured.first[rows][:, None])
        around = torch.minimum(around, captured.last[rows][:, None])
        seen = model.encoder_input(captured.pose[around], model.past)
        latent, _ = model.encode(state.pose, seen)
        return latent if model.codes is not None else latent.clamp(-LATENT_LIMIT, LATENT_LIMIT)

    return act


def replay(captured: Reference, segments: Segments) -> Motion:
    """The captured motion of the segments' frames."""
    rows = segments.rows()
    return Motion(captured.pose[rows], captured.position[rows], captured.yaw[rows])
