"""Characters that follow captured clips by the commands that these must have had."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from controller.data.hindsight import FASTEST, Reference, command
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.judge.motion import Motion
from controller.evaluation.judge.segments import Segments
from controller.tasks.joystick import JoystickGoal

LATENT_LIMIT = 2.5
"""Latents of the encoder are clamped to ±2.5. Far from captured poses it answers with latents of
ten deviations."""

Act = Callable[[CharacterState, JoystickGoal, Tensor], Tensor]
"""Returns latents ``(S, latent)`` for states, goals, and rows ``(S,)`` of the reference."""


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
