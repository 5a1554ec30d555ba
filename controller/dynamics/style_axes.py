"""How near a pose is to the style that it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST = 0.3
"""Smallest deviation (of z-scored poses) by which a principal axis is whitened: the finest axes
would otherwise weigh as much as a stride."""


def axes_apart(kinds: Sequence[Tensor]) -> Tensor:
    """``(D, A)``: the axes along which A + 1 kinds of z-scored poses, (N, D) each, lie furthest
    apart, as columns by which poses are multiplied: Fisher's linear discriminant (Fisher 1936; Rao
    1948).

    A kind has a deviation of about 1 along them. Deviations below :data:`SMALLEST` count as that.
    """
    centres = torch.stack([poses.mean(dim=0) for poses in kinds])
    within = torch.stack([(poses - poses.mean(dim=0)).T.cov() for poses in kinds]).mean(dim=0)
    variance, axes = torch.linalg.eigh(within)
    whitening = axes / variance.clamp(min=0).sqrt().clamp(min=SMALLEST)
    _, _, directions = torch.linalg.svd((centres - centres.mean(dim=0)) @ whitening)
    return whitening @ directions[: len(kinds) - 1].T


@dataclass(frozen=True, eq=False)
class StyleAxes:
    """The axes (D, A) along which the poses of S styles lie apart, and their ``centres`` (S, A)."""

    axes: Tensor
    centres: Tensor

    def distance(self, body: Tensor, weights: Tensor) -> Tensor:
        """``(B,)``: root mean square distance, in deviations, of z-scored poses ``(B, D)`` without
        weights from the centre of their style, or from between the centres of a blend, whose
        ``weights`` are (B, S). Motion in the style has about 1. Differentiable."""
        away = body @ self.axes - weights @ self.centres
        return (away.square().mean(dim=-1) + 1e-10).sqrt()

    @classmethod
    def of(cls, kinds: Sequence[Tensor]) -> StyleAxes:
        """Those of z-scored poses (N, D) of each style, without weights."""
        axes = axes_apart(kinds)
        return cls(axes, torch.stack([poses.mean(dim=0) for poses in kinds]) @ axes)
