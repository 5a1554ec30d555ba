"""Painting a film alone: from its first real picture(s), then from labels and its own pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from controller.video import blocks
from controller.video.film import Clip
from controller.video.network import Network


@torch.inference_mode()
def paint(network: Network, clip: Clip, past: int, seed: int) -> Tensor:
    """Pictures (B, T − past, 3, H, W) from 0 to 1 of B films (B, T, …), of which only the first
    ``past`` pictures are looked at. z is drawn from the prior by ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    batch, length = clip.frames.shape[:2]
    state: Any = network.start(clip.part(0, past))
    painted = []
    for step in range(past, length):
        noise = torch.randn(batch, network.config.latent, generator=generator)
        picture, state = network.paint(state, clip.at(step), noise)
        painted.append(picture)
    return torch.stack(painted, dim=1)


@torch.inference_mode()
def paint_forced(network: Network, clip: Clip, past: int, seed: int) -> Tensor:
    """As :func:`paint`, but each picture is painted after real ones alone: (T − past, 3, H, W) for
    one film (T, …)."""
    generator = torch.Generator().manual_seed(seed)
    windows = [clip.part(step - past, step) for step in range(past, len(clip))]
    state: Any = network.start(Clip.stack(windows))
    noise = torch.randn(len(windows), network.config.latent, generator=generator)
    picture, _ = network.paint(state, clip.part(past, len(clip)), noise)
    return picture


def real(clip: Clip, past: int) -> Tensor:
    """The pictures that should have been painted, from 0 to 1, of one clip or a batch."""
    return blocks.to_unit(clip.part(past, len(clip)).frames)
