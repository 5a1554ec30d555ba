"""Slow noise on the latents of characters that stand: nobody stands like a statue."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.core.errors import require

STANDING = 0.1
"""m/s: a slower desired velocity means to stand. Captured commands to stand are not exactly 0."""


@dataclass(frozen=True)
class SwayConfig:
    """An Ornstein-Uhlenbeck process in each unit of the latent, sampled at the frame rate.

    By the encoder, the latents of captured standing are such a process: half of what deviates from
    the mean is still there after 12 frames. White noise would shake.
    """

    deviation: float = 0.0
    """Standard deviation; 0 means none. With 0.45 joints move half as fast as captured ones while
    one stands, and the character drifts by 0.4 m a minute."""
    frames: float = 10.0
    """Frames after which noise has fallen to 1/e of what it was."""

    def __post_init__(self) -> None:
        require(0 <= self.deviation <= 2, "sway.deviation", self.deviation, "0 to 2")
        require(0 < self.frames <= 1000, "sway.frames", self.frames, "above 0, up to 1000")


class Sway:
    """The noise of a batch of characters, which goes on from call to call. It grows while one
    stands, and dies away while it walks."""

    def __init__(self, config: SwayConfig, generator: torch.Generator | None = None) -> None:
        self.config = config
        self.generator = generator or torch.Generator().manual_seed(0)
        self.kept = math.exp(-1 / config.frames)
        self.fresh = config.deviation * math.sqrt(1 - self.kept**2)
        self.noise = torch.zeros(0, 0)

    def __call__(self, latent: Tensor, wish: Tensor) -> Tensor:
        """Latents (B, latent) with the noise of the next frame, for desired velocities ``wish``
        (B, 2) in m/s. It begins anew when the size of the batch changes."""
        if self.config.deviation == 0:
            return latent
        random = torch.randn(latent.shape, generator=self.generator, device=self.generator.device)
        if self.noise.shape != latent.shape:
            self.noise = torch.zeros_like(latent)
        standing = wish.detach().square().sum(dim=-1, keepdim=True) < STANDING**2
        self.noise = self.kept * self.noise + self.fresh * random.to(latent.device) * standing
        return latent + self.noise
