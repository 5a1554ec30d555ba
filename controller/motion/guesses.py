"""Guesses of roles: how sure they are, and the reasons for them."""

from __future__ import annotations

from typing import NamedTuple

from controller.motion.evidence import Evidence
from controller.motion.names import Meaning

NAME_AND_SHAPE = 0.95
NAME_ONLY = 0.8
SHAPE_ONLY = 0.6
DOUBTFUL = 0.5
TAIL_ONLY = 0.5
PLACE_ONLY = 0.4
"""Confidence in a guess: from the name and the structure, from one of them, from a name whose side
contradicts the rest pose, and, if the rest pose does not stand, from a tail or from the place in
the tree alone."""


class Guess(NamedTuple):
    """What a joint, or the whole skeleton, is.

    role        of a joint, one of :data:`overrides.ROLES`, "left_arm_finger" or
                "right_arm_finger"; of a skeleton, "biped" or "quadruped"
    confidence  between 0 and 1
    reason      a sentence
    """

    role: str
    confidence: float
    reason: str


class Reasons:
    """Gives the reasons for the roles of one skeleton's joints.

    hanging   the regions, "leg" and "arm", whose chains hang to the ground in the rest pose
    doubtful  joints whose names contradict their place
    """

    def __init__(self, evidence: Evidence, hanging: set[str], doubtful: set[int]) -> None:
        self.evidence = evidence
        self.hanging = hanging
        self.doubtful = doubtful

    def stance(self, has_arms: bool, has_tail: bool) -> Guess:
        """Whether the character stands on its arms, too."""
        stated = self.evidence.overrides.kind
        if stated:
            return Guess(stated, 1.0, f"{stated}, as an override says.")
        if not has_arms:
            return Guess("biped", NAME_AND_SHAPE, "biped, since there is one pair of limbs.")
        if self.hanging == {"leg", "arm"}:
            reason = "quadruped, since two pairs of limbs hang to the ground in the rest pose."
            return Guess("quadruped", NAME_AND_SHAPE, reason)
        if self.hanging:
            reason = "biped, since one pair of limbs hangs to the ground in the rest pose."
            return Guess("biped", NAME_AND_SHAPE, reason)
        if has_tail:
            reason = "quadruped, since it has a tail; the rest pose does not stand."
            return Guess("quadruped", TAIL_ONLY, reason)
        reason = "biped, since it has no tail; the rest pose does not stand."
        return Guess("biped", NAME_ONLY, reason)

    def role(self, joint: int, role: str) -> Guess:
        """A joint's role with the confidence in it and the reason for it."""
        name = self.evidence.skeleton.names[joint]
        start = f"{name}: {role.replace('_', ' ')}"
        reading = self.evidence.readings[joint]
        if reading.certain:
            return Guess(role, 1.0, f"{start}, as an override says.")
        if role == "none":
            return Guess(role, SHAPE_ONLY, f"{name}: no role, as part of no limb and no trunk.")

        meaning = meaning_of(role)
        named = meaning in reading.meanings
        if joint in self.doubtful:
            reason = f"{start}, by its name, but its place is on the other side."
            return Guess(role, DOUBTFUL, reason)
        if named and self.hanging:
            return Guess(role, NAME_AND_SHAPE, f"{start}, by its name, and {self._place(meaning)}.")
        if named:
            return Guess(role, NAME_ONLY, f"{start}, by its name.")
        if self.hanging:
            return Guess(role, SHAPE_ONLY, f"{start}, since {self._place(meaning)}.")
        reason = f"{start}, only by its place in the tree, as the rest pose does not stand."
        return Guess(role, PLACE_ONLY, reason)

    def _place(self, meaning: Meaning) -> str:
        """What in the structure speaks for a role, as a clause."""
        if meaning.region in self.hanging:
            return "its chain hangs to the ground in the rest pose"
        return {
            "leg": "its chain is most like a leg",
            "arm": "its chain hangs on the trunk but not to the ground",
            "root": "all joints hang on it",
            "hips": "the legs hang on it",
            "spine": "it lies between the hips and the arms or the head",
            "neck": "it lies between the spine and the head",
            "head": "the trunk ends with it",
            "tail": "it hangs on the hips behind the legs",
        }[meaning.region]


def meaning_of(role: str) -> Meaning:
    """The region and part of a role's name."""
    words = role.split("_")
    return Meaning(words[0]) if len(words) == 1 else Meaning(words[1], words[2])
