"""Path: somebody chooses a line, or draws one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import ConfigError
from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.settings import Settings
from controller.tasks import polyline
from controller.tasks.path import PathGoal, PathTask
from controller.tasks.polyline import SHORTEST
from controller.tasks.shapes import SHAPES, placed
from controller.viewer.scene.stage import Stage

REACH = 50.0
"""m: who draws farther away than this from the character draws on the horizon."""
GAP = 0.3
"""m: a drawn line that begins farther away than this is first walked to."""


class PathGame(Game):
    """A line with a name, each time the game is chosen the next one; or a line that somebody draws
    on the ground."""

    task_type = PathTask
    drawable = True
    pages = ("drag over the ground\tpath: draw one; 4 again: figure-8, heart, zigzag, spiral",)

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        self.chosen = 0
        self.drawn: list[tuple[float, float]] = []

    def another(self) -> None:
        self.chosen = (self.chosen + 1) % len(SHAPES)

    def enter(self, state: CharacterState) -> CharacterState:
        self.status = list(SHAPES)[self.chosen]
        self.follow(
            PathTask.goal_along(placed(SHAPES[self.status](), state.position[0], state.yaw[0]))
        )
        return state

    def follow(self, goal: PathGoal) -> None:
        """Walk along that path."""
        self.goal = goal
        self.line: np.ndarray = goal.points[0].numpy()

    def trace(self, state: CharacterState, line: Sequence[tuple[float, float]], done: bool) -> None:
        here = state.position[0].numpy()
        self.drawn += [point for point in line if np.hypot(*(np.array(point) - here)) < REACH]
        points = torch.tensor(self.drawn).reshape(-1, 2)
        if not done:
            self.show(points)
            return
        self.drawn = []
        try:
            self.follow(self.along(points, state))
            self.status = f"drawn, {float(self.goal.length):.1f} m"
        except ConfigError:
            self.status = f"too short: draw {SHORTEST} m or more"
            self.line = self.goal.points[0].numpy()

    def along(self, points: Tensor, state: CharacterState) -> PathGoal:
        """The path along a line (N, 2) that a hand drew; ConfigError if it is too short."""
        if len(points) < 2:
            points = torch.zeros(2, 2)
        smooth = PathTask.drawn_by_hand(points)
        apart = float((smooth[0] - state.position[0]).norm())
        return PathTask.goal_along(smooth, state if apart > GAP else None)

    def show(self, points: Tensor) -> None:
        """Show what is drawn so far; the path is followed until it is drawn to its end."""
        self.status = "drawing"
        if len(points) > 1 and float((points[1:] - points[:-1]).norm(dim=-1).sum()) >= SHORTEST:
            self.line = polyline.resample(points).numpy()

    def stage(self) -> Stage:
        return Stage(line=self.line)
