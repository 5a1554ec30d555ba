"""What every task rewards beside its goal: motion that stays on the ground and near what was
captured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from controller.dynamics.character import Character, CharacterState
from controller.motion.feet import Feet
from controller.motion.metrics import contact_weight

RANGE = 4.0
"""Deviations beyond which a pose's values cost."""


@dataclass(frozen=True)
class PenaltyWeights:
    """Weights of the penalties, in reward a frame."""

    latent: float = 0.05
    """On the mean of z²: keeps z where the decoder was trained. Codes cost nothing."""
    range: float = 0.02
    """On Σ max(|pose| − 4, 0)² over z-scored coordinates, at most 50: keeps the pose inside the
    captured distribution, whose tails are long. Beyond 3, captured motion itself would pay 0.16 a
    frame, and 0.64 in its fast turns."""
    skate: float = 0.25
    """On the mean foot skate in cm a frame, at most 2."""
    glide: float = 0.3
    """On how far the slower foot moves over the ground in a frame, in cm, at most 3. Skate does not
    count a foot above 3.3 cm: without this, a policy learned to glide backward and sideways at that
    height, both legs still. Whoever walks stands on one foot (0.08 cm in the captured motion,
    backward 0.10, sideways 0.09)."""
    floating: float = 0.06
    """On how far the lower foot is above 1.5 cm, in cm, at most 3: skate alone is cheated by
    hovering."""
    sinking: float = 0.06
    """On how far the lower foot is under −0.5 cm, in cm, at most 3."""


class Penalties:
    """The penalties of one step. ``ground`` and ``gliding``, in [0, 1], scale those of the feet and
    of gliding: a curriculum may raise them to 1."""

    def __init__(self, character: Character, weights: PenaltyWeights | None = None) -> None:
        self.character = character
        self.weights = weights or PenaltyWeights()
        self.ground = 1.0
        self.gliding = 1.0
        self.latent_cost = 0.0 if character.codes is not None else self.weights.latent
        self.feet = Feet(character.layout, character.reset_poses.device)
        normalizer = character.model.normalizer
        self.mean = normalizer.mean[self.feet.columns]
        self.std = normalizer.std[self.feet.columns]

    def terms(
        self, before: CharacterState, latent: Tensor, after: CharacterState
    ) -> dict[str, Tensor]:
        """Weighted penalties by name, each ``(B,)`` and ≥ 0. Differentiable in ``latent`` and both
        states."""
        weights = self.weights
        columns = [pose.index_select(-1, self.feet.columns) for pose in (before.pose, after.pose)]
        feet_before, feet_after = self.feet.place(torch.stack(columns) * self.std + self.mean)
        moved = self.feet.displacement(
            feet_before, feet_after, self.character.root_velocity(after.pose)
        )
        slid = (moved[..., 0].square() + moved[..., 2].square() + 1e-10).sqrt()
        skate = 100 * slid * contact_weight(torch.maximum(feet_before[..., 1], feet_after[..., 1]))
        glide = 100 * slid.amin(dim=-1)
        lower = 100 * feet_after[..., 1].amin(dim=-1)
        return {
            "latent": self.latent_cost * latent.square().mean(dim=-1),
            "range": weights.range
            * functional.softshrink(after.pose, RANGE).square().sum(dim=-1).clamp(max=50),
            "skate": self.ground * weights.skate * skate.mean(dim=-1).clamp(max=2),
            "glide": self.gliding * weights.glide * glide.clamp(max=3),
            "floating": self.ground * weights.floating * (lower - 1.5).clamp(0, 3),
            "sinking": self.ground * weights.sinking * (-0.5 - lower).clamp(0, 3),
        }
