"""How far one body of motion is from another: the Fréchet distance between Gaussians fitted to
embedded windows.

With m and C the mean and the covariance of each, d² = |m₁ − m₂|² + tr(C₁ + C₂ − 2·(C₁½·C₂·C₁½)½)
(Dowson & Landau 1982); Heusel et al. (2017) use it on pictures. As there, the figure is d², and
means nothing but beside another. The embeddings are those of
:class:`controller.evaluation.extractor.Extractor`, in which captured windows have mean 0 and
covariance 1: motion that is all alike, at the captured mean, is as far from captured motion as the
embedding has values (32).

A finite sample is never at 0 from another of the same motion, and the fewer windows the further, so
each fit is to :data:`WINDOWS` windows, and there is a *floor*: the distance from captured motion to
captured motion that was held out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.dataset import ClipEntry, MotionDataset
from controller.evaluation.extractor import Extractor
from controller.motion.pose import PoseLayout

WINDOWS = 4096
"""Windows to which each Gaussian is fitted; never another number, since the distance depends on
it."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """``mean`` (E,) and ``covariance`` (E, E), in double precision."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, values: Tensor) -> Gaussian:
        """To the rows of ``(N, E)``, N of 2 or more."""
        values = values.double()
        return cls(values.mean(dim=0), values.T.cov().reshape(values.shape[1], values.shape[1]))

    def factor(self) -> Tensor:
        """(E, E) F with F·Fᵀ = covariance."""
        values, vectors = torch.linalg.eigh(self.covariance)
        factor: Tensor = vectors * values.clamp(min=0).sqrt()
        return factor


def distance(one: Gaussian, other: Gaussian) -> float:
    """Squared Fréchet distance of two Gaussians, 0 or more; NaN where a mean or a covariance is no
    number.

    The trace of (C₁½·C₂·C₁½)½ is the sum of the singular values of F₁ᵀ·F₂, where C = F·Fᵀ: no root
    is taken of the eigenvalues of a product, of which rounding errors would be the smallest.
    """
    parts = (one.mean, one.covariance, other.mean, other.covariance)
    if not all(bool(torch.isfinite(part).all()) for part in parts):
        return math.nan
    shared = torch.linalg.svdvals(one.factor().T @ other.factor()).sum()
    apart = (one.mean - other.mean).square().sum()
    return max(0.0, float(apart + one.covariance.trace() + other.covariance.trace() - 2 * shared))


def clips_gaussian(extractor: Extractor, poses: Tensor, clips: list[ClipEntry]) -> Gaussian:
    """Of the clips in a table of poses ``(N, D)``, as ``MotionDataset.split`` gives them."""
    return Gaussian.fit(extractor.embed(poses, clips, WINDOWS))


def rollouts_gaussian(extractor: Extractor, layout: PoseLayout, poses: Tensor) -> Gaussian:
    """Of B rollouts of T frames, poses in their own units ``(T, B, D)``; DataError if they are of
    another skeleton."""
    if layout.skeleton.to_dict() != extractor.layout.skeleton.to_dict():
        raise DataError("the rollouts are of another skeleton than the extractor")
    frames, count = poses.shape[:2]
    clips = [
        ClipEntry(f"rollout {number}", number * frames, frames, held_out=False)
        for number in range(count)
    ]
    return clips_gaussian(extractor, poses.transpose(0, 1).flatten(0, 1), clips)


def captured_gaussian(
    extractor: Extractor, data: MotionDataset, held_out: bool = False
) -> Gaussian:
    """Of one part of the captured motion and its mirror image; DataError if it is of another
    skeleton."""
    data.require_skeleton(extractor.layout.skeleton, "the extractor")
    return clips_gaussian(extractor, *data.split(held_out))


def floor(extractor: Extractor, data: MotionDataset) -> float:
    """Distance from the captured motion that models learn from to that which was held out."""
    return distance(
        captured_gaussian(extractor, data), captured_gaussian(extractor, data, held_out=True)
    )


def halves(extractor: Extractor, data: MotionDataset) -> float:
    """Distance between two halves of the training clips, every other clip (with its mirror image)
    in either."""
    data.require_skeleton(extractor.layout.skeleton, "the extractor")
    poses, clips = data.split(held_out=False)
    count = len(clips) // 2  # of those unmirrored, which come first
    parts = (
        [clip for number, clip in enumerate(clips) if number % count % 2 == part] for part in (0, 1)
    )
    one, other = (clips_gaussian(extractor, poses, part) for part in parts)
    return distance(one, other)
