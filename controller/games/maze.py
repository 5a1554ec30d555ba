"""Maze: somebody looks for a maze and sets its exit."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
import torch

from controller.dynamics.character import CharacterState
from controller.games.base import Game
from controller.tasks import sight
from controller.tasks.labyrinth import Labyrinth
from controller.tasks.maze import MazeTask
from controller.viewer.scene.stage import Stage


class MazeGame(Game):
    """A maze with a number, each time the game is chosen the next one, laid around the character,
    who stands in one corner; the exit is in the opposite one until somebody points at another
    cell."""

    task_type = MazeTask
    pages = (
        "5 again\tthe next maze",
        "click or drag in the maze\tthe exit is there",
        "V\tmaze: show the rays by which it sees the walls",
    )
    drawable = True
    number = 1
    looking = False

    @property
    def maze(self) -> MazeTask:
        """The task."""
        assert isinstance(self.task, MazeTask)
        return self.task

    def another(self) -> None:
        self.number += 1

    def enter(self, state: CharacterState) -> CharacterState:
        config = self.maze.config
        self.labyrinth = Labyrinth.draw(
            1, config.rows, config.columns, torch.Generator().manual_seed(self.number)
        )
        opposite = config.rows - 1, config.columns - 1
        self.goal = self.maze.goal_in(state, self.labyrinth, exit=opposite)
        self.eye = state
        return state

    def press(self, keys: Set[str]) -> None:
        self.looking ^= "v" in keys

    def point(self, state: CharacterState, x: float, z: float) -> None:
        self.goal = self.maze.leading_to(
            self.goal, self.labyrinth, self.goal.cell(torch.tensor([[x, z]]))
        )

    def trace(self, state: CharacterState, line: Sequence[tuple[float, float]], done: bool) -> None:
        if line:
            self.point(state, *line[-1])

    def step(self, state: CharacterState) -> CharacterState:
        self.eye = super().step(state)
        return self.eye

    @property
    def status(self) -> str:  # type: ignore[override]
        left = float(self.goal.to_go(self.eye.position))
        touched = ", touching a wall" if bool(self.maze.failed(self.eye, self.goal)) else ""
        return f"number {self.number}, {left:.1f} m to go{touched}"

    def stage(self) -> Stage:
        flag = self.goal.exit[0].numpy()
        walls = self.goal.walls[0].numpy()
        if not self.looking:
            return Stage(flag=flag, walls=walls)
        ends = sight.ray_ends(self.eye.position, self.eye.yaw, self.goal.walls)[0]
        eyes = self.eye.position.expand_as(ends)
        return Stage(flag=flag, walls=walls, rays=np.stack((eyes.numpy(), ends.numpy()), axis=1))
