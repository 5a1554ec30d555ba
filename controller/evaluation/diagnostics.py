"""Figures of a motion VAE: its latent, its errors on captured poses, and its latent streams."""

from __future__ import annotations

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
PROBE = 0.1
"""Change of z, in standard deviations, with which :func:`latent_sensitivity` measures: small
against 1, large against the resolution of single precision."""


# -- the latent ------------------------------------------------------------------------------------


@torch.no_grad()
def latent_figures(model: MotionVAE, windows: Tensor) -> dict[str, float]:
    """``active_units`` and ``kl_nats`` of the first possible step of captured windows ``(N, W,
    D)``, z-scored.

    ``kl_nats`` is :meth:`MotionVAE.information`: the sum over units; for codes, the entropy of
    their use.
    """
    mean, log_variance = model.encode(
        windows[:, model.past], model.encoder_input(windows, model.past)
    )
    return {
        "active_units": int((mean.var(dim=0) > ACTIVE_VARIANCE).sum()),
        "kl_nats": float(model.information(mean, log_variance)),
    }


@torch.no_grad()
def posterior_figures(model: MotionVAE, windows: Tensor) -> dict[str, Any]:
    """How much each latent unit says about the first step of captured windows ``(N, W, D)``,
    z-scored, and how the units together relate to the prior.

    ``kl_per_unit`` in nats and ``posterior_mean_variance`` (which :data:`ACTIVE_VARIANCE` judges)
    have a value for each unit; ``kl_per_unit`` is None for codes, whose units mean nothing by
    themselves. ``aggregate_mean`` and ``aggregate_deviation`` describe the aggregate posterior, the
    mixture of all steps' posteriors. ``aggregate_kl_nats`` is KL(N(those) ‖ N(0, I)); for codes,
    that of their use from the frequencies with which they are drawn. If it is large, z drawn at
    random seldom lies where the decoder has learned.
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
def latent_sensitivity(
    character: Character, latent: Tensor, pose: Tensor, direction: Tensor
) -> float:
    """Mean displacement of the joints over the ground in one step, in cm, for a change of z by one
    standard deviation.

    Finite differences from latents ``(N, latent)`` and z-scored poses ``(N, D)`` along
    ``direction`` ``(N, latent)``, of any length. Poses are not clamped: a clamp would hide the
    effect of z at the limits.
    """
    along = PROBE * torch.nn.functional.normalize(direction, dim=-1)
    ends = [_joints_after_step(character, latent + sign * along, pose) for sign in (-0.5, 0.5)]
    return 100 / PROBE * float((ends[1] - ends[0]).norm(dim=-1).mean())


def _joints_after_step(character: Character, latent: Tensor, pose: Tensor) -> Tensor:
    """``(N, J, 3)`` metres in the facing frame before the step."""
    after = character.model.normalizer.denormalize(character.model.decode(latent, pose))
    joints = character.layout.joint_positions(after)
    root_velocity = after[..., character.layout.root_velocity]
    return Feet.displacement(torch.zeros_like(joints), joints, root_velocity)


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
    spreads = [metrics.latent_spread(position[:, i], yaw[:, i]) for i in range(starts)]
    return {
        "spread_m": sum(metres for metres, _ in spreads) / starts,
        "spread_deg": sum(degrees for _, degrees in spreads) / starts,
    }


# -- errors on captured poses ----------------------------------------------------------------------


@torch.no_grad()
def reconstruction_errors(model: MotionVAE, layout: PoseLayout, windows: Tensor) -> list[float]:
    """Mean joint position error in mm after each step of a rollout over captured windows ``(B, W,
    D)``, z-scored.

    The rollout starts at the first pose from which the model can go on, and feeds itself. z is the
    posterior mean: the encoder looks at the rollout's own pose and at the captured window.
    """
    pose = windows[:, model.past]
    errors = []
    for current in range(model.past, windows.shape[1] - model.future):
        mean, _ = model.encode(pose, model.encoder_input(windows, current))
        pose = model.decode(mean, pose)
        predicted = model.normalizer.denormalize(pose)
        captured = model.normalizer.denormalize(windows[:, current + 1])
        errors.append(1000 * _joint_distance(layout, predicted, captured))
    return errors


def teacher_forced_error(model: MotionVAE, layout: PoseLayout, windows: Tensor) -> float:
    """Mean joint position error in mm over all steps of captured windows ``(B, W, D)``, z-scored,
    each step from the captured pose: :func:`reconstruction_errors` if no error were ever fed
    back."""
    least = model.past + 1 + model.future
    steps = windows.unfold(1, least, 1).movedim(-1, 2).unbind(1)  # L of (B, least, D)
    return sum(reconstruction_errors(model, layout, step)[0] for step in steps) / len(steps)


def still_error(model: MotionVAE, layout: PoseLayout, windows: Tensor) -> float:
    """How far joints move in the first step of captured windows, in mm in the facing frame: the
    error of a model that repeats the last pose."""
    before = model.normalizer.denormalize(windows[:, 0])
    after = model.normalizer.denormalize(windows[:, 1])
    return 1000 * _joint_distance(layout, after, before)


@torch.no_grad()
def one_step_poses(model: MotionVAE, windows: Tensor) -> Tensor:
    """Predictions of the first possible step of captured windows ``(N, W, D)``, z-scored, with the
    posterior mean as z: poses ``(N, D)`` in their own units."""
    pose = windows[:, model.past]
    mean, _ = model.encode(pose, model.encoder_input(windows, model.past))
    return model.normalizer.denormalize(model.decode(mean, pose))


def bone_length_error(layout: PoseLayout, poses: Tensor) -> float:
    """Mean of |length − the skeleton's length| in mm, over bones and poses ``(..., D)`` in their
    own units.

    A bone lies between a joint and its parent, the root included, as predicted
    (:meth:`PoseLayout.joint_positions`). The drawn character keeps its lengths by forward
    kinematics.
    """
    joints = layout.joint_positions(poses)
    bones = joints[..., 1:, :] - joints[..., list(layout.skeleton.parents[1:]), :]
    errors = bones.norm(dim=-1) - layout.skeleton.offsets[1:].norm(dim=-1)
    return 1000 * float(errors.abs().mean())


def _joint_distance(layout: PoseLayout, one: Tensor, other: Tensor) -> float:
    """Mean distance in m of joints between poses ``(N, D)`` in their own units."""
    return float(layout.joint_positions(one - other).norm(dim=-1).mean())


# -- the clamp -------------------------------------------------------------------------------------


def unclamped(character: Character) -> Character:
    """The same character without the clamp on its pose, which would keep every rollout from
    exploding."""
    free = Character(character.model, character.layout, character.reset_poses, character.header)
    free.low = torch.full_like(free.low, -torch.inf)
    free.high = torch.full_like(free.high, torch.inf)
    return free


def clamped_fraction(character: Character, pose: Tensor) -> float:
    """Share of a character's z-scored poses ``(..., D)`` in which any value was clamped."""
    clamped = (pose <= character.low) | (pose >= character.high)
    return float(clamped.any(dim=-1).float().mean())
