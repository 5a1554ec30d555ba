"""The pose in which a body is made and bound to its skeleton.

Arms and legs are spread and a little bent in it: halfway between the poses that they take, since
skin that follows two bones loses volume with the angle from this pose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from controller.motion.rest import Rest
from controller.motion.roles import Limb, Roles
from controller.motion.skeleton import Skeleton

LEG_SPREAD = math.radians(9)
THIGH_FORWARD = math.radians(9)
SHIN_BACK = math.radians(14)
ARM_DOWN = math.radians(52)
FOREARM_FORWARD = math.radians(24)
PAW_DOWN = math.radians(30)


@dataclass(frozen=True, eq=False)
class Binding:
    """The bound pose.

    positions  (J, 3) metres from the root
    rotations  (J, 3, 3) relative to the world
    """

    positions: np.ndarray
    rotations: np.ndarray

    def tip(self, skeleton: Skeleton, joint: int) -> np.ndarray:
        """(3,) metres: where the bone of a leaf joint ends."""
        offset = skeleton.tips[joint].numpy().astype(float)
        end: np.ndarray = self.positions[joint] + self.rotations[joint] @ offset
        return end


def bind(skeleton: Skeleton, roles: Roles) -> Binding:
    """The bound pose of a skeleton whose rest pose stands and faces +Z."""
    rest = Rest(skeleton).joints.numpy().astype(float)
    stated: dict[int, np.ndarray] = {}
    if roles.kind == "biped":
        for limb in roles.limbs:
            stated |= _leg(limb, rest) if limb.region == "leg" else _arm(limb, rest)
    else:
        for limb in roles.limbs:
            stated |= _paw(limb, skeleton)

    rotations = [stated.get(0, np.eye(3))]
    positions = [np.zeros(3)]
    for joint, parent in enumerate(skeleton.parents[1:], start=1):
        rotations.append(stated.get(joint, rotations[parent]))
        offset = skeleton.offsets[joint].numpy().astype(float)
        positions.append(positions[parent] + rotations[parent] @ offset)
    return Binding(np.stack(positions), np.stack(rotations))


def _sign(limb: Limb) -> float:
    return 1.0 if limb.side == "left" else -1.0


def _leg(limb: Limb, rest: np.ndarray) -> dict[int, np.ndarray]:
    if limb.upper is None or limb.middle is None or limb.end is None:
        return {}
    out = _sign(limb) * math.sin(LEG_SPREAD)
    thigh = np.array((out, -math.cos(THIGH_FORWARD), math.sin(THIGH_FORWARD)))
    shin = np.array((out, -math.cos(SHIN_BACK), -math.sin(SHIN_BACK)))
    return {
        limb.upper: turn(rest[limb.middle] - rest[limb.upper], thigh),
        limb.middle: turn(rest[limb.end] - rest[limb.middle], shin),
        limb.end: np.eye(3),
    }


def _arm(limb: Limb, rest: np.ndarray) -> dict[int, np.ndarray]:
    if limb.upper is None or limb.middle is None or limb.end is None:
        return {}
    out = _sign(limb) * math.cos(ARM_DOWN)
    upper = np.array((out, -math.sin(ARM_DOWN), 0.0))
    fore = upper * math.cos(FOREARM_FORWARD) + (0.0, 0.0, math.sin(FOREARM_FORWARD))
    first = turn(rest[limb.middle] - rest[limb.upper], upper)
    second = turn(first @ (rest[limb.end] - rest[limb.middle]), fore) @ first
    return {limb.upper: first, limb.middle: second, limb.end: second}


def _paw(limb: Limb, skeleton: Skeleton) -> dict[int, np.ndarray]:
    """The last bone points forward, as it does on the ground, also if it hangs in the rest pose."""
    tip = skeleton.tips[limb.contact].numpy().astype(float)
    if np.linalg.norm(tip) < 1e-3:
        return {}
    forward = np.array((0.0, -math.sin(PAW_DOWN), math.cos(PAW_DOWN)))
    return {limb.contact: turn(tip, forward)}


def turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) of the direction ``start`` to the direction ``end``."""
    a = start / max(float(np.linalg.norm(start)), 1e-9)
    b = end / max(float(np.linalg.norm(end)), 1e-9)
    axis = np.cross(a, b)
    cosine = float(a @ b)
    if cosine < -0.9999:
        return np.diag((-1.0, -1.0, 1.0))  # half a turn about the front; a and b lie across it
    x, y, z = axis
    cross = np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)))
    rotation: np.ndarray = np.eye(3) + cross + cross @ cross / (1 + cosine)
    return rotation
