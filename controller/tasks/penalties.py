"""What every task rewards besides its goal: motion that stays on the ground and resembles the
captured motion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from controller.dynamics.character import Character, CharacterState
from controller.motion.feet import Feet
from controller.motion.metrics import contact_weight, quantiles

RANGE = 4.0
"""Standard deviations beyond which a pose's values cost."""


@dataclass(frozen=True)
class PenaltyWeights:
    """Weights of the penalties, in reward per frame."""

    latent: float = 0.05
    """On the mean of z². Keeps z where the decoder was trained. Codes cost nothing."""
    range: float = 0.02
    """On Σ max(|pose| − 4, 0)² over z-scored coordinates, at most 50: keeps the pose inside the
    captured distribution, whose tails are long. With a limit of 3, captured motion itself would pay
    0.16 per frame, and 0.64 in its fast turns."""
    skate: float = 0.25
    """On the mean foot skate in cm per frame, at most 2."""
    glide: float = 0.3
    """On how far the slower foot moves over the ground in a frame, in cm, at most 3. Skate ignores
    a foot above 3.3 cm; without this penalty, a policy learned to glide backward and sideways at
    that height with both legs still. A walking character stands on one foot: the captured motion
    has 0.08 cm, backward 0.10, sideways 0.09."""
    floating: float = 0.06
    """On how far the lower foot is above 1.5 cm, in cm, at most 3. Skate alone can be cheated by
    hovering."""
    sinking: float = 0.06
    """On how far the lower foot is below −0.5 cm, in cm, at most 3."""
    style: float = 0.5
    """On how far the pose is from the style that is asked for, beyond one deviation, in deviations,
    at most 5. z can undo a style, and a policy without this penalty does. Characters without styles
    have none."""


@dataclass(frozen=True)
class Allowed:
    """What feet may do at no cost, in cm, in each frame: how far the slower one moves, the skate of
    each, and how high and how low the lower one is."""

    glide: float = 0.0
    skate: float = 0.0
    high: float = 1.5
    low: float = -0.5


class Penalties:
    """The penalties of one step.

    ``ground`` scales those on skating, floating and sinking, ``gliding`` the one on gliding. Both
    are in [0, 1]; a curriculum may raise them to 1 in the course of a training.
    """

    def __init__(self, character: Character, weights: PenaltyWeights | None = None) -> None:
        self.character = character
        self.weights = weights or PenaltyWeights()
        self.ground = 1.0
        self.gliding = 1.0
        self.allowed = Allowed()
        self.latent_cost = 0.0 if character.codes is not None else self.weights.latent
        self.feet = Feet(character.layout, character.reset_poses.device)
        normalizer = character.model.normalizer
        self.mean = normalizer.mean[self.feet.columns]
        self.std = normalizer.std[self.feet.columns]

    def terms(
        self, before: CharacterState, latent: Tensor, after: CharacterState
    ) -> dict[str, Tensor]:
        """Return the weighted penalties by name, each ``(B,)`` and ≥ 0. Differentiable in the
        latent and in both states."""
        weights = self.weights
        allowed = self.allowed
        skate, glide, lower = self.ground_motion(before.pose, after.pose)
        skate = (skate - allowed.skate).clamp(min=0)
        excess = functional.softshrink(after.pose, RANGE).square().sum(dim=-1)
        terms = {
            "latent": self.latent_cost * latent.square().mean(dim=-1),
            "range": weights.range * excess.clamp(max=50),
            "skate": self.ground * weights.skate * skate.mean(dim=-1).clamp(max=2),
            "glide": self.gliding * weights.glide * (glide - allowed.glide).clamp(0, 3),
            "floating": self.ground * weights.floating * (lower - allowed.high).clamp(0, 3),
            "sinking": self.ground * weights.sinking * (allowed.low - lower).clamp(0, 3),
        }
        if self.character.styles:
            layout = self.character.layout
            axes = self.character.style_axes
            away = axes.distance(after.pose[:, layout.body], after.pose[:, layout.style])
            terms["style"] = weights.style * (away - 1).clamp(0, 5)
        return terms

    def ground_motion(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How feet move over the ground between z-scored poses (B, D), in cm: the skate (B, F) of
        each foot, the motion (B,) of the slowest one, and the height (B,) of the lowest one."""
        columns = [pose.index_select(-1, self.feet.columns) for pose in (before, after)]
        feet_before, feet_after = self.feet.place(torch.stack(columns) * self.std + self.mean)
        step = self.feet.displacement(feet_before, feet_after, self.character.root_velocity(after))
        slide = (step[..., 0].square() + step[..., 2].square() + 1e-10).sqrt()
        height = torch.maximum(feet_before[..., 1], feet_after[..., 1])
        skate = 100 * slide * contact_weight(height)
        return skate, 100 * slide.amin(dim=-1), 100 * feet_after[..., 1].amin(dim=-1)

    @torch.no_grad()
    def allow(self, before: Tensor, after: Tensor) -> None:
        """Let feet do at no cost what they do in most captured steps, from z-scored poses
        ``before`` to ``after`` (N, D): in 95 % of them. The lower foot is allowed the height that
        it does not exceed in 75 %: a policy that may hover does, since a foot that hovers does not
        skate."""
        skate, glide, lower = self.ground_motion(before, after)
        low, high = quantiles(lower, (0.05, 0.75))
        self.allowed = Allowed(
            quantiles(glide, (0.95,))[0], quantiles(skate, (0.95,))[0], high, low
        )
