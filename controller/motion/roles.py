"""What each joint of a skeleton is: root, hips, spine, neck, head, and the parts of legs and arms.

Roles are guessed from names (:mod:`names`, the one table) and from structure: the mirror symmetry
of the tree, the lengths of bones, and the rest pose, in which a chain that hangs to the ground is a
leg, and left is +X when the character faces +Z. Overrides win over guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from controller.core.errors import ConfigError, DataError
from controller.motion.chains import choose_limbs, find_pairs
from controller.motion.evidence import Evidence
from controller.motion.guesses import Guess, Reasons, meaning_of
from controller.motion.names import Meaning
from controller.motion.overrides import REGIONS, SIDES, RoleOverrides, load_overrides
from controller.motion.sides import find_sides
from controller.motion.skeleton import Skeleton
from controller.motion.symmetry import ALONE
from controller.motion.trunk import LimbParts, find_trunk

__all__ = ["Guess", "Limb", "RoleOverrides", "Roles", "load_overrides"]

HELP = "name the joints' roles in a file and pass it with --roles FILE"
FINGER = "finger"
"""The part of joints below a hand."""


@dataclass(frozen=True)
class Limb:
    """A leg or an arm. Joints that it lacks are None.

    region    "leg" or "arm"; a quadruped's front legs are its arms
    side      "left" or "right"
    grounded  it stands on the ground
    base      the hip bone or clavicle
    upper     the joint at the top of the thigh or upper arm
    middle    the knee or elbow
    end       the ankle or wrist, which carries the foot or hand
    toe       the ball of the foot, or what follows a wrist
    """

    region: str
    side: str
    grounded: bool
    base: int | None = None
    upper: int | None = None
    middle: int | None = None
    end: int | None = None
    toe: int | None = None

    @property
    def joints(self) -> tuple[int, ...]:
        """The joints it has, from the body outward."""
        chain = (self.base, self.upper, self.middle, self.end, self.toe)
        return tuple(joint for joint in chain if joint is not None)

    @property
    def start(self) -> int:
        """The joint at which the limb swings: ``upper``, or the first that it has."""
        return self.joints[0] if self.upper is None else self.upper

    @property
    def contact(self) -> int:
        """The joint that stands on the ground: the last that it has."""
        return self.joints[-1]


@dataclass(frozen=True, eq=False)
class Roles:
    """What each joint of ``skeleton`` is.

    stance    whether it is a biped or a quadruped, as a guess whose role says so
    hips      the joint that carries the legs
    spine     joints from above the hips to the one that carries the arms
    neck      joints between the spine and the head
    head      None if there is none
    tail      joints of the tail
    limbs     legs before arms, left before right
    sides     for each joint, "left", "right" or empty
    partners  for each joint, its mirror image: itself on the midline, -1 if it has none
    guesses   for each joint, its role, the confidence in it and the reason for it
    """

    skeleton: Skeleton
    stance: Guess
    hips: int
    spine: tuple[int, ...]
    neck: tuple[int, ...]
    head: int | None
    tail: tuple[int, ...]
    limbs: tuple[Limb, ...]
    sides: tuple[str, ...]
    partners: tuple[int, ...]
    guesses: tuple[Guess, ...]

    root = 0
    """Every skeleton starts with its root."""

    @classmethod
    def of(
        cls,
        skeleton: Skeleton,
        overrides: RoleOverrides | None = None,
        complete: bool = True,
    ) -> Roles:
        """The roles of a skeleton's joints. Its own overrides count unless others are passed.

        Raises ConfigError if an override names a joint that the skeleton lacks and, if ``complete``
        roles are required, DataError if no pair of legs or no side can be made out.
        """
        overrides = skeleton.overrides if overrides is None else overrides
        for joint in overrides.joints:
            if joint not in skeleton.names:
                raise ConfigError(
                    f"roles.{joint} is not a joint of the skeleton; allowed: "
                    f"{', '.join(skeleton.names)}"
                )
        roles = _Finder(skeleton, overrides).roles()
        if complete:
            _ = roles.legs
        return roles

    @property
    def kind(self) -> str:
        """ "biped" or "quadruped"."""
        return self.stance.role

    def limb(self, region: str, side: str) -> Limb | None:
        """The leg or arm of one side, if there is one."""
        for limb in self.limbs:
            if (limb.region, limb.side) == (region, side):
                return limb
        return None

    def pair(self, region: str) -> tuple[Limb, Limb] | None:
        """The left and right leg or arm, if both are there."""
        left = self.limb(region, "left")
        right = self.limb(region, "right")
        return None if left is None or right is None else (left, right)

    @property
    def legs(self) -> tuple[Limb, Limb]:
        """The left and right (hind) leg. Raises DataError if there are none."""
        pair = self.pair("leg")
        if pair is not None:
            return pair
        problem = f"no left and right leg among {', '.join(self.skeleton.names)}"
        sideless = [
            joint
            for joint, partner in enumerate(self.partners)
            if partner != joint and not self.sides[joint]
        ]
        if sideless:
            problem += " (no name has a side, and the rest pose does not stand)"
        raise DataError(f"{problem}; {HELP}")

    @property
    def arms(self) -> tuple[Limb, Limb] | None:
        """The left and right arm (or front leg), if both are there."""
        return self.pair("arm")

    @cached_property
    def feet(self) -> tuple[int, ...]:
        """The joints that stand on the ground, left before right, hind legs before front legs.

        Raises DataError if there is no pair of legs.
        """
        standing = list(self.legs)
        if self.arms is not None and self.arms[0].grounded:
            standing += self.arms
        return tuple(limb.contact for limb in standing)

    @cached_property
    def foot_joints(self) -> tuple[int, ...]:
        """All joints of feet, ankles and toes, in their order in the skeleton."""
        grounded = [limb for limb in self.limbs if limb.grounded]
        joints = [joint for limb in grounded for joint in (limb.end, limb.toe) if joint is not None]
        return tuple(sorted(joints))

    @cached_property
    def mirror(self) -> list[int]:
        """For each joint, its mirror image. Raises DataError for a joint with a side but without
        one."""
        for joint, partner in enumerate(self.partners):
            if partner == ALONE:
                raise DataError(
                    f"joint {self.skeleton.names[joint]} has no counterpart on the other side; "
                    f"give it the role none: {HELP}"
                )
        return list(self.partners)

    def meaning(self, joint: int) -> Meaning:
        """The region and part of a joint; the region is "none" for a joint without a role."""
        return meaning_of(self.guesses[joint].role)


class _Finder:
    """Finds the roles of one skeleton's joints.

    stands    the rest pose stands: the legs or the arms hang to the ground in it
    hanging   the regions whose chains hang to the ground
    sides     for each joint, its side
    doubtful  joints whose names contradict their place
    parts     the joints of each limb
    """

    def __init__(self, skeleton: Skeleton, overrides: RoleOverrides) -> None:
        self.skeleton = skeleton
        self.overrides = overrides
        self.evidence = Evidence(skeleton, overrides)
        pairs = find_pairs(self.evidence)
        limbs = choose_limbs(self.evidence, pairs)
        self.hanging = {
            region for region, pair in limbs.items() if all(chain.hangs for chain in pair)
        }
        self.stands = bool(self.hanging)
        self.partner = list(self.evidence.partner)
        self.sides, self.doubtful = find_sides(self.evidence, pairs, limbs, self.stands)
        self.parts: LimbParts = {
            (region, self.sides[chain.root]): chain.joints(region)
            for region, pair in limbs.items()
            for chain in pair
            if self.sides[chain.root]
        }
        self._apply_overrides()
        self.trunk = find_trunk(self.evidence, self.parts, self.stands)

    def roles(self) -> Roles:
        """The roles and the reasons for them."""
        reasons = Reasons(self.evidence, self.hanging, self.doubtful)
        stance = reasons.stance(("arm", "left") in self.parts, bool(self.trunk.tail))
        names = self._role_names()
        return Roles(
            skeleton=self.skeleton,
            stance=stance,
            hips=self.trunk.hips,
            spine=self.trunk.spine,
            neck=self.trunk.neck,
            head=self.trunk.head,
            tail=self.trunk.tail,
            limbs=self._limbs(stance.role),
            sides=tuple(self.sides),
            partners=tuple(self.partner),
            guesses=tuple(reasons.role(joint, role) for joint, role in enumerate(names)),
        )

    def _apply_overrides(self) -> None:
        """Set the limbs' parts and the sides that the overrides state, whatever speaks against
        them."""
        for name, role in self.overrides.joints.items():
            joint = self.skeleton.index(name)
            for parts in self.parts.values():
                for part in [part for part, other in parts.items() if other == joint]:
                    del parts[part]
            if "_" in role:
                side, region, part = role.split("_")
                self.parts.setdefault((region, side), {})[part] = joint
                self.sides[joint] = side
            elif role != "none" or self.partner[joint] == ALONE:
                self.sides[joint] = ""
                self._unpair(joint)

        self.parts = {limb: parts for limb, parts in self.parts.items() if parts}
        for region in REGIONS:
            left = self.parts.get((region, "left"), {})
            right = self.parts.get((region, "right"), {})
            for part in left.keys() & right.keys():
                self._pair(left[part], right[part])

    def _unpair(self, joint: int) -> None:
        """Put a joint on the midline; its partner is left without one."""
        other = self.partner[joint]
        if other not in (joint, ALONE):
            self.partner[other] = ALONE
        self.partner[joint] = joint

    def _pair(self, one: int, other: int) -> None:
        """Make two joints partners."""
        if self.partner[one] == other:
            return
        self._unpair(one)
        self._unpair(other)
        self.partner[one] = other
        self.partner[other] = one

    def _limbs(self, kind: str) -> tuple[Limb, ...]:
        limbs = []
        for region in REGIONS:
            grounded = region == "leg" or kind == "quadruped"
            for side in SIDES:
                if (region, side) in self.parts:
                    limbs.append(Limb(region, side, grounded, **self.parts[region, side]))
        return tuple(limbs)

    def _role_names(self) -> list[str]:
        """Each joint's role, the most important one if it has several."""
        names = ["none"] * len(self.skeleton)
        trunk = self.trunk
        for role, joints in (("tail", trunk.tail), ("neck", trunk.neck), ("spine", trunk.spine)):
            for joint in joints:
                names[joint] = role
        names[0] = "root"
        if trunk.head is not None:
            names[trunk.head] = "head"
        names[trunk.hips] = "hips"

        for (region, side), parts in self.parts.items():
            if region == "arm" and "end" in parts:
                for joint in self.evidence.tree.subtree(parts["end"]):
                    names[joint] = f"{side}_{region}_{FINGER}"
            for part, joint in parts.items():
                names[joint] = f"{side}_{region}_{part}"
        for name, role in self.overrides.joints.items():
            names[self.skeleton.index(name)] = role
        return names
