"""Target and timed target: the user sets a flag."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np
import torch

from controller.dynamics.character import CharacterState
from controller.games.base import Game
from controller.games.registry import game
from controller.tasks.base import Goal
from controller.tasks.target import TargetGoal, TargetTask
from controller.tasks.timed_target import TimedTargetGoal, TimedTargetTask
from controller.viewer.scene.stage import Stage

AHEAD = 3.0
"""m ahead of the character: where the flag stands until the user clicks."""
PACE = 1.0
"""m/s: the average speed at which a timed target is reached just in time."""


class FlagGame(Game[Goal]):
    """A flag: three metres ahead at first, then where the user points."""

    flag: np.ndarray

    def enter(self, state: CharacterState) -> CharacterState:
        x, z = state.position[0].tolist()
        yaw = float(state.yaw)
        self.point(state, x + AHEAD * math.sin(yaw), z + AHEAD * math.cos(yaw))
        return state

    def enter_after(self, other: Self, state: CharacterState) -> CharacterState:
        self.flag = other.flag
        self.goal = other.goal
        return state

    def stage(self) -> Stage:
        return Stage(flag=self.flag)


@game
class TargetGame(FlagGame[TargetGoal]):
    """A flag without a clock."""

    task_type = TargetTask
    does = "clicks on the ground to move the flag"
    pages: ClassVar[tuple[str, ...]] = (
        "click on the ground\ttarget, timed target, Monte Carlo: the flag goes there",
    )

    def point(self, state: CharacterState, x: float, z: float) -> None:
        self.flag = np.array((x, z))
        self.goal = TargetTask.goal_at(x, z)


@game
class TimedTargetGame(FlagGame[TimedTargetGoal]):
    """A flag and a clock, which grants the time that the way takes at 1 m/s."""

    task_type = TimedTargetTask
    task: TimedTargetTask
    does = "clicks; a clock shows the time left to get there"

    def point(self, state: CharacterState, x: float, z: float) -> None:
        self.flag = np.array((x, z))
        distance = (torch.tensor([[x, z]]) - state.position).norm(dim=-1)
        self.seconds = float(self.task.feasible_seconds(distance, torch.tensor(PACE)))
        self.goal = TimedTargetTask.goal_at(x, z, self.seconds)

    def enter_after(self, other: Self, state: CharacterState) -> CharacterState:
        self.seconds = other.seconds
        return super().enter_after(other, state)

    @property
    def remaining(self) -> float:
        """Seconds until the time is up; 0 from then on."""
        return max(0.0, float(self.goal.seconds))

    @property
    def clock(self) -> str:  # type: ignore[override]
        return f"{self.remaining:.1f} s"

    def stage(self) -> Stage:
        return Stage(flag=self.flag, clock=self.remaining / self.seconds)
