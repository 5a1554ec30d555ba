"""Monte Carlo control: try random latents for a few frames, without training, and act as the best
try began.

This is the baseline of Ling et al. 2020, section 5.1. They use 200 samples, four steps deep: as
many steps of the decoder as here. docs/results.md compares the depths.
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
    """How much to try before each frame."""

    samples: int = 50
    """Tries for each character."""
    horizon: int = 16
    """Frames in a try."""
    deviation: float = 1.0
    """Standard deviation of the latents tried; the decoder was trained with 1. Codes are drawn as
    often as they occur in captured motion, whatever the deviation."""
    seed: int = 1
    """Seed of the tries."""

    def __post_init__(self) -> None:
        for name in ("samples", "horizon"):
            value = getattr(self, name)
            require(value >= 1, f"monte_carlo.{name}", value, "1 or more")
        in_range = 0 < self.deviation <= 10
        require(in_range, "monte_carlo.deviation", self.deviation, "above 0, up to 10")


class MonteCarlo:
    """Acts at any task by trying: states and goals of B characters → latents ``(B, latent)``.

    A try begins with one latent drawn at random. After it z stays at 0, the mean of its
    distribution (a code stays the same). The best try has the highest sum of rewards over its
    frames.

    If every frame of a try drew its own latent, most of the difference between two sums would be
    the luck of the later frames. That luck is lost, since the next frame begins new tries, and so
    a greater depth would make the choice worse.

    Goals do not move during a try: they change little in half a second.
    """

    def __init__(self, simulation: Simulation, config: MonteCarloConfig | None = None) -> None:
        self.simulation = simulation
        self.config = config or MonteCarloConfig()
        self.generator = torch.Generator().manual_seed(self.config.seed)

    def draw(self, count: int) -> Tensor:
        """Draw ``(count, latent)`` latents with which tries begin."""
        character = self.simulation.character
        latents = character.draw_latents(count, self.generator)
        return self.config.deviation * latents if character.codes is None else latents

    @torch.inference_mode()
    def __call__(self, state: CharacterState, goal: Any) -> Tensor:
        """Latents ``(B, latent)`` that the best tries of B characters begin with."""
        config = self.config
        simulation = self.simulation
        count = len(state)
        rows = torch.arange(count, device=state.yaw.device).repeat_interleave(config.samples)
        state = batch.select(state, rows)
        goal = batch.select(goal, rows)

        first = self.draw(len(rows)).to(state.pose.device)
        later = torch.zeros_like(first) if simulation.character.codes is None else first
        total = torch.zeros_like(state.yaw)
        for frame in range(config.horizon):
            step = simulation.advance(state, goal, later if frame else first)
            state = step.state
            total += step.reward.nan_to_num(nan=-1e3) - 1e3 * step.terminated

        tries = (count, config.samples)
        best = total.unflatten(0, tries).argmax(dim=1)
        characters = torch.arange(count, device=best.device)
        return first.unflatten(0, tries)[characters, best]
