"""The loss of a motion VAE over steps of a rollout and over free steps.

A step of a rollout begins from a captured pose or from the model's own, and has a captured pose to
reach. A free step has none.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from controller.core import processes
from controller.model.mixture import MotionVAE, StepLoss
from controller.motion.feet import Feet
from controller.motion.pose import PoseLayout
from controller.training import loss
from controller.training.config import LossWeights
from controller.training.free_running import Free
from controller.training.sliced_wasserstein import SlicedWasserstein


class Captured(NamedTuple):
    """Captured windows, B of W poses: ``raw`` (B, W, D) in their own units, z-scored ``scores``,
    and both toes ``feet`` (B, W, 2, 3) in the facing frames."""

    raw: Tensor
    scores: Tensor
    feet: Tensor


class Draws(NamedTuple):
    """Random numbers of L steps: ``noise`` (L, B, latent) of the posterior, and ``forced`` (L, B),
    whether the step after this one begins from the captured pose."""

    noise: Tensor
    forced: Tensor

    def steps(self) -> list[Draws]:
        """The draws of each step alone."""
        pairs = zip(self.noise.split(1), self.forced.split(1), strict=True)
        return [Draws(noise, forced) for noise, forced in pairs]

    def share(self, rank: int, count: int) -> Draws:
        """The draws of the ``rank``-th of ``count`` equal parts of the batch."""
        return Draws(*(part.chunk(count, dim=1)[rank] for part in self))


class Place(NamedTuple):
    """Where a rollout is: at the ``current`` pose of its windows, with z-scored poses ``scores``
    (B, D) and their toes ``feet`` (B, 2, 3)."""

    current: int
    scores: Tensor
    feet: Tensor

    def detach(self) -> Place:
        return Place(self.current, self.scores.detach(), self.feet.detach())


class Unroll(nn.Module):
    """The loss as a module, so that processes can share its computation through
    DistributedDataParallel."""

    def __init__(
        self,
        model: MotionVAE,
        layout: PoseLayout,
        device: torch.device,
        distance: SlicedWasserstein,
    ) -> None:
        super().__init__()
        self.model = model
        self.layout = layout
        self.distance = distance
        self.geometry = Feet(layout, device)
        self.parents = list(layout.skeleton.parents[1:])
        self.lengths = layout.skeleton.offsets[1:].norm(dim=-1).to(device)

    def captured(self, raw: Tensor) -> Captured:
        """Windows ``(B, W, D)`` of raw poses with what the loss needs of them."""
        feet = self.layout.joint_positions(raw)[:, :, list(self.layout.feet)]
        return Captured(raw, self.model.normalizer.normalize(raw), feet)

    def begin(self, captured: Captured) -> Place:
        """The first pose of the windows from which the model may go on."""
        current = self.model.past
        return Place(current, captured.scores[:, current], captured.feet[:, current])

    def forward(
        self,
        captured: Captured,
        place: Place,
        draws: Draws,
        weights: LossWeights,
        free: Free | None,
    ) -> tuple[Tensor, dict[str, Tensor], Place, Tensor | None]:
        """Take the steps of ``draws`` and the ``free`` ones.

        Returns the mean loss, its terms without gradients, the new place, and the poses that the
        free steps reached.
        """
        terms, place = self.steps(captured, place, draws, weights)
        total = terms["reconstruction"] + weights.beta * terms["kl"]
        for name, weight in (
            ("feet", weights.foot_weight),
            ("joints", weights.joint_weight),
            ("bones", weights.bone_weight),
        ):
            total = total + weight * terms[name] if weight else total

        poses = None
        if free is not None:
            free_terms, poses = self.free_steps(free)
            # Only some of the compared poses have a gradient, and they must move as if they were
            # all of them. With several processes the share is smaller, as is the mean of their
            # gradients.
            share = len(free.scores) / len(free.captured.flatten(0, 1))
            total = (
                total
                + weights.slip_weight * free_terms["slip"]
                + weights.spread_weight / share * free_terms["spread"]
            )
            total = total + weights.bone_weight * free_terms["free_bones"]
            terms = terms | free_terms
            poses = poses.detach()
        return total, {name: value.detach() for name, value in terms.items()}, place, poses

    def steps(
        self, captured: Captured, place: Place, draws: Draws, weights: LossWeights
    ) -> tuple[dict[str, Tensor], Place]:
        """Take the steps of ``draws``: the means of the terms of their loss, and the new place."""
        model = self.model
        scores = place.scores
        steps: list[StepLoss] = []
        for current, noise, forced in zip(itertools.count(place.current), *draws, strict=False):
            following = captured.scores[:, current + 1]
            encoder_input = model.encoder_input(captured.scores, current)
            step = model.loss(scores, following, encoder_input, noise, weights.free_bits)
            scores = torch.where(forced[:, None], following, step.predicted)
            steps.append(step)

        predicted, reconstruction, latent = (torch.stack(part) for part in zip(*steps, strict=True))
        terms = {"reconstruction": reconstruction.mean(), "kl": latent.mean()}
        feet = place.feet
        if weights.foot_weight or weights.joint_weight or weights.bone_weight:
            body, feet = self.body_terms(captured, place, predicted, draws.forced, weights)
            terms = terms | body
        return terms, Place(place.current + len(steps), scores, feet)

    def body_terms(
        self,
        captured: Captured,
        place: Place,
        predicted: Tensor,
        forced: Tensor,
        weights: LossWeights,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of the loss of bodies in z-scored poses (L, B, D), ``predicted`` in L steps
        from a place, and where their feet are at the end. All steps are computed at once, since
        these are many small operations."""
        layout = self.layout
        poses = self.model.normalizer.denormalize(predicted)
        part = slice(place.current, place.current + 1 + len(predicted))
        raw = captured.raw[:, part].transpose(0, 1)
        true_feet = captured.feet[:, part].transpose(0, 1)
        terms = dict[str, Tensor]()

        feet = true_feet[1:]
        if weights.foot_weight:
            predicted_feet = self.geometry.positions(poses)
            feet = torch.where(forced[..., None, None], true_feet[1:], predicted_feet)
            before = torch.cat((place.feet[None], feet[:-1]))
            moved = self.geometry.displacement(
                before, predicted_feet, poses[..., layout.root_velocity]
            )
            truly_moved = self.geometry.displacement(
                true_feet[:-1], true_feet[1:], raw[1:, :, layout.root_velocity]
            )
            terms["feet"] = loss.foot_loss(moved, truly_moved, predicted_feet, true_feet[1:])
        if weights.joint_weight or weights.bone_weight:
            joints = layout.joint_positions(poses)
            terms["joints"] = loss.joint_loss(joints, layout.joint_positions(raw[1:]))
            terms["bones"] = loss.bone_loss(joints, self.parents, self.lengths)
        return terms, feet[-1]

    def free_steps(self, free: Free) -> tuple[dict[str, Tensor], Tensor]:
        """Steps with z ~ N(0, I): the terms of their loss, and the poses at the end, those of other
        processes included.

        ``slip`` is the mean slip of standing feet in (cm)². ``spread`` is the distance between two
        distributions: the poses halfway and at the end, with the rest of the pool, and the captured
        ones; with styles, its mean over those of the batch.

        The encoder's latents fill only a part of N(0, I). These terms keep the feet in place for
        the rest of it, and keep the model from drifting, such as ever faster forward. Nothing else
        teaches it how often to stand.
        """
        scores = [free.scores]
        for latent in free.latents:
            scores.append(self.model.decode(latent, scores[-1]))
        poses = self.model.normalizer.denormalize(torch.stack(scores))  # (1 + K, F, D)
        feet = self.geometry.positions(poses)
        joints = self.layout.joint_positions(poses[1:])

        # The feet must follow the root, not the root the feet: a model that stands still slips
        # least of all.
        root = poses[1:, :, self.layout.root_velocity].detach()
        moved = self.geometry.displacement(feet[:-1], feet[1:], root)
        heights = feet[..., 1]
        slip = loss.slip_loss(moved, torch.maximum(heights[:-1], heights[1:]))

        halfway = processes.gathered(scores[len(scores) // 2])
        end = processes.gathered(scores[-1])
        groups = (len(free.rest), -1)
        parts = (halfway.unflatten(0, groups), end.unflatten(0, groups), free.rest)
        pairs = zip(torch.cat(parts, dim=1), free.captured, strict=True)
        spread = [self.distance(own, captured, free.slices) for own, captured in pairs]
        terms = {
            "slip": slip,
            "spread": torch.stack(spread).mean(),
            "free_bones": loss.bone_loss(joints, self.parents, self.lengths),
        }
        return terms, end
