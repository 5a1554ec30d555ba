"""A task in the user's hands: its goal is set with keys and mouse, never at random."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, ClassVar, Generic, Self

import torch
from torch import Tensor

from controller.control.policy import Policy
from controller.dynamics.character import Character, CharacterState
from controller.games.settings import Settings
from controller.tasks.base import Goal, Task
from controller.tasks.simulation import Simulation
from controller.viewer.input.steering import Controls, Wish
from controller.viewer.scene.sliders import Sliders
from controller.viewer.scene.stage import Stage


class Game(Generic[Goal]):
    """A task as it is played at the window: what keys and mouse do to its goal, and one step
    towards that goal.

    A game takes over the character as it stands and hands it on as it goes, so tasks can change in
    mid-walk.

    name         what commands call it; the task's name by default
    title        what the window calls it; the name in words by default
    does         what a person does in it, for the help and the table of tasks
    task_type    the task that it plays
    pages        for the window's help: lines of "what to do, a tab, what that does"; ``{key}``
                 stands for the key that chooses the game
    drawable     whether a line dragged over the ground means something
    uses_policy  whether a policy acts
    who          who acts in it, as the evaluation's results call it; None for the best policy
    status       the state of the game in words
    clock        what a large clock shows; empty for none
    sliders      what the user may set by hand; None for nothing
    followed     the row, among the states played, of the character that the camera follows
    wish         the velocity and facing that the user steers for, shown around the character; None
                 if the user does not steer
    ground       what the characters are drawn on
    here         (x, z) in metres: where the followed one is
    """

    name: ClassVar[str]
    title: ClassVar[str]
    does: ClassVar[str] = ""
    task_type: ClassVar[type[Task[Any, Any]]]
    pages: ClassVar[tuple[str, ...]] = ()
    drawable: ClassVar[bool] = False
    uses_policy: ClassVar[bool] = True
    who: ClassVar[str | None] = None
    status = ""
    clock = ""
    sliders: Sliders | None = None
    followed = 0
    wish: Wish | None = None
    here = (0.0, 0.0)
    goal: Goal

    def __init_subclass__(cls) -> None:
        names = vars(cls)
        if "name" not in names and hasattr(cls, "task_type"):
            cls.name = cls.task_type.name
        if "title" not in names and hasattr(cls, "name"):
            cls.title = cls.name.replace("_", " ")

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        self.character = character
        self.generator = generator
        self.settings = settings
        self.ground = settings.ground
        self.task: Task[Goal, Any] = self.task_type(character)
        self.simulation = Simulation(character, self.task)
        self.policy: Policy | None = None

    def use_policy(self, policy: Policy) -> None:
        """Let this policy act from now on. It must have been trained for the task or for the one
        that the task extends."""
        self.policy = policy.fitted(self.simulation)

    def enter(self, state: CharacterState) -> CharacterState:
        """Begin with one character and set its goal. Returns the states of all characters that
        play, this one among them."""
        return state

    def enter_after(self, other: Self, state: CharacterState) -> CharacterState:
        """Begin as in :meth:`enter`, with a character that takes over from the one that played the
        same game, ``other``. What the user has chosen should stay, where that is possible."""
        return self.enter(state)

    def next_variant(self) -> None:
        """Called when the game is chosen while it is being played: prepare the next maze or
        shape."""

    def press(self, keys: Set[str]) -> None:
        """React to the keys of ``STEERING_KEYS`` that went down in this step."""

    def steer(self, controls: Controls, azimuth: float) -> None:
        """React to the controls of this step, seen from a camera that looks along the yaw
        ``azimuth``."""

    def point(self, state: CharacterState, x: float, z: float) -> None:
        """React to the user pointing at (x, z) on the ground, in metres."""

    def point_all(self, state: CharacterState, x: float, z: float) -> None:
        """React to the user pointing at the ground while the camera shows all characters."""
        self.point(state, x, z)

    def trace(self, state: CharacterState, line: Sequence[tuple[float, float]], done: bool) -> None:
        """React to a line drawn over the ground: new points (x, z) in metres, and whether it is
        complete."""

    def step(self, state: CharacterState) -> CharacterState:
        """Return the states 1/30 s later."""
        after = self.simulation.move(state, self.latent(state))
        self.goal = self.task.follow_goal(after, self.goal)
        return after

    def latent(self, state: CharacterState) -> Tensor:
        """Return the latents that drive the next step: the policy's."""
        assert self.policy is not None
        return self.policy(self.simulation.observe(state, self.goal))

    def stage(self) -> Stage:
        """Return what is visible on the ground."""
        return Stage()
