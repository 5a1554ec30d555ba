"""The chains of joints that hang on a skeleton's midline, and which of them are legs and arms."""

from __future__ import annotations

from dataclasses import dataclass

from controller.motion.evidence import Evidence
from controller.motion.limbs import Parts, find_parts
from controller.motion.names import HEAD
from controller.motion.overrides import REGIONS
from controller.motion.symmetry import ALONE

SHARE_OF_LONGEST = 0.25
"""Unnamed chains that are shorter than this share of the longest are no limbs."""
MAIN_PARTS = {"upper", "middle", "end"}
"""The parts that nearly every limb has."""


@dataclass(frozen=True)
class Chain:
    """A part of the tree that hangs on the midline.

    root    its first joint
    path    its joints from the root to its farthest leaf
    length  of the path's bones
    hangs   it goes straight down to the ground
    parts   region → the best assignment of its joints to a limb's parts
    """

    root: int
    path: tuple[int, ...]
    length: float
    hangs: bool
    parts: dict[str, Parts]

    def joints(self, region: str) -> dict[str, int]:
        """Part → joint. Unnamed arms that hang to the ground are built like legs."""
        like_leg = self.hangs and not self.parts[region].named
        return dict(self.parts["leg" if like_leg else region].joints)

    def points(self, region: str) -> tuple[bool, float]:
        """How much speaks for the region: first whether names do, then all points."""
        return self.parts[region].named > 0, self.parts[region].score


Pair = tuple[Chain, ...]
"""Two chains that are mirror images, or one that has none."""


def find_pairs(evidence: Evidence) -> list[Pair]:
    """All chains that hang on the midline."""
    pairs: list[Pair] = []
    for joint in range(1, len(evidence.skeleton)):
        partner = evidence.partner[joint]
        parent = evidence.skeleton.parents[joint]
        if evidence.on_midline(joint) or not evidence.on_midline(parent):
            continue
        if partner == ALONE:
            pairs.append((_chain(evidence, joint),))
        elif joint < partner:
            pairs.append((_chain(evidence, joint), _chain(evidence, partner)))
    return pairs


def _chain(evidence: Evidence, root: int) -> Chain:
    paths = evidence.tree.paths(root)
    bones = [evidence.rest.bones(path) for path in paths]
    lengths = [sum(row) for row in bones]
    longest_bone = max(max(row) for row in bones) or 1.0
    indices = range(len(paths))

    parts = {}
    for region in REGIONS:
        options = [
            find_parts(path, row, evidence.readings, region, longest_bone)
            for path, row in zip(paths, bones, strict=True)
        ]
        best = max(indices, key=lambda index: (options[index].score, lengths[index]))
        parts[region] = options[best]

    longest = max(indices, key=lambda index: lengths[index])
    path = paths[longest]
    return Chain(root, path, lengths[longest], evidence.rest.hangs(path), parts)


def choose_limbs(evidence: Evidence, pairs: list[Pair]) -> dict[str, Pair]:
    """Region → the chains that are the legs, or the arms: by names, then by structure.

    What hangs to the ground is a leg. Of two such pairs, or of two with the same names, the one
    farther from the head is the legs, the other one the arms.
    """
    head = likely_head(evidence)
    chosen: dict[str, Pair] = {}
    for region, other in (("leg", "arm"), ("arm", "leg")):
        named = [
            pair
            for pair in pairs
            if pair[0].parts[region].named and pair[0].points(region) >= pair[0].points(other)
        ]
        if named:
            likenesses = [_likeness(evidence, pair, region, head) for pair in named]
            chosen[region] = named[likenesses.index(max(likenesses))]

    used = [chain.root for pair in chosen.values() for chain in pair]
    spare = [
        pair
        for pair in pairs
        if len(pair) == 2 and pair[0].root not in used and _may_be_limbs(evidence, pair, pairs)
    ]
    stands = any(pair[0].hangs for pair in [*spare, *chosen.values()])
    farthest_first = sorted(
        spare, key=lambda pair: (not pair[0].hangs, -_from_head(evidence, pair, head))
    )
    for pair in farthest_first:
        may_be_legs = pair[0].hangs or not stands
        region = "leg" if may_be_legs and chosen.get("leg") is None else "arm"
        chosen.setdefault(region, pair)
    return chosen


def _likeness(evidence: Evidence, pair: Pair, region: str, head: int) -> tuple[float, ...]:
    """How much named chains are like the legs, or arms; what is first weighs more."""
    parts = pair[0].parts[region]
    stated = any(evidence.readings[joint].certain for joint in parts.joints.values())
    main = len(MAIN_PARTS & parts.joints.keys())
    named = min(parts.named, len(MAIN_PARTS))
    distance = _from_head(evidence, pair, head)
    return stated, len(pair), main, named, distance, pair[0].length


def _from_head(evidence: Evidence, pair: Pair, head: int) -> float:
    """The length of the way through the tree from the head to where a pair of chains begins."""
    parent = evidence.skeleton.parents[pair[0].root]
    return _length(evidence, evidence.tree.way(parent, head))


def _may_be_limbs(evidence: Evidence, pair: Pair, pairs: list[Pair]) -> bool:
    """Whether an unnamed pair of chains is long enough, and more than helpers."""
    longest = max(chain.length for other in pairs for chain in other)
    path = pair[0].path
    extra = all(evidence.readings[joint].extra for joint in path)
    long = pair[0].length >= SHARE_OF_LONGEST * longest and len(path) > 1
    return long and not extra


def likely_head(evidence: Evidence) -> int:
    """The joint named head, or the joint of the midline that is highest; if the rest pose does not
    stand, the one farthest from the root."""
    named = evidence.named(HEAD)
    if named is not None:
        return named
    middle = [joint for joint in range(len(evidence.skeleton)) if evidence.on_midline(joint)]
    paths = [path for path in evidence.tree.paths(0) if len(path) > 2]
    if any(evidence.rest.hangs(path) for path in paths):
        return max(middle, key=lambda joint: float(evidence.rest.tips[joint, 1]))
    return max(middle, key=lambda joint: _length(evidence, evidence.tree.way(0, joint)))


def _length(evidence: Evidence, way: list[int]) -> float:
    """The length of a way through the tree, in the skeleton's units."""
    positions = evidence.rest.joints[way]
    return float((positions[1:] - positions[:-1]).norm(dim=-1).sum())
