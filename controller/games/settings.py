"""Settings of the games, chosen before they begin."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.control.monte_carlo import MonteCarloConfig
from controller.core.errors import require
from controller.ground.ground import FLAT, Ground

MOST = 200
"""The largest number of characters of a crowd in the window."""


@dataclass(frozen=True)
class Settings:
    """The size of the crowd, how many random tries Monte Carlo control makes, whether feet that are
    drawn stand still, and the ground on which they do.

    Looking half a second ahead reaches a target where the paper's four frames do not. With so few
    tries, Monte Carlo control keeps up with 30 Hz on one core.
    """

    characters: int = 30
    monte_carlo: MonteCarloConfig = field(
        default_factory=lambda: MonteCarloConfig(samples=64, horizon=8)
    )
    foot_lock: bool = True
    ground: Ground = FLAT

    def __post_init__(self) -> None:
        require(1 <= self.characters <= MOST, "characters", self.characters, f"1 to {MOST}")
