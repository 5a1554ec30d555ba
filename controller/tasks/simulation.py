"""A character with a task: what it observes and how a step changes everything. No clock, no
drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from controller.dynamics.character import Character, CharacterState
from controller.tasks.base import Task

LATENT_LIMIT = 2.0
"""Latents are held to ±2: nearly all of N(0, I), from which the decoder was trained, and no more.
Beyond it the decoder was never asked anything, and a policy would exploit its answers."""


@dataclass(frozen=True)
class Transition:
    """What one step gives, for B characters.

    state       the next state
    reward      (B,)
    terms       the reward's terms by name, (B,) each
    terminated  (B,) booleans: the character fell, its pose is not a number, or it failed as the
                task has it
    """

    state: CharacterState
    reward: Tensor
    terms: dict[str, Tensor]
    terminated: Tensor


class Simulation:
    """One character model and one task, for any number of characters at once.

    State and goals are explicit: :meth:`advance` takes them and gives new ones. The same object
    serves training, evaluation and the window.
    """

    def __init__(self, character: Character, task: Task) -> None:
        self.character = character
        self.task = task
        self.observation_size = character.layout.size + task.goal_size

    def observation_bounds(self) -> tuple[Tensor, Tensor]:
        """Smallest and largest observation ``(observation_size,)``: poses are held to their
        range."""
        goal = torch.tensor(self.task.goal_bounds())
        return torch.cat((self.character.low.cpu(), -goal)), torch.cat(
            (self.character.high.cpu(), goal)
        )

    def reset(self, batch: int, generator: torch.Generator) -> tuple[CharacterState, Any]:
        """Fresh states, at the origin unless the task has another place for them, and goals for
        them."""
        state = self.task.begin(self.character.reset(batch, generator), generator)
        return state, self.task.draw_goal(state, generator)

    def observe(self, state: CharacterState, goal: Any) -> Tensor:
        """(B, observation_size): the z-scored pose, then the task's view of its goal."""
        return torch.cat((state.pose, self.task.observe_goal(state, goal)), dim=-1)

    def advance(self, state: CharacterState, goal: Any, latent: Tensor) -> Transition:
        """One step of 1/30 s with latents ``(B, latent)``, as :meth:`hold` leaves them, rewarded
        for ``goal``."""
        after = self.move(state, latent)
        return Transition(after, *self.judge(state, latent, after, goal), self.over(after, goal))

    def over(self, state: CharacterState, goal: Any) -> Tensor:
        """(B,) booleans: whose episode ends here, since the character fell, its pose is not a
        number, or it failed."""
        return ~self.character.alive(state) | self.task.failed(state, goal)

    def latent(self, action: Tensor) -> Tensor:
        """What an environment's action means, ``(B, latent)``: ``LATENT_LIMIT`` times the action,
        or, where z is one of K codes, those that ``action`` (B,) numbers from 0; IndexError if
        there is no such code."""
        codes = self.character.codes
        return LATENT_LIMIT * action if codes is None else functional.embedding(action, codes)

    def hold(self, latent: Tensor) -> Tensor:
        """Latents held to ±``LATENT_LIMIT``. Codes are all known to the decoder, and stay as they
        are."""
        return latent.clamp(-LATENT_LIMIT, LATENT_LIMIT) if self.character.codes is None else latent

    def move(self, state: CharacterState, latent: Tensor) -> CharacterState:
        """The state after one step, without reward or termination: what a game needs."""
        return self.character.step(state, self.hold(latent))

    def judge(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Reward ``(B,)`` and its terms by name of steps that :meth:`move` made. Each row is judged
        by itself, so that the rows may as well be of many frames as of many characters."""
        return self.task.reward(before, self.hold(latent), after, goal)
