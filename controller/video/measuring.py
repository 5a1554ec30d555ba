"""How well a network paints: figures of free rollouts, and those of what needs no network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from controller.video import blocks, free_rollout
from controller.video.film import Clip, Film, Split
from controller.video.network import Painter
from controller.video.picture_quality import psnr, ssim

LONG = 630
"""Pictures of a long rollout."""
EARLY = slice(100, 200)
LATE = slice(-100, None)
"""Pictures of a long rollout whose difference is the drift."""
APART = 0.1
"""Of white's 1, by which a pixel of the figure differs from the mean picture."""
SHORT = 10
"""Pictures of a short rollout, after the network's past ones."""
SHORT_ROLLOUTS = 16
"""Short rollouts from each episode."""


def clips(film: Film, split: Split, most: int = LONG) -> list[Clip]:
    """The episodes of a split, each up to ``most`` pictures."""
    return [film.episode(each, most) for each in film.of(split, 2)]


def long_rollout(painter: Painter, clip: Clip, seed: int) -> tuple[Tensor, Tensor]:
    """Painted and real pictures (T − past, 3, H, W) of an episode."""
    painted = free_rollout.paint(painter.network, Clip.stack([clip]), painter.past, seed)[0]
    return painted, free_rollout.real(clip, painter.past)


def figure_psnr(painted: Tensor, real: Tensor, mean: Tensor) -> Tensor:
    """dB over those pixels alone that differ from the ``mean`` picture (3, H, W) by more than
    :data:`APART`: the figure and its shadow. Most of a picture is calm ground, which is easy."""
    apart = ((real - mean).abs().amax(dim=-3, keepdim=True) > APART).expand_as(real)
    squared = (painted - real).square() * apart
    mse = squared.sum(dim=(-3, -2, -1)) / apart.sum(dim=(-3, -2, -1)).clamp(min=1)
    return -10 * mse.clamp(min=1e-10).log10()


def quality_figures(painted: Tensor, real: Tensor, mean: Tensor) -> dict[str, Any]:
    """Figures of one rollout, with the PSNR of each picture."""
    each = psnr(painted, real)
    figures: dict[str, Any] = {
        "psnr_figure_db": float(figure_psnr(painted, real, mean).mean()),
        "psnr_mean_db": float(each.mean()),
        "psnr_worst_db": float(each.min()),
        "ssim_mean": float(ssim(painted, real).mean()),
        "psnr_db": [round(value, 2) for value in each.tolist()],
    }
    if len(each) > 300:
        figures["drift_db"] = float(each[EARLY].mean() - each[LATE].mean())
    return figures


def copies(clip: Clip, past: int, mean: Tensor) -> dict[str, float]:
    """Figures of repeating the last real picture throughout, and of repeating the real picture
    before each, which no free rollout has."""
    real = free_rollout.real(clip, past)
    before = blocks.to_unit(clip.part(past - 1, len(clip) - 1).frames)
    first = before[:1].expand_as(real)
    return {
        "baseline_copy_psnr_db": float(psnr(first, real).mean()),
        "baseline_copy_worst_db": float(psnr(first, real).min()),
        "baseline_copy_figure_db": float(figure_psnr(first, real, mean).mean()),
        "baseline_copy_ssim": float(ssim(first, real).mean()),
        "copy_of_real_psnr_db": float(psnr(before, real).mean()),
    }


def short_figures(painter: Painter, film: Film, split: Split, seed: int) -> dict[str, float]:
    """dB of rollouts of :data:`SHORT` pictures from places that are evenly spread over each
    episode."""
    length = painter.past + SHORT
    windows = []
    for episode in film.of(split, length):
        places = torch.linspace(0, episode.length - length, SHORT_ROLLOUTS).long().tolist()
        windows += [film.read(episode.start + place, length) for place in places]
    batch = Clip.stack(windows)
    painted = free_rollout.paint(painter.network, batch, painter.past, seed)
    real = free_rollout.real(batch, painter.past)
    quality = psnr(painted, real)
    return {
        f"psnr_{SHORT}_mean_db": float(quality.mean()),
        f"psnr_{SHORT}_last_db": float(quality[:, -1].mean()),
    }


def measure(painter: Painter, film: Film, split: Split, seed: int = 0) -> dict[str, Any]:
    """All figures of a network on the episodes of a split. Means over episodes; the worst picture
    of all."""
    painter.require_film(film)
    rows = []
    for number, clip in enumerate(clips(film, split)):
        painted, real = long_rollout(painter, clip, seed + number)
        figures = quality_figures(painted, real, painter.network.generator.mean)
        forced = free_rollout.paint_forced(painter.network, clip, painter.past, seed)
        figures["psnr_forced_db"] = float(
            psnr(forced, free_rollout.real(clip, painter.past)).mean()
        )
        figures |= copies(clip, painter.past, painter.network.generator.mean)
        rows.append(figures)
    result: dict[str, Any] = {"episodes": len(rows), "frames": len(rows[0]["psnr_db"])}
    for name in rows[0]:
        if name == "psnr_db" or any(name not in row for row in rows):
            continue
        values = [row[name] for row in rows]
        result[name] = min(values) if name.endswith("worst_db") else sum(values) / len(values)
    return result | short_figures(painter, film, split, seed)
