"""What each joint of a skeleton is: root, hips, spine, neck, head, and the parts of legs and arms.

Roles are guessed from names (:mod:`names`, the one table) and from structure: the mirror symmetry
of the tree, the lengths of bones, and the rest pose, in which a chain that hangs to the ground is a
leg, and left is +X when the character faces +Z. Overrides win over guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from controller.core.errors import ConfigError, DataError
from controller.motion.limbs import Parts, find_parts
from controller.motion.names import HEAD, HIPS, NECK, SPINE, TAIL, Meaning, Reading, read_names
from controller.motion.overrides import SIDES, RoleOverrides, load_overrides
from controller.motion.rest import Rest
from controller.motion.skeleton import Skeleton
from controller.motion.symmetry import ALONE, Symmetry

__all__ = ["Guess", "Limb", "RoleOverrides", "Roles", "load_overrides"]

HELP = "name the joints' roles in a file and pass it with --roles FILE"
NAME_AND_SHAPE = 0.95
NAME_ONLY = 0.8
SHAPE_ONLY = 0.6
PLACE_ONLY = 0.4
"""Confidence in a guess from the name and the structure, from one of them, or from the place of the
joint in the tree when the rest pose does not stand."""
FINGER = "finger"
SHARE_OF_LONGEST = 0.25
"""Unnamed pairs of chains that are shorter than this share of the longest are no limbs."""


class Guess(NamedTuple):
    """One joint's role.

    role        one of :data:`overrides.ROLES`, "left_arm_finger" or "right_arm_finger"
    confidence  between 0 and 1
    reason      a sentence
    """

    role: str
    confidence: float
    reason: str


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

    kind      "biped" or "quadruped"
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
    kind: str
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
        if pair is None:
            raise DataError(f"no left and right leg among {', '.join(self.skeleton.names)}; {HELP}")
        return pair

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
        words = self.guesses[joint].role.split("_")
        return Meaning(words[0]) if len(words) == 1 else Meaning(words[1], words[2])


@dataclass(frozen=True)
class _Chain:
    """A part of the tree that hangs on the midline.

    root    its first joint
    path    its joints from the root to its farthest leaf
    length  of the path's bones
    hangs   it goes straight down to the ground
    parts   region → the best parts that its joints make
    """

    root: int
    path: tuple[int, ...]
    length: float
    hangs: bool
    parts: dict[str, Parts]

    def points(self, region: str) -> tuple[bool, float]:
        """How much speaks for the region: first whether names do, then all points."""
        return self.parts[region].named > 0, self.parts[region].score


class _Finder:
    """Finds the roles of one skeleton's joints."""

    def __init__(self, skeleton: Skeleton, overrides: RoleOverrides) -> None:
        self.skeleton = skeleton
        self.overrides = overrides
        names = read_names(skeleton.names)
        self.readings = [
            _stated(overrides.joints[name]) if name in overrides.joints else reading
            for name, reading in zip(skeleton.names, names, strict=True)
        ]
        self.children = [skeleton.children(joint) for joint in range(len(skeleton))]
        self.rest = Rest(skeleton)
        self.partner = Symmetry(skeleton, self.readings).partner
        self.sides = [""] * len(skeleton)
        self.parts: dict[tuple[str, str], dict[str, int]] = {}
        self.hanging: set[str] = set()

    def roles(self) -> Roles:
        chains = self._chains()
        chosen = self._choose(chains)
        self.stands = any(all(chain.hangs for chain in pair) for pair in chosen.values())
        self._find_sides(chains, chosen)
        for region, pair in chosen.items():
            self._add_limb(region, pair)
        self._apply_limb_overrides()

        self.hips = self._find_hips()
        self.head, self.neck, self.spine = self._find_trunk()
        self.tail = self._find_tail()
        kind = self._find_kind()
        roles = self._role_names()
        return Roles(
            skeleton=self.skeleton,
            kind=kind,
            hips=self.hips,
            spine=self.spine,
            neck=self.neck,
            head=self.head,
            tail=self.tail,
            limbs=self._limbs(kind),
            sides=tuple(self.sides),
            partners=tuple(self.partner),
            guesses=tuple(self._guess(joint, role) for joint, role in enumerate(roles)),
        )

    # -- limbs -------------------------------------------------------------------------------------

    def _chains(self) -> list[tuple[_Chain, ...]]:
        """What hangs on the midline: pairs of chains, and single ones that have no counterpart."""
        pairs = []
        for joint in range(1, len(self.skeleton)):
            partner = self.partner[joint]
            parent = self.skeleton.parents[joint]
            if partner == joint or self.partner[parent] != parent:
                continue
            if partner == ALONE:
                pairs.append((self._chain(joint),))
            elif joint < partner:
                pairs.append((self._chain(joint), self._chain(partner)))
        return pairs

    def _chain(self, root: int) -> _Chain:
        paths = self._paths(root)
        bones = [self.rest.bones(path) for path in paths]
        lengths = [sum(row) for row in bones]
        longest_bone = max(max(row) for row in bones) or 1.0
        longest = max(range(len(paths)), key=lambda index: lengths[index])
        parts = {}
        for region in ("leg", "arm"):
            options = [
                find_parts(path, row, self.readings, region, longest_bone)
                for path, row in zip(paths, bones, strict=True)
            ]
            best = max(range(len(paths)), key=lambda index: (options[index].score, lengths[index]))
            parts[region] = options[best]
        path = paths[longest]
        return _Chain(root, path, lengths[longest], self.rest.hangs(path), parts)

    def _paths(self, joint: int) -> list[tuple[int, ...]]:
        """All ways from a joint down to a leaf."""
        paths = [(joint, *path) for child in self.children[joint] for path in self._paths(child)]
        return paths or [(joint,)]

    def _choose(self, pairs: list[tuple[_Chain, ...]]) -> dict[str, tuple[_Chain, ...]]:
        """Region → the chains that are the legs, or arms: by name, then by structure."""
        chosen: dict[str, tuple[_Chain, ...]] = {}
        for region, other in (("leg", "arm"), ("arm", "leg")):
            named = [
                pair
                for pair in pairs
                if pair[0].parts[region].named and pair[0].points(region) >= pair[0].points(other)
            ]
            if named:
                chosen[region] = max(
                    named, key=lambda pair: (len(pair), *pair[0].points(region), pair[0].length)
                )
        used = [chain.root for pair in chosen.values() for chain in pair]
        spare = [
            pair
            for pair in pairs
            if pair[0].root not in used and len(pair) == 2 and self._is_long(pair, pairs)
        ]
        self._choose_by_structure(spare, chosen)
        return chosen

    def _is_long(self, pair: tuple[_Chain, ...], pairs: list[tuple[_Chain, ...]]) -> bool:
        longest = max(chain.length for other in pairs for chain in other)
        stated = any(self.readings[joint].certain for joint in pair[0].path)
        extra = all(self.readings[joint].extra for joint in pair[0].path)
        long = pair[0].length >= SHARE_OF_LONGEST * longest and len(pair[0].path) > 1
        return long and not extra and not stated

    def _choose_by_structure(
        self, spare: list[tuple[_Chain, ...]], chosen: dict[str, tuple[_Chain, ...]]
    ) -> None:
        """Make legs and arms, where names have made none, of pairs that are not in use: what hangs
        to the ground is a leg; of two such pairs, the one nearer to the root is."""
        depth = [0]
        for parent in self.skeleton.parents[1:]:
            depth.append(depth[parent] + 1)

        def order(pair: tuple[_Chain, ...]) -> tuple[bool, float, float]:
            return not pair[0].hangs, self._reach_from_head(pair[0].root), -pair[0].length

        hanging = any(pair[0].hangs for pair in [*spare, *chosen.values()])
        for pair in sorted(spare, key=order):
            if "leg" not in chosen and (pair[0].hangs or not hanging):
                chosen["leg"] = pair
            elif "arm" not in chosen:
                chosen["arm"] = pair

    def _reach_from_head(self, root: int) -> float:
        """Sorts pairs that hang on the trunk: the farther from the head, the smaller."""
        head = self._likely_head()
        return -float(self._along(self._way(self.skeleton.parents[root], head)))

    def _likely_head(self) -> int:
        """The joint named head, or the leaf of the midline that is highest; if the rest pose does
        not stand, the one farthest from the root."""
        named = self._named(HEAD)
        if named is not None:
            return named
        middle = [j for j, partner in enumerate(self.partner) if partner == j]
        upright = any(self.rest.hangs(path) for path in self._paths(0) if len(path) > 2)
        if upright:
            return max(middle, key=lambda joint: float(self.rest.tips[joint, 1]))
        return max(middle, key=lambda joint: self._along(self._way(0, joint)))

    def _along(self, way: list[int]) -> float:
        """The length of a way through the tree."""
        positions = self.rest.joints[way]
        return float((positions[1:] - positions[:-1]).norm(dim=-1).sum())

    def _way(self, start: int, end: int) -> list[int]:
        """The joints on the way from one joint to another, both included."""
        up = self._ancestors(start)
        down = self._ancestors(end)
        shared = next(joint for joint in up if joint in down)
        return [*up[: up.index(shared)], *reversed(down[: down.index(shared) + 1])]

    def _ancestors(self, joint: int) -> list[int]:
        """A joint and all above it, up to the root."""
        line = [joint]
        while self.skeleton.parents[line[-1]] >= 0:
            line.append(self.skeleton.parents[line[-1]])
        return line

    def _subtree(self, joint: int) -> list[int]:
        return [joint] + [below for child in self.children[joint] for below in self._subtree(child)]

    # -- sides -------------------------------------------------------------------------------------

    def _find_sides(
        self, pairs: list[tuple[_Chain, ...]], chosen: dict[str, tuple[_Chain, ...]]
    ) -> None:
        """Give every joint off the midline its side."""
        for pair in pairs:
            first = self._side_by_name(pair) or self._side_by_place(pair, chosen)
            if not first:
                continue
            second = SIDES[1 - SIDES.index(first)]
            for chain, side in zip(pair, (first, second), strict=False):
                for joint in self._subtree(chain.root):
                    self.sides[joint] = side

    def _side_by_name(self, pair: tuple[_Chain, ...]) -> str:
        """The side of the first chain, by a majority of names in both."""
        votes = 0
        for chain, sign in zip(pair, (1, -1), strict=False):
            for joint in self._subtree(chain.root):
                side = self.readings[joint].side
                weight = 1000 if self.readings[joint].certain else 1
                votes += sign * weight * ((side == "left") - (side == "right"))
        if votes == 0:
            return ""
        return "left" if votes > 0 else "right"

    def _side_by_place(
        self, pair: tuple[_Chain, ...], chosen: dict[str, tuple[_Chain, ...]]
    ) -> str:
        """The side of the first of two chains, from the rest pose; empty if it does not stand."""
        if len(pair) < 2 or not self.stands:
            return ""
        ends = [self.rest.joints[[*chain.path]].mean(dim=0) for chain in pair]
        across = (ends[0] - ends[1])[[0, 2]]
        forward = self._forward(chosen)
        lateral = float(across[0] * forward[1] - across[1] * forward[0])
        if abs(lateral) < 1e-3 * float(self.rest.extent.max()):
            return ""
        return "left" if lateral > 0 else "right"

    def _forward(self, chosen: dict[str, tuple[_Chain, ...]]) -> Tensor:
        """The way (x, z) that the rest pose faces: where the feet point; +Z if they do not."""
        direction = torch.zeros(2)
        for pair in chosen.values():
            for chain in pair:
                if not chain.hangs:
                    continue
                ankle = chain.parts["leg"].joints.get("end", chain.path[-1])
                tip = self.rest.tips[chain.path[-1]]
                direction += (tip - self.rest.joints[ankle])[[0, 2]]
        # The feet of a pair that points outward cancel across; what remains is ahead.
        if float(direction.norm()) < 0.02 * float(self.rest.extent.max()):
            return torch.tensor([0.0, 1.0])
        return direction / direction.norm()

    # -- parts -------------------------------------------------------------------------------------

    def _add_limb(self, region: str, pair: tuple[_Chain, ...]) -> None:
        shape = "leg" if region == "leg" else "arm"
        for chain in pair:
            side = self.sides[chain.root]
            if side:
                self.parts[region, side] = dict(chain.parts[shape].joints)
            if chain.hangs:
                self.hanging.add(region)

    def _apply_limb_overrides(self) -> None:
        """Set what the overrides state, whatever the structure says."""
        for name, role in self.overrides.joints.items():
            joint = self.skeleton.index(name)
            for parts in self.parts.values():
                for part in [part for part, other in parts.items() if other == joint]:
                    del parts[part]
            if "_" in role:
                side, region, part = role.split("_")
                self.parts.setdefault((region, side), {})[part] = joint
                self.sides[joint] = side
            else:
                self.sides[joint] = ""
                self._unpair(joint)
        self.parts = {key: parts for key, parts in self.parts.items() if parts}
        for region in ("leg", "arm"):
            left = self.parts.get((region, "left"), {})
            right = self.parts.get((region, "right"), {})
            for part in set(left) & set(right):
                self._pair(left[part], right[part])

    def _unpair(self, joint: int) -> None:
        """Put a joint on the midline; its partner is left without one."""
        other = self.partner[joint]
        if other not in (joint, ALONE):
            self.partner[other] = ALONE
        self.partner[joint] = joint

    def _pair(self, one: int, other: int) -> None:
        if self.partner[one] == other:
            return
        for joint in (one, other):
            self._unpair(joint)
        self.partner[one] = other
        self.partner[other] = one

    def _limbs(self, kind: str) -> tuple[Limb, ...]:
        limbs = []
        for region in ("leg", "arm"):
            grounded = region == "leg" or kind == "quadruped"
            for side in SIDES:
                if (region, side) in self.parts:
                    limbs.append(Limb(region, side, grounded, **self.parts[region, side]))
        return tuple(limbs)

    # -- trunk -------------------------------------------------------------------------------------

    def _named(self, meaning: Meaning) -> int | None:
        """The joint of the midline with a meaning, the stated one or the one nearest the root."""
        joints = [
            joint
            for joint, reading in enumerate(self.readings)
            if reading.meanings[:1] == (meaning,) and self.partner[joint] == joint
        ]
        if not joints:
            return None
        return min(
            joints,
            key=lambda joint: (not self.readings[joint].certain, len(self._ancestors(joint))),
        )

    def _attachment(self, region: str) -> int | None:
        """The joint of the midline that carries the legs, or arms."""
        starts = [
            min(parts.values(), key=lambda joint: len(self._ancestors(joint)))
            for (limb, _), parts in self.parts.items()
            if limb == region
        ]
        if not starts:
            return None
        lines = [self._ancestors(joint)[1:] for joint in starts]
        return next((joint for joint in lines[0] if all(joint in line for line in lines)), 0)

    def _find_hips(self) -> int:
        named = self._named(HIPS)
        if named is not None:
            return named
        attachment = self._attachment("leg")
        return 0 if attachment is None else attachment

    def _find_trunk(self) -> tuple[int | None, tuple[int, ...], tuple[int, ...]]:
        """The head, the neck and the spine."""
        chest = self._attachment("arm")
        head = self._named(HEAD)
        if head is None:
            head = self._topmost(self.hips if chest is None else chest)
        if chest is None:
            chest = head if head is not None else self.hips
        trunk = [joint for joint in self._way(self.hips, chest) if joint not in (self.hips, head)]
        above = [] if head is None else self._way(chest, head)[1:-1]

        line = [*trunk, *(joint for joint in above if joint != self.hips)]
        neck_from = next((i for i, joint in enumerate(line) if self._means(joint, NECK)), None)
        if neck_from is None:
            neck_from = len(trunk)
        neck = [joint for joint in line[neck_from:] if not self._is_stated(joint, SPINE)]
        spine = [joint for joint in line if joint not in neck]
        for joint in range(len(self.skeleton)):
            if self._is_stated(joint, SPINE) and joint not in spine:
                spine.append(joint)
            if self._is_stated(joint, NECK) and joint not in neck:
                neck.append(joint)
        return head, self._usable(neck), self._usable(spine)

    def _usable(self, joints: list[int]) -> tuple[int, ...]:
        """Without joints that an override gives another role."""
        return tuple(
            joint
            for joint in joints
            if not self.readings[joint].certain
            or any(self._is_stated(joint, meaning) for meaning in (SPINE, NECK))
        )

    def _means(self, joint: int, meaning: Meaning) -> bool:
        return self.readings[joint].meanings[:1] == (meaning,)

    def _is_stated(self, joint: int, meaning: Meaning) -> bool:
        return self.readings[joint].certain and self._means(joint, meaning)

    def _topmost(self, joint: int) -> int | None:
        """The head by structure: up the midline until it ends or branches."""
        start = joint
        taken = {self.hips, *(j for parts in self.parts.values() for j in parts.values())}
        line = [joint]
        while True:
            ways = [
                child
                for child in self.children[line[-1]]
                if self.partner[child] == child
                and child not in taken
                and not self.readings[child].extra
                and not self._means(child, TAIL)
            ]
            if line[-1] == start == self.hips and len(ways) > 1 and self.stands:
                ways = [max(ways, key=lambda way: float(self._subtree_top(way)))]
            if len(ways) != 1:
                break
            line.append(ways[0])
        above = line[1:]
        if len(above) > 2 and self._is_mark(above[-1]):
            above = above[:-1]
        return above[-1] if above else None

    def _is_mark(self, joint: int) -> bool:
        """Whether an unnamed joint only marks where the bone of its parent ends."""
        ends = not self.children[joint] and float(self.skeleton.tips[joint].norm()) == 0
        return ends and not self.readings[joint].meanings

    def _subtree_top(self, joint: int) -> Tensor:
        """The height of the highest joint at or below a joint of the tree."""
        return self.rest.tips[self._subtree(joint), 1].max()

    def _find_tail(self) -> tuple[int, ...]:
        trunk = {self.hips, *self.spine, *self.neck, self.head}
        named = [
            joint
            for joint in range(len(self.skeleton))
            if self._means(joint, TAIL) and self.partner[joint] == joint and joint not in trunk
        ]
        if named:
            return tuple(named)
        behind = [
            child
            for child in self.children[self.hips]
            if self.partner[child] == child
            and child not in trunk
            and not self.readings[child].extra
            and not self.readings[child].meanings
        ]
        unnamed = not any(reading.meanings for reading in self.readings)
        if len(behind) != 1 or not unnamed:
            return ()
        return tuple(sorted(self._subtree(behind[0])))

    def _find_kind(self) -> str:
        """Whether the arms, if there are any, stand on the ground."""
        if self.overrides.kind:
            return self.overrides.kind
        if ("arm", "left") not in self.parts:
            return "biped"
        if self.stands:
            return "quadruped" if "arm" in self.hanging else "biped"
        return "quadruped" if self.tail else "biped"

    # -- guesses -----------------------------------------------------------------------------------

    def _role_names(self) -> list[str]:
        roles = ["none"] * len(self.skeleton)
        for joint in self.tail:
            roles[joint] = "tail"
        for joint in self.neck:
            roles[joint] = "neck"
        for joint in self.spine:
            roles[joint] = "spine"
        roles[0] = "root"
        if self.head is not None:
            roles[self.head] = "head"
        roles[self.hips] = "hips"
        for (region, side), parts in self.parts.items():
            hand = parts.get("end")
            if region == "arm" and hand is not None:
                for joint in self._subtree(hand):
                    roles[joint] = f"{side}_{region}_{FINGER}"
            for part, joint in parts.items():
                roles[joint] = f"{side}_{region}_{part}"
        for name, role in self.overrides.joints.items():
            roles[self.skeleton.index(name)] = role
        return roles

    def _guess(self, joint: int, role: str) -> Guess:
        name = self.skeleton.names[joint]
        words = role.replace("_", " ")
        if self.readings[joint].certain:
            return Guess(role, 1.0, f"{name} is {words}: an override says so.")
        if role == "none":
            return Guess(role, SHAPE_ONLY, f"{name} has no role: nothing needs it.")
        meaning = Meaning(role) if "_" not in role else Meaning(*role.split("_")[1:])
        says = meaning in self.readings[joint].meanings
        place = self._place(meaning)
        if says and self.stands:
            return Guess(role, NAME_AND_SHAPE, f"{name} is {words}: so its name says, and {place}.")
        if says:
            return Guess(role, NAME_ONLY, f"{name} is {words}: so its name says.")
        if self.stands:
            return Guess(role, SHAPE_ONLY, f"{name} is {words}: {place}.")
        return Guess(
            role, PLACE_ONLY, f"{name} is {words}: so its place in the tree says, but the rest pose "
            "does not stand."
        )  # fmt: skip

    def _place(self, meaning: Meaning) -> str:
        """Why the structure gives a joint a role, as a clause."""
        if meaning.region in self.hanging:
            return "its chain hangs to the ground in the rest pose"
        return {
            "leg": "its chain is a leg's beside the others",
            "arm": "its chain hangs on the trunk and not to the ground",
            "root": "all joints hang on it",
            "hips": "the legs hang on it",
            "spine": "it lies between the hips and the arms or the head",
            "neck": "it lies between the spine and the head",
            "head": "the trunk ends with it",
            "tail": "it hangs on the hips and carries nothing",
        }[meaning.region]


def _stated(role: str) -> Reading:
    """An override in place of what the name says."""
    if role == "none":
        return Reading(extra=True, certain=True)
    if "_" not in role:
        return Reading(meanings=(Meaning(role),), certain=True)
    side, region, part = role.split("_")
    return Reading(side, (Meaning(region, part),), certain=True)
