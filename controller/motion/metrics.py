"""The field's measures of motion: functions of recorded feet, roots and poses.

Time is the first dimension, F the number of feet."""

from __future__ import annotations

import torch
from torch import Tensor

FOOT_HEIGHT = 0.033
"""H of the foot-skate weighting, in metres (Zhang et al. 2018; Ling et al. 2020)."""


def contact_weight(height: Tensor) -> Tensor:
    """2 − 2^clip(h/H, 0, 1) of heights in metres: 1 on the floor, 0 from H = 3.3 cm up."""
    return 2 - torch.exp2((height / FOOT_HEIGHT).clamp(0, 1))


def foot_slip(moved: Tensor, height: Tensor) -> Tensor:
    """Foot skate in cm: horizontal displacement times :func:`contact_weight`.

    ``moved`` (..., 3) is the feet's displacement over the ground and ``height`` (...) their height,
    in metres.
    """
    return 100 * moved[..., [0, 2]].norm(dim=-1) * contact_weight(height)


def foot_skate(feet: Tensor) -> Tensor:
    """Foot skate in cm a frame of every step and foot, ``(T−1, ..., F)``, from world positions
    ``(T, ..., F, 3)`` in metres.

    It is :func:`foot_slip` at the larger of the two frames' heights. Its mean is the usual figure.
    """
    higher = torch.maximum(feet[1:, ..., 1], feet[:-1, ..., 1])
    return foot_slip(feet[1:] - feet[:-1], higher)


def skating(feet: Tensor, fps: float, height: float = 0.05, speed: float = 0.5) -> Tensor:
    """Whether any foot skates in each step, ``(T−1, ...)`` booleans: it is below ``height`` m in
    both frames and faster than ``speed`` m/s. The mean is the *skating ratio*."""
    low = torch.maximum(feet[1:, ..., 1], feet[:-1, ..., 1]) < height
    fast = (feet[1:] - feet[:-1])[..., [0, 2]].norm(dim=-1) * fps > speed
    return (low & fast).any(dim=-1)


def glide(feet: Tensor) -> Tensor:
    """How far the slowest foot moves over the ground in each step, in cm: ``(T, ..., F, 3)`` feet
    in metres → ``(T−1, ...)``.

    A walking character stands on one foot at a time, so this is near 0. A gliding one moves both
    feet, at any height, and no weighting by height hides it.
    """
    return 100 * (feet[1:] - feet[:-1])[..., [0, 2]].norm(dim=-1).amin(dim=-1)


def lower_foot(feet: Tensor) -> Tensor:
    """Height in cm of the lowest foot above the floor, ``(T, ...)``. Its distribution shows
    floating and sinking."""
    return 100 * feet[..., 1].amin(dim=-1)


def jerk(joints: Tensor, fps: float) -> Tensor:
    """How abruptly joints move, in m/s³ ``(T−3, ...)``: the third difference of their positions
    ``(T, ..., 3)`` in metres times fps³.

    Shaking from frame to frame dominates it, and smoothing lowers it. It means something only in
    comparison with captured motion at the same frame rate.
    """
    return joints.diff(n=3, dim=0).norm(dim=-1) * fps**3


def quantiles(values: Tensor, points: tuple[float, ...]) -> list[float]:
    """Quantiles of all values at ``points`` in [0, 1], without the size limit of
    ``torch.quantile``."""
    ordered = values.flatten().sort().values
    last = len(ordered) - 1
    return [float(ordered[round(point * last)]) for point in points]


def latent_spread(positions: Tensor, yaws: Tensor) -> tuple[float, float]:
    """How far S rollouts from one state come apart: the mean difference between pairs, in metres
    and in degrees.

    ``positions`` (S, ..., 2) in metres and ``yaws`` (S, ...) in radians are those at one time.
    """
    first, second = torch.triu_indices(len(yaws), len(yaws), 1).unbind(0)
    distance = (positions[first] - positions[second]).norm(dim=-1).mean()
    angle = torch.remainder(yaws[first] - yaws[second] + torch.pi, 2 * torch.pi) - torch.pi
    return float(distance), float(torch.rad2deg(angle.abs().mean()))
