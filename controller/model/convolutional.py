"""A motion VAE whose encoder sees a whole window of captured motion, past and future, by 1-D
convolutions over time.

This is the model of a widely read report of failure (121 poses: 60 past, the current one, 60
future), which ``python -m controller study --set failure`` repeats and repairs. Without past poses
and with one future pose, its encoder sees what that of Ling et al. 2020 does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.model.gemm import Linear
from controller.model.kl import clamped
from controller.model.mixture import MotionVAE, MotionVAEConfig
from controller.model.normalizer import Normalizer
from controller.model.plain import PlainDecoder

HALVINGS = 3
"""Number of convolutions. Each halves the window: 121 poses become 61, 31 and 16 columns."""


class Halving(nn.Module):
    """A convolution over time with a kernel of 3 and a stride of 2: (B, T, C) → (B, ⌈T / 2⌉, O).

    It is one matrix product. ``nn.Conv1d`` would need the window transposed from poses to values,
    which costs more than the convolution on a CPU.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = Linear(3 * inputs, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        padded = functional.pad(inputs, (0, 0, 1, 1))
        threes = padded.unfold(1, 3, 2).transpose(2, 3)  # (B, ⌈T / 2⌉, 3, C)
        outputs: Tensor = self.linear(threes.flatten(2).flatten(0, 1))
        return outputs.unflatten(0, threes.shape[:2])


class ConvolutionalEncoder(nn.Module):
    """(previous pose, a captured window around it) → mean and log-variance of z, ``(B, latent)``.

    The character's own pose replaces the captured one in the window's middle, so that z can bring a
    rollout back to the captured motion.
    """

    def __init__(self, pose: int, past: int, future: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.past = past
        columns = past + 1 + future
        width = pose
        halvings: list[nn.Module] = []
        for _ in range(HALVINGS):
            halvings += [Halving(width, config.window_channels), nn.ELU(inplace=True)]
            width = config.window_channels
            columns = (columns + 1) // 2
        self.halvings = nn.Sequential(*halvings)
        self.mean = Linear(columns * width, config.latent)
        self.log_variance = Linear(columns * width, config.latent)

    def forward(self, previous: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        before = window[:, : self.past]
        after = window[:, self.past + 1 :]
        poses = torch.cat((before, previous[:, None], after), dim=1)
        hidden = self.halvings(poses).flatten(1)
        return self.mean(hidden), clamped(self.log_variance(hidden))


class ConvolutionalVAE(MotionVAE):
    """The protocol of :class:`MotionVAE` with ``window_past`` and ``window_future`` captured poses
    visible to the encoder.

    Only training needs the window. The decoder goes on from one pose, so the model plays like any
    other.
    """

    def __init__(
        self, pose: int, config: MotionVAEConfig, normalizer: Normalizer | None = None
    ) -> None:
        self.past = config.window_past
        self.future = config.window_future
        super().__init__(pose, config, normalizer)

    def make_encoder(self, pose: int) -> nn.Module:
        return ConvolutionalEncoder(pose, self.past, self.future, self.config)

    def make_decoder(self, pose: int) -> nn.Module:
        return PlainDecoder(pose, self.config)

    def encoder_input(self, windows: Tensor, current: int) -> Tensor:
        """``(B, past + 1 + future, D)``: the captured poses around the current one."""
        return windows[:, current - self.past : current + self.future + 1]
