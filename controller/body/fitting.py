"""How a rig's rest pose and a skeleton's correspond: size, direction, and constant rotations.

Both rest poses stand, with frames of the world and the body facing +Z. Arms may be spread as in a T
or hang as in an A: limbs are aligned by their bones and by the axes about which they bend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.body.rig import Rig
from controller.body.size import REACH, reach
from controller.core.errors import DataError
from controller.motion.midline import between, joint_pairs, midline, places
from controller.motion.rest import Rest
from controller.motion.roles import Limb, Roles
from controller.motion.skeleton import Skeleton

SOLES = {"biped": 0.011, "quadruped": 0.018}
"""m at scale 1: how far above the ground the joints that touch it are, as in the bodies that are
made (see :mod:`controller.body.biped`, :mod:`controller.body.quadruped`)."""
STRAIGHT = 0.17
"""Sine of the bend (10°) below which a limb's plane follows the usual axis more than its bones."""
UPRIGHT = 0.6
"""Cosine of the largest angle between the legs and the vertical in the rest pose."""
PARTS = ("upper", "middle", "end")


@dataclass(frozen=True, eq=False)
class Bones:
    """The two bones of a limb in the rest pose.

    first, second  (3,) metres, along them
    hinge          (3,) about which the second turns when the limb bends
    frames         (2, 3, 3) of both: columns are the hinge at right angles to the bone, the bone's
                   direction, and their cross product
    """

    first: np.ndarray
    second: np.ndarray
    hinge: np.ndarray
    frames: np.ndarray

    @classmethod
    def of(cls, joints: np.ndarray, limb: Limb) -> Bones:
        """Those of a limb that has both, for rest positions (J, 3)."""
        start, middle, end = (joints[getattr(limb, part)] for part in PARTS)
        first = middle - start
        second = end - middle
        # Knees bend backward, elbows forward.
        ahead = np.array((0.0, 0.0, -1.0 if limb.region == "leg" else 1.0))
        usual = np.cross(unit(start - end), ahead) * -1
        hinge = unit(np.cross(unit(first), unit(second)) + 2 * STRAIGHT * unit(usual))
        frames = np.stack([bone_frame(hinge, unit(bone)) for bone in (first, second)])
        return cls(first, second, frames[0, :, 0], frames)

    @property
    def lengths(self) -> tuple[float, float]:
        """Metres."""
        return float(np.linalg.norm(self.first)), float(np.linalg.norm(self.second))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) of length 1 in the same directions; zeros stay."""
    lengths = np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))
    result: np.ndarray = vectors / np.maximum(lengths, 1e-9)
    return result


def bone_frame(hinge: np.ndarray, bone: np.ndarray) -> np.ndarray:
    """(..., 3, 3): orthonormal columns, the second along ``bone`` (a unit vector), the first as
    near as possible to ``hinge``."""
    across = unit(hinge - (hinge * bone).sum(axis=-1, keepdims=True) * bone)
    return np.stack((across, bone, cross(across, bone)), axis=-1)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cross product of vectors (..., 3), faster than numpy's for few."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=-1)


class Side:
    """A skeleton in its rest pose: of the controller, or of a rig.

    joints  (J, 3) metres from the root
    limbs   those of two bones that stand on the ground, hind legs first
    bones   limb → its bones, for all with two
    """

    def __init__(self, name: str, skeleton: Skeleton, roles: Roles, joints: np.ndarray) -> None:
        self.skeleton = skeleton
        self.roles = roles
        self.joints = joints
        self.bones: dict[tuple[str, str], Bones] = {}
        for limb in roles.limbs:
            if all(getattr(limb, part) is not None for part in PARTS):
                self.bones[limb.region, limb.side] = Bones.of(joints, limb)
        for leg in roles.legs:
            if (leg.region, leg.side) not in self.bones:
                raise DataError(f"{name}: the {leg.side} leg has no thigh, shin and foot")
            way = joints[leg.upper] - joints[leg.end]
            if not way[1] > UPRIGHT * np.linalg.norm(way):
                raise DataError(
                    f"{name}: its rest pose does not stand upright (Y up), as it must for other "
                    "motion to be carried over"
                )

    def leg(self) -> float:
        """Metres along the bones from the hip joint to the ankle, the mean of both legs."""
        return float(np.mean([sum(self.bones["leg", side].lengths) for side in ("left", "right")]))

    def forward(self, limb: Limb) -> np.ndarray:
        """(3,) the horizontal direction of a foot in the rest pose; +Z for one without toes."""
        if limb.toe is None:
            return np.array((0.0, 0.0, 1.0))
        way = self.joints[limb.toe] - self.joints[limb.end]
        return unit(way * (1, 0, 1)) if np.hypot(way[0], way[2]) > 1e-4 else np.array((0.0, 0, 1))

    def length(self, limb: Limb) -> float:
        """Metres from the ankle forward to the toes' joint."""
        if limb.toe is None:
            return 0.0
        way = self.joints[limb.toe] - self.joints[limb.end]
        return float(np.hypot(way[0], way[2]))


@dataclass(frozen=True, eq=False)
class Fit:
    """A rig brought to a skeleton's size, facing +Z.

    ours     the rig's joints, scaled and turned
    theirs   the skeleton's
    drives   the rig's joints with a rotation of their own, parents first. All others, such as
             fingers, ride on the nearest of these above them
    rider    for each joint of the rig, the place in ``drives`` of what moves it
    sources  (D, 2) for each driven joint, two of the skeleton's between which its rotation is
    shares   (D,) how far it is from the first to the second
    turns    (D, 3, 3) what the skeleton's rotation is multiplied by from the right
    limbs    the grounded limbs of both
    soles    for each, the height of both ankles above the ground when the foot is flat
    matrix   (3, 3) from the rig's world to ours: turn and scale
    """

    ours: Side
    theirs: Side
    drives: list[int]
    rider: np.ndarray
    sources: np.ndarray
    shares: np.ndarray
    turns: np.ndarray
    limbs: list[tuple[Limb, Limb]]
    soles: list[tuple[float, float]]
    matrix: np.ndarray


def fit(rig: Rig, skeleton: Skeleton) -> Fit:
    """Fit a rig to a skeleton.

    Raises DataError if it is of another kind (a quadruped for a biped), has no legs with knees, or
    does not stand in its rest pose, and ConfigError about its overrides.
    """
    try:
        roles = Roles.of(rig.skeleton)
    except DataError as error:
        raise DataError(f"{rig.name}: {error}") from None
    theirs = Roles.of(skeleton)
    if roles.kind != theirs.kind:
        raise DataError(
            f"{rig.name}: its rig is a {roles.kind}; the motion is a {theirs.kind}'s and cannot "
            "drive it"
        )
    source = Side("the character", skeleton, theirs, _rest(skeleton))
    raw = Side(rig.name, rig.skeleton, roles, _rest(rig.skeleton))
    matrix = _facing(raw.joints, roles)
    ours = Side(rig.name, rig.skeleton, roles, raw.joints @ matrix.T)
    limbs = _grounded(ours, source)
    heights = _ankles(rig, roles, limbs, matrix)
    lift = SOLES[theirs.kind] * reach(skeleton, theirs) / REACH
    sunk = [_ankle(source, other) + lift for _, other in limbs]
    scale = (source.leg() + sum(sunk[:2]) / 2) / (ours.leg() + sum(heights[:2]) / 2)
    matrix = matrix * scale
    ours = Side(rig.name, rig.skeleton, roles, raw.joints @ matrix.T)
    soles = [(scale * high, low) for high, low in zip(heights, sunk, strict=True)]
    return _corresponding(ours, source, limbs, soles, matrix)


def _rest(skeleton: Skeleton) -> np.ndarray:
    return Rest(skeleton).joints.numpy().astype(float)


def _facing(joints: np.ndarray, roles: Roles) -> np.ndarray:
    """(3, 3): the turn about the vertical after which left is +X."""
    across = np.zeros(3)
    for pair in (roles.legs, roles.arms or ()):
        if pair:
            across += joints[pair[0].start] - joints[pair[1].start]
    x, _, z = unit(across * (1, 0, 1))
    if abs(x) + abs(z) < 0.5:
        return np.eye(3)
    return np.array(((x, 0, z), (0, 1, 0), (-z, 0, x)))


def _grounded(ours: Side, theirs: Side) -> list[tuple[Limb, Limb]]:
    """The limbs with two bones that stand on the ground, of both, legs first."""
    pairs = []
    for limb in ours.roles.limbs:
        other = theirs.roles.limb(limb.region, limb.side)
        key = limb.region, limb.side
        if limb.grounded and other is not None and key in ours.bones and key in theirs.bones:
            pairs.append((limb, other))
    return pairs


def _ankles(
    rig: Rig, roles: Roles, limbs: list[tuple[Limb, Limb]], matrix: np.ndarray
) -> list[float]:
    """The height of each ankle above the sole: the lowest vertex that mostly follows the foot or
    what hangs on it."""
    places = _rest(rig.skeleton) @ matrix.T
    result = []
    for limb, _ in limbs:
        assert limb.end is not None
        below = {limb.end}
        for joint, parent in enumerate(rig.skeleton.parents):
            if parent in below:
                below.add(joint)
        lowest = [places[joint][1] for joint in below]
        for shape in rig.shapes:
            mine = shape.weights * np.isin(shape.joints, list(below))
            heights = ((shape.positions - rig.root) @ matrix.T)[mine.sum(axis=1) > 0.5, 1]
            lowest += [heights.min()] if len(heights) else []
        result.append(float(places[limb.end][1] - min(lowest)))
    return result


def _ankle(side: Side, limb: Limb) -> float:
    """Metres from the joint that touches the ground up to the ankle."""
    return float(side.joints[limb.end][1] - side.joints[limb.contact][1])


def _corresponding(
    ours: Side,
    theirs: Side,
    limbs: list[tuple[Limb, Limb]],
    soles: list[tuple[float, float]],
    matrix: np.ndarray,
) -> Fit:
    """Find which joint of the rig follows which of the skeleton."""
    found = {joint: (other, other, 1.0) for joint, other in joint_pairs(ours.roles, theirs.roles)}
    chains = (midline(side.skeleton, side.roles) for side in (ours, theirs))
    for mine, other in zip(*chains, strict=True):
        known = places(theirs.skeleton, other)
        for joint, place in zip(mine, places(ours.skeleton, mine) if other else (), strict=False):
            below, above, share = between(known, place)
            found.setdefault(joint, (other[below], other[above], share))
    turns = _turns(ours, theirs)
    drives = sorted(found)
    rider = np.zeros(len(ours.skeleton), int)
    for joint, parent in enumerate(ours.skeleton.parents):
        if joint in found:
            rider[joint] = drives.index(joint)
        elif parent >= 0 and joint > ours.roles.hips:
            rider[joint] = rider[parent]
        else:
            rider[joint] = drives.index(ours.roles.hips)  # a root above the hips
    return Fit(
        ours,
        theirs,
        drives,
        rider,
        np.array([found[joint][:2] for joint in drives]),
        np.array([found[joint][2] for joint in drives], np.float32),
        np.stack([turns.get(joint, np.eye(3)) for joint in drives]).astype(np.float32),
        limbs,
        soles,
        matrix,
    )


def _turns(ours: Side, theirs: Side) -> dict[int, np.ndarray]:
    """Joint of a limb → what aligns its rest pose with that of the skeleton's."""
    turns: dict[int, np.ndarray] = {}
    for limb in ours.roles.limbs:
        other = theirs.roles.limb(limb.region, limb.side)
        key = limb.region, limb.side
        if other is None or key not in ours.bones or key not in theirs.bones:
            continue
        mine = ours.bones[key].frames
        their = theirs.bones[key].frames
        aligned = their @ mine.transpose(0, 2, 1)
        foot = aligned[1]
        if limb.grounded:
            a = ours.forward(limb)
            b = theirs.forward(other)
            sine = a[2] * b[0] - a[0] * b[2]
            cosine = a @ b
            foot = np.array(((cosine, 0, sine), (0, 1, 0), (-sine, 0, cosine)))
        for part, turn in zip(
            ("upper", "middle", "end", "toe"), (*aligned, foot, foot), strict=True
        ):
            if getattr(limb, part) is not None:
                turns[getattr(limb, part)] = turn
    return turns
