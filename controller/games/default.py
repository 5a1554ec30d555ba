"""The game of a task that has none of its own: goals drawn at random, to watch."""

from __future__ import annotations

from collections.abc import Set
from functools import cache
from typing import Any

from controller.dynamics.character import CharacterState
from controller.games.base import Game
from controller.tasks import goals
from controller.tasks.base import Goal, Task
from controller.viewer.scene.stage import Stage


class DefaultGame(Game[Goal]):
    """The goal is drawn at random as in training and then followed; N, or choosing the game again,
    draws another one. A flag marks the goal's first place, if it declares one."""

    does = "watches; N draws another goal"
    redraw = False

    def enter(self, state: CharacterState) -> CharacterState:
        self.goal = self.task.draw_goal(state, self.generator)
        return state

    def press(self, keys: Set[str]) -> None:
        self.redraw = "n" in keys

    def step(self, state: CharacterState) -> CharacterState:
        return super().step(self.enter(state) if self.redraw else state)

    def stage(self) -> Stage:
        points = [place for place in goals.places(self.goal) if place.dim() == 2]
        return Stage(flag=points[0][0].numpy()) if points else Stage()


@cache
def default_game(kind: type[Task[Any, Any]]) -> type[Game[Any]]:
    """The default game of a task, as a class of its own."""
    name = kind.__name__.removesuffix("Task") + "Game"
    title = kind.name.replace("_", " ")
    attributes = {
        "__module__": kind.__module__,
        "task_type": kind,
        "title": title,
        "pages": (f"N\t{title}: another goal",),
    }
    return type(name, (DefaultGame,), attributes)
