"""Monte Carlo control: no training; try latents at random, a few frames deep, and act as the best
try began.

The baseline of Ling et al. 2020, 5.1, which has 200 samples, four steps deep: as many steps of the
decoder as here. docs/results.md has what each depth is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from controller.core import batch
from controller.core.errors import require
from controller.dynamics.character import CharacterState
from controller.tasks.simulation import Simulation


@dataclass(frozen=True)
class MonteCarloConfig:
    """How much is tried before each frame."""

    samples: int = 50
    """Tries for each character."""
    horizon: int = 16
    """Frames that a try goes on."""
    deviation: float = 1.0
    """Deviation of the latents tried; 1 as the decoder knows them. Codes are drawn as often as
    captured motion has them, whatever the deviation."""
    seed: int = 1
    """Seed of the tries."""

    def __post_init__(self) -> None:
        for name in ("samples", "horizon"):
            require(
                getattr(self, name) >= 1, f"monte_carlo.{name}", getattr(self, name), "1 or more"
            )
        require(
            0 < self.deviation <= 10, "monte_carlo.deviation", self.deviation, "above 0, up to 10"
        )


class MonteCarlo:
    """Acts at any task by trying: a state and a goal of B characters → latents ``(B, latent)``.

    A try is one latent drawn at random, after which z stays at 0, the mean of what it is drawn from
    (a code: the same code), and what is best is the task's reward, summed over the frames of a try.
    With latents drawn anew in every frame of a try, most of what sets one sum apart from another is
    the luck of the later frames, which is thrown away when the next frame is tried anew, and to
    look deeper makes the choice worse.

    Goals stand still meanwhile: half a second later they are hardly others.
    """

    def __init__(self, simulation: Simulation, config: MonteCarloConfig | None = None) -> None:
        self.simulation = simulation
        self.config = config or MonteCarloConfig()
        self.generator = torch.Generator().manual_seed(self.config.seed)

    def draw(self, count: int) -> Tensor:
        """``(count, latent)``: the latents with which tries begin."""
        latents = self.simulation.character.draw_latents(count, self.generator)
        return (
            latents
            if self.simulation.character.codes is not None
            else self.config.deviation * latents
        )

    @torch.inference_mode()
    def __call__(self, state: CharacterState, goal: Any) -> Tensor:
        config = self.config
        simulation = self.simulation
        count = len(state)
        rows = torch.arange(count, device=state.yaw.device).repeat_interleave(config.samples)
        state = batch.select(state, rows)
        goal = batch.select(goal, rows)
        first = self.draw(len(rows)).to(state.pose.device)
        later = torch.zeros_like(first) if simulation.character.codes is None else first
        won = torch.zeros_like(state.yaw)
        for frame in range(config.horizon):
            step = simulation.advance(state, goal, later if frame else first)
            state = step.state
            won += step.reward.nan_to_num(nan=-1e3) - 1e3 * step.terminated
        best = won.unflatten(0, (count, config.samples)).argmax(dim=1)
        return first.unflatten(0, (count, config.samples))[
            torch.arange(count, device=best.device), best
        ]
