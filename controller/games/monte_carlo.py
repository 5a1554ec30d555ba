"""Monte Carlo control: no training; the best of many random tries acts."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from controller.control.monte_carlo import MonteCarlo
from controller.dynamics.character import Character, CharacterState
from controller.games.registry import game
from controller.games.settings import Settings
from controller.games.target import TargetGame


@game
class MonteCarloGame(TargetGame):
    """The target's flag, approached by whichever random try earns most of the target's reward."""

    name: ClassVar[str] = "monte_carlo"
    title: ClassVar[str] = "Monte Carlo control"
    does = "clicks, as for the target; no policy: the best of many random tries acts"
    pages = ()
    uses_policy = False
    who = "monte_carlo"

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        config = settings.monte_carlo
        self.control = MonteCarlo(self.simulation, config)
        self.status = f"best of {config.samples} tries, {config.horizon} frames deep"

    def latent(self, state: CharacterState) -> Tensor:
        return self.control(state, self.goal)
