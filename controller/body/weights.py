"""Skin weights: how much of each joint's motion a vertex follows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from controller.body.binding import Binding
from controller.body.volumes import Part, part_distances
from controller.motion.roles import Limb, Roles

INFLUENCES = 4
"""Joints that a vertex follows at most."""
MIX = 0.022
"""m at scale 1: two parts share a vertex if their distances differ by about this."""
BEND = {"upper": 0.075, "middle": 0.05, "end": 0.035, "toe": 0.025, "base": 0.06}
"""m at scale 1: half the length over which skin passes from one bone to the next, by the part that
the second one is."""
SAME = 1e-4
"""m: joints that are closer lie at the same place."""


def weigh(
    roles: Roles,
    binding: Binding,
    parts: Sequence[Part],
    points: np.ndarray,
    scale: float,
) -> np.ndarray:
    """(N, J) weights of points (N, 3) on the surface; the sum over joints is 1."""
    distances = part_distances(parts, points)
    share = np.exp(-(distances - distances.min(axis=0)) / (MIX * scale))
    share /= share.sum(axis=0)
    total = np.zeros((len(points), len(roles.skeleton)))
    for part, amount in zip(parts, share, strict=True):
        total += amount[:, None] * _of_part(roles, binding, part.name, points, scale)
    return total


def smooth(weights: np.ndarray, triangles: np.ndarray, times: int) -> np.ndarray:
    """Weights (V, J) averaged with those of neighbours along the edges of triangles (T, 3)."""
    from scipy.sparse import coo_array, diags_array

    count = len(weights)
    edges = np.concatenate((triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]))
    links = coo_array((np.ones(len(edges)), edges.T), shape=(count, count)).tocsr()
    links = links + links.T
    average = diags_array(1 / np.maximum(links.sum(axis=1), 1)) @ links
    for _ in range(times):
        weights = 0.5 * weights + 0.5 * (average @ weights)
    return weights


def strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The joints (V, 4) that matter most, and their weights (V, 4) in 255ths, whose sum is 255."""
    joints = np.argsort(-weights, axis=1)[:, :INFLUENCES]
    if joints.shape[1] < INFLUENCES:
        joints = np.pad(joints, ((0, 0), (0, INFLUENCES - joints.shape[1])))
    kept = np.take_along_axis(weights, joints, axis=1)
    kept[:, weights.shape[1] :] = 0.0
    kept = kept / kept.sum(axis=1, keepdims=True)
    whole = np.floor(255 * kept + 0.5).astype(int)
    whole[:, 0] += 255 - whole.sum(axis=1)
    joints[whole == 0] = 0
    return joints, whole


def _of_part(
    roles: Roles, binding: Binding, name: str, points: np.ndarray, scale: float
) -> np.ndarray:
    """(N, J) weights of points that belong to one part alone."""
    if name in ("trunk", "head", "tail"):
        chain = _middle_chain(roles, name)
        widths = [0.35 * span for span in _spans(binding, chain)]
        normals = _bisectors(roles, binding, chain)
    else:
        side, _, region = name.partition("_")
        limb = roles.limb(region, side)
        assert limb is not None
        chain = _limb_chain(roles, limb)
        bends = [BEND.get(roles.meaning(joint).part, 0.04) for joint in chain]
        widths = [scale * bend for bend in bends]
        normals = _bisectors(roles, binding, chain)
        if roles.kind == "biped" and region == "leg":
            _turn_ankle(limb, chain, normals)
    passed = np.ones((len(chain) + 1, len(points)))
    passed[-1] = 0.0
    for place, joint in enumerate(chain):
        if place:
            along = (points - binding.positions[joint]) @ normals[place]
            amount = np.clip(along / (2 * max(widths[place], 1e-4)) + 0.5, 0, 1)
            passed[place] = np.minimum(passed[place - 1], amount * amount * (3 - 2 * amount))
    weights = np.zeros((len(points), len(roles.skeleton)))
    for place, joint in enumerate(chain):
        weights[:, joint] += passed[place] - passed[place + 1]
    return weights


def _middle_chain(roles: Roles, name: str) -> list[int]:
    if name == "tail":
        return [roles.hips, *roles.tail]
    trunk = [roles.hips, *roles.spine]
    if name == "trunk":
        return trunk
    head = [] if roles.head is None else [roles.head]
    return [trunk[-1], *roles.neck, *head]


def _limb_chain(roles: Roles, limb: Limb) -> list[int]:
    above = roles.hips if limb.region == "leg" or not roles.spine else roles.spine[-1]
    return [above, *limb.joints]


def _spans(binding: Binding, chain: list[int]) -> list[float]:
    """m: for each joint of a chain, the length of the shorter bone that meets there."""
    bones = np.linalg.norm(np.diff(binding.positions[chain], axis=0), axis=1)
    bones = bones[bones > SAME] if (bones > SAME).any() else np.array((0.1,))
    return [float(min(bones[max(i - 1, 0) :][:2], default=bones[-1])) for i in range(len(chain))]


def _bisectors(roles: Roles, binding: Binding, chain: list[int]) -> list[np.ndarray]:
    """For each joint of a chain, the direction between its two bones."""
    places = [binding.positions[joint] for joint in chain]
    ends = [*places[1:], binding.tip(roles.skeleton, chain[-1])]
    bones = [there - here for here, there in zip(places, ends, strict=True)]
    # A bone without length continues the one before it, or else begins the one after it.
    for order in (range(1, len(bones)), range(len(bones) - 2, -1, -1)):
        for place in order:
            beside = place - 1 if order.step > 0 else place + 1
            if np.linalg.norm(bones[place]) < SAME:
                bones[place] = bones[beside]
    units = [bone / max(float(np.linalg.norm(bone)), 1e-9) for bone in bones]
    totals = [unit + units[max(place - 1, 0)] for place, unit in enumerate(units)]
    return [total / max(float(np.linalg.norm(total)), 1e-9) for total in totals]


def _turn_ankle(limb: Limb, chain: list[int], normals: list[np.ndarray]) -> None:
    """All of the heel follows the foot: its border with the shin is nearly level. So is that of the
    thigh with the hips."""
    for joint, forward in ((limb.end, 0.25), (limb.upper, 0.0)):
        if joint in chain:
            place = chain.index(joint)
            normal = np.array((0.0, -1.0, forward))
            if joint == limb.upper:
                normal = np.array((0.35 if limb.side == "left" else -0.35, -1.0, 0.0))
            normals[place] = normal / np.linalg.norm(normal)
