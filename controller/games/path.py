"""Path: the user chooses a line, or draws one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import ConfigError
from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.registry import game
from controller.games.settings import Settings
from controller.tasks import polyline
from controller.tasks.path import PathGoal, PathTask
from controller.tasks.polyline import SHORTEST
from controller.tasks.shapes import SHAPES, placed
from controller.viewer.scene.stage import Stage

REACH = 50.0
"""m from the character: points drawn farther away lie on the horizon and are ignored."""
GAP = 0.3
"""m: if a drawn line begins farther away than this, the character first walks to its start."""


@game
class PathGame(Game[PathGoal]):
    """A line with a name, or one that the user draws on the ground. Choosing the game again takes
    the next name."""

    task_type = PathTask
    does = f"draws a path, or picks {', '.join(SHAPES)}"
    drawable = True
    pages = (
        "drag over the ground\tpath: draw one",
        "{key} again\tpath: " + ", ".join(SHAPES),
    )

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        self.shape = 0
        self.stroke: list[tuple[float, float]] = []

    def next_variant(self) -> None:
        self.shape = (self.shape + 1) % len(SHAPES)

    def enter(self, state: CharacterState) -> CharacterState:
        self.status = list(SHAPES)[self.shape]
        line = placed(SHAPES[self.status](), state.position[0], state.yaw[0])
        self.follow(PathTask.goal_along(line))
        return state

    def follow(self, goal: PathGoal) -> None:
        """Walk along that path from now on."""
        self.goal = goal
        self.line: np.ndarray = goal.points[0].numpy()

    def trace(self, state: CharacterState, line: Sequence[tuple[float, float]], done: bool) -> None:
        here = state.position[0].numpy()
        self.stroke += [point for point in line if np.hypot(*(np.array(point) - here)) < REACH]
        points = torch.tensor(self.stroke).reshape(-1, 2)
        if not done:
            self.show(points)
            return

        self.stroke = []
        try:
            self.follow(self.along(points, state))
            self.status = f"drawn, {float(self.goal.length):.1f} m"
        except ConfigError:
            self.status = f"too short: draw {SHORTEST} m or more"
            self.line = self.goal.points[0].numpy()

    def along(self, points: Tensor, state: CharacterState) -> PathGoal:
        """Return the path along a line (N, 2) drawn by hand. Raises ConfigError if it is too
        short."""
        if len(points) < 2:
            points = torch.zeros(2, 2)
        smooth = PathTask.drawn_by_hand(points)
        apart = float((smooth[0] - state.position[0]).norm())
        return PathTask.goal_along(smooth, state if apart > GAP else None)

    def show(self, points: Tensor) -> None:
        """Show the line drawn so far. The old path is followed until the line is complete."""
        self.status = "drawing"
        if len(points) < 2:
            return
        length = float((points[1:] - points[:-1]).norm(dim=-1).sum())
        if length >= SHORTEST:
            self.line = polyline.resample(points).numpy()

    def stage(self) -> Stage:
        return Stage(line=self.line)
