"""The next picture from the last one and the next label: a conditional VAE for pictures.

As in the course reports that this follows: an encoder of pictures, one of labels, a posterior from
the current picture and its label, a fusion of the last picture's features with the label's and z,
and a generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.video import blocks
from controller.video.config import NetworkConfig
from controller.video.film import Clip, LabelKind
from controller.video.unrolled import Unrolled


@dataclass(frozen=True, eq=False)
class Label:
    """Features of a label, at a half, a quarter and an eighth of a picture's sides, and of its
    vector (B, width)."""

    half: Tensor | None
    quarter: Tensor | None
    eighth: Tensor | None
    vector: Tensor | None


class PoseNetwork(nn.Module):
    """Paints the next picture. ``mean`` (3, H, W) is the mean picture of the training film."""

    past = 1

    def __init__(self, config: NetworkConfig, labels: LabelKind, mean: Tensor) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.widths
        self.pictured = config.label != "vector" and bool(labels.drawing)
        self.vectored = config.label != "picture" and labels.vector > 0
        self.encoder = blocks.PictureEncoder(config.widths)
        sources = 1 + self.pictured
        if self.pictured:
            self.label_encoder = blocks.PictureEncoder(config.widths)
        if self.vectored:
            self.vector_encoder = nn.Linear(labels.vector, third)
        if config.latent:
            self.posterior = blocks.GaussianPredictor(sources * third, config.latent)
            self.spread = nn.Linear(config.latent, third)
        self.fusion = blocks.conv(sources * third, third)
        self.refine = blocks.conv(third, third)
        self.generator = blocks.Generator(config.widths, (sources * first, sources * second), mean)

    # -- parts -------------------------------------------------------------------------------------

    def labelled(self, clip: Clip) -> Label:
        """Features of B labels at once: pictures (B, 3, H, W), vectors (B, V)."""
        half = quarter = eighth = vector = None
        if self.pictured:
            half, quarter, eighth = self.label_encoder(blocks.to_unit(clip.labels))
        if self.vectored:
            vector = self.vector_encoder(clip.vectors)
        return Label(half, quarter, eighth, vector)

    def fuse(self, last: tuple[Tensor, Tensor, Tensor], label: Label, z: Tensor) -> Tensor:
        """The next picture (B, 3, H, W) from features of the last, of the label, and z."""
        half, quarter, eighth = last
        if label.eighth is not None:
            assert label.half is not None and label.quarter is not None
            half = torch.cat((half, label.half), dim=1)
            quarter = torch.cat((quarter, label.quarter), dim=1)
            eighth = torch.cat((eighth, label.eighth), dim=1)
        fused = self.fusion(eighth)
        if label.vector is not None:
            fused = fused + label.vector[..., None, None]
        if self.config.latent:
            fused = fused + self.spread(z)[..., None, None]
        fused = functional.relu(fused)
        fused = functional.relu(fused + self.refine(fused))
        painted: Tensor = self.generator(fused, half, quarter)
        return painted

    def infer(self, current: Tensor, label: Label) -> tuple[Tensor, Tensor]:
        """The posterior of z from the current picture's smallest features and its label's."""
        parts = [current] if label.eighth is None else [current, label.eighth]
        pooled = torch.cat(parts, dim=1).mean(dim=(2, 3))
        mean, log_variance = self.posterior(pooled)
        return mean, log_variance

    # -- training ----------------------------------------------------------------------------------

    def forward(self, clip: Clip, forced: Tensor, noise: Tensor) -> Unrolled:
        """Paint all pictures of B windows but the first.

        ``forced`` (T, B) says which are painted from the real last picture, and ``noise``
        (T, B, latent) draws z from its posterior.
        """
        frames = blocks.to_unit(clip.frames)
        batch, length = frames.shape[:2]
        steps = length - 1
        real = self.encoder(frames.flatten(0, 1))
        features = [each.unflatten(0, (batch, length)) for each in real]
        label = self.labelled(clip.part(1, length).flat())
        mean = log_variance = frames.new_zeros(batch, steps, 0)
        z = noise.transpose(0, 1)
        if self.config.latent:
            current = features[2][:, 1:].flatten(0, 1)
            means, log_variances = self.infer(current, label)
            mean = means.unflatten(0, (batch, steps))
            log_variance = log_variances.unflatten(0, (batch, steps))
            z = blocks.draw(mean, log_variance, z)

        painted: list[Tensor] = []
        for step in range(steps):
            last = tuple(each[:, step] for each in features)
            if painted and not bool(forced[step].all()):
                own = self.encoder(painted[-1])
                coin = forced[step][:, None, None, None]
                last = tuple(torch.where(coin, r, o) for r, o in zip(last, own, strict=True))
            painted.append(self.fuse(last, _at(label, step, batch, steps), z[:, step]))
        return Unrolled(torch.stack(painted, dim=1), mean, log_variance)

    # -- painting by itself ------------------------------------------------------------------------

    def start(self, past: Clip) -> Tensor:
        """What the next picture depends on, after real ones: the last of them."""
        return blocks.to_unit(past.frames[:, -1])

    def paint(self, state: Tensor, clip: Clip, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The next picture (B, 3, H, W) for its labels (B, …), with z ~ N(0, I) as ``noise`` has
        it; and the state after it."""
        picture = self.fuse(self.encoder(state), self.labelled(clip), noise).clamp(0, 1)
        return picture, picture


def _at(label: Label, step: int, batch: int, steps: int) -> Label:
    """The label of one step of B windows, whose features came out together."""

    def part(each: Tensor | None) -> Tensor | None:
        return None if each is None else each.unflatten(0, (batch, steps))[:, step]

    return Label(*(part(each) for each in (label.half, label.quarter, label.eighth, label.vector)))
