"""The divergence of the posterior from the prior N(0, I)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from controller.core import processes

LOG_VARIANCE_RANGE = (-12.0, 6.0)
"""To which a posterior's log-variance is held, so that neither it nor its inverse leaves single
precision."""


class _Held(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log_variance: Tensor) -> Tensor:
        return log_variance.clamp(*LOG_VARIANCE_RANGE)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def held(log_variance: Tensor) -> Tensor:
    """A log-variance within :data:`LOG_VARIANCE_RANGE`, with the gradient as if it were not held.

    Where the KL term weighs nothing for a while, log-variances fall below that range. With the
    gradient of ``clamp``, which is 0 there, they would stay when it weighs something: at 5.5 nats a
    unit, whatever β is.
    """
    outcome: Tensor = _Held.apply(log_variance)
    return outcome


def kl_per_unit(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, σ²) ‖ N(0, 1)) of each latent unit in nats, averaged over the batch:
    ``(latent,)``."""
    return 0.5 * (torch.addcmul(log_variance.exp() - log_variance, mean, mean).mean(dim=0) - 1)


def aggregate(mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance ``(latent,)`` of the mixture of posteriors ``(B, latent)``, by the law of
    total variance."""
    return mean.mean(dim=0), mean.var(dim=0) + log_variance.exp().mean(dim=0)


def kl_loss(mean: Tensor, log_variance: Tensor, free_bits: float) -> Tensor:
    """Mean over latent units of max(λ, KLⱼ): a unit's first λ = ``free_bits`` nats are free (Kingma
    et al. 2016).

    KLⱼ is that of the whole batch: where processes share one, they settle together which units have
    more than λ.
    """
    units = kl_per_unit(mean, log_variance)
    if not free_bits:
        return units.mean()  # no KL is below 0
    return torch.where(processes.mean(units) > free_bits, units, free_bits).mean()
