"""Poses to which a motion VAE in training has come by itself, kept so that it can be trained where it really goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from controller.character import RANGE_MARGIN
from controller.dataset import MotionDataset
from controller.features import PoseLayout
from controller.feet import Feet
from controller.mvae.model import MotionVAE
from controller.mvae.sliced_wasserstein import SlicedWasserstein
from controller.mvae.windows import Windows
from controller.normalizer import Normalizer

SAMPLE = 8192
"""Captured poses from which the principal axes are computed."""
SLICES = 32
TURNS = (2, 6)
"""How many turns earlier the poses are together with which those of the pool are compared: with eight steps a turn,
half a second and one and a half."""


class Free(NamedTuple):
    """What one batch of free steps needs. A *trail* is a pose with those of :data:`TURNS` before it, L poses side by
    side.

    at            (F, D) z-scored poses to go on from
    latents       (K, F, latent) z of the steps
    before        (F, (L − 1)·D) the trails of where they will come to, but for that pose itself
    rest          (R, L·D) the trails of the rest of the pool
    captured      (R + 2·F, L·D) captured trails, to compare with the rest and with what became of the others
    slices        (D, S) along which poses are compared
    trail_slices  (L·D, S) along which trails are compared
    """

    at: Tensor
    latents: Tensor
    before: Tensor
    rest: Tensor
    captured: Tensor
    slices: Tensor
    trail_slices: Tensor

    def share(self, rank: int, count: int) -> Free:
        """What the ``rank``-th of ``count`` processes needs: its part of the poses to go on from, and all others."""
        mine = {name: getattr(self, name).chunk(count)[rank] for name in ("at", "before")}
        return self._replace(latents=self.latents.chunk(count, dim=1)[rank], **mine)


class FreeRunning:
    """A pool of z-scored poses, each of which goes on with z drawn at random for so many ``steps`` whenever it has its
    turn.

    A rollout of eight steps never shows where a model ends up after a thousand. The pool does: its poses have gone on
    from one training step to the next, as the chains of persistent contrastive divergence do (Tieleman 2008).
    ``renewal`` is the chance per frame that a pose is replaced by a captured one, so that none is lost for good.
    ``trails`` (P, 1 + T, D) holds each pose, and those to which the T turns before had brought it, the newest first.
    """

    def __init__(
        self,
        data: MotionDataset,
        normalizer: Normalizer,
        size: int,
        steps: int,
        renewal: float,
        generator: torch.Generator,
    ) -> None:
        """DataError if no clip is as long as a trail."""
        self.normalizer, self.steps, self.renewal, self.generator = normalizer, steps, renewal, generator
        self.windows = Windows(*data.split(held_out=False), steps * max(TURNS) + 1)
        self.device = normalizer.mean.device
        self.low = normalizer.normalize(normalizer.low) - RANGE_MARGIN
        self.high = normalizer.normalize(normalizer.high) + RANGE_MARGIN
        self.feet = Feet(data.layout, self.device)
        self.trails = self._captured(size, range(1 + max(TURNS)))
        sample = self._captured(SAMPLE)
        self.distance = SlicedWasserstein(sample[:, 0], self.watched)
        self.trail_distance = SlicedWasserstein(sample.flatten(1), self.watched_of_trails)
        self.rows = torch.empty(0, dtype=torch.long)

    def watched(self, poses: Tensor) -> Tensor:
        """``(N, 6)``: where z-scored poses go (forward, sideways, turning) and how high their feet are (left, right,
        lower). All else may be right while a character walks too fast, or hovers."""
        raw = self.normalizer.denormalize(poses)
        heights = self.feet.positions(raw)[..., 1]
        return torch.cat((raw[:, PoseLayout.root_velocity], heights, heights.amin(dim=1, keepdim=True)), dim=1)

    def watched_of_trails(self, trails: Tensor) -> Tensor:
        """``(N, 6)``: where z-scored trails (N, L·D) went on average (forward, sideways, turning), and how otherwise
        they go now than a while ago: who walks in a circle keeps to it, who stands goes on standing."""
        raw = self.normalizer.denormalize(trails.unflatten(1, (1 + len(TURNS), -1)))[..., PoseLayout.root_velocity]
        return torch.cat((raw.mean(dim=1), raw[:, 0] - raw[:, 1]), dim=1)

    def _captured(self, count: int, turns: Iterable[int] = (0, *TURNS)) -> Tensor:
        """``(count, turns, D)``: captured poses, and those so many turns before."""
        frames = [self.windows.length - 1 - self.steps * turn for turn in turns]
        return self.normalizer.normalize(self.windows.draw(count, self.generator, frames).to(self.device))

    def draw(self, batch: int, model: MotionVAE) -> Free:
        """``batch`` poses of the pool and all that is random in a turn of ``model`` from them."""
        order = torch.randperm(len(self.trails), generator=self.generator)
        self.rows, others = order[:batch], order[batch:]
        drawn = self.trails[self.rows]
        return Free(
            drawn[:, 0],
            model.draw_latents(self.steps * batch, self.generator).unflatten(0, (self.steps, batch)),
            torch.cat([drawn[:, turns - 1] for turns in TURNS], dim=1),
            self.trails[others[:, None], [0, *TURNS]].flatten(1),
            self._captured(len(self.trails) + batch).flatten(1),
            self.distance.slices(SLICES, self.generator),
            self.trail_distance.slices(SLICES, self.generator),
        )

    def put_back(self, poses: Tensor) -> None:
        """The poses (F, D) to which the last ones drawn have come, held as a character's are."""
        captured = self._captured(len(poses), range(self.trails.shape[1]))
        coins = torch.rand(len(poses), generator=self.generator)
        renewed = (coins < self.renewal * self.steps).to(self.device) | ~torch.isfinite(poses).all(dim=-1)
        held = poses.clamp(self.low, self.high)[:, None]
        gone_on = torch.cat((held, self.trails[self.rows, :-1]), dim=1)
        self.trails[self.rows] = torch.where(renewed[:, None, None], captured, gone_on)
