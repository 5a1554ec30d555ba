"""Is a motion VAE alive and exact, and can it be steered? Figures on held-out poses and latent
streams."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from controller.core import batch as batches
from controller.dynamics.character import Character
from controller.dynamics.rollout import drawn_latents, record
from controller.model.kl import aggregate, kl_per_unit
from controller.model.mixture import MotionVAE
from controller.motion import metrics
from controller.motion.feet import Feet
from controller.motion.pose import PoseLayout

ACTIVE_VARIANCE = 0.01
"""A latent unit is active when the variance, over the data, of its posterior mean is above this
(Burda et al. 2016)."""
DEAD_SHARE = 1 / 20
"""An expert is dead when its mean share of the blend is below this part of an equal one."""
GATE_FIGURES = (
    "gate_share",
    "gate_entropy_nats",
    "gate_entropy_fraction",
    "gate_pose_entropy_nats",
    "dead_experts",
)
"""Those of :func:`blend_figures`."""
PROBE = 0.1
"""Deviations of z by which :func:`latent_sensitivity` moves: small against 1, large against single
precision."""


@torch.no_grad()
def latent_figures(model: MotionVAE, windows: Tensor) -> dict[str, float]:
    """``active_units`` and ``kl_nats`` (:meth:`MotionVAE.information`: summed over units; of codes,
    the entropy of their use) of the first step of captured windows ``(N, W, D)``, z-scored, from
    the first pose of which the model can go on."""
    mean, log_variance = model.encode(
        windows[:, model.past], model.encoder_input(windows, model.past)
    )
    return {
        "active_units": int((mean.var(dim=0) > ACTIVE_VARIANCE).sum()),
        "kl_nats": float(model.information(mean, log_variance)),
    }


@torch.no_grad()
def posterior_figures(model: MotionVAE, windows: Tensor) -> dict[str, Any]:
    """What each latent unit tells of the first step of captured windows ``(N, W, D)``, z-scored,
    and how all of them together lie beside the prior.

    ``kl_per_unit`` (nats) and ``posterior_mean_variance`` (what :data:`ACTIVE_VARIANCE` judges), a
    value a unit; ``aggregate_mean`` and ``aggregate_deviation`` of the aggregate posterior, the
    mixture of all steps' posteriors; ``aggregate_kl_nats``: KL(N(those) ‖ N(0, I)); of codes, that
    of their use from the frequencies with which they are drawn. Where it is large, z drawn at
    random seldom falls where z was learned. ``kl_per_unit`` is None of codes, which have no units
    that speak for themselves.
    """
    mean, log_variance = model.encode(
        windows[:, model.past], model.encoder_input(windows, model.past)
    )
    centre, variance = aggregate(mean, log_variance)
    return {
        "kl_per_unit": kl_per_unit(mean, log_variance).tolist() if model.codes is None else None,
        "posterior_mean_variance": mean.var(dim=0).tolist(),
        "aggregate_mean": centre.tolist(),
        "aggregate_deviation": variance.sqrt().tolist(),
        "aggregate_kl_nats": float(model.mismatch(mean, log_variance)),
    }


@torch.no_grad()
def reconstruction_errors(model: MotionVAE, layout: PoseLayout, windows: Tensor) -> list[float]:
    """Mean joint position error in mm after each step of a rollout over captured windows ``(B, W,
    D)``, z-scored.

    The rollout starts at the first pose from which the model can go on and feeds itself; z is the
    posterior mean of its own pose and of what the encoder sees of the window, as the next pose.
    """
    pose = windows[:, model.past]
    errors = []
    for current in range(model.past, windows.shape[1] - model.future):
        mean, _ = model.encode(pose, model.encoder_input(windows, current))
        pose = model.decode(mean, pose)
        apart = layout.joint_positions(
            model.normalizer.denormalize(pose)
            - model.normalizer.denormalize(windows[:, current + 1])
        )
        errors.append(1000 * float(apart.norm(dim=-1).mean()))
    return errors


def teacher_forced_error(model: MotionVAE, layout: PoseLayout, windows: Tensor) -> float:
    """Mean joint position error in mm of every step of captured windows ``(B, W, D)``, z-scored,
    each begun from the captured pose: what :func:`reconstruction_errors` would be if no error were
    ever fed back."""
    least = model.past + 1 + model.future
    steps = windows.unfold(1, least, 1).movedim(-1, 2).unbind(1)  # L of (B, least, D)
    return sum(reconstruction_errors(model, layout, step)[0] for step in steps) / len(steps)


def still_error(model: MotionVAE, layout: PoseLayout, windows: Tensor) -> float:
    """How far, in mm, joints move in the first step of captured windows, seen from the facing
    frame: the error of a model that repeats the last pose."""
    moved = layout.joint_positions(
        model.normalizer.denormalize(windows[:, 1]) - model.normalizer.denormalize(windows[:, 0])
    )
    return 1000 * float(moved.norm(dim=-1).mean())


@torch.no_grad()
def one_step_poses(model: MotionVAE, windows: Tensor) -> Tensor:
    """What the model makes of the first step of captured windows ``(N, W, D)``, z-scored, with z
    the posterior mean: poses ``(N, D)`` in their own units."""
    pose = windows[:, model.past]
    mean, _ = model.encode(pose, model.encoder_input(windows, model.past))
    return model.normalizer.denormalize(model.decode(mean, pose))


def bone_length_error(layout: PoseLayout, poses: Tensor) -> float:
    """Mean over poses ``(..., D)``, in their own units, and bones of |bone's length − the
    skeleton's|, in mm.

    A bone is what lies between a joint and its parent, the root included, as predicted
    (:meth:`PoseLayout.joint_positions`): what is drawn keeps its lengths by forward kinematics.
    """
    joints = layout.joint_positions(poses)
    bones = joints[..., 1:, :] - joints[..., list(layout.skeleton.parents[1:]), :]
    wrong = bones.norm(dim=-1) - layout.skeleton.offsets[1:].norm(dim=-1)
    return 1000 * float(wrong.abs().mean())


@torch.no_grad()
def latent_sensitivity(
    character: Character, latent: Tensor, pose: Tensor, direction: Tensor
) -> float:
    """Mean displacement of the joints over the ground in one step, in cm, for a change of z by one
    deviation.

    Finite differences from latents ``(N, latent)`` and z-scored poses ``(N, D)`` along
    ``direction`` ``(N, latent)``, which need not have length 1. Without the hold on the pose, which
    would hide what z does at its limits.
    """
    along = PROBE * torch.nn.functional.normalize(direction, dim=-1)
    ends = [_joints_after_step(character, latent + sign * along, pose) for sign in (-0.5, 0.5)]
    return 100 / PROBE * float((ends[1] - ends[0]).norm(dim=-1).mean())


def _joints_after_step(character: Character, latent: Tensor, pose: Tensor) -> Tensor:
    """``(N, J, 3)`` metres in the facing frame from which the step was made."""
    after = character.model.normalizer.denormalize(character.model.decode(latent, pose))
    joints = character.layout.joint_positions(after)
    return Feet.displacement(
        torch.zeros_like(joints), joints, after[..., character.layout.root_velocity]
    )


@torch.no_grad()
def gate_figures(model: MotionVAE, latent: Tensor, previous: Tensor) -> dict[str, Any]:
    """How the decoder uses its experts at latents ``(N, latent)`` and z-scored poses ``(N, D)``:
    :func:`blend_figures`, each None of a decoder without experts."""
    blend = model.blend(latent, previous)
    return dict.fromkeys(GATE_FIGURES) if blend is None else blend_figures(blend)


def blend_figures(blend: Tensor) -> dict[str, Any]:
    """Use of E experts from coefficients ``(N, E)`` that sum to 1.

    ``gate_share``: each expert's mean; ``gate_entropy_nats`` of that mean, ln E when all are used
    alike, and ``gate_entropy_fraction`` of ln E; ``gate_pose_entropy_nats``: mean over poses of the
    blend's own, 0 when each pose has an expert of its own; ``dead_experts``: how many shares are
    below ``DEAD_SHARE`` / E.
    """
    experts = blend.shape[-1]
    share = blend.mean(dim=0)
    entropy = float(torch.special.entr(share).sum())
    return {
        "gate_share": share.tolist(),
        "gate_entropy_nats": entropy,
        "gate_entropy_fraction": entropy / math.log(experts) if experts > 1 else 1.0,
        "gate_pose_entropy_nats": float(torch.special.entr(blend).sum(dim=-1).mean()),
        "dead_experts": int((share < DEAD_SHARE / experts).sum()),
    }


def unheld(character: Character) -> Character:
    """The same character without the hold on its pose, with which no rollout could be told to
    explode."""
    free = Character(character.model, character.layout, character.reset_poses, character.header)
    free.low = torch.full_like(free.low, -torch.inf)
    free.high = torch.full_like(free.high, torch.inf)
    return free


def held_fraction(character: Character, pose: Tensor) -> float:
    """Share of a character's z-scored poses ``(..., D)`` in which the hold acted on any value."""
    return float(((pose <= character.low) | (pose >= character.high)).any(dim=-1).float().mean())


def coverage(inner: list[float], outer: list[float]) -> float:
    """Share of the interval from the first to the last of ``inner`` that lies between those of
    ``outer``: 0 to 1."""
    low = max(inner[0], outer[0])
    high = min(inner[-1], outer[-1])
    if inner[-1] > inner[0]:
        return max(0.0, high - low) / (inner[-1] - inner[0])
    return float(low <= high)


def mass_within(values: Tensor, interval: list[float]) -> float:
    """Share of values that lie from the first to the last of ``interval``: 0 to 1."""
    return float(((values >= interval[0]) & (values <= interval[-1])).double().mean())


def wasserstein(one: Tensor, other: Tensor) -> float:
    """The 1-Wasserstein distance of two samples of any sizes, in their own unit: how far, on
    average, values would have to be moved to turn one distribution into the other. NaN if a value
    is no number.

    On a line it is ∫|F₁ − F₂|, with F the distribution functions (Vallender 1974).
    """
    one = one.flatten().double().sort().values
    other = other.flatten().double().sort().values
    points = torch.cat((one, other)).sort().values
    if not bool(torch.isfinite(points).all()):
        return math.nan
    below = [
        torch.searchsorted(part, points[:-1], right=True).double() / len(part)
        for part in (one, other)
    ]
    return float(((below[0] - below[1]).abs() * points.diff()).sum())


def spread_figures(
    character: Character, starts: int, streams: int, seconds: float, seed: int
) -> dict[str, float]:
    """How far latent streams from one pose come apart: ``spread_m`` and ``spread_deg``, means over
    starts."""
    generator = torch.Generator().manual_seed(seed)
    state = batches.select(character.reset(starts, generator), torch.arange(starts).repeat(streams))
    act = drawn_latents(character, generator)
    run = record(character, act, state, lambda *_: None, round(seconds * character.fps))
    position = run.position[-1].reshape(streams, starts, 2)
    yaw = run.yaw[-1].reshape(streams, starts)
    pairs = [metrics.latent_spread(position[:, i], yaw[:, i]) for i in range(starts)]
    return {
        "spread_m": sum(pair[0] for pair in pairs) / starts,
        "spread_deg": sum(pair[1] for pair in pairs) / starts,
    }
