"""Rounds: all characters get a goal in the same frame, and the same time to reach it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.dynamics.rollout import Act
from controller.tasks.base import Goal
from controller.tasks.simulation import Simulation


def count(seconds: float, period: float) -> int:
    """How many rounds of ``period`` seconds last ``seconds`` or more."""
    return max(1, math.ceil(seconds / period))


@torch.inference_mode()
def play(
    simulation: Simulation[Goal],
    act: Act,
    state: CharacterState,
    goal: Goal,
    frames: int,
    measure: Callable[[CharacterState, Goal], Tensor],
) -> tuple[Tensor, CharacterState]:
    """Play one round. Returns ``measure(state, goal)`` after every frame, (T, ...), and the state
    at the end.

    Goals are followed as in play; none is redrawn.
    """
    values = []
    for _ in range(frames):
        state = simulation.move(state, act(state, goal))
        goal = simulation.task.follow_goal(state, goal)
        values.append(measure(state, goal))
    return torch.stack(values), state


def first(reached: Tensor, fps: float) -> Tensor:
    """(B,) seconds until each character's first true frame of ``reached`` (T, B); infinite if there
    is none."""
    frames = reached.float().argmax(dim=0) + 1
    return torch.where(reached.any(dim=0), frames / fps, math.inf)
