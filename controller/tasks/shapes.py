"""Paths with a name: figure-8, heart, zigzag, spiral. No policy is trained on them; they serve to
choose from and to measure.

Each is a line of points ``(N, 2)`` over the ground, in metres, that starts at the origin.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from controller.motion import geometry

POINTS = 2000
"""Points of a curved shape."""


def _line(x: Tensor, z: Tensor) -> Tensor:
    points = torch.stack((x, z), dim=-1)
    return points - points[:1]


def figure_eight(length: float = 8.0) -> Tensor:
    """Bernoulli's lemniscate, ``length`` metres from end to end, starting at its crossing."""
    angle = torch.linspace(1.5 * math.pi, 3.5 * math.pi, POINTS)
    scale = length / 2 / (1 + torch.sin(angle).square())
    return _line(scale * torch.sin(angle) * torch.cos(angle), scale * torch.cos(angle))


def heart(width: float = 6.0) -> Tensor:
    """The curve (16 sin³t, 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t), ``width`` metres wide,
    starting at its lower tip."""
    t = torch.linspace(math.pi, 3 * math.pi, POINTS)
    across = 16 * torch.sin(t) ** 3
    up = 13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()
    return _line(width / 32 * across, width / 32 * up)


def zigzag(leg: float = 2.5, legs: int = 6) -> Tensor:
    """Straight legs of ``leg`` metres with right angles between them."""
    number = torch.arange(legs + 1, dtype=torch.float32)
    return _line(leg * math.sqrt(0.5) * (number % 2), leg * math.sqrt(0.5) * number)


def spiral(inner: float = 0.8, outer: float = 3.0, turns: float = 2.5) -> Tensor:
    """Archimedes' spiral from ``outer`` to ``inner`` metres around its middle."""
    share = torch.linspace(0, 1, POINTS)
    radius = outer + (inner - outer) * share
    angle = 2 * math.pi * turns * share
    return _line(radius * torch.cos(angle), radius * torch.sin(angle))


SHAPES: dict[str, Callable[[], Tensor]] = {
    "figure-8": figure_eight, "heart": heart, "zigzag": zigzag, "spiral": spiral,
}  # fmt: skip


def placed(points: Tensor, position: Tensor, yaw: Tensor) -> Tensor:
    """Move a line that starts at the origin to ``position`` (2,), turned so that its +Z lies along
    ``yaw``."""
    return geometry.turn(points, yaw) + position
