"""Poses that a motion VAE has reached by itself during training, kept to train it where it really
goes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from controller.data.windows import Windows
from controller.dynamics.character import RANGE_MARGIN
from controller.dynamics.style_axes import axes_apart
from controller.model.mixture import MotionVAE
from controller.model.normalizer import Normalizer
from controller.motion.feet import Feet
from controller.motion.pose import PoseLayout
from controller.training.sliced_wasserstein import SlicedWasserstein

SAMPLE = 8192
"""Captured poses from which the principal axes are computed."""
SLICES = 32
GROUPS = 8
"""Styles, at most, whose poses take steps at once: if all were of one, each training step would
bring the whole model nearer to that one and further from the others."""


class Free(NamedTuple):
    """What one batch of free steps needs. It has G groups, each of one style; without styles, one
    group.

    scores    (F, D) z-scored poses to go on from, one group after another
    latents   (K, F, latent) z of the steps
    rest      (G, R, D) the rest of each group's part of the pool
    captured  (G, R + 2·F/G, D) captured poses, to compare with the rest and with the poses that the
              steps reach
    slices    (D, S) directions along which they are compared
    """

    scores: Tensor
    latents: Tensor
    rest: Tensor
    captured: Tensor
    slices: Tensor

    def share(self, rank: int, count: int) -> Free:
        """What the ``rank``-th of ``count`` processes needs: its part of the poses to go on from,
        and everything else."""
        scores = self.scores.chunk(count)[rank]
        latents = self.latents.chunk(count, dim=1)[rank]
        return Free(scores, latents, self.rest, self.captured, self.slices)


class FreeRunning:
    """A pool of z-scored poses ``(P, D)``. Each takes steps with random z whenever it is drawn.

    A rollout of eight steps never shows where a model is after a thousand. The pool does: its
    poses go on from one training step to the next, like the chains of persistent contrastive
    divergence (Tieleman 2008). ``renewal`` is the chance per frame that a captured pose replaces a
    pose, so that none is lost for good.

    With ``styles``, the last columns of poses, each style has an equal part of the pool, and is
    compared with its own captured poses. ``restyle`` is the chance per frame that a pose of any
    style, asked for this one from now on, replaces a pose: what a player does, and captured motion
    never shows.
    """

    def __init__(
        self,
        windows: Windows,
        normalizer: Normalizer,
        feet: Feet,
        size: int,
        renewal: float,
        generator: torch.Generator,
        styles: tuple[str, ...] = (),
        restyle: float = 0.0,
    ) -> None:
        self.windows = windows
        self.of_style = [windows.of_style(*style) for style in enumerate(styles)] or [windows]
        self.styles = len(styles)
        self.restyle = restyle
        self.normalizer = normalizer
        self.renewal = renewal
        self.generator = generator
        self.device = normalizer.mean.device
        self.low = normalizer.normalize(normalizer.low) - RANGE_MARGIN
        self.high = normalizer.normalize(normalizer.high) + RANGE_MARGIN
        self.feet = feet
        self.part = size // len(self.of_style)
        self.poses = torch.cat([self._captured(self.part, each) for each in self.of_style])
        self.distance = self._distance()
        self.labels = torch.zeros(1, dtype=torch.long)
        self.rows = torch.empty(0, dtype=torch.long)

    def _distance(self) -> SlicedWasserstein:
        """The distance between poses of a style and captured ones of that style, whose weights are
        the same and do not count."""
        sample = self._captured(SAMPLE, self.windows)
        if not self.styles:
            return SlicedWasserstein(sample, self.watched)
        each = SAMPLE // self.styles
        kinds = [self._captured(each, windows) for windows in self.of_style]
        for poses in (sample, *kinds):
            poses[:, -self.styles :] = 0.0
        return SlicedWasserstein(sample, self.watched, axes_apart(kinds))

    def watched(self, poses: Tensor) -> Tensor:
        """``(N, 6)``: where z-scored poses go (forward, sideways, turning) and how high their feet
        are (left, right, lower one). Everything else may be right while a character walks too fast,
        or hovers."""
        raw = self.normalizer.denormalize(poses)
        velocity = raw[:, PoseLayout.root_velocity]
        heights = self.feet.positions(raw)[..., 1]
        return torch.cat((velocity, heights, heights.amin(dim=1, keepdim=True)), dim=1)

    def _captured(self, count: int, windows: Windows) -> Tensor:
        poses = windows.draw(count, self.generator, poses=1)[:, 0]
        return self.normalizer.normalize(poses.to(self.device))

    def draw(self, batch: int, steps: int, model: MotionVAE) -> Free:
        """``batch`` poses of the pool, and all random numbers of ``steps`` steps of ``model`` from
        them."""
        if self.styles:
            self.labels = self._draw_labels(batch)
        each = batch // len(self.labels)
        order = torch.stack(
            [
                torch.randperm(self.part, generator=self.generator) + label * self.part
                for label in self.labels.tolist()
            ]
        )
        self.rows = order[:, :each].flatten()
        others = order[:, each:]
        latents = model.draw_latents(steps * batch, self.generator).unflatten(0, (steps, batch))
        captured = self._captured_groups(self.part + each)
        slices = self.distance.slices(SLICES, self.generator)
        return Free(self.poses[self.rows], latents, self.poses[others], captured, slices)

    def _draw_labels(self, batch: int) -> Tensor:
        """Different styles, as many as divide the batch evenly, and :data:`GROUPS` at most."""
        most = min(GROUPS, self.styles)
        count = next(number for number in range(most, 0, -1) if batch % number == 0)
        return torch.randperm(self.styles, generator=self.generator)[:count]

    def _captured_groups(self, count: int) -> Tensor:
        groups = [self.of_style[label] for label in self.labels.tolist()]
        return torch.stack([self._captured(count, windows) for windows in groups])

    def put_back(self, poses: Tensor, steps: int) -> None:
        """Return to the pool the poses (F, D) that the last ones drawn reached in ``steps`` steps,
        clamped as a character's are."""
        captured = self._captured_groups(len(poses) // len(self.labels)).flatten(0, 1)
        coins = torch.rand(len(poses), generator=self.generator).to(self.device)
        finite = torch.isfinite(poses).all(dim=-1)
        renewed = (coins < self.renewal * steps) | ~finite
        clamped = poses.clamp(self.low, self.high)
        self.poses[self.rows] = torch.where(renewed[:, None], captured, clamped)
        if self.styles:
            self._restyle(steps)

    def _restyle(self, steps: int) -> None:
        coins = torch.rand(len(self.rows), generator=self.generator)
        rows = self.rows[coins < self.restyle * steps]
        anywhere = torch.randint(len(self.poses), rows.shape, generator=self.generator)
        poses = self.poses[anywhere]
        poses[:, -self.styles :] = self.poses[rows, -self.styles :]
        self.poses[rows] = poses
