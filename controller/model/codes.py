"""A motion VAE whose z is one of K codes (VQ-VAE: van den Oord, Vinyals and Kavukcuoglu, *Neural
Discrete Representation Learning*, 2017). To steer it is to choose a number from 0 to K − 1 in every
frame."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.core import processes
from controller.model.gemm import Linear
from controller.model.mixture import MotionVAE, MotionVAEConfig, Step, StepFeatures
from controller.model.normalizer import Normalizer

COMMITMENT = 0.25
"""Weight of the pull of the encoder's vectors to their codes, beside 1 for that of the codes to
them (the paper's)."""
REVIVAL = 0.1
"""Weight of the pull of every code to the nearest of the encoder's vectors. A code that is nearest
to none would stay where it is for ever; this one leads it to where it is needed, whatever the
draw."""

HASTE = 10.0
"""How many times as fast as everything else the prior's logits are learned: else they lag behind
the codes' use."""


def on_sphere(vectors: Tensor) -> Tensor:
    """The same directions, with a mean square of 1 over their values, as a draw from N(0, I)
    has."""
    return math.sqrt(vectors.shape[-1]) * functional.normalize(vectors, dim=-1)


class CodeEncoder(StepFeatures):
    """(previous pose, next pose) → the vector ``(B, latent)``, of a length of its own, to which the
    nearest code is sought."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__(pose, config)
        self.output = Linear(pose + config.hidden, config.latent)

    def forward(self, previous: Tensor, following: Tensor) -> Tensor:
        return on_sphere(self.output(self.features(previous, following)))


class CodeVAE(MotionVAE):
    """A motion VAE with a codebook. Its decoder is the mixture of experts, which need not know that
    z is a code.

    Codes and encoder's vectors lie on a sphere (Yu et al., *Vector-quantized Image Modeling with
    Improved VQGAN*, 2022), so that no code is near to all by being short. The codebook and how
    likely each code is, the prior, are learned by gradients like all else.
    """

    def __init__(
        self, pose: int, config: MotionVAEConfig, normalizer: Normalizer | None = None
    ) -> None:
        super().__init__(pose, config, normalizer)
        self.codebook = nn.Parameter(torch.randn(config.codes, config.latent))
        self.logits = nn.Parameter(torch.zeros(config.codes))

    def make_encoder(self, pose: int) -> nn.Module:
        return CodeEncoder(pose, self.config)

    @property
    def codes(self) -> Tensor:
        return on_sphere(self.codebook)

    @property
    def log_prior(self) -> Tensor:
        """The logarithm of how likely each code is, ``(K,)``."""
        return torch.log_softmax(HASTE * self.logits, dim=-1)

    def nearest(self, vectors: Tensor) -> Tensor:
        """The numbers ``(B,)`` of the codes nearest to vectors ``(B, latent)`` of the sphere."""
        return (vectors.detach() @ self.codes.detach().t()).argmax(dim=-1)

    def encode(self, previous: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The code of the step, ``(B, latent)``, of which nothing is uncertain: its log-variance is
        −∞."""
        code = functional.embedding(self.nearest(self.encoder(previous, seen)), self.codes)
        return code, torch.full_like(code, -torch.inf)

    def loss(
        self, previous: Tensor, following: Tensor, seen: Tensor, noise: Tensor, free_bits: float
    ) -> Step:
        """A step with z the code nearest to the encoder's vector e; the gradient with respect to z
        is e's (*straight through*). ``noise`` and ``free_bits`` are not used.

        In place of the KL: ‖sg(e) − z‖² + 0.25·‖e − sg(z)‖², which bring codes and encodings
        together (sg: no gradient; van den Oord et al. 2017, equation 3), the pull of idle codes,
        and −log of the prior of the codes chosen; all are means over latent units, as the KL is.
        """
        vector = self.encoder(previous, seen)
        chosen = self.nearest(vector)
        codes = self.codes
        code = functional.embedding(chosen, codes)
        straight = code.detach() + vector - vector.detach()
        aside = code - vector.detach()
        still = vector - code.detach()
        latent = (
            aside.square().mean()
            + COMMITMENT * still.square().mean()
            + REVIVAL * self.idleness(codes, vector)
        )
        surprise = functional.nll_loss(self.log_prior.expand(len(chosen), -1), chosen)
        return Step(
            *self.reconstruct(straight, previous, following), latent + surprise / self.config.latent
        )

    @staticmethod
    def idleness(codes: Tensor, vectors: Tensor) -> Tensor:
        """Mean squared distance of codes (K, latent) from the nearest of the encoder's vectors (B,
        latent), a mean over latent units, too; its gradient moves only the codes. The vectors are
        those of the whole batch, were it shared among processes."""
        batch = processes.gathered(vectors.detach())
        near = (codes.detach() @ batch.t()).argmax(dim=-1)
        return (codes - batch[near]).square().mean()

    @torch.no_grad()
    def draw_latents(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes ``(count, latent)`` drawn from the prior: as often as captured steps have them."""
        drawn = torch.rand(count, generator=generator, device=generator.device).to(
            self.logits.device
        )
        chosen = torch.searchsorted(self.log_prior.exp().cumsum(dim=0), drawn).clamp(
            max=len(self.logits) - 1
        )
        return self.codes[chosen]

    def frequencies(self, codes: Tensor) -> Tensor:
        """The share ``(K,)`` of each code among codes ``(B, latent)``."""
        return torch.bincount(self.nearest(codes), minlength=len(self.logits)) / len(codes)

    def information(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """The entropy of the codes' use in nats: ln K when all are used alike, 0 when only one
        is."""
        return torch.special.entr(self.frequencies(mean)).sum()

    def mismatch(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """KL in nats of the codes' use from the prior."""
        use = self.frequencies(mean)
        return -(torch.special.entr(use).sum() + (use * self.log_prior).sum())
