"""The plain VAE: one decoder, without experts (the first variant in the code of Ling et al.
2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.model.gemm import Linear
from controller.model.mixture import MotionVAE, MotionVAEConfig


class PlainDecoder(nn.Module):
    """(z, previous pose) → next pose, by three layers. z enters every layer, so that it cannot be
    ignored; with ``latent_once`` it enters only the first."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.later_latent = 0 if config.latent_once else config.controls
        self.first = Linear(config.controls + pose, config.hidden)
        self.second = Linear(self.later_latent + config.hidden, config.hidden)
        self.output = Linear(self.later_latent + config.hidden, pose)

    def forward(self, latent: Tensor, previous: Tensor) -> Tensor:
        hidden = functional.elu(self.first(torch.cat((latent, previous), dim=-1)))
        later = latent[..., : self.later_latent]
        hidden = functional.elu(self.second(torch.cat((later, hidden), dim=-1)))
        return self.output(torch.cat((later, hidden), dim=-1))


class PlainVAE(MotionVAE):
    """A motion VAE with one decoder of ``hidden`` units a layer."""

    def make_decoder(self, pose: int) -> nn.Module:
        return PlainDecoder(pose, self.config)
