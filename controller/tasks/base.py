"""What a task is: goals as data, what is seen of them, what is rewarded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from controller.character import Character, CharacterState
from controller.tasks.quality import Quality

Goal = TypeVar("Goal")


class Task(ABC, Generic[Goal]):
    """A task for a batch of characters. It holds settings, never a state: goals go in and come out.

    ``goal_size`` is the width of :meth:`observe_goal`; a task without a goal has 0.
    """

    name: ClassVar[str]
    goal_size: ClassVar[int]

    def __init__(self, character: Character) -> None:
        self.character = character
        self.quality = Quality(character)

    @abstractmethod
    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> Goal:
        """A new goal for every character, at random."""

    @abstractmethod
    def next_goal(self, state: CharacterState, goal: Goal, generator: torch.Generator) -> Goal:
        """The goals of the next frame: the same, or newly drawn for some characters."""

    @abstractmethod
    def observe_goal(self, state: CharacterState, goal: Goal) -> Tensor:
        """(B, goal_size): the goal as each character sees it, from its own facing frame."""

    @abstractmethod
    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: Goal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(B,) reward of one step, and its terms by name."""

    @abstractmethod
    def goal_bounds(self) -> list[float]:
        """For each column of :meth:`observe_goal`, the largest absolute value it can take."""

    def settings(self) -> dict[str, Any]:
        """What a policy trained on this task must know of it, JSON-able."""
        return {}
