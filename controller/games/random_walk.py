"""Random walk: nobody steers."""

from __future__ import annotations

import torch

from controller.character import CharacterState
from controller.games.base import Game
from controller.tasks.random_walk import RandomWalkTask


class RandomGame(Game):
    """Latents are drawn as the motion VAE was trained to take them."""

    task_type = RandomWalkTask
    piloted = False

    def step(self, state: CharacterState) -> CharacterState:
        return self.simulation.move(state, self.draw())

    def draw(self) -> torch.Tensor:
        """(1, latent) at random."""
        return self.character.draw_latents(1, self.generator)
