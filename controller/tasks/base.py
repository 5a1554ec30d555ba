"""What a task is: goals as data, what is seen of them, what is rewarded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from controller.core import batch
from controller.dynamics.character import Character, CharacterState
from controller.tasks.penalties import Quality

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Goal = TypeVar("Goal", bound="DataclassInstance")
Config = TypeVar("Config")


@dataclass(frozen=True)
class NoConfig:
    """The settings of a task that has none."""


class Task(ABC, Generic[Goal, Config]):
    """A task for a batch of characters. It holds settings, never a state: goals go in and come out.

    ``name`` is what commands and checkpoints call it; ``goal_size`` the width of
    :meth:`observe_goal`, 0 for a task without a goal; ``extends`` the task, if any, whose columns
    come first among them, so that a policy for it is a good one to start from; ``steered`` whether
    a policy for it steers a frozen joystick policy unless told otherwise (see
    ``controller.control.navigator``); ``config_type`` the frozen dataclass of its settings, the
    defaults of which are used unless a ``config`` is given.
    """

    name: ClassVar[str]
    goal_size: ClassVar[int]
    extends: ClassVar[str | None] = None
    steered: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = NoConfig

    def __init__(self, character: Character, config: Config | None = None) -> None:
        self.character = character
        self.config: Config = self.config_type() if config is None else config
        self.quality = Quality(character)

    def begin(self, state: CharacterState, generator: torch.Generator) -> CharacterState:
        """Where an episode begins: at the origin, where every fresh state is, unless the task puts
        them elsewhere."""
        return state

    @abstractmethod
    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> Goal:
        """A new goal for every character, at random."""

    def follow_goal(self, state: CharacterState, goal: Goal) -> Goal:
        """The same goals one frame later: a clock has ticked, a companion has walked on. Whoever
        has goals set by a person calls this once a frame; a goal that just stays needs none of
        it."""
        return goal

    @abstractmethod
    def renewal(self, state: CharacterState, goal: Goal) -> Tensor | float:
        """The probability, or (B,) probabilities, with which a goal is drawn anew in this frame of
        training."""

    def next_goal(self, state: CharacterState, goal: Goal, generator: torch.Generator) -> Goal:
        """The goals of the next frame of training: those of :meth:`follow_goal`, or newly drawn for
        some characters."""
        goal = self.follow_goal(state, goal)
        drawn = torch.rand(len(state), generator=generator, device=generator.device)
        redraw = drawn.to(state.yaw.device) < self.renewal(state, goal)
        if redraw.device.type == "cpu" and not bool(
            redraw.any()
        ):  # elsewhere, asking costs more than drawing
            return goal
        return batch.where(redraw, self.draw_goal(state, generator), goal)

    def failed(self, state: CharacterState, goal: Goal) -> Tensor:
        """(B,) booleans: whose episode ends here although nothing is wrong with the character.
        Nobody's, unless the task says so."""
        return torch.zeros_like(state.yaw, dtype=torch.bool)

    @abstractmethod
    def observe_goal(self, state: CharacterState, goal: Goal) -> Tensor:
        """(B, goal_size): the goal as each character sees it, from its own facing frame."""

    @abstractmethod
    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: Goal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(B,) reward of one step, and its terms by name."""

    def with_penalties(
        self,
        terms: dict[str, Tensor],
        before: CharacterState,
        latent: Tensor,
        after: CharacterState,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What :meth:`reward` returns: the sum of its own ``terms`` less the penalties of
        :class:`Quality`, and all of them by name."""
        penalties = self.quality.penalties(before, latent, after)
        return sum(terms.values()) - sum(penalties.values()), terms | penalties  # type: ignore[return-value]

    @abstractmethod
    def goal_bounds(self) -> list[float]:
        """For each column of :meth:`observe_goal`, the largest absolute value it can take."""

    def settings(self) -> dict[str, Any]:
        """What a policy trained on this task must know of it, JSON-able: its configuration's
        fields."""
        return asdict(self.config)  # type: ignore[call-overload]
