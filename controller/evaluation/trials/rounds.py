"""Rounds: all characters are given a goal in the same frame, and have the same time for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.dynamics.rollout import Act
from controller.tasks.simulation import Simulation


def count(seconds: float, period: float) -> int:
    """How many rounds of ``period`` seconds make ``seconds`` or more."""
    return max(1, math.ceil(seconds / period))


@torch.inference_mode()
def play(
    simulation: Simulation,
    act: Act,
    state: CharacterState,
    goal: Any,
    frames: int,
    measure: Callable[[CharacterState, Any], Tensor],
) -> tuple[Tensor, CharacterState]:
    """One round: what ``measure(state, goal)`` says after every frame, (T, ...), and the state at
    the end.

    Goals are followed, as in a person's hands; none is drawn anew.
    """
    seen = []
    for _ in range(frames):
        state = simulation.move(state, act(state, goal))
        goal = simulation.task.follow_goal(state, goal)
        seen.append(measure(state, goal))
    return torch.stack(seen), state


def first(reached: Tensor, fps: float) -> Tensor:
    """(B,) seconds until each character's first true frame of ``reached`` (T, B); infinite if there
    is none."""
    frames = reached.float().argmax(dim=0) + 1
    return torch.where(reached.any(dim=0), frames / fps, math.inf)
