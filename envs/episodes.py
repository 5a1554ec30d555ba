"""Many characters at one task, each with its own clock: what all environment classes share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Generic, NamedTuple

import torch
from torch import Tensor

from controller.control.folder import CharacterFolder
from controller.core import batch
from controller.core.errors import require
from controller.dynamics.character import Character, CharacterState
from controller.tasks import task_type
from controller.tasks.base import Goal
from controller.tasks.simulation import Simulation


class Step(NamedTuple):
    """The result of one step of B characters; ``terms`` are those of the reward, by name.

    After :meth:`Episodes.step`, rows that ended are already reset: ``observation`` is the first one
    of the new episode, and ``final`` holds the last ones of the old episodes (None if no row
    ended).
    """

    observation: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    final: Tensor | None
    terms: dict[str, Tensor]


class Move(NamedTuple, Generic[Goal]):
    """One step of B characters towards ``goal``: the arguments of
    :meth:`controller.tasks.simulation.Simulation.judge`."""

    before: CharacterState
    latent: Tensor
    after: CharacterState
    goal: Goal


class Episodes(Generic[Goal]):
    """State, goals, clocks and random generator of ``count`` characters in one simulation.

    On the CPU each frame draws from generators of its own, whose seed comes from the main one. So
    what is drawn for a character does not depend on whose episode ended or whose goal was reached
    before.

    Episodes are truncated after ``max_episode_steps`` frames, or never if that is None.
    """

    state: CharacterState
    goal: Goal
    frames: Tensor

    def __init__(
        self, simulation: Simulation[Goal], count: int, max_episode_steps: int | None
    ) -> None:
        require(count >= 1, "num_envs", count, "1 or more")
        positive = max_episode_steps is None or max_episode_steps >= 1
        require(positive, "max_episode_steps", max_episode_steps, "1 or more, or None")
        self.simulation = simulation
        self.count = count
        self.max_episode_steps = sys.maxsize if max_episode_steps is None else max_episode_steps
        self.device = simulation.character.reset_poses.device
        self.generator = torch.Generator(self.device)
        self._number: int | None = None
        self.reset()

    @classmethod
    def make(
        cls,
        task: str,
        count: int,
        max_episode_steps: int | None,
        mvae: Path | str | None,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> Episodes[Any]:
        """Make episodes of the named task on the motion VAE in the file ``mvae`` (by default the
        default character's), on ``device``. ``settings`` go to the task."""
        character = Character.load(mvae or CharacterFolder.open().mvae, device)
        simulation: Simulation[Any] = Simulation(character, task_type(task)(character, **settings))
        return Episodes(simulation, count, max_episode_steps)

    def reset(self, seed: int | None = None, rows: Tensor | None = None) -> Tensor:
        """Begin new episodes, for all rows or only the masked ``rows``, and return observations. A
        seed makes everything after it repeatable."""
        if seed is not None:
            self.generator.manual_seed(seed)
        generator = self.generator if rows is None or seed is not None else self._of_frame(1)
        state, goal = self.simulation.reset(self.count, generator)
        if rows is None:
            self.state = state
            self.goal = goal
            self.frames = torch.zeros(self.count, dtype=torch.long, device=self.device)
        else:
            self.state = batch.where(rows, state, self.state)
            self.goal = batch.where(rows, goal, self.goal)
            self.frames = torch.where(rows, 0, self.frames)
        return self.simulation.observe(self.state, self.goal)

    def _draw_number(self) -> int | None:
        """What seeds the generators of a frame. On a GPU, where the same numbers are drawn whoever
        needs them, none is needed, and reading it would have to wait for the device."""
        if self.device.type != "cpu":
            return None
        return int(torch.randint(2**62, (1,), generator=self.generator))

    def _of_frame(self, which: int) -> torch.Generator:
        """The generator of this frame for goals (0) or for new episodes (1)."""
        if self._number is None:
            return self.generator
        return torch.Generator().manual_seed(self._number + which)

    def spread_clocks(self) -> None:
        """Set the clocks apart, as they are after a while, so that the episodes do not all end in
        the same frame."""
        self.frames = torch.randint(
            self.max_episode_steps, (self.count,), generator=self.generator, device=self.device
        )

    def move(self, latent: Tensor) -> tuple[Move[Goal], Tensor, Tensor]:
        """Advance every character by one frame, with goals and clocks, without computing the
        reward. Also returns whose episode is terminated and whose is truncated, ``(B,)`` each.

        Differentiable in ``latent``; the state keeps its graph.
        """
        move = Move(self.state, latent, self.simulation.move(self.state, latent), self.goal)
        self.state = move.after
        with torch.no_grad():
            terminated = self.simulation.over(self.state, self.goal)
            self._number = self._draw_number()
            self.goal = self.simulation.task.next_goal(self.state, self.goal, self._of_frame(0))
        self.frames = self.frames + 1
        return move, terminated, (self.frames >= self.max_episode_steps) & ~terminated

    @torch.inference_mode()
    def advance(self, action: Tensor) -> Step:
        """Advance every character by one frame and reset none. ``action`` is z / ``LATENT_LIMIT``
        (B, latent), or, if z is one of K codes, their numbers from 0 (B,)."""
        move, terminated, truncated = self.move(self.simulation.latent(action))
        reward, terms = self.simulation.judge(*move)
        observation = torch.nan_to_num(self.simulation.observe(self.state, self.goal))
        return Step(observation, torch.nan_to_num(reward), terminated, truncated, None, terms)

    @torch.inference_mode()
    def step(self, action: Tensor) -> Step:
        """Advance every character; those whose episode ends are reset at once (SAME_STEP
        autoreset). Nothing leaves a GPU."""
        result = self.advance(action)
        ended = result.terminated | result.truncated
        # On a GPU, asking whether any episode ended costs more than a reset that changes nothing.
        if self.device.type == "cpu" and not bool(ended.any()):
            return result
        return result._replace(observation=self.reset(rows=ended), final=result.observation)
