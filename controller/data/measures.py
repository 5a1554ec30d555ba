"""Figures of captured motion."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.data.dataset import MotionDataset
from controller.motion import metrics
from controller.motion.limits import Limits
from controller.motion.pose import FPS

SLOWEST = 0.1
"""m/s: a direction in which the captured motion never goes is not asked for any faster."""


def ground_figures(feet: list[Tensor], fps: float) -> dict[str, float]:
    """Foot skate, skating ratio, floating and sinking of takes: the feet's world positions ``(T,
    ..., F, 3)`` in metres each."""
    low = torch.cat([metrics.lower_foot(take).flatten() for take in feet])
    p5, p50, p95 = metrics.quantiles(low, (0.05, 0.5, 0.95))
    skate = torch.cat([metrics.foot_skate(take).flatten() for take in feet])
    glide = torch.cat([metrics.glide(take).flatten() for take in feet])
    skating = torch.cat([metrics.skating(take, fps).flatten() for take in feet])
    return {
        "foot_skate_cm_per_frame": float(skate.mean()),
        "glide_cm_per_frame": float(glide.mean()),
        "skating_ratio": float(skating.float().mean()),
        "float_cm_p5": p5,
        "float_cm_median": p50,
        "float_cm_p95": p95,
        "sink_fraction": float((low < -1).float().mean()),
    }


def limits(data: MotionDataset) -> Limits:
    """What the captured motion can do.

    Speeds are those of the fastest seconds: 95 % of the fastest of all ahead, and the 99 % quantile
    backward and sideways, where fast seconds are few. Hips may sink by two fifths below the lowest
    captured height, and rise by a quarter above the highest (1 and 99 %).
    """
    root = data.layout.root_velocity
    seconds = [
        torch.nn.functional.avg_pool1d(data.poses[clip.rows, root][:, :2].T, round(FPS), 1).T
        for clip in data.clips
        if clip.length >= FPS
    ]
    velocity = torch.cat(seconds) if seconds else data.poses[:, root][:, :2]
    ahead, aside = velocity.unbind(dim=1)
    mostly_ahead = ahead.abs() > aside.abs()
    heights = data.poses[:, data.layout.hip_height]
    low, high = metrics.quantiles(heights, (0.01, 0.99))
    return Limits(
        forward_speed=_limit(0.95 * ahead[mostly_ahead], 1.0),
        sideways_speed=_limit(aside[~mostly_ahead].abs(), 0.99),
        backward_speed=_limit(-ahead[mostly_ahead & (ahead < 0)], 0.99),
        lowest_hips=0.6 * low,
        highest_hips=1.25 * high,
    )


def _limit(speeds: Tensor, quantile: float) -> float:
    """A quantile of speeds in m/s, and no less than :data:`SLOWEST`."""
    if not len(speeds):
        return SLOWEST
    return max(SLOWEST, round(metrics.quantiles(speeds, (quantile,))[0], 3))


def captured_figures(data: MotionDataset, fps: float = FPS) -> dict[str, float]:
    """:func:`ground_figures` of all clips of a data set."""
    feet = list(data.layout.feet)
    takes = []
    for clip in data.clips:
        local = data.layout.joint_positions(data.poses[clip.rows])[:, feet]
        velocity = data.poses[clip.rows, data.layout.velocities].unflatten(-1, (-1, 3))[:, feet]
        # The stored velocity is each foot's motion over the ground since the last frame. Its sum
        # is the path in the world.
        path = torch.cumsum(velocity[..., [0, 2]] / fps, dim=0)
        takes.append(torch.stack((path[..., 0], local[..., 1], path[..., 1]), dim=-1))
    return ground_figures(takes, fps)
