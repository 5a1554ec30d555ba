"""Which joint of one body is which of another, and how rotations are carried over.

Limbs correspond part by part, the midline by how far up a chain of joints each bone is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from controller.data.anatomy import Anatomy
from controller.motion import geometry
from controller.motion.overrides import PARTS
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton


def joint_pairs(ours: Roles, theirs: Roles) -> list[tuple[int, int]]:
    """Joints that two bodies both have: hips, head and the parts of limbs."""
    pairs = [(ours.hips, theirs.hips)]
    if ours.head is not None and theirs.head is not None:
        pairs.append((ours.head, theirs.head))
    for limb in ours.limbs:
        other = theirs.limb(limb.region, limb.side)
        for part in PARTS:
            joint = getattr(limb, part)
            partner = None if other is None else getattr(other, part)
            if joint is not None and partner is not None:
                pairs.append((joint, partner))
    return pairs


def carried(source: Anatomy, target: Anatomy, rotations: Tensor) -> Tensor:
    """(T, J, 3, 3) global rotations of the target from those of the source, by equal anatomical
    axes. A joint without counterpart is to its parent as it is when the body stands."""
    anatomical = rotations @ source.axes
    pairs = joint_pairs(target.roles, source.roles)
    found = {joint: anatomical[:, other] for joint, other in pairs}
    for ours, theirs in zip(midline(target), midline(source), strict=True):
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
    known = torch.tensor(places(source.skeleton, theirs), dtype=torch.float64)
    turns = geometry.matrix_to_quaternion(anatomical[:, theirs])
    found = {}
    for joint, place in zip(ours, places(target.skeleton, ours), strict=True):
        above = min(int((known < place - 1e-9).sum()), len(theirs) - 1)
        below = max(above - 1, 0)
        span = float(known[above] - known[below])
        share = (place - float(known[below])) / span if span > 1e-9 else 1.0
        amount = turns.new_full((len(turns), 1), min(max(share, 0.0), 1.0))
        mixed = geometry.slerp(turns[:, below], turns[:, above], amount)
        found[joint] = geometry.quaternion_to_matrix(mixed)
    return found


def midline(anatomy: Anatomy) -> tuple[list[int], list[int], list[int]]:
    """The chains of joints of a body's midline: from the hips to the joint that carries the arms,
    from there to the head, and the tail from the hips."""
    roles = anatomy.roles
    way = [anatomy.carrier]
    while way[0] != roles.hips:
        way.insert(0, anatomy.skeleton.parents[way[0]])
    neck = [anatomy.carrier] if roles.head is None else [roles.head]
    while neck[0] not in way and neck[0] >= 0:
        neck.insert(0, anatomy.skeleton.parents[neck[0]])
    return way, neck, [roles.hips, *roles.tail] if roles.tail else []


def places(skeleton: Skeleton, chain: list[int]) -> list[float]:
    """Where along a chain the middle of each joint's bone is: 0 for the first and 1 for the last
    joint, which are what they are."""
    lengths = [float(skeleton.offsets[joint].norm()) for joint in chain[1:]]
    total = sum(lengths) or 1.0
    places = [0.0]
    done = lengths[0] if lengths else 0.0
    for length in lengths[1:]:
        places.append((done + length / 2) / total)
        done += length
    return [*places, 1.0] if lengths else places
