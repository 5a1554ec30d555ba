"""How the rotations of one body are carried over to another (see
:mod:`controller.motion.midline`)."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.data.anatomy import Anatomy
from controller.motion import geometry
from controller.motion.midline import between, joint_pairs, midline, places


def carried(source: Anatomy, target: Anatomy, rotations: Tensor) -> Tensor:
    """(T, J, 3, 3) global rotations of the target from those of the source, by equal anatomical
    axes. A joint without counterpart is to its parent as it is when the body stands."""
    anatomical = rotations @ source.axes
    pairs = joint_pairs(target.roles, source.roles)
    found = {joint: anatomical[:, other] for joint, other in pairs}
    for ours, theirs in zip(_midline(target), _midline(source), strict=True):
        for joint, axes in _along(target, ours, source, theirs, anatomical).items():
            found.setdefault(joint, axes)
    result: list[Tensor] = []
    for joint, parent in enumerate(target.skeleton.parents):
        if joint in found:
            result.append(found[joint] @ target.axes[joint].T)
        else:
            result.append(result[parent] @ target.standing[joint])
    return torch.stack(result, dim=1)


def _along(
    target: Anatomy, ours: list[int], source: Anatomy, theirs: list[int], anatomical: Tensor
) -> dict[int, Tensor]:
    """Joint of the target's chain → anatomical axes (T, 3, 3), between those of the joints of the
    source's chain that are around the same place."""
    if not ours or not theirs:
        return {}
    known = places(source.skeleton, theirs)
    turns = geometry.matrix_to_quaternion(anatomical[:, theirs])
    found = {}
    for joint, place in zip(ours, places(target.skeleton, ours), strict=True):
        below, above, share = between(known, place)
        amount = turns.new_full((len(turns), 1), share)
        mixed = geometry.slerp(turns[:, below], turns[:, above], amount)
        found[joint] = geometry.quaternion_to_matrix(mixed)
    return found


def _midline(anatomy: Anatomy) -> tuple[list[int], list[int], list[int]]:
    return midline(anatomy.skeleton, anatomy.roles)
