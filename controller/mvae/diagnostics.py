"""Is a motion VAE alive, exact and stable? Figures on held-out poses and on free-running rollouts."""

from __future__ import annotations

import torch
from torch import Tensor

from controller import batch as batches
from controller import metrics
from controller.character import Character, CharacterState
from controller.features import PoseLayout
from controller.mvae.loss import kl_per_unit
from controller.mvae.model import MotionVAE
from controller.skeleton import forward_kinematics

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


@torch.no_grad()
def free_rollout(
    character: Character, state: CharacterState, frames: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Run with z ~ N(0, I): world ``feet`` (T, B, 2, 3), ``root`` (T, B, 3), ``yaw`` (T, B), ``velocity`` (T, B, 3)."""
    record: dict[str, list[Tensor]] = {"feet": [], "root": [], "yaw": [], "velocity": []}
    for _ in range(frames):
        latent = torch.randn(len(state), character.latent, generator=generator)
        state = character.step(state, latent)
        root, rotations = character.joints(state)
        record["feet"].append(
            forward_kinematics(character.skeleton, root, rotations)[..., list(character.layout.feet), :]
        )
        record["root"].append(root)
        record["yaw"].append(state.yaw)
        record["velocity"].append(character.root_velocity(state.pose))
    return {name: torch.stack(values) for name, values in record.items()}


def is_sane(record: dict[str, Tensor]) -> Tensor:
    """(B,) booleans: no NaN, and hips between 0.5 and 1.3 m in every frame."""
    height = record["root"][..., 1]
    return ((height > 0.5) & (height < 1.3)).all(dim=0) & torch.isfinite(record["feet"]).flatten(2).all(-1).all(0)


def free_figures(character: Character, batch: int, frames: int, seed: int) -> dict[str, float]:
    """Skate, lower foot's height, share of sane rollouts, and coverage of speeds and turns of free-running rollouts."""
    generator = torch.Generator().manual_seed(seed)
    record = free_rollout(character, character.reset(batch, generator), frames, generator)
    low = metrics.lower_foot(record["feet"])
    speed = record["velocity"][..., :2].norm(dim=-1)
    return {
        "free_skate_cm_per_frame": float(metrics.foot_skate(record["feet"]).mean()),
        "free_lower_foot_cm": metrics.quantiles(low, (0.05, 0.5, 0.95)),  # type: ignore[dict-item]
        "free_sink_fraction": float((low < -1).float().mean()),
        "free_sane_fraction": float(is_sane(record).float().mean()),
        "free_speed_m_s": metrics.quantiles(speed, (0.05, 0.5, 0.95)),  # type: ignore[dict-item]
        "free_turn_deg_s": metrics.quantiles(torch.rad2deg(record["velocity"][..., 2]), (0.05, 0.95)),  # type: ignore[dict-item]
    }


def spread_figures(character: Character, starts: int, streams: int, seconds: float, seed: int) -> dict[str, float]:
    """How far latent streams from one pose come apart: ``spread_m`` and ``spread_deg``, means over starts."""
    generator = torch.Generator().manual_seed(seed)
    state = character.reset(starts, generator)
    every = torch.arange(starts).repeat(streams)
    record = free_rollout(character, batches.select(state, every), round(seconds * character.fps), generator)
    root = record["root"][-1][:, [0, 2]].reshape(streams, starts, 2)
    yaw = record["yaw"][-1].reshape(streams, starts)
    pairs = [metrics.latent_spread(root[:, i], yaw[:, i]) for i in range(starts)]
    return {
        "spread_m": sum(pair[0] for pair in pairs) / starts,
        "spread_deg": sum(pair[1] for pair in pairs) / starts,
    }
