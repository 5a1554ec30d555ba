"""Which joint of one body is which of another: limbs part by part, the midline by how far up a
chain of joints each bone is."""

from __future__ import annotations

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


def carrier_of(skeleton: Skeleton, roles: Roles) -> int:
    """The joint on the midline from which the arms go off; without arms, the end of the spine."""
    trunk = (roles.hips, *roles.spine, *roles.neck)
    if roles.arms is None:
        return roles.spine[-1] if roles.spine else roles.hips
    joint = roles.arms[0].joints[0]
    while joint not in trunk:
        joint = skeleton.parents[joint]
        if joint < 0:
            return roles.spine[-1] if roles.spine else roles.hips
    return joint


def midline(skeleton: Skeleton, roles: Roles) -> tuple[list[int], list[int], list[int]]:
    """The chains of joints of a body's midline: from the hips to the joint that carries the arms,
    from there to the head, and the tail from the hips."""
    carrier = carrier_of(skeleton, roles)
    way = [carrier]
    while way[0] != roles.hips:
        way.insert(0, skeleton.parents[way[0]])
    neck = [carrier] if roles.head is None else [roles.head]
    while neck[0] not in way and neck[0] >= 0:
        neck.insert(0, skeleton.parents[neck[0]])
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


def between(known: list[float], place: float) -> tuple[int, int, float]:
    """The two of the ``known`` places, which rise, around a place, and its share of the way from
    one to the other, from 0 to 1."""
    above = min(sum(each < place - 1e-9 for each in known), len(known) - 1)
    below = max(above - 1, 0)
    span = known[above] - known[below]
    share = (place - known[below]) / span if span > 1e-9 else 1.0
    return below, above, min(max(share, 0.0), 1.0)
