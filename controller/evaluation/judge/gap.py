"""How near two bones come to each other."""

from __future__ import annotations

import torch
from torch import Tensor


def gap(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The distance (...) between the line segments from ``a`` to ``b`` and from ``c`` to ``d``,
    ``(..., 3)`` each.

    Two segments are nearest at an end of one of them, or where the common perpendicular of their
    lines meets both between the ends.
    """
    ends = torch.stack(
        (to_segment(a, c, d), to_segment(b, c, d), to_segment(c, a, b), to_segment(d, a, b))
    ).amin(dim=0)
    one = b - a
    other = d - c
    across = torch.linalg.cross(one, other)
    square = across.square().sum(dim=-1)
    safe = square.clamp(min=1e-12)
    between = c - a
    share = (torch.linalg.cross(between, other) * across).sum(dim=-1) / safe
    share_other = (torch.linalg.cross(between, one) * across).sum(dim=-1) / safe
    meets = (share > 0) & (share < 1) & (share_other > 0) & (share_other < 1) & (square > 1e-12)
    perpendicular = (between * across).sum(dim=-1).abs() / safe.sqrt()
    return torch.where(meets, torch.minimum(perpendicular, ends), ends)


def to_segment(point: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The distance (...) from a point to the segment from ``start`` to ``end``, ``(..., 3)``
    each."""
    bone = end - start
    length = bone.square().sum(dim=-1).clamp(min=1e-12)
    share = ((point - start) * bone).sum(dim=-1) / length
    return (point - start - share.clamp(0, 1)[..., None] * bone).norm(dim=-1)
