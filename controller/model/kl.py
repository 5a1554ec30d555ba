"""The divergence of the posterior from the prior N(0, I)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from controller.core import processes

LOG_VARIANCE_RANGE = (-12.0, 6.0)
"""Range to which a posterior's log-variance is clamped, so that the variance and its inverse fit
single precision."""


class _Clamped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log_variance: Tensor) -> Tensor:
        return log_variance.clamp(*LOG_VARIANCE_RANGE)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def clamped(log_variance: Tensor) -> Tensor:
    """A log-variance clamped to :data:`LOG_VARIANCE_RANGE`, with the gradient of the identity.

    While the KL term has no weight, log-variances fall below that range. The gradient of ``clamp``
    is 0 there, so they would stay below it when the term gets its weight: at 5.5 nats a unit,
    whatever β is.
    """
    result: Tensor = _Clamped.apply(log_variance)
    return result


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

    KLⱼ is that of the whole batch. Processes that share a batch agree on which units have more than
    λ.
    """
    units = kl_per_unit(mean, log_variance)
    if not free_bits:
        return units.mean()  # no KL is below 0
    return torch.where(processes.mean(units) > free_bits, units, free_bits).mean()
