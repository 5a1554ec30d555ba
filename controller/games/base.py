"""A task in somebody's hands: its goal is set by a person and never drawn at random."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, ClassVar

import torch
from torch import Tensor

from controller.control.policy import Policy
from controller.dynamics.character import Character, CharacterState
from controller.games.settings import Settings
from controller.tasks.base import Task
from controller.tasks.simulation import Simulation
from controller.viewer.input.steering import Controls, Wish
from controller.viewer.scene.sliders import Sliders
from controller.viewer.scene.stage import Stage


class Game:
    """A task as it is played at the window: what keys and mouse do to its goal, and one step
    towards that.

    A game takes the character over as it stands and hands it on as it goes, so that tasks change in
    mid-walk.

    name       what commands and the window call it; the task's name unless it says otherwise
    task_type  whose goals, observations and wishes it plays
    pages      for the window's help: lines of "what to do, a tab, what that does"
    drawable   whether a line dragged over the ground means something
    piloted    whether a policy acts
    status     what there is to say in words
    clock      what a large clock shows, empty for none
    sliders    what may be set by hand; None for nothing
    followed   the row, of the states played, of the character that the camera follows
    wish       what a person steers for, shown around the character; None where nobody steers
    """

    name: ClassVar[str]
    task_type: ClassVar[type[Task[Any, Any]]]
    pages: ClassVar[tuple[str, ...]] = ()
    drawable: ClassVar[bool] = False
    piloted: ClassVar[bool] = True
    status = ""
    clock = ""
    sliders: Sliders | None = None
    followed = 0
    wish: Wish | None = None

    def __init_subclass__(cls) -> None:
        if "name" not in vars(cls):
            cls.name = cls.task_type.name

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        self.character = character
        self.generator = generator
        self.settings = settings
        self.task = self.task_type(character)
        self.simulation = Simulation(character, self.task)
        self.goal: Any = None
        self.policy: Policy | None = None

    def board(self, policy: Policy) -> None:
        """Let this policy act from here on, one trained for the task or for the one that it
        extends."""
        self.policy = policy.fitted(self.simulation)

    def enter(self, state: CharacterState) -> CharacterState:
        """Begin with that one character: its goal. Returns all the characters that play, it among
        them."""
        return state

    def another(self) -> None:
        """The game is chosen once more: it begins as another one next, where there are several."""

    def press(self, keys: Set[str]) -> None:
        """Keys of ``STEERING_KEYS`` that went down in this step."""

    def steer(self, controls: Controls, azimuth: float) -> None:
        """What a person holds in this step, before a camera that looks along the yaw
        ``azimuth``."""

    def point(self, state: CharacterState, x: float, z: float) -> None:
        """Somebody points at the ground there, in metres."""

    def gather(self, state: CharacterState, x: float, z: float) -> None:
        """Somebody points there who overlooks all that play."""
        self.point(state, x, z)

    def trace(self, state: CharacterState, line: Sequence[tuple[float, float]], done: bool) -> None:
        """Somebody draws a line over the ground, points (x, z) in metres; ``done`` when it is drawn
        to its end."""

    def step(self, state: CharacterState) -> CharacterState:
        """The states 1/30 s later."""
        after = self.simulation.move(state, self.latent(state))
        self.goal = self.task.follow_goal(after, self.goal)
        return after

    def latent(self, state: CharacterState) -> Tensor:
        """The latents that go with the states: the policy's."""
        assert self.policy is not None
        return self.policy(self.simulation.observe(state, self.goal))

    def stage(self) -> Stage:
        """What is to be seen on the ground."""
        return Stage()
