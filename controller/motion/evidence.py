"""What speaks for the roles of a skeleton's joints: names, overrides, symmetry and rest pose."""

from __future__ import annotations

from controller.motion.names import Meaning, Reading, read_names
from controller.motion.overrides import RoleOverrides
from controller.motion.rest import Rest
from controller.motion.skeleton import Skeleton
from controller.motion.symmetry import Symmetry
from controller.motion.tree import Tree


class Evidence:
    """The evidence about one skeleton.

    readings  for each joint, what its name or its override says
    partner   for each joint, its mirror image; see :class:`Symmetry`
    """

    def __init__(self, skeleton: Skeleton, overrides: RoleOverrides) -> None:
        self.skeleton = skeleton
        self.overrides = overrides
        self.tree = Tree(skeleton.parents)
        self.rest = Rest(skeleton)
        self.readings = [
            _stated(overrides.joints[name]) if name in overrides.joints else reading
            for name, reading in zip(skeleton.names, read_names(skeleton.names), strict=True)
        ]
        self.partner = Symmetry(skeleton, self.readings).partner

    def on_midline(self, joint: int) -> bool:
        """Whether a joint is its own mirror image."""
        return self.partner[joint] == joint

    def means(self, joint: int, meaning: Meaning) -> bool:
        """Whether a joint's name or override most likely means this."""
        return self.readings[joint].meanings[:1] == (meaning,)

    def is_stated(self, joint: int, meaning: Meaning) -> bool:
        """Whether an override says this of a joint."""
        return self.readings[joint].certain and self.means(joint, meaning)

    def named(self, meaning: Meaning) -> int | None:
        """The joint of the midline with a meaning: the one that an override states, or the one
        nearest to the root."""
        joints = [
            joint
            for joint in range(len(self.skeleton))
            if self.means(joint, meaning) and self.on_midline(joint)
        ]
        if not joints:
            return None
        return min(
            joints, key=lambda joint: (not self.readings[joint].certain, self.tree.depth(joint))
        )


def _stated(role: str) -> Reading:
    """An override in place of what the name says."""
    if role == "none":
        return Reading(extra=True, certain=True)
    if "_" not in role:
        return Reading(meanings=(Meaning(role),), certain=True)
    side, region, part = role.split("_")
    return Reading(side, (Meaning(region, part),), certain=True)
