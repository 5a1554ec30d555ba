"""The plain VAE: one decoder, without experts (Ling et al. 2020, in whose code it is the first
variant)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.model.gemm import Linear
from controller.model.mixture import MotionVAE, MotionVAEConfig


class PlainDecoder(nn.Module):
    """(z, previous pose) → next pose, by three layers. z enters every one of them, so that it
    cannot be ignored; with ``latent_once`` it enters the first only."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.again = (
            0 if config.latent_once else config.latent
        )  # units of z that enter the later layers
        self.first = Linear(config.latent + pose, config.hidden)
        self.second = Linear(self.again + config.hidden, config.hidden)
        self.output = Linear(self.again + config.hidden, pose)

    def forward(self, latent: Tensor, previous: Tensor) -> Tensor:
        hidden = functional.elu(self.first(torch.cat((latent, previous), dim=-1)))
        again = latent[..., : self.again]
        hidden = functional.elu(self.second(torch.cat((again, hidden), dim=-1)))
        return self.output(torch.cat((again, hidden), dim=-1))


class PlainVAE(MotionVAE):
    """A motion VAE with one decoder of ``hidden`` units a layer."""

    def make_decoder(self, pose: int) -> nn.Module:
        return PlainDecoder(pose, self.config)
