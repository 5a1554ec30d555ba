"""Statistics of the training poses, kept as buffers of a module so that every checkpoint carries
its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Normalizer(nn.Module):
    """Pose ↔ z-scores, and the range of captured poses.

    ``mean``, ``std`` (positive), ``low`` and ``high`` are ``(D,)`` in the pose's own units.
    """

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, mean: Tensor, std: Tensor, low: Tensor, high: Tensor) -> None:
        super().__init__()
        same_shape = mean.shape == std.shape == low.shape == high.shape
        # A model that is only laid out, to compare shapes with, is on "meta" and has no values.
        if not same_shape or not (std.is_meta or bool((std > 0).all())):
            raise ValueError(
                "mean, std, low and high must have one shape, and std must be positive everywhere"
            )
        for name, value in (("mean", mean), ("std", std), ("low", low), ("high", high)):
            self.register_buffer(name, value.detach().clone())

    def normalize(self, pose: Tensor) -> Tensor:
        return (pose - self.mean) / self.std

    def denormalize(self, scores: Tensor) -> Tensor:
        return scores * self.std + self.mean

    def unscaled(self) -> Normalizer:
        """A normalizer that leaves poses in their own units, with the same range."""
        return Normalizer(
            torch.zeros_like(self.mean), torch.ones_like(self.std), self.low, self.high
        )

    @classmethod
    def blank(cls, size: int) -> Normalizer:
        """Zero mean, unit deviation, no bounds: a placeholder into which a checkpoint's buffers are
        loaded."""
        inf = torch.full((size,), torch.inf)
        return cls(torch.zeros(size), torch.ones(size), -inf, inf)
