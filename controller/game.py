"""A task in somebody's hands: its goal is set by a person and never drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from controller.character import Character, CharacterState
from controller.simulation import Simulation
from controller.tasks.base import Task
from controller.tasks.joystick import JoystickTask
from controller.tasks.path import PathTask
from controller.tasks.random_walk import NoGoal, RandomWalkTask
from controller.tasks.shapes import SHAPES, placed
from controller.tasks.target import TargetTask
from controller.tasks.timed_target import TimedTargetTask

AHEAD = 3.0
"""m before the character: where a target is until somebody clicks."""
PACE = 1.0
"""m/s: how fast one has to go to be at a timed target in time."""


class Game:
    """One character's goal in a task, and a joystick policy's steps towards it.

    ``name`` is the task's; ``flag`` (2,) the point in metres as (x, z) and ``line`` (N, 2) the path to be shown, None
    where the task has none; ``status`` what there is to say in words.
    """

    task_type: ClassVar[type[Task[Any, Any]]]
    flag: np.ndarray | None = None
    line: np.ndarray | None = None
    status = ""

    def __init__(self, character: Character, generator: torch.Generator) -> None:
        self.task = self.task_type(character)
        self.simulation = Simulation(character, self.task)
        self._generator = generator
        self._seen = character.layout.size + JoystickTask.goal_size  # the joystick's columns come first
        self.goal: Any = None

    @property
    def name(self) -> str:
        return self.task.name

    def begin(self, state: CharacterState) -> None:
        """The goal of a character that comes to this task, or starts anew."""

    def another(self) -> None:
        """The task is chosen once more: the next goal begins as another one, where there are several."""

    def point(self, state: CharacterState, x: float, z: float) -> None:
        """Somebody points at the ground there, in metres."""

    def step(self, state: CharacterState, policy: Callable[[Tensor], Tensor]) -> CharacterState:
        """The state 1/30 s later, of one character."""
        seen = self.simulation.observe(state, self.goal)[:, : self._seen]
        after = self.simulation.move(state, policy(seen))
        self.goal = self.task.follow_goal(after, self.goal)
        return after


class TargetGame(Game):
    """A flag: three metres ahead at first, then where somebody points."""

    task_type: ClassVar[type[Task[Any, Any]]] = TargetTask

    def begin(self, state: CharacterState) -> None:
        x, z = state.position[0].tolist()
        yaw = float(state.yaw)
        self.point(state, x + AHEAD * math.sin(yaw), z + AHEAD * math.cos(yaw))

    def point(self, state: CharacterState, x: float, z: float) -> None:
        self.flag = np.array((x, z))
        self.goal = TargetTask.goal_at(x, z)


class TimedTargetGame(TargetGame):
    """A flag and a clock, which grants what the way takes at 1 m/s."""

    task_type = TimedTargetTask

    def point(self, state: CharacterState, x: float, z: float) -> None:
        assert isinstance(self.task, TimedTargetTask)
        self.flag = np.array((x, z))
        distance = (torch.tensor([[x, z]]) - state.position).norm(dim=-1)
        seconds = self.task.feasible_seconds(distance, torch.tensor(PACE))
        self.goal = TimedTargetTask.goal_at(x, z, float(seconds))

    @property
    def status(self) -> str:  # type: ignore[override]
        return f"{max(0.0, float(self.goal.seconds)):.1f} s left"


class PathGame(Game):
    """A line with a name; each time the task is chosen, the next one."""

    task_type = PathTask
    chosen = 0

    def another(self) -> None:
        self.chosen = (self.chosen + 1) % len(SHAPES)

    def begin(self, state: CharacterState) -> None:
        self.status = list(SHAPES)[self.chosen]
        shape = SHAPES[self.status]()
        self.goal = PathTask.goal_along(placed(shape, state.position[0], state.yaw[0]))
        self.line = self.goal.points[0].numpy()


class RandomGame(Game):
    """Nobody steers: latents are drawn as the motion VAE was trained to take them."""

    task_type = RandomWalkTask

    def begin(self, state: CharacterState) -> None:
        self.goal = NoGoal(torch.zeros_like(state.yaw))

    def step(self, state: CharacterState, policy: Callable[[Tensor], Tensor]) -> CharacterState:
        return self.simulation.move(state, self.task.character.draw_latents(1, self._generator))


GAMES: dict[str, type[Game]] = {
    "2": TargetGame, "3": TimedTargetGame, "4": PathGame, "6": RandomGame,
}  # fmt: skip
"""By the key that chooses each; 1 is the joystick."""
KEYS = {JoystickTask.name: "1"} | {game.task_type.name: key for key, game in GAMES.items()}
"""The key of each task that can be played, by its name."""
