"""The Fréchet distance of two sets of motions: between Gaussians fitted to embedded windows.

With means m and covariances C, d² = |m₁ − m₂|² + tr(C₁ + C₂ − 2·(C₁½·C₂·C₁½)½) (Dowson & Landau
1982); Heusel et al. (2017) use it on pictures. As there, the figure is d², and only comparisons
give it a meaning. The embeddings are those of
:class:`controller.evaluation.extractor.Extractor`, in which captured windows have mean 0 and
covariance 1. Motion that does not vary at all and lies at the captured mean is therefore at 32, the
number of values in an embedding.

Two finite samples of the same motion are never at 0, and the distance grows as windows get fewer.
So every fit uses :data:`WINDOWS` windows, and there is a *floor*: the distance between captured
training clips and captured held-out clips.
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
"""Windows to which each Gaussian is fitted. It must not change, since the distance depends on
it."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """``mean`` (E,) and ``covariance`` (E, E), in double precision."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, values: Tensor) -> Gaussian:
        """Fit to the rows of ``(N, E)``, N of 2 or more."""
        values = values.double()
        size = values.shape[1]
        covariance = values.T.cov().reshape(size, size)
        return cls(values.mean(dim=0), covariance)

    def factor(self) -> Tensor:
        """The factor F ``(E, E)`` with F·Fᵀ = covariance."""
        values, vectors = torch.linalg.eigh(self.covariance)
        factor: Tensor = vectors * values.clamp(min=0).sqrt()
        return factor


def distance(one: Gaussian, other: Gaussian) -> float:
    """Squared Fréchet distance of two Gaussians, 0 or more; NaN if a mean or a covariance is not
    finite.

    The trace of (C₁½·C₂·C₁½)½ is the sum of the singular values of F₁ᵀ·F₂, where C = F·Fᵀ. This
    avoids roots of the eigenvalues of a product, the smallest of which would be rounding errors.
    """
    parts = (one.mean, one.covariance, other.mean, other.covariance)
    if not all(bool(torch.isfinite(part).all()) for part in parts):
        return math.nan
    shared = torch.linalg.svdvals(one.factor().T @ other.factor()).sum()
    apart = (one.mean - other.mean).square().sum()
    total = apart + one.covariance.trace() + other.covariance.trace() - 2 * shared
    return max(0.0, float(total))


def clips_gaussian(extractor: Extractor, poses: Tensor, clips: list[ClipEntry]) -> Gaussian:
    """The Gaussian of clips in a table of poses ``(N, D)``, as ``MotionDataset.split`` returns
    them."""
    return Gaussian.fit(extractor.embed(poses, clips, WINDOWS))


def rollouts_gaussian(extractor: Extractor, layout: PoseLayout, poses: Tensor) -> Gaussian:
    """The Gaussian of B rollouts of T frames, poses ``(T, B, D)`` in their own units. Raises
    DataError if they are of another skeleton."""
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
    """The Gaussian of the training or the held-out clips, with their mirror images. Raises
    DataError if they are of another skeleton."""
    data.require_skeleton(extractor.layout.skeleton, "the extractor")
    return clips_gaussian(extractor, *data.split(held_out))


def floor(extractor: Extractor, data: MotionDataset) -> float:
    """Distance between the training clips and the held-out clips."""
    training = captured_gaussian(extractor, data)
    held_out = captured_gaussian(extractor, data, held_out=True)
    return distance(training, held_out)


def halves(extractor: Extractor, data: MotionDataset) -> float:
    """Distance between two halves of the training clips, alternating clips with their mirror
    images."""
    data.require_skeleton(extractor.layout.skeleton, "the extractor")
    poses, clips = data.split(held_out=False)
    count = len(clips) // 2  # mirror images come after all clips, in the same order
    even = [clip for number, clip in enumerate(clips) if number % count % 2 == 0]
    odd = [clip for number, clip in enumerate(clips) if number % count % 2 == 1]
    return distance(clips_gaussian(extractor, poses, even), clips_gaussian(extractor, poses, odd))
