"""Path: somebody chooses a line, or draws one."""

from __future__ import annotations

from typing import Any

import numpy as np

from controller.character import CharacterState
from controller.games.base import Game
from controller.tasks.path import PathTask
from controller.tasks.shapes import SHAPES, placed
from controller.viewer.stage import Stage


class PathGame(Game):
    """A line with a name; each time the game is chosen, the next one."""

    task_type = PathTask
    pages = ("4 again\tthe next shape: figure-8, heart, zigzag, spiral",)
    chosen = 0

    def another(self) -> None:
        self.chosen = (self.chosen + 1) % len(SHAPES)

    def enter(self, state: CharacterState) -> CharacterState:
        self.status = list(SHAPES)[self.chosen]
        self.follow(PathTask.goal_along(placed(SHAPES[self.status](), state.position[0], state.yaw[0])))
        return state

    def follow(self, goal: Any) -> None:
        """Walk along that path."""
        self.goal = goal
        self.line: np.ndarray = goal.points[0].numpy()

    def stage(self) -> Stage:
        return Stage(line=self.line)
