"""How large a character is."""

from __future__ import annotations

from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton

REACH = 1.085
"""Metres along the bones from the hips to the toes of the body of scale 1."""


def reach(skeleton: Skeleton, roles: Roles) -> float:
    """The length in metres of the longest chain of bones from the hips to a foot, or to any joint
    if there are no feet."""
    lengths = skeleton.offsets.norm(dim=-1).tolist()
    for joint, parent in enumerate(skeleton.parents[1:], start=1):
        lengths[joint] += lengths[parent]
    chains = [lengths[joint] - lengths[roles.hips] for joint in roles.foot_joints]
    return max(chains or lengths) or REACH
