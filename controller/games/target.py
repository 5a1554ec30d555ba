"""Target and timed target: somebody sets a flag."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch

from controller.dynamics.character import CharacterState
from controller.games.base import Game
from controller.tasks.base import Task
from controller.tasks.target import TargetTask
from controller.tasks.timed_target import TimedTargetTask
from controller.viewer.scene.stage import Stage

AHEAD = 3.0
"""m before the character: where a target is until somebody clicks."""
PACE = 1.0
"""m/s: how fast one has to go to be at a timed target in time."""


class TargetGame(Game):
    """A flag: three metres ahead at first, then where somebody points."""

    task_type: ClassVar[type[Task[Any, Any]]] = TargetTask
    pages: ClassVar[tuple[str, ...]] = (
        "click on the ground\ttarget, timed target, Monte Carlo: the flag goes there",
    )

    def enter(self, state: CharacterState) -> CharacterState:
        x, z = state.position[0].tolist()
        yaw = float(state.yaw)
        self.point(state, x + AHEAD * math.sin(yaw), z + AHEAD * math.cos(yaw))
        return state

    def point(self, state: CharacterState, x: float, z: float) -> None:
        self.flag = np.array((x, z))
        self.goal = TargetTask.goal_at(x, z)

    def stage(self) -> Stage:
        return Stage(flag=self.flag)


class TimedTargetGame(TargetGame):
    """A flag and a clock, which grants what the way takes at 1 m/s."""

    task_type = TimedTargetTask
    pages = ()

    def point(self, state: CharacterState, x: float, z: float) -> None:
        assert isinstance(self.task, TimedTargetTask)
        self.flag = np.array((x, z))
        distance = (torch.tensor([[x, z]]) - state.position).norm(dim=-1)
        self.granted = float(self.task.feasible_seconds(distance, torch.tensor(PACE)))
        self.goal = TimedTargetTask.goal_at(x, z, self.granted)

    @property
    def left(self) -> float:
        """Seconds until it is time; 0 since then."""
        return max(0.0, float(self.goal.seconds))

    @property
    def clock(self) -> str:  # type: ignore[override]
        return f"{self.left:.1f} s"

    def stage(self) -> Stage:
        return Stage(flag=self.flag, clock=self.left / self.granted)
