"""A wish to go with a velocity over the ground, facing a way: how it is seen, what it pays. Shared
by the tasks that walk."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.model.fast import solo
from controller.motion import geometry

STANDING_SPEED = 0.01
"""m/s: a wish slower than this is a wish to stand."""


def observe_wish(velocity: Tensor, facing: Tensor, yaw: Tensor) -> Tensor:
    """(B, 4): wished velocities (B, 2) in m/s and wished yaws (B,), as characters whose yaw is
    ``yaw`` (B,) see them: velocity forward and to the left, cosine and sine of the angle from the
    facing to the wish."""
    if solo.fits(velocity, facing, yaw):
        return solo.see_wish(velocity, facing, yaw)
    local = geometry.turn(velocity, -yaw)
    angle = facing - yaw
    return torch.stack((local[:, 1], local[:, 0], torch.cos(angle), torch.sin(angle)), dim=-1)


def velocity_reward(velocity: Tensor, wish: Tensor) -> Tensor:
    """0.55·exp(−2·‖v − v*‖), of velocities and wishes (B, 2) in m/s.

    A wish to stand is met to the millimetre, or a standing character creeps: for it the reward is
    0.3·exp(−2·‖v‖) + 0.15·exp(−40·‖v‖) + 0.1·exp(−200·‖v‖). The hips of a walking one sway by ±0.1
    m/s.
    """
    off = ((velocity - wish).square().sum(dim=-1) + 1e-8).sqrt()
    standing = wish.square().sum(dim=-1) < STANDING_SPEED**2
    sharp, sharper = (torch.where(standing, -rate, -2.0) for rate in (40.0, 200.0))
    return (
        0.3 * torch.exp(-2 * off) + 0.15 * torch.exp(sharp * off) + 0.1 * torch.exp(sharper * off)
    )


def facing_reward(angle: Tensor) -> Tensor:
    """0.3·(1 − |Δ|/π) + 0.25·exp(−4·|2 sin Δ/2|), of angles Δ (B,) in [−π, π) from the facing to
    the wish.

    The paper's exp(cos Δ − 1) is flat at both ends: 10° cost nothing, and who faces the opposite
    way is not told which way to turn. The straight line pulls alike from everywhere, the last term
    most where it matters. With less weight on the facing, the character walks sideways and backward
    facing the way it goes.
    """
    return 0.3 * (1 - angle.abs() / math.pi) + 0.25 * torch.exp(-8 * torch.sin(angle / 2).abs())
