"""Monte Carlo control: nothing is trained; the best of many tries acts."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.control.monte_carlo import MonteCarlo
from controller.dynamics.character import Character, CharacterState
from controller.games.settings import Settings
from controller.games.target import TargetGame


class MonteCarloGame(TargetGame):
    """The target's flag, and whatever of many random tries comes nearest to what the target's
    reward asks for."""

    name = "monte_carlo"
    piloted = False
    pages = ()

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        config = settings.monte_carlo
        self.control = MonteCarlo(self.simulation, config)
        self.status = f"best of {config.samples} tries, {config.horizon} frames deep"

    def latent(self, state: CharacterState) -> Tensor:
        return self.control(state, self.goal)
