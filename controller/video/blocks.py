"""Parts that both networks are built from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.model.kl import clamped

SCALES = 3
"""How often an encoder halves a picture."""


def conv(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Conv2d:
    """A convolution that keeps a picture's sides, or divides them by ``stride``."""
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2)


def to_unit(pictures: Tensor) -> Tensor:
    """Pictures (..., 3, H, W) uint8 as numbers from 0 to 1."""
    return pictures.float() / 255


def to_bytes(pictures: Tensor) -> Tensor:
    """The reverse of :func:`to_unit`, rounded and clamped."""
    return (pictures * 255).round().clamp(0, 255).to(torch.uint8)


def channels_last(network: nn.Module) -> None:
    """Lay a network's convolutions out with channels last, which is faster on a CPU."""
    for each in network.modules():
        if isinstance(each, nn.Conv2d):
            each.weight.data = each.weight.data.contiguous(memory_format=torch.channels_last)


class PictureEncoder(nn.Module):
    """A picture's features at a half, a quarter and an eighth of its sides.

    Two by two pixels are stacked first: convolutions at full size would cost most of the time.
    """

    def __init__(self, widths: tuple[int, int, int], channels: int = 3) -> None:
        super().__init__()
        first, second, third = widths
        self.at_half = conv(4 * channels, first)
        self.at_quarter = conv(first, second, 2)
        self.at_eighth = conv(second, third, 2)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, width, side/2^k, side/2^k), k = 1, 2, 3, of pictures (B, 3, H, W)."""
        half = functional.relu(self.at_half(functional.pixel_unshuffle(pictures, 2)))
        quarter = functional.relu(self.at_quarter(half))
        return half, quarter, functional.relu(self.at_eighth(quarter))


class Generator(nn.Module):
    """A picture from features at an eighth of its sides, and from features that skip to a quarter
    and a half.

    It paints what differs from the mean picture of the training film, which it knows.
    """

    def __init__(self, widths: tuple[int, int, int], skips: tuple[int, int], mean: Tensor) -> None:
        super().__init__()
        first, second, third = widths
        self.up_quarter = conv(third, 4 * second, size=1)
        self.at_quarter = conv(second + skips[1], second)
        self.up_half = conv(second, 4 * first, size=1)
        self.at_half = conv(first + skips[0], first)
        self.paint = conv(first, 12)
        self.register_buffer("mean", mean)
        self.mean: Tensor

    def forward(self, features: Tensor, half: Tensor, quarter: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), about 0 to 1."""
        grown = functional.pixel_shuffle(self.up_quarter(features), 2)
        grown = functional.relu(
            self.at_quarter(torch.cat((functional.relu(grown), quarter), dim=1))
        )
        grown = functional.pixel_shuffle(self.up_half(grown), 2)
        grown = torch.cat((functional.relu(grown), half), dim=1)
        grown = functional.relu(self.at_half(grown))
        return self.mean + functional.pixel_shuffle(self.paint(grown), 2)


class GaussianPredictor(nn.Module):
    """Mean and log-variance of z from features (B, width)."""

    def __init__(self, inputs: int, latent: int) -> None:
        super().__init__()
        self.mean = nn.Linear(inputs, latent)
        self.log_variance = nn.Linear(inputs, latent)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Each (B, latent)."""
        return self.mean(features), clamped(self.log_variance(features))


def draw(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = μ + σ·ε."""
    return mean + (0.5 * log_variance).exp() * noise


def gaussian_kl(mean: Tensor, log_variance: Tensor, prior: tuple[Tensor, Tensor]) -> Tensor:
    """KL(N(μ, σ²) ‖ N(μ', σ'²)) of each unit in nats, averaged over all but the last dimension.
    ``prior`` is μ' and log σ'²."""
    other_mean, other_log = prior
    ratio = (log_variance - other_log).exp()
    apart = (mean - other_mean).square() * (-other_log).exp()
    return 0.5 * (ratio + apart - 1 - log_variance + other_log).flatten(0, -2).mean(dim=0)
