"""A motion VAE whose z is one of K codes (VQ-VAE: van den Oord, Vinyals and Kavukcuoglu, *Neural
Discrete Representation Learning*, 2017). The action of each frame is a number from 0 to K − 1."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.core import processes
from controller.model.gemm import Linear
from controller.model.mixture import MotionVAE, MotionVAEConfig, StepFeatures, StepLoss
from controller.model.normalizer import Normalizer

COMMITMENT = 0.25
"""Weight of the pull of encoded vectors towards their codes, beside 1 for that of the codes towards
them (the paper's)."""
REVIVAL = 0.1
"""Weight of the pull of every code towards the encoded vector nearest to it. Without it, a code
that is nearest to no vector would never move; with it, the code goes where it is needed, however it
was initialised."""

PRIOR_SPEED = 10.0
"""How many times as fast as everything else the prior's logits are learned. At the same speed they
would lag behind the use of the codes."""


def on_sphere(vectors: Tensor) -> Tensor:
    """Scale vectors to a mean square of 1 over their values, as a draw from N(0, I) has."""
    return math.sqrt(vectors.shape[-1]) * functional.normalize(vectors, dim=-1)


class CodeEncoder(StepFeatures):
    """(previous pose, next pose) → a vector ``(B, latent)`` on the sphere, to be replaced by the
    nearest code."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__(pose, config)
        self.output = Linear(self.width, config.latent)

    def forward(self, previous: Tensor, following: Tensor) -> Tensor:
        return on_sphere(self.output(self.features(previous, following)))


class CodeVAE(MotionVAE):
    """A motion VAE with a codebook. Its decoder is the mixture of experts, which need not know that
    z is a code.

    Codes and encoded vectors lie on a sphere (Yu et al., *Vector-quantized Image Modeling with
    Improved VQGAN*, 2022), so that no code is near to every vector by being short. The codebook and
    the prior, which says how likely each code is, are learned by gradients like everything else.
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
        """The logarithm of each code's probability, ``(K,)``."""
        return torch.log_softmax(PRIOR_SPEED * self.logits, dim=-1)

    def nearest(self, vectors: Tensor) -> Tensor:
        """The numbers ``(B,)`` of the codes nearest to vectors ``(B, latent)`` on the sphere."""
        return (vectors.detach() @ self.codes.detach().t()).argmax(dim=-1)

    def encode(self, previous: Tensor, encoder_input: Tensor) -> tuple[Tensor, Tensor]:
        """The code of the step, ``(B, latent)``. It is certain: its log-variance is −∞."""
        numbers = self.nearest(self.encoder(self.unstyled(previous), encoder_input))
        code = functional.embedding(numbers, self.codes)
        return code, torch.full_like(code, -torch.inf)

    def loss(
        self,
        previous: Tensor,
        following: Tensor,
        encoder_input: Tensor,
        noise: Tensor,
        free_bits: float,
    ) -> StepLoss:
        """A step with z the code nearest to the encoded vector e; the gradient with respect to z
        goes to e (*straight through*). ``noise`` and ``free_bits`` are not used.

        In place of the KL: ‖sg(e) − z‖² + 0.25·‖e − sg(z)‖², which bring codes and encoded vectors
        together (sg: no gradient; van den Oord et al. 2017, equation 3), the pull of idle codes,
        and −log of the prior of the selected codes. All are means over latent units, as the KL is.
        """
        vector = self.encoder(self.unstyled(previous), encoder_input)
        numbers = self.nearest(vector)
        codes = self.codes
        code = functional.embedding(numbers, codes)

        codebook_error = (code - vector.detach()).square().mean()
        commitment = (vector - code.detach()).square().mean()
        surprise = functional.nll_loss(self.log_prior.expand(len(numbers), -1), numbers)
        latent_loss = (
            codebook_error + COMMITMENT * commitment + REVIVAL * self.idleness(codes, vector)
        )
        latent_loss = latent_loss + surprise / self.config.latent

        straight_through = code.detach() + vector - vector.detach()
        predicted, reconstruction = self.reconstruct(straight_through, previous, following)
        return StepLoss(predicted, reconstruction, latent_loss)

    @staticmethod
    def idleness(codes: Tensor, vectors: Tensor) -> Tensor:
        """Mean squared distance of codes (K, latent) from the nearest of the encoded vectors (B,
        latent), averaged over latent units, too. Its gradient moves only the codes. The vectors are
        those of the whole batch, also when processes share it."""
        batch = processes.gathered(vectors.detach())
        nearest = (codes.detach() @ batch.t()).argmax(dim=-1)
        return (codes - batch[nearest]).square().mean()

    @torch.no_grad()
    def draw_latents(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes ``(count, latent)`` drawn from the prior: as often as captured steps have them."""
        uniform = torch.rand(count, generator=generator, device=generator.device)
        cumulative = self.log_prior.exp().cumsum(dim=0)
        numbers = torch.searchsorted(cumulative, uniform.to(self.logits.device))
        # Rounding may leave the last cumulative probability below 1.
        return self.codes[numbers.clamp(max=len(self.logits) - 1)]

    def frequencies(self, codes: Tensor) -> Tensor:
        """The share ``(K,)`` of each code among codes ``(B, latent)``."""
        return torch.bincount(self.nearest(codes), minlength=len(self.logits)) / len(codes)

    def information(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """The entropy of the use of the codes in nats: ln K when all are used equally, 0 when only
        one is."""
        return torch.special.entr(self.frequencies(mean)).sum()

    def mismatch(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """KL in nats of the use of the codes from the prior."""
        use = self.frequencies(mean)
        return -(torch.special.entr(use).sum() + (use * self.log_prior).sum())
