"""What a task is: goals as data, how a character observes them, and the reward."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from controller.core import batch
from controller.dynamics.character import Character, CharacterState
from controller.tasks import goals
from controller.tasks.penalties import Penalties
from controller.tasks.tracking import EXACT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Goal = TypeVar("Goal", bound="DataclassInstance")
Config = TypeVar("Config")


@dataclass(frozen=True)
class NoConfig:
    """The settings of a task that has none."""


class Task(ABC, Generic[Goal, Config]):
    """A task for a batch of B characters.

    A task holds settings but no state: goals are passed in and returned.

    name         what commands and checkpoints call it
    goal_size    the width of :meth:`observe_goal`; 0 for a task without a goal
    extends      the task, if any, whose columns come first in :meth:`observe_goal`, so that a
                 policy trained for it is a good one to start from
    steered      whether a policy for this task steers a frozen joystick policy by default (see
                 ``controller.control.navigator``)
    multi_agent  whether the characters of a batch share one world and see each other
    config_type  the frozen dataclass of its settings; its defaults apply unless a ``config`` is
                 passed
    """

    name: ClassVar[str]
    goal_size: ClassVar[int]
    extends: ClassVar[str | None] = None
    steered: ClassVar[bool] = False
    multi_agent: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = NoConfig

    def __init__(self, character: Character, config: Config | None = None) -> None:
        self.character = character
        self.config: Config = self.default_config() if config is None else config
        self.penalties = Penalties(character)
        self.tolerance = EXACT

    def default_config(self) -> Config:
        """The settings if none are passed: those of ``config_type``, except that a ``speed`` among
        them is no more than three quarters of the fastest that the character can walk."""
        config: Config = self.config_type()
        speed = getattr(config, "speed", None)
        fastest = 0.75 * self.character.limits.forward_speed
        if speed is None or speed <= fastest:
            return config
        return replace(config, speed=fastest)  # type: ignore[type-var]

    def begin(self, state: CharacterState, generator: torch.Generator) -> CharacterState:
        """Return the states in which episodes begin. Fresh states stand at the origin; a task may
        place them elsewhere."""
        return state

    @abstractmethod
    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> Goal:
        """Draw a new goal for every character."""

    def follow_goal(self, state: CharacterState, goal: Goal) -> Goal:
        """Return the same goals one frame later: a clock has ticked, a companion has walked on.

        Called once per frame, in training and in play. A goal that does not change needs no
        override.
        """
        return goal

    @abstractmethod
    def renewal(self, state: CharacterState, goal: Goal) -> Tensor | float:
        """Return the probability, or (B,) probabilities, that a goal is redrawn in this frame of
        training."""

    def next_goal(self, state: CharacterState, goal: Goal, generator: torch.Generator) -> Goal:
        """Return the goals of the next frame of training: those of :meth:`follow_goal`, some of
        them redrawn."""
        goal = self.follow_goal(state, goal)
        chance = torch.rand(len(state), generator=generator, device=generator.device)
        redraw = chance.to(state.yaw.device) < self.renewal(state, goal)
        # On a GPU, asking whether any goal is due costs more than drawing them all.
        if redraw.device.type == "cpu" and not bool(redraw.any()):
            return goal
        return batch.where(redraw, self.draw_goal(state, generator), goal)

    def mirror_goal(self, goal: Goal) -> Goal:
        """Return the goals in a world reflected in the plane x = 0.

        Reflects the fields that the goal declares as places, velocities or yaws (see
        ``controller.tasks.goals``); all other fields stay. Override it for a goal that needs more.
        """
        return goals.mirrored(goal)

    def failed(self, state: CharacterState, goal: Goal) -> Tensor:
        """(B,) booleans: whose episode ends here although the character itself is sound. By
        default no one's."""
        return torch.zeros_like(state.yaw, dtype=torch.bool)

    @abstractmethod
    def observe_goal(self, state: CharacterState, goal: Goal) -> Tensor:
        """(B, goal_size): the goal as each character observes it from its own facing frame."""

    @abstractmethod
    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: Goal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the (B,) reward of one step, and its terms by name."""

    def with_penalties(
        self,
        terms: dict[str, Tensor],
        before: CharacterState,
        latent: Tensor,
        after: CharacterState,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what :meth:`reward` must: the sum of the task's own ``terms`` minus the
        :class:`Penalties`, and all of them by name."""
        penalties = self.penalties.terms(before, latent, after)
        reward = sum(terms.values()) - sum(penalties.values())
        return reward, terms | penalties  # type: ignore[return-value]

    @abstractmethod
    def goal_bounds(self) -> list[float]:
        """For each column of :meth:`observe_goal`, the largest absolute value it can take."""

    def settings(self) -> dict[str, Any]:
        """Return what a policy trained on this task must know about it, JSON-able: the fields of
        its configuration."""
        return asdict(self.config)  # type: ignore[call-overload]
