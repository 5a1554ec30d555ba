"""A character with a task: what it observes and what one step changes. No clock, no drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

import torch
from torch import Tensor
from torch.nn import functional

from controller.dynamics.character import Character, CharacterState
from controller.tasks.base import Goal, Task

LATENT_LIMIT = 2.0
"""Latents are clamped to ±2, which covers nearly all of N(0, I), on which the decoder was trained.
The decoder never learned anything about larger latents, and a policy would exploit its answers."""


@dataclass(frozen=True)
class Transition:
    """The result of one step, for B characters.

    state       the next state
    reward      (B,)
    terms       the reward's terms by name, (B,) each
    terminated  (B,) booleans: the character fell, its pose is not finite, or the task counts it as
                failed
    """

    state: CharacterState
    reward: Tensor
    terms: dict[str, Tensor]
    terminated: Tensor


class Simulation(Generic[Goal]):
    """One character model and one task, for any number of characters at once.

    State and goals are explicit: :meth:`advance` takes them and returns new ones. The same object
    serves training, evaluation and the window.
    """

    def __init__(self, character: Character, task: Task[Goal, Any]) -> None:
        self.character = character
        self.task = task
        self.observation_size = character.layout.size + task.goal_size

    def observation_bounds(self) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest observation, ``(observation_size,)`` each. Poses are
        clamped to their range."""
        goal = torch.tensor(self.task.goal_bounds())
        low = torch.cat((self.character.low.cpu(), -goal))
        high = torch.cat((self.character.high.cpu(), goal))
        return low, high

    def reset(self, batch: int, generator: torch.Generator) -> tuple[CharacterState, Goal]:
        """Return fresh states, at the origin unless the task places them elsewhere, and goals for
        them. Styles, if the character has any, are drawn at random: a policy must also bring it
        from the pose of one style to another."""
        fresh = self.character.with_drawn_styles(self.character.reset(batch, generator), generator)
        state = self.task.begin(fresh, generator)
        return state, self.task.draw_goal(state, generator)

    def observe(self, state: CharacterState, goal: Goal) -> Tensor:
        """(B, observation_size): the z-scored pose, then the goal as the task observes it."""
        return torch.cat((state.pose, self.task.observe_goal(state, goal)), dim=-1)

    def advance(self, state: CharacterState, goal: Goal, latent: Tensor) -> Transition:
        """One step of 1/30 s with latents ``(B, latent)``, which are clamped, and its reward for
        ``goal``."""
        after = self.move(state, latent)
        reward, terms = self.judge(state, latent, after, goal)
        return Transition(after, reward, terms, self.over(after, goal))

    def over(self, state: CharacterState, goal: Goal) -> Tensor:
        """(B,) booleans: whose episode ends here, because the character fell, its pose is not
        finite, or it failed the task."""
        return ~self.character.alive(state) | self.task.failed(state, goal)

    def latent(self, action: Tensor) -> Tensor:
        """Translate an environment's actions to latents ``(B, latent)``: ``LATENT_LIMIT`` times the
        action, or, if z is one of K codes, the codes whose numbers from 0 are in ``action`` (B,).

        Raises IndexError if there is no such code.
        """
        codes = self.character.codes
        return LATENT_LIMIT * action if codes is None else functional.embedding(action, codes)

    def clamp(self, latent: Tensor) -> Tensor:
        """Clamp latents to ±``LATENT_LIMIT``. Codes stay as they are: the decoder knows them
        all."""
        return latent.clamp(-LATENT_LIMIT, LATENT_LIMIT) if self.character.codes is None else latent

    def move(self, state: CharacterState, latent: Tensor) -> CharacterState:
        """Return the state after one step, without reward or termination: what a game needs."""
        return self.character.step(state, self.clamp(latent))

    def judge(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: Goal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the reward ``(B,)`` of steps that :meth:`move` made, and its terms by name.

        Each row is judged by itself, so the rows may be those of many frames as well as those of
        many characters.
        """
        return self.task.reward(before, self.clamp(latent), after, goal)
