"""What a network returns in training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Unrolled:
    """A rollout through a window.

    pictures          (B, T, 3, H, W), about 0 to 1: what was painted
    mean              (B, T, latent) of the posterior, and
    log_variance      its log-variance
    prior             mean and log-variance of a learned prior; None for N(0, I)
    """

    pictures: Tensor
    mean: Tensor
    log_variance: Tensor
    prior: tuple[Tensor, Tensor] | None = None
