"""The loss of a motion VAE over steps of a rollout, some begun from captured poses and some from
its own, and over free steps, of which nothing was captured."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from controller.core import processes
from controller.model.mixture import MotionVAE, Step
from controller.motion.feet import Feet
from controller.motion.pose import PoseLayout
from controller.training import loss
from controller.training.free_running import Free
from controller.training.sliced_wasserstein import SlicedWasserstein


class Captured(NamedTuple):
    """Windows of B captured takes of W poses: ``raw`` (B, W, D) in their own units, z-scored
    ``scores``, and both toes ``feet`` (B, W, 2, 3) in the facing frames."""

    raw: Tensor
    scores: Tensor
    feet: Tensor


class Draws(NamedTuple):
    """What is random in L steps: ``noise`` (L, B, latent) of the posterior, and which steps are
    ``forced`` (L, B), that is, followed by one that begins from the captured pose."""

    noise: Tensor
    forced: Tensor

    def of(self, step: int) -> Draws:
        """Those of one step alone."""
        return Draws(self.noise[step : step + 1], self.forced[step : step + 1])

    def share(self, rank: int, count: int) -> Draws:
        """Those of the ``rank``-th of ``count`` equal parts of the batch."""
        return Draws(*(part.chunk(count, dim=1)[rank] for part in self))


class Place(NamedTuple):
    """Where a rollout is: at the ``current`` pose of its windows, with z-scored poses (B, D) ``at``
    and their toes ``standing`` (B, 2, 3)."""

    current: int
    at: Tensor
    standing: Tensor

    def detach(self) -> Place:
        return Place(self.current, self.at.detach(), self.standing.detach())


class Weights(NamedTuple):
    """Weights of the loss beside 1 for the reconstruction."""

    beta: float
    free_bits: float
    foot: float
    joint: float
    bone: float
    slip: float
    spread: float


class Unroll(nn.Module):
    """The loss as a module of its own, so that processes can share the work through
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
        """Windows ``(B, W, D)`` of raw poses with all that the loss needs of them."""
        feet = self.layout.joint_positions(raw)[:, :, list(self.layout.feet)]
        return Captured(raw, self.model.normalizer.normalize(raw), feet)

    def begin(self, captured: Captured) -> Place:
        """At the first pose of the windows from which the model may go on."""
        current = self.model.past
        return Place(current, captured.scores[:, current], captured.feet[:, current])

    def forward(
        self, captured: Captured, place: Place, draws: Draws, weights: Weights, free: Free | None
    ) -> tuple[Tensor, dict[str, Tensor], Place, Tensor | None]:
        """As many steps as ``draws`` are for, and the ``free`` ones. Returns the mean loss, its
        terms without gradients, the new place, and the poses to which the free steps came."""
        terms, place = self.steps(captured, place, draws, weights)
        total = terms["reconstruction"] + weights.beta * terms["kl"]
        for name, weight in (
            ("feet", weights.foot),
            ("joints", weights.joint),
            ("bones", weights.bone),
        ):
            total = total + weight * terms[name] if weight else total
        poses = None
        if free is not None:
            free_terms, poses = self.free_steps(free)
            # Only a part of the poses that are compared has a gradient, and is to be moved as if it
            # were all of them. Among several processes the part is smaller by as much as the mean
            # of their gradients makes of it.
            share = len(free.at) / len(free.captured)
            total = (
                total
                + weights.slip * free_terms["slip"]
                + weights.spread / share * free_terms["spread"]
            )
            total = total + weights.bone * free_terms["free_bones"]
            terms = terms | free_terms
            poses = poses.detach()
        return total, {name: value.detach() for name, value in terms.items()}, place, poses

    def steps(
        self, captured: Captured, place: Place, draws: Draws, weights: Weights
    ) -> tuple[dict[str, Tensor], Place]:
        """As many steps as ``draws`` are for: the means of the terms of their loss, and the place
        to which they led."""
        model = self.model
        at = place.at
        made = list[Step]()
        for current, noise, forced in zip(itertools.count(place.current), *draws, strict=False):
            following = captured.scores[:, current + 1]
            seen = model.seen(captured.scores, current)
            made.append(model.loss(at, following, seen, noise, weights.free_bits))
            at = torch.where(forced[:, None], following, made[-1].predicted)
        predicted, reconstruction, latent = (torch.stack(part) for part in zip(*made, strict=True))
        terms = {"reconstruction": reconstruction.mean(), "kl": latent.mean()}
        place = place._replace(at=at)
        if weights.foot or weights.joint or weights.bone:
            body, standing = self.body_terms(captured, place, predicted, draws.forced, weights)
            terms = terms | body
            place = place._replace(standing=standing)
        return terms, place._replace(current=place.current + len(made))

    def body_terms(
        self, captured: Captured, place: Place, predicted: Tensor, forced: Tensor, weights: Weights
    ) -> tuple[dict[str, Tensor], Tensor]:
        """What the bodies of z-scored poses (L, B, D), ``predicted`` in as many steps from a place,
        add to the loss's terms, and where they stand in the end. For all steps at once: it is many
        small operations."""
        poses = self.model.normalizer.denormalize(predicted)
        layout = self.layout
        terms = dict[str, Tensor]()
        raw, feet = (
            part[:, place.current : place.current + 1 + len(predicted)].transpose(0, 1)
            for part in (captured.raw, captured.feet)
        )
        standing = feet[1:]
        if weights.foot:
            posed = self.geometry.positions(poses)
            standing = torch.where(forced[..., None, None], feet[1:], posed)
            before = torch.cat((place.standing[None], standing[:-1]))
            moved = self.geometry.displacement(before, posed, poses[..., layout.root_velocity])
            truly_moved = self.geometry.displacement(
                feet[:-1], feet[1:], raw[1:, :, layout.root_velocity]
            )
            terms["feet"] = loss.foot_loss(moved, truly_moved, posed, feet[1:])
        if weights.joint or weights.bone:
            joints = layout.joint_positions(poses)
            terms["joints"] = loss.joint_loss(joints, layout.joint_positions(raw[1:]))
            terms["bones"] = loss.bone_loss(joints, self.parents, self.lengths)
        return terms, standing[-1]

    def free_steps(self, free: Free) -> tuple[dict[str, Tensor], Tensor]:
        """Steps with z ~ N(0, I): the terms of their loss, and the poses at the end, those of other
        processes, too.

        ``slip`` is the mean slip of standing feet in (cm)², ``spread`` how far the poses halfway
        and at the end, with the rest of the pool, are distributed otherwise than the captured ones.

        The encoder's latents fill only a part of N(0, I). This holds the feet for the rest of it,
        and keeps the model from going anywhere too often, such as ever faster forward: nothing else
        tells it how often to stand.
        """
        scores = [free.at]
        for latent in free.latents:
            scores.append(self.model.decode(latent, scores[-1]))
        poses = self.model.normalizer.denormalize(torch.stack(scores))  # (1 + K, F, D)
        feet = self.geometry.positions(poses)
        joints = self.layout.joint_positions(poses[1:])
        # The feet are to follow the root, not the root the feet: a model that stands still slips
        # least of all.
        root = poses[1:, :, self.layout.root_velocity].detach()
        moved = self.geometry.displacement(feet[:-1], feet[1:], root)
        heights = feet[..., 1]
        halfway = processes.gathered(scores[len(scores) // 2])
        end = processes.gathered(scores[-1])
        terms = {
            "slip": loss.slip_loss(moved, torch.maximum(heights[:-1], heights[1:])),
            "spread": self.distance(
                torch.cat((halfway, end, free.rest)), free.captured, free.slices
            ),
            "free_bones": loss.bone_loss(joints, self.parents, self.lengths),
        }
        return terms, end
