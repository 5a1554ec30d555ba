"""Many characters playing one task, each with its own clock: what all three environment faces
share."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import torch
from torch import Tensor

from controller.control import shipped
from controller.core import batch
from controller.core.errors import require
from controller.dynamics.character import Character, CharacterState
from controller.tasks import task_type
from controller.tasks.simulation import Simulation


class Step(NamedTuple):
    """One step of B characters; ``terms`` are the reward's, by name. After :meth:`Episodes.step`,
    rows that ended are already reset: ``observation`` is the new episode's first, ``final`` holds
    those with which the old ones ended (None if no row ended)."""

    observation: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    final: Tensor | None
    terms: dict[str, Tensor]


class Move(NamedTuple):
    """What :meth:`controller.tasks.simulation.Simulation.judge` judges: one step of B characters,
    towards ``goal``."""

    before: CharacterState
    latent: Tensor
    after: CharacterState
    goal: Any


class Episodes:
    """State, goals, clocks and the random generator of ``count`` characters in one simulation.

    Episodes are truncated after ``max_episode_steps`` frames, or never if that is None.
    """

    def __init__(self, simulation: Simulation, count: int, max_episode_steps: int | None) -> None:
        require(count >= 1, "num_envs", count, "1 or more")
        allowed = "1 or more, or None"
        require(
            max_episode_steps is None or max_episode_steps >= 1,
            "max_episode_steps",
            max_episode_steps,
            allowed,
        )
        self.simulation = simulation
        self.count = count
        self.max_episode_steps = sys.maxsize if max_episode_steps is None else max_episode_steps
        self.device = simulation.character.reset_poses.device
        self.generator = torch.Generator(self.device)
        self.reset()

    @classmethod
    def make(
        cls,
        task: str,
        count: int,
        max_episode_steps: int | None,
        mvae: str | None,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> Episodes:
        """The named task on the motion VAE in the file ``mvae`` (the shipped one unless given), on
        ``device``."""
        character = Character.load(mvae or shipped.MVAE, device)
        return cls(
            Simulation(character, task_type(task)(character, **settings)), count, max_episode_steps
        )

    def reset(self, seed: int | None = None, rows: Tensor | None = None) -> Tensor:
        """Begin anew, all or the masked ``rows``; a seed makes everything after it repeat. Returns
        observations."""
        if seed is not None:
            self.generator.manual_seed(seed)
        state, goal = self.simulation.reset(self.count, self.generator)
        if rows is None:
            self.state = state
            self.goal = goal
            self.frames = torch.zeros(self.count, dtype=torch.long, device=self.device)
        else:
            self.state = batch.where(rows, state, self.state)
            self.goal = batch.where(rows, goal, self.goal)
            self.frames = torch.where(rows, 0, self.frames)
        return self.simulation.observe(self.state, self.goal)

    def spread_clocks(self) -> None:
        """Set the clocks apart, as they are after a while, so that not all characters begin anew in
        one frame."""
        self.frames = torch.randint(
            self.max_episode_steps, (self.count,), generator=self.generator, device=self.device
        )

    def move(self, latent: Tensor) -> tuple[Move, Tensor, Tensor]:
        """Move every character by one frame, with goals and clocks; not yet judged. Also says which
        fell and whose clocks ran out, ``(B,)`` each.

        Differentiable in ``latent``; the state goes on with its graph.
        """
        moved = Move(self.state, latent, self.simulation.move(self.state, latent), self.goal)
        self.state = moved.after
        with torch.no_grad():
            terminated = self.simulation.over(self.state, self.goal)
            self.goal = self.simulation.task.next_goal(self.state, self.goal, self.generator)
        self.frames = self.frames + 1
        return moved, terminated, (self.frames >= self.max_episode_steps) & ~terminated

    @torch.inference_mode()
    def advance(self, action: Tensor) -> Step:
        """Move every character by one frame and reset none. ``action`` is (B, latent) z /
        ``LATENT_LIMIT``, or, where z is one of K codes, (B,) their numbers from 0."""
        moved, terminated, truncated = self.move(self.simulation.latent(action))
        reward, terms = self.simulation.judge(*moved)
        observation = torch.nan_to_num(self.simulation.observe(self.state, self.goal))
        return Step(observation, torch.nan_to_num(reward), terminated, truncated, None, terms)

    @torch.inference_mode()
    def step(self, action: Tensor) -> Step:
        """Advance every character; those that end are reset at once (SAME_STEP autoreset). Nothing
        leaves a GPU."""
        result = self.advance(action)
        ended = result.terminated | result.truncated
        if self.device.type == "cpu" and not bool(
            ended.any()
        ):  # elsewhere, asking costs more than resetting nobody
            return result
        return result._replace(observation=self.reset(rows=ended), final=result.observation)
