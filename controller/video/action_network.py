"""Stochastic video generation with action conditions (Denton and Fergus 2018, and a course report
of 2022): encoder and decoder with skip connections, an LSTM that predicts the next picture's
features, and an LSTM posterior of z. No label picture: only action and end-effector position."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from controller.video import blocks
from controller.video.config import NetworkConfig
from controller.video.film import Clip, LabelKind
from controller.video.unrolled import Unrolled

CONDITION = 16
"""Numbers that the condition's own linear layer makes of it."""
Cell = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class State:
    """What the next picture depends on.

    picture    (B, 3, H, W) the last picture, 0 to 1
    half       features of the last real one, which skip to the generator, at a half and
    quarter    at a quarter of its sides
    predictor  state of the LSTM that predicts features
    prior      state of the learned prior's LSTM
    """

    picture: Tensor
    half: Tensor
    quarter: Tensor
    predictor: Cell
    prior: Cell


class ActionNetwork(nn.Module):
    """Paints pictures from a few past ones and the conditions of all. ``mean`` (3, H, W) is the
    mean picture of the training film."""

    def __init__(self, config: NetworkConfig, labels: LabelKind, mean: Tensor) -> None:
        super().__init__()
        self.config = config
        third = config.widths[2]
        memory = config.memory
        latent = config.latent
        self.cells = mean.shape[1] // 8, mean.shape[2] // 8
        area = self.cells[0] * self.cells[1]
        self.encoder = blocks.PictureEncoder(config.widths)
        self.inward = nn.Linear(third * area, memory)
        self.condition = nn.Linear(labels.condition, CONDITION)
        self.predictor = nn.LSTMCell(memory + latent + CONDITION, memory)
        self.outward = nn.Linear(memory, third * area)
        self.generator = blocks.Generator(config.widths, config.widths[:2], mean)
        if latent:
            self.posterior = nn.LSTMCell(memory + CONDITION, memory)
            self.posterior_head = blocks.GaussianPredictor(memory, latent)
        if config.prior == "learned":
            self.prior = nn.LSTMCell(memory + CONDITION, memory)
            self.prior_head = blocks.GaussianPredictor(memory, latent)

    def _cell(self, batch: int) -> Cell:
        zero = self.inward.weight.new_zeros(batch, self.config.memory)
        return zero, zero

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, memory) of pictures (B, 3, H, W), and those at a half and a quarter."""
        half, quarter, eighth = self.encoder(pictures)
        return torch.tanh(self.inward(eighth.flatten(1))), half, quarter

    def _infer(self, features: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior (B, T, latent) of z from features and conditions (B, T, …) of the pictures
        themselves."""
        cell = self._cell(len(features))
        hidden = []
        for step in range(features.shape[1]):
            seen = torch.cat((features[:, step], conditions[:, step]), dim=-1)
            cell = self.posterior(seen, cell)
            hidden.append(cell[0])
        mean, log_variance = self.posterior_head(torch.stack(hidden, dim=1))
        return mean, log_variance

    def _next(
        self,
        features: Tensor,
        half: Tensor,
        quarter: Tensor,
        condition: Tensor,
        z: Tensor,
        cell: Cell,
    ) -> tuple[Tensor, Cell]:
        """The next picture, and the state of the LSTM that predicted its features."""
        cell = self.predictor(torch.cat((features, z, condition), dim=-1), cell)
        grown = torch.relu(self.outward(cell[0])).unflatten(1, (-1, *self.cells))
        painted: Tensor = self.generator(grown, half, quarter)
        return painted, cell

    # -- training ----------------------------------------------------------------------------------

    def forward(self, clip: Clip, forced: Tensor, noise: Tensor) -> Unrolled:
        """Paint all pictures of B windows but the first, as :class:`PoseNetwork` does. Where a row
        of ``forced`` (T, B) is true for all, features that skip come from that real picture."""
        frames = blocks.to_unit(clip.frames)
        batch, length = frames.shape[:2]
        flat = self.encode(frames.flatten(0, 1))
        features, halves, quarters = (each.unflatten(0, (batch, length)) for each in flat)
        conditions = self.condition(clip.conditions)
        steps = length - 1
        mean = log_variance = frames.new_zeros(batch, steps, 0)
        z = noise.transpose(0, 1)
        if self.config.latent:
            mean, log_variance = self._infer(features[:, 1:], conditions[:, 1:])
            z = blocks.draw(mean, log_variance, z)

        cell = prior_cell = self._cell(batch)
        half, quarter = halves[:, 0], quarters[:, 0]
        painted: list[Tensor] = []
        priors: list[Cell] = []
        for step in range(steps):
            last = features[:, step]
            if bool(forced[step].all()):
                half, quarter = halves[:, step], quarters[:, step]
            elif painted:
                own = self.encode(painted[-1])[0]
                last = torch.where(forced[step][:, None], last, own)
            condition = conditions[:, step + 1]
            if self.config.prior == "learned":
                prior_cell = self.prior(torch.cat((last, condition), dim=-1), prior_cell)
                priors.append(self.prior_head(prior_cell[0]))
            picture, cell = self._next(last, half, quarter, condition, z[:, step], cell)
            painted.append(picture)
        prior = None
        if priors:
            prior = (torch.stack([m for m, _ in priors], 1), torch.stack([v for _, v in priors], 1))
        return Unrolled(torch.stack(painted, dim=1), mean, log_variance, prior)

    # -- painting by itself ------------------------------------------------------------------------

    def start(self, past: Clip) -> State:
        """The state after real pictures (B, T, …). z of those comes from the posterior's mean."""
        frames = blocks.to_unit(past.frames)
        batch, length = frames.shape[:2]
        flat = self.encode(frames.flatten(0, 1))
        features, halves, quarters = (each.unflatten(0, (batch, length)) for each in flat)
        conditions = self.condition(past.conditions)
        z = frames.new_zeros(batch, length - 1, self.config.latent)
        if self.config.latent and length > 1:
            z, _ = self._infer(features[:, 1:], conditions[:, 1:])
        cell = prior_cell = self._cell(batch)
        for step in range(length - 1):
            last, condition = features[:, step], conditions[:, step + 1]
            if self.config.prior == "learned":
                prior_cell = self.prior(torch.cat((last, condition), dim=-1), prior_cell)
            cell = self.predictor(torch.cat((last, z[:, step], condition), dim=-1), cell)
        return State(frames[:, -1], halves[:, -1], quarters[:, -1], cell, prior_cell)

    def paint(self, state: State, clip: Clip, noise: Tensor) -> tuple[Tensor, State]:
        """The next picture (B, 3, H, W) for its conditions (B, C), with z from the prior; and the
        state after it."""
        features = self.encode(state.picture)[0]
        condition = self.condition(clip.conditions)
        prior_cell = state.prior
        z = noise
        if self.config.prior == "learned":
            prior_cell = self.prior(torch.cat((features, condition), dim=-1), prior_cell)
            mean, log_variance = self.prior_head(prior_cell[0])
            z = blocks.draw(mean, log_variance, noise)
        picture, cell = self._next(
            features, state.half, state.quarter, condition, z, state.predictor
        )
        picture = picture.clamp(0, 1)
        return picture, replace(state, picture=picture, predictor=cell, prior=prior_cell)
