"""Poses to which a motion VAE in training has come by itself, kept so that it can be trained where
it really goes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from controller.data.windows import Windows
from controller.dynamics.character import RANGE_MARGIN
from controller.model.mixture import MotionVAE
from controller.model.normalizer import Normalizer
from controller.motion.feet import Feet
from controller.motion.pose import PoseLayout
from controller.training.sliced_wasserstein import SlicedWasserstein

SAMPLE = 8192
"""Captured poses from which the principal axes are computed."""
SLICES = 32


class Free(NamedTuple):
    """What one batch of free steps needs.

    at        (F, D) z-scored poses to go on from
    latents   (K, F, latent) z of the steps
    rest      (R, D) the rest of the pool
    captured  (R + 2·F, D) captured poses, to compare with the rest and with what became of the
              others
    slices    (D, S) along which they are compared
    """

    at: Tensor
    latents: Tensor
    rest: Tensor
    captured: Tensor
    slices: Tensor

    def share(self, rank: int, count: int) -> Free:
        """What the ``rank``-th of ``count`` processes needs: its part of the poses to go on from,
        and all others."""
        at = self.at.chunk(count)[rank]
        latents = self.latents.chunk(count, dim=1)[rank]
        return Free(at, latents, self.rest, self.captured, self.slices)


class FreeRunning:
    """A pool of z-scored poses ``(P, D)``, each of which goes on with z drawn at random whenever it
    is drawn.

    A rollout of eight steps never shows where a model ends up after a thousand. The pool does: its
    poses have gone on from one training step to the next, as the chains of persistent contrastive
    divergence do (Tieleman 2008). ``renewal`` is the chance per frame that a pose is replaced by a
    captured one, so that none is lost for good.
    """

    def __init__(
        self,
        windows: Windows,
        normalizer: Normalizer,
        feet: Feet,
        size: int,
        renewal: float,
        generator: torch.Generator,
    ) -> None:
        self.windows = windows
        self.normalizer = normalizer
        self.renewal = renewal
        self.generator = generator
        self.device = normalizer.mean.device
        self.low = normalizer.normalize(normalizer.low) - RANGE_MARGIN
        self.high = normalizer.normalize(normalizer.high) + RANGE_MARGIN
        self.feet = feet
        self.poses = self._captured(size)
        self.distance = SlicedWasserstein(self._captured(SAMPLE), self.watched)
        self.rows = torch.empty(0, dtype=torch.long)

    def watched(self, poses: Tensor) -> Tensor:
        """``(N, 6)``: where z-scored poses go (forward, sideways, turning) and how high their feet
        are (left, right, lower). All else may be right while a character walks too fast, or
        hovers."""
        raw = self.normalizer.denormalize(poses)
        heights = self.feet.positions(raw)[..., 1]
        return torch.cat(
            (raw[:, PoseLayout.root_velocity], heights, heights.amin(dim=1, keepdim=True)), dim=1
        )

    def _captured(self, count: int) -> Tensor:
        return self.normalizer.normalize(
            self.windows.draw(count, self.generator, poses=1)[:, 0].to(self.device)
        )

    def draw(self, batch: int, steps: int, model: MotionVAE) -> Free:
        """``batch`` poses of the pool and all that is random in ``steps`` steps of ``model`` from
        them."""
        order = torch.randperm(len(self.poses), generator=self.generator)
        self.rows = order[:batch]
        others = order[batch:]
        return Free(
            self.poses[self.rows],
            model.draw_latents(steps * batch, self.generator).unflatten(0, (steps, batch)),
            self.poses[others],
            self._captured(len(self.poses) + batch),
            self.distance.slices(SLICES, self.generator),
        )

    def put_back(self, poses: Tensor, steps: int) -> None:
        """The poses (F, D) to which the last ones drawn have come in ``steps`` steps, held as a
        character's are."""
        captured = self._captured(len(poses))
        coins = torch.rand(len(poses), generator=self.generator)
        renewed = (coins < self.renewal * steps).to(self.device) | ~torch.isfinite(poses).all(
            dim=-1
        )
        self.poses[self.rows] = torch.where(
            renewed[:, None], captured, poses.clamp(self.low, self.high)
        )
