"""Random walk: no goal. For watching and measuring the model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.tasks.base import NoConfig, Task
from controller.tasks.registry import task


@dataclass(frozen=True)
class NoGoal:
    """No goal; ``rows`` (B,) only says for how many characters."""

    rows: Tensor


@task
class RandomWalkTask(Task[NoGoal, NoConfig]):
    """Any motion will do: the reward is 1 a frame minus the :class:`Penalties`. There is no goal to
    observe."""

    name: ClassVar[str] = "random"
    goal_size: ClassVar[int] = 0

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> NoGoal:
        return NoGoal(torch.zeros_like(state.yaw))

    def renewal(self, state: CharacterState, goal: NoGoal) -> float:
        return 0.0

    def next_goal(self, state: CharacterState, goal: NoGoal, generator: torch.Generator) -> NoGoal:
        return goal  # never another, and no random number is spent on it

    def observe_goal(self, state: CharacterState, goal: NoGoal) -> Tensor:
        return state.pose[:, :0]

    def goal_bounds(self) -> list[float]:
        return []

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: NoGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        reward, terms = self.with_penalties({}, before, latent, after)
        return 1 + reward, terms
