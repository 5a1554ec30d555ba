"""What may be chosen about games beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.control.monte_carlo import MonteCarloConfig
from controller.core.errors import require

MOST = 200
"""Characters of a crowd, in the window."""


@dataclass(frozen=True)
class Settings:
    """The size of the crowd, and how hard Monte Carlo control tries.

    Half a second of looking ahead gets to a target where four frames, as in the paper, do not; with
    so few tries it keeps up with 30 Hz on one core.
    """

    characters: int = 30
    monte_carlo: MonteCarloConfig = field(
        default_factory=lambda: MonteCarloConfig(samples=64, horizon=8)
    )

    def __post_init__(self) -> None:
        require(1 <= self.characters <= MOST, "characters", self.characters, f"1 to {MOST}")
