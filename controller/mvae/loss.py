"""The terms of the training loss."""

from __future__ import annotations

from torch import Tensor

from controller.metrics import contact_weight

FOOT_SCALE = 0.01
"""m: the foot error that counts as one unit of loss."""


def kl_per_unit(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, σ²) ‖ N(0, 1)) of each latent unit in nats, averaged over the batch: ``(latent,)``."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean(dim=0)


def kl_loss(mean: Tensor, log_variance: Tensor, free_bits: float) -> Tensor:
    """Mean over latent units of max(λ, KLⱼ): a unit's first λ = ``free_bits`` nats are free (Kingma et al. 2016)."""
    return kl_per_unit(mean, log_variance).clamp(min=free_bits).mean()


def foot_loss(moved: Tensor, truly_moved: Tensor, feet: Tensor, true_feet: Tensor) -> Tensor:
    """Squared error of where the feet are and, while they stand, of how they moved over the ground, in (cm)².

    The reconstruction loss hardly sees a planted foot that slides by 2 mm a frame; a person sees nothing else.
    All arguments ``(B, 2, 3)`` metres.
    """
    standing = contact_weight(true_feet[..., 1:2].detach())
    slip = ((moved - truly_moved) / FOOT_SCALE).square() * standing
    place = ((feet - true_feet) / FOOT_SCALE).square()
    return slip.mean() + 0.1 * place.mean()


def slip_loss(moved: Tensor, height: Tensor) -> Tensor:
    """Slip s² / (1 + s²) of feet that stand, s in cm a frame (Geman & McClure 1987: a foot that swings does not count).

    ``moved`` (B, 2, 3) metres over the ground, ``height`` (B, 2) metres. The height only weighs: no gradient goes
    through it, or feet would learn to hover.
    """
    squared = (moved[..., [0, 2]] / FOOT_SCALE).square().sum(dim=-1)
    return (contact_weight(height.detach()) * squared / (1 + squared)).mean()
