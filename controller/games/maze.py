"""Maze: the user picks a maze and sets its exit."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
import torch

from controller.dynamics.character import CharacterState
from controller.games.base import Game
from controller.games.registry import game
from controller.tasks import sight
from controller.tasks.labyrinth import Labyrinth
from controller.tasks.maze import MazeGoal, MazeTask
from controller.viewer.scene.stage import Stage


@game
class MazeGame(Game[MazeGoal]):
    """A numbered maze, laid around the character, who stands in one corner. Choosing the game again
    lays the next one. The exit is in the opposite corner until the user points at another cell."""

    task_type = MazeTask
    task: MazeTask
    does = "picks a maze, drags the exit"
    pages = (
        "{key} again\tthe next maze",
        "click or drag in the maze\tthe exit is there",
        "V\tmaze: show the rays by which it sees the walls",
    )
    drawable = True
    number = 1
    looking = False

    def next_variant(self) -> None:
        self.number += 1

    def enter(self, state: CharacterState) -> CharacterState:
        config = self.task.config
        generator = torch.Generator().manual_seed(self.number)
        self.labyrinth = Labyrinth.draw(1, config.rows, config.columns, generator)
        opposite = config.rows - 1, config.columns - 1
        self.goal = self.task.goal_in(state, self.labyrinth, exit=opposite)
        self.state = state
        return state

    def press(self, keys: Set[str]) -> None:
        self.looking ^= "v" in keys

    def point(self, state: CharacterState, x: float, z: float) -> None:
        cell = self.goal.cell(torch.tensor([[x, z]]))
        self.goal = self.task.leading_to(self.goal, self.labyrinth, cell)

    def trace(self, state: CharacterState, line: Sequence[tuple[float, float]], done: bool) -> None:
        if line:
            self.point(state, *line[-1])

    def step(self, state: CharacterState) -> CharacterState:
        self.state = super().step(state)
        return self.state

    @property
    def status(self) -> str:  # type: ignore[override]
        metres = float(self.goal.to_go(self.state.position))
        touching = ", touching a wall" if bool(self.task.failed(self.state, self.goal)) else ""
        return f"number {self.number}, {metres:.1f} m to go{touching}"

    def stage(self) -> Stage:
        flag = self.goal.exit[0].numpy()
        walls = self.goal.walls[0].numpy()
        if not self.looking:
            return Stage(flag=flag, walls=walls)
        ends = sight.ray_ends(self.state.position, self.state.yaw, self.goal.walls)[0]
        eyes = self.state.position.expand_as(ends)
        return Stage(flag=flag, walls=walls, rays=np.stack((eyes.numpy(), ends.numpy()), axis=1))
