"""Which joints of a skeleton are mirror images of each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from controller.motion.names import Reading
from controller.motion.skeleton import Skeleton

ALONE = -1
"""Partner of a joint that has a side but no counterpart."""
TOLERANCE = 0.1
"""How much the lengths of two unnamed subtrees may differ, as a share of the longer, for them to
be mirror images."""
REFLECTIONS = torch.tensor(
    [[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]]
)
"""What the mirror may do to a bone's coordinates. Rest poses differ: some mirror the bones across
one plane, others point the bones of the right side backward."""


class Symmetry:
    """Pairs the joints of a skeleton, from the root down: by their names' sides and, where names
    say nothing, by the shape of what hangs on them.

    partner  for each joint, its mirror image: itself on the midline, :data:`ALONE` without one
    """

    def __init__(self, skeleton: Skeleton, readings: Sequence[Reading]) -> None:
        self.skeleton = skeleton
        self.readings = readings
        self.partner = list(range(len(skeleton)))
        self._children = [skeleton.children(joint) for joint in range(len(skeleton))]
        self._lengths = skeleton.offsets.norm(dim=-1).tolist()
        self._measure_subtrees()
        self._split_midline(0)

    def _measure_subtrees(self) -> None:
        """The number of joints and the length of all bones at and below each joint."""
        self._counts = [1] * len(self.skeleton)
        self._totals = self.skeleton.tips.norm(dim=-1).tolist()
        for joint in range(len(self.skeleton) - 1, 0, -1):
            parent = self.skeleton.parents[joint]
            self._counts[parent] += self._counts[joint]
            self._totals[parent] += self._totals[joint] + self._lengths[joint]

    def _split_midline(self, joint: int) -> None:
        """Pair the children of a joint on the midline; those left over are on the midline, too."""
        children = self._children[joint]
        sides = {
            side: [child for child in children if self.readings[child].side == side]
            for side in ("left", "right", "")
        }
        for one, other in self._best_pairs(sides["left"], sides["right"]):
            self._join(one, other)
            sides["left"].remove(one)
            sides["right"].remove(other)

        single = [*sides["left"], *sides["right"]]
        for one, other in self._best_pairs(single, sides[""], by_shape=True):
            self._join(one, other)
            single.remove(one)
            sides[""].remove(other)
        for child in single:
            self._leave_alone(child)

        for one, other in self._best_pairs(sides[""], sides[""], by_shape=True):
            self._join(one, other)
            sides[""].remove(one)
            sides[""].remove(other)
        for child in sides[""]:
            self._split_midline(child)

    def _join(self, one: int, other: int) -> None:
        """Make two joints partners, and their children."""
        self.partner[one] = other
        self.partner[other] = one
        ours = list(self._children[one])
        theirs = list(self._children[other])
        for child, opposite in self._best_pairs(ours, theirs):
            self._join(child, opposite)
            ours.remove(child)
            theirs.remove(opposite)
        for child in (*ours, *theirs):
            self._leave_alone(child)

    def _leave_alone(self, joint: int) -> None:
        self.partner[joint] = ALONE
        for child in self._children[joint]:
            self._leave_alone(child)

    def _best_pairs(
        self, ours: list[int], theirs: list[int], by_shape: bool = False
    ) -> list[tuple[int, int]]:
        """Pairs of one of each list, the most alike first, no joint in two of them.

        ``by_shape`` takes only pairs whose names contradict nothing and whose shapes agree.
        """
        candidates = [
            (self._difference(one, other), one, other)
            for one in ours
            for other in theirs
            if one != other and (not by_shape or self._alike(one, other))
        ]
        pairs: list[tuple[int, int]] = []
        used: set[int] = set()
        for _, one, other in sorted(candidates):
            if used.isdisjoint((one, other)):
                used.update((one, other))
                pairs.append((one, other))
        return pairs

    def _difference(self, one: int, other: int) -> float:
        """How little two joints look like partners: names weigh most, then shape, then place."""
        name, opposite = self.readings[one], self.readings[other]
        total = max(self._totals[one], self._totals[other])
        length = abs(self._totals[one] - self._totals[other]) / total if total > 0 else 0.0
        return (
            8.0 * (name.key != opposite.key)
            + 4.0 * (name.numbers != opposite.numbers)
            + 2.0 * (self._counts[one] != self._counts[other])
            + length
            + self._mismatch(one, other)
        )

    def _mismatch(self, one: int, other: int) -> float:
        """How far the one's bone is from the best reflection of the other's, between 0 and 1."""
        length = max(self._lengths[one], self._lengths[other])
        if length <= 0:
            return 0.0
        offsets = self.skeleton.offsets
        distances = (offsets[one] * REFLECTIONS - offsets[other]).norm(dim=-1)
        return float(distances.min()) / (2 * length)

    def _alike(self, one: int, other: int) -> bool:
        """Whether two joints are mirror images by shape, and no name says otherwise."""
        name, opposite = self.readings[one], self.readings[other]
        if name.meanings and opposite.meanings and name.meanings != opposite.meanings:
            return False
        if not (name.side or opposite.side) and (name.meanings or opposite.meanings):
            return False
        if self._counts[one] != self._counts[other]:
            return False
        ours = self._totals[one] + self._lengths[one]
        theirs = self._totals[other] + self._lengths[other]
        apart = float((self.skeleton.offsets[one] - self.skeleton.offsets[other]).norm())
        return abs(ours - theirs) <= TOLERANCE * max(ours, theirs) and apart > 1e-3 * ours
