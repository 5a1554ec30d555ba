"""Is a motion VAE alive and exact, and can it be steered? Figures on held-out poses and latent streams."""

from __future__ import annotations

import torch
from torch import Tensor

from controller import batch as batches
from controller import metrics
from controller.character import Character
from controller.features import PoseLayout
from controller.mvae.loss import kl_per_unit
from controller.mvae.model import MotionVAE
from controller.rollout import normal_latents, record

ACTIVE_VARIANCE = 0.01
"""A latent unit is active when the variance, over the data, of its posterior mean is above this (Burda et al. 2016)."""


@torch.no_grad()
def latent_figures(model: MotionVAE, previous: Tensor, following: Tensor) -> dict[str, float]:
    """``active_units`` and ``kl_nats`` (summed over units) of the steps between two z-scored tables ``(N, D)``."""
    mean, log_variance = model.encode(previous, following)
    return {
        "active_units": int((mean.var(dim=0) > ACTIVE_VARIANCE).sum()),
        "kl_nats": float(kl_per_unit(mean, log_variance).sum()),
    }


@torch.no_grad()
def reconstruction_errors(model: MotionVAE, layout: PoseLayout, windows: Tensor) -> list[float]:
    """Mean joint position error in mm after each step of a rollout over captured windows ``(B, L+1, D)``, z-scored.

    The rollout starts at the first pose and feeds itself; z is the posterior mean of (own pose, captured next pose).
    """
    pose, errors = windows[:, 0], []
    for step in range(1, windows.shape[1]):
        mean, _ = model.encode(pose, windows[:, step])
        pose = model.decode(mean, pose)
        apart = layout.joint_positions(
            model.normalizer.denormalize(pose) - model.normalizer.denormalize(windows[:, step])
        )
        errors.append(1000 * float(apart.norm(dim=-1).mean()))
    return errors


def spread_figures(character: Character, starts: int, streams: int, seconds: float, seed: int) -> dict[str, float]:
    """How far latent streams from one pose come apart: ``spread_m`` and ``spread_deg``, means over starts."""
    generator = torch.Generator().manual_seed(seed)
    state = batches.select(character.reset(starts, generator), torch.arange(starts).repeat(streams))
    act = normal_latents(character, generator)
    run = record(character, act, state, lambda *_: None, round(seconds * character.fps))
    position, yaw = run.position[-1].reshape(streams, starts, 2), run.yaw[-1].reshape(streams, starts)
    pairs = [metrics.latent_spread(position[:, i], yaw[:, i]) for i in range(starts)]
    return {
        "spread_m": sum(pair[0] for pair in pairs) / starts,
        "spread_deg": sum(pair[1] for pair in pairs) / starts,
    }
