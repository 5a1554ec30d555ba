"""Whether it is a body that moves: what a model's skeleton, its reset poses and its free rollouts
have in common with anything that walks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from controller.data.roundtrip import implausible, rest_joints
from controller.dynamics.character import Character
from controller.dynamics.rollout import Rollout
from controller.motion import metrics
from controller.motion.pose import FPS, PoseLayout
from controller.motion.roles import Limb, Roles
from controller.motion.skeleton import Skeleton

EVERY = 10
"""Of a rollout's frames, those at which joints are compared: three a second."""
SLOW = 0.05
"""m/s ahead or back, on average, below which a direction of travel says nothing."""
TRUNK_SHARE = 0.1
"""Leg lengths that the top of a trunk is at least above the hips of a body on two legs."""


def body_figures(character: Character, run: Rollout) -> dict[str, Any]:
    """Figures of the skeleton (``body_fault``), of reset poses (``reset_…``), and of free rollouts
    (``free_…``):

    | ``stance``           | "biped" or "quadruped"                                              |
    | ``body_fault``       | what is wrong with the skeleton, in words; empty if nothing is      |
    | ``…_upright``        | share of poses in which :func:`upright` holds                       |
    | ``…_hips_legs``      | median height of the hips, in leg lengths                           |
    | ``…_crossed``        | share of poses in which a left foot is to the right of the right one |
    | ``…_forward``        | share of the way ahead and back that goes ahead; None if there is   |
    |                      | hardly any                                                          |
    | ``free_floor_legs``  | height of the lowest foot within a second, median, in leg lengths   |
    | ``free_drift_legs``  | by how much that changes over the rollouts, median                  |
    """
    layout = character.layout
    normalizer = character.model.normalizer
    free = normalizer.denormalize(run.pose[::EVERY].flatten(0, -2))
    floor, drift = floor_figures(run.feet[..., 1])
    leg = mean_leg(layout.skeleton, layout.roles)
    return {
        "stance": layout.roles.kind,
        "body_fault": skeleton_fault(layout.skeleton, layout.roles),
        **pose_figures("reset", layout, normalizer.denormalize(character.reset_poses)),
        **pose_figures("free", layout, free),
        "free_floor_legs": floor / leg,
        "free_drift_legs": drift / leg,
    }


def pose_figures(whose: str, layout: PoseLayout, poses: Tensor) -> dict[str, float | None]:
    """Figures of poses ``(N, D)`` in their own units, as :func:`body_figures` lists them."""
    roles = layout.roles
    joints = layout.posed_joints(poses)
    leg = mean_leg(layout.skeleton, roles)
    return {
        f"{whose}_upright": float(upright(joints, roles).float().mean()),
        f"{whose}_hips_legs": metrics.quantiles(joints[:, roles.hips, 1] / leg, (0.5,))[0],
        f"{whose}_crossed": float(crossed(joints, roles).float().mean()),
        f"{whose}_forward": forward_share(poses[:, layout.root_velocity][:, 0]),
    }


def skeleton_fault(skeleton: Skeleton, roles: Roles) -> str:
    """What is wrong with a skeleton, in words; empty if nothing is: :func:`roundtrip.implausible`,
    or a body without a trunk."""
    top = top_of_trunk(roles)
    if top is None:
        return "it has no trunk: no spine, no neck, no head and no arms"
    joints = rest_joints(skeleton)
    rise = float(joints[top, 1] - joints[roles.hips, 1]) / max(mean_leg(skeleton, roles), 1e-6)
    if roles.kind == "biped" and rise < TRUNK_SHARE:
        return f"its {skeleton.names[top]} is {rise:.2f} leg lengths above its hips, not a trunk's"
    return implausible(skeleton, roles)


def top_of_trunk(roles: Roles) -> int | None:
    """The joint at which the trunk ends: the head or, without one, the neck, the spine, or an arm's
    first joint. None if there is none."""
    if roles.head is not None:
        return roles.head
    for joints in (roles.neck, roles.spine):
        if joints:
            return joints[-1]
    return None if roles.arms is None else roles.arms[0].start


def mean_leg(skeleton: Skeleton, roles: Roles) -> float:
    """m: from hip to ankle along the bones, the mean of both (hind) legs."""
    lengths = []
    for limb in roles.legs:
        chain = [joint for joint in (limb.upper, limb.middle, limb.end) if joint is not None]
        chain = chain if len(chain) > 1 else list(limb.joints)
        lengths.append(sum(float(skeleton.offsets[joint].norm()) for joint in chain[1:]))
    return sum(lengths) / len(lengths)


def standing_pairs(roles: Roles) -> list[tuple[Limb, Limb]]:
    """The pairs of limbs that stand on the ground: one of a biped, two of a quadruped."""
    pairs = [roles.legs]
    if roles.arms is not None and roles.arms[0].grounded:
        pairs.append(roles.arms)
    return pairs


def upright(joints: Tensor, roles: Roles) -> Tensor:
    """(N,) booleans, of joints (N, J, 3): all hips and shoulders that legs hang on are above their
    feet and, on two legs, the top of the trunk is above the hips."""
    result = torch.ones(len(joints), dtype=torch.bool)
    for pair in standing_pairs(roles):
        starts = joints[:, [limb.start for limb in pair], 1].mean(dim=1)
        feet = joints[:, [limb.contact for limb in pair], 1].mean(dim=1)
        result &= starts > feet
    top = top_of_trunk(roles)
    if roles.kind == "biped" and top is not None:
        result &= joints[:, top, 1] > joints[:, roles.hips, 1]
    return result


def crossed(joints: Tensor, roles: Roles) -> Tensor:
    """(N,) booleans, of joints (N, J, 3) in the facing frame, whose +X is left: a left foot is to
    the right of the right foot of its pair."""
    result = torch.zeros(len(joints), dtype=torch.bool)
    for left, right in standing_pairs(roles):
        result |= joints[:, left.contact, 0] < joints[:, right.contact, 0]
    return result


def forward_share(speed: Tensor) -> float | None:
    """Share of the way ahead, 0 to 1, in the way ahead and back, of speeds ahead in m/s. None where
    these are below :data:`SLOW` on average."""
    way = float(speed.abs().mean())
    return float(speed.clamp(min=0).mean()) / way if way > SLOW else None


def floor_figures(heights: Tensor) -> tuple[float, float]:
    """The height of the floor under feet at heights ``(T, B, F)`` in metres: the median over all
    seconds and bodies of the lowest foot, and the median over bodies of how far the last quarter's
    differs from the first's. NaN for less than a second."""
    second = round(FPS)
    count = len(heights) // second
    if count == 0:
        return float("nan"), float("nan")
    lowest = heights[: count * second].unflatten(0, (count, second)).amin(dim=(1, 3))  # (S, B)
    quarter = max(1, count // 4)
    change = lowest[-quarter:].mean(dim=0) - lowest[:quarter].mean(dim=0)
    return float(lowest.median()), float(change.abs().median())
