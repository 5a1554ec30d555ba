"""The motion VAE: encoder, and a decoder that mixes experts (Ling et al. 2020, section 4 and figure 4).

Everything here works on z-scored poses ``(B, D)``; :class:`MotionVAE` carries the statistics as buffers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.errors import require
from controller.gemm import Linear, addmm
from controller.normalizer import Normalizer

ROWS = 256
"""Characters decoded at once on a CPU when no gradient is wanted: more do not fit its caches with what is made of
them on the way, six times the width of a layer's inputs each."""


@dataclass(frozen=True)
class MotionVAEConfig:
    """Sizes of the networks. The defaults are the paper's."""

    latent: int = 32
    """Units of the latent z."""
    hidden: int = 256
    """Width of the encoder's and of each expert's two hidden layers."""
    experts: int = 6
    """Experts of the decoder, blended by the gate."""
    gate_hidden: int = 64
    """Width of the gate's two hidden layers."""

    def __post_init__(self) -> None:
        for name in ("latent", "hidden", "experts", "gate_hidden"):
            require(1 <= getattr(self, name) <= 4096, name, getattr(self, name), "1 to 4096")


class Encoder(nn.Module):
    """(previous pose, next pose) → mean and log-variance of z, ``(B, latent)``; the next pose enters every layer."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.first = Linear(2 * pose, config.hidden)
        self.second = Linear(pose + config.hidden, config.hidden)
        self.mean = Linear(pose + config.hidden, config.latent)
        self.log_variance = Linear(pose + config.hidden, config.latent)

    def forward(self, previous: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.elu(self.first(torch.cat((following, previous), dim=-1)))
        hidden = torch.cat((following, functional.elu(self.second(torch.cat((following, hidden), dim=-1)))), dim=-1)
        return self.mean(hidden), self.log_variance(hidden).clamp(-12.0, 6.0)


class ExpertLinear(nn.Module):
    """One linear layer of all experts, blended by ``(B, E)`` coefficients that sum to 1.

    Blending the experts' *outputs* equals blending their weights, and is one matrix product for the whole batch:
    the inputs, scaled by each expert's coefficient and laid side by side, times all experts' weights stacked.
    """

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = (6.0 / (inputs + outputs)) ** 0.5  # Glorot & Bengio 2010, for each expert by itself
        self.weight = nn.Parameter(torch.empty(experts, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.full((experts, outputs), 0.01))

    def forward(self, inputs: Tensor, blend: Tensor) -> Tensor:
        scaled = (blend[:, :, None] * inputs[:, None, :]).flatten(1)  # (B, E·I)
        return addmm(blend @ self.bias, scaled, self.weight.flatten(0, 1))


class Decoder(nn.Module):
    """(z, previous pose) → next pose. z enters every layer of every expert, so that it cannot be ignored."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            Linear(config.latent + pose, config.gate_hidden),
            nn.ELU(inplace=True),
            Linear(config.gate_hidden, config.gate_hidden),
            nn.ELU(inplace=True),
            Linear(config.gate_hidden, config.experts),
        )
        self.first = ExpertLinear(config.experts, config.latent + pose, config.hidden)
        self.second = ExpertLinear(config.experts, config.latent + config.hidden, config.hidden)
        self.output = ExpertLinear(config.experts, config.latent + config.hidden, pose)

    def blend(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The gate's coefficients ``(B, E)``, positive, summing to 1."""
        return self._blend(torch.cat((latent, previous), dim=-1))

    def _blend(self, inputs: Tensor) -> Tensor:
        return torch.softmax(self.gate(inputs), dim=-1)

    def forward(self, latent: Tensor, previous: Tensor) -> Tensor:
        inputs = torch.cat((latent, previous), dim=-1)
        blend = self._blend(inputs)
        hidden = functional.elu(self.first(inputs, blend), inplace=True)
        hidden = functional.elu(self.second(torch.cat((latent, hidden), dim=-1), blend), inplace=True)
        return self.output(torch.cat((latent, hidden), dim=-1), blend)


class MotionVAE(nn.Module):
    """Encoder, decoder and statistics, for poses of ``pose`` values."""

    def __init__(self, pose: int, config: MotionVAEConfig, normalizer: Normalizer | None = None) -> None:
        super().__init__()
        self.config = config
        self.normalizer = normalizer or Normalizer.blank(pose)
        self.encoder = Encoder(pose, config)
        self.decoder = Decoder(pose, config)

    def encode(self, previous: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance ``(B, latent)`` of the step between two z-scored poses."""
        return self.encoder(previous, following)

    def decode(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The next z-scored pose ``(B, D)``."""
        if torch.is_grad_enabled() or len(latent) <= ROWS or latent.device.type != "cpu":
            return self.decoder(latent, previous)
        parts = zip(latent.split(ROWS), previous.split(ROWS), strict=True)
        return torch.cat([self.decoder(z, pose) for z, pose in parts])

    def forward(self, previous: Tensor, following: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction of ``following`` with z = mean + σ·noise; returns it with the mean and log-variance."""
        mean, log_variance = self.encode(previous, following)
        latent = mean + torch.exp(0.5 * log_variance) * noise
        return self.decode(latent, previous), mean, log_variance
