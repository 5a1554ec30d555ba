"""A desired velocity over the ground and a desired facing: how this wish is observed, and what it
pays. Shared by the tasks that walk."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.model.fast import solo
from controller.motion import geometry

QUICK = 2.0
"""m/s: about the fastest walk."""
STANDING_SPEED = 0.01
"""m/s: a slower desired velocity means to stand."""


@dataclass(frozen=True)
class Tolerance:
    """How far a character may be off its wish at next to no cost.

    A captured body is never exactly where it should be: its hips sway with every stride, and with
    every breath. A reward with a sharp tip pays for holding them still, and changes the gait. With
    a tolerance r, an error e costs as √(e² + r²) − r: its square near 0, as before far from it.
    """

    walking: float = 0.0
    """m/s, while walking."""
    standing: float = 0.0
    """m/s, while standing."""
    facing: float = 0.0
    """radians."""


EXACT = Tolerance()


def rounded(square: Tensor, tolerance: Tensor | float) -> Tensor:
    """Errors without their sharp tip, from their squares: see :class:`Tolerance`."""
    return (square + tolerance * tolerance + 1e-8).sqrt() - tolerance


def observe_wish(velocity: Tensor, facing: Tensor, yaw: Tensor) -> Tensor:
    """(B, 4): desired velocities (B, 2) in m/s and desired yaws ``facing`` (B,) in radians, as
    characters whose yaw is ``yaw`` (B,) observe them.

    The columns are the velocity forward and to the left, and the cosine and sine of the angle from
    the facing to the desired one.
    """
    if solo.fits(velocity, facing, yaw):
        return solo.see_wish(velocity, facing, yaw)
    local = geometry.turn(velocity, -yaw)
    angle = facing - yaw
    return torch.stack((local[:, 1], local[:, 0], torch.cos(angle), torch.sin(angle)), dim=-1)


def velocity_reward(velocity: Tensor, wish: Tensor, tolerance: Tolerance = EXACT) -> Tensor:
    """0.55·exp(−2·‖v − v*‖), of velocities v and desired velocities v* (B, 2) in m/s.

    To stand must be exact to the millimetre, or a standing character creeps: for v* = 0 the reward
    is 0.3·exp(−2·‖v‖) + 0.15·exp(−40·‖v‖) + 0.1·exp(−200·‖v‖). The hips of a walking character sway
    by ±0.1 m/s, which a ``tolerance`` allows. Where ‖v*‖ is above :data:`QUICK`, errors count in
    proportion to it: who walks and is to run must see from there which way is better.
    """
    standing = wish.square().sum(dim=-1) < STANDING_SPEED**2
    allowed = torch.where(standing, tolerance.standing, tolerance.walking)
    error = rounded((velocity - wish).square().sum(dim=-1), allowed)
    error = error / (wish.square().sum(dim=-1) / QUICK**2).clamp(min=1).sqrt()
    sharp, sharper = (torch.where(standing, -rate, -2.0) for rate in (40.0, 200.0))
    broad = 0.3 * torch.exp(-2 * error)
    return broad + 0.15 * torch.exp(sharp * error) + 0.1 * torch.exp(sharper * error)


def facing_reward(angle: Tensor, tolerance: Tolerance = EXACT) -> Tensor:
    """0.3·(1 − |Δ|/π) + 0.25·exp(−4·|2 sin Δ/2|), of angles Δ (B,) in [−π, π) from the facing to
    the desired one.

    The paper's exp(cos Δ − 1) is flat at both ends: 10° cost nothing, and a character that faces
    the opposite way gets no hint which way to turn. Here the straight line pulls equally from
    everywhere, and the last term most where it matters. With less weight on the facing, characters
    walk sideways and backward while facing the way they go.
    """
    error = angle.abs() if tolerance.facing == 0 else rounded(angle.square(), tolerance.facing)
    return 0.3 * (1 - error / math.pi) + 0.25 * torch.exp(-8 * torch.sin(error / 2))
