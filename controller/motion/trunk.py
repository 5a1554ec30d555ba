"""The joints on a skeleton's midline: hips, spine, neck, head and tail."""

from __future__ import annotations

from dataclasses import dataclass

from controller.motion.evidence import Evidence
from controller.motion.names import HEAD, HIPS, NECK, SPINE, TAIL

LimbParts = dict[tuple[str, str], dict[str, int]]
"""(region, side) → part → joint."""


@dataclass(frozen=True)
class Trunk:
    """The joints of the midline. ``head`` is None if there is none."""

    hips: int
    spine: tuple[int, ...]
    neck: tuple[int, ...]
    head: int | None
    tail: tuple[int, ...]


def find_trunk(evidence: Evidence, limbs: LimbParts, stands: bool) -> Trunk:
    """The trunk between, above and behind the limbs."""
    hips = evidence.named(HIPS)
    if hips is None:
        hips = _attachment(evidence, limbs, "leg") or 0
    chest = _attachment(evidence, limbs, "arm")
    head = evidence.named(HEAD)
    if head is None:
        in_use = {hips, *(joint for parts in limbs.values() for joint in parts.values())}
        head = _topmost(evidence, hips if chest is None else chest, in_use, stands)
    if chest is None:
        chest = hips if head is None else head

    spine, neck = _spine_and_neck(evidence, hips, chest, head)
    upper = {hips, *spine, *neck}
    if head is not None:
        upper.add(head)
    return Trunk(hips, spine, neck, head, _tail(evidence, hips, upper))


def _attachment(evidence: Evidence, limbs: LimbParts, region: str) -> int | None:
    """The joint that carries the legs, or the arms."""
    lines = []
    for (limb, _), parts in limbs.items():
        if limb == region:
            first = min(parts.values(), key=evidence.tree.depth)
            lines.append(evidence.tree.ancestors(first)[1:])
    if not lines:
        return None
    return next((joint for joint in lines[0] if all(joint in line for line in lines)), 0)


def _topmost(evidence: Evidence, start: int, in_use: set[int], stands: bool) -> int | None:
    """The head by structure: up the midline from ``start`` until it ends or branches."""
    line = [start]
    while True:
        ways = [
            child
            for child in evidence.tree.children[line[-1]]
            if evidence.on_midline(child)
            and child not in in_use
            and not evidence.readings[child].extra
            and not evidence.means(child, TAIL)
        ]
        if len(line) == 1 and len(ways) > 1 and stands:
            ways = [max(ways, key=lambda way: _top(evidence, way))]
        if len(ways) != 1:
            break
        line.append(ways[0])
    above = line[1:]
    if len(above) > 2 and _is_mark(evidence, above[-1]):
        above = above[:-1]
    return above[-1] if above else None


def _top(evidence: Evidence, joint: int) -> float:
    """The height of the highest point at or below a joint of the tree."""
    return float(evidence.rest.tips[evidence.tree.subtree(joint), 1].max())


def _is_mark(evidence: Evidence, joint: int) -> bool:
    """Whether an unnamed joint only marks where the bone of its parent ends."""
    ends = not evidence.tree.children[joint]
    short = float(evidence.skeleton.tips[joint].norm()) == 0
    return ends and short and not evidence.readings[joint].meanings


def _spine_and_neck(
    evidence: Evidence, hips: int, chest: int, head: int | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The joints between the hips and the head. The neck begins with the first joint that is named
    so, or above the chest, which carries the arms."""
    below = [joint for joint in evidence.tree.way(hips, chest) if joint not in (hips, head)]
    above = [] if head is None else evidence.tree.way(chest, head)[1:-1]
    line = [*below, *(joint for joint in above if joint != hips)]
    named = [place for place, joint in enumerate(line) if evidence.means(joint, NECK)]
    start = named[0] if named else len(below)

    neck = [joint for joint in line[start:] if not evidence.is_stated(joint, SPINE)]
    spine = [joint for joint in line if joint not in neck]
    for joint in range(len(evidence.skeleton)):
        for members, meaning in ((spine, SPINE), (neck, NECK)):
            if evidence.is_stated(joint, meaning) and joint not in members:
                members.append(joint)
    return _without_others(evidence, spine), _without_others(evidence, neck)


def _without_others(evidence: Evidence, joints: list[int]) -> tuple[int, ...]:
    """The joints without those that an override gives another role."""
    return tuple(
        joint
        for joint in joints
        if not evidence.readings[joint].certain
        or evidence.is_stated(joint, SPINE)
        or evidence.is_stated(joint, NECK)
    )


def _tail(evidence: Evidence, hips: int, upper: set[int]) -> tuple[int, ...]:
    """The joints named tail and those below. Without any names, what hangs on the hips and is not
    the spine."""
    named = [
        joint
        for joint in range(len(evidence.skeleton))
        if evidence.means(joint, TAIL) and evidence.on_midline(joint) and joint not in upper
    ]
    if named or any(reading.meanings for reading in evidence.readings):
        return tuple(sorted({below for joint in named for below in evidence.tree.subtree(joint)}))
    behind = [
        child
        for child in evidence.tree.children[hips]
        if evidence.on_midline(child) and child not in upper
    ]
    return tuple(sorted(evidence.tree.subtree(behind[0]))) if len(behind) == 1 else ()
