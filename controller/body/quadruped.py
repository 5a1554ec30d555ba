"""The volumes of a body on four legs. Sizes are metres at scale 1, a dog of medium size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from controller.body.binding import Binding
from controller.body.bones import FRONT, UP, bone, ellipsoid
from controller.body.volumes import Part, Volume
from controller.motion.roles import Limb, Roles

HIPS = 0.336
"""m: the height of the hips of the body of scale 1 above the joints that touch the ground."""
PAW = 0.012
"""The height of these joints above the sole."""

TRUNK = (
    # place from hips (0) to the front legs (1), half width, half height, up
    (-0.20, 0.042, 0.050, -0.028),
    (-0.05, 0.070, 0.080, -0.036),
    (0.18, 0.070, 0.078, -0.036),
    (0.42, 0.066, 0.074, -0.036),
    (0.68, 0.080, 0.104, -0.056),
    (0.90, 0.078, 0.112, -0.058),
    (1.08, 0.060, 0.088, -0.044),
)
NECK = ((-0.15, 0.050, 0.078, -0.022), (0.4, 0.042, 0.056, -0.006), (1.0, 0.036, 0.042))
MUZZLE = ((0.0, 0.038, 0.038, -0.004), (0.45, 0.026, 0.027, -0.010), (1.0, 0.019, 0.019, -0.012))
THIGH = ((0.0, 0.030, 0.070, -0.006), (0.4, 0.031, 0.062, -0.004), (1.0, 0.023, 0.032))
SHIN = ((0.0, 0.022, 0.031), (0.35, 0.019, 0.026, -0.004), (0.8, 0.013, 0.017), (1.0, 0.015, 0.017))
FOOT = ((0.0, 0.013, 0.017), (0.3, 0.013, 0.014), (1.0, 0.016, 0.016))
SHOULDER = ((0.0, 0.030, 0.050), (1.0, 0.030, 0.044))
UPPER_ARM = ((0.0, 0.028, 0.042), (0.5, 0.025, 0.036), (1.0, 0.020, 0.027))
FOREARM = ((0.0, 0.020, 0.026), (0.4, 0.017, 0.021), (1.0, 0.013, 0.015))
EAR = ((0.0, 0.020, 0.010), (0.5, 0.016, 0.008), (1.0, 0.004, 0.004))


def size(roles: Roles, binding: Binding) -> float:
    """The size as a multiple of that of the body of scale 1."""
    ends = [binding.positions[leg.contact][1] for leg in roles.legs]
    return float(binding.positions[roles.hips][1] - min(ends)) / HIPS


def parts(roles: Roles, binding: Binding, scale: float) -> list[Part]:
    """The parts of the body, the trunk first."""
    hips = binding.positions[roles.hips]
    fore = [binding.positions[limb.start] for limb in roles.limbs if limb.region == "arm"]
    chest = binding.positions[(roles.hips, *roles.spine)[-1]].copy()
    if fore:
        chest[2] = max(chest[2], float(np.mean(fore, axis=0)[2]))
    trunk = bone(hips, chest, TRUNK, front=UP, power=2.2, scale=scale)
    made = [Part("trunk", (trunk,), 0.0), _head(roles, binding, chest, scale)]
    if roles.tail:
        made.append(_tail(roles, binding, scale))
    for limb in roles.limbs:
        build = _hind if limb.region == "leg" else _fore
        volumes = build(roles, limb, binding, scale)
        if volumes:
            sole = float(binding.positions[limb.contact][1]) - PAW * scale
            name = f"{limb.side}_{limb.region}"
            made.append(Part(name, tuple(volumes), 0.035 * scale, sole))
    return made


def _head(roles: Roles, binding: Binding, chest: np.ndarray, scale: float) -> Part:
    """Neck, skull, muzzle and ears."""
    base = binding.positions[roles.neck[0]] if roles.neck else chest
    skull = base + scale * (0.1 * UP + 0.1 * FRONT)
    end = skull + 0.16 * scale * FRONT
    if roles.head is not None:
        skull = binding.positions[roles.head]
        tip = binding.tip(roles.skeleton, roles.head)
        if np.linalg.norm(tip - skull) > 0.06 * scale:
            end = skull + (tip - skull) * min(
                1.0, 0.17 * scale / float(np.linalg.norm(tip - skull))
            )
        else:
            end = skull + 0.16 * scale * FRONT
    ahead = (end - skull) / np.linalg.norm(end - skull)
    above = UP - ahead * (UP @ ahead)
    above /= np.linalg.norm(above)
    middle = skull + scale * (0.028 * ahead + 0.006 * above)
    volumes = [
        bone(base, skull, NECK, front=UP, scale=scale),
        ellipsoid(middle, (0.048, 0.046, 0.060), up=above, front=ahead, blend=0.04, scale=scale),
        bone(skull + 0.06 * scale * ahead, end, MUZZLE, front=above, blend=0.03, scale=scale),
    ]
    for side in (-1.0, 1.0):
        x = np.array((side, 0.0, 0.0))
        root = middle + scale * (0.030 * x + 0.030 * above - 0.018 * ahead)
        top = root + scale * (0.022 * x + 0.062 * above - 0.014 * ahead)
        volumes.append(bone(root, top, EAR, front=ahead, blend=0.012, scale=scale))
    return Part("head", tuple(volumes), 0.05 * scale)


def _tail(roles: Roles, binding: Binding, scale: float) -> Part:
    """Thinner from joint to joint."""
    places = [binding.positions[joint] for joint in roles.tail]
    end = binding.tip(roles.skeleton, roles.tail[-1])
    if np.linalg.norm(end - places[-1]) > 0.01 * scale:
        places.append(end)
    if len(places) == 1:
        places.append(places[0] - 0.1 * scale * FRONT)
    sizes = np.linspace(0.022, 0.008, len(places))
    volumes = [
        bone(here, there, ((0, big, big), (1, small, small)), blend=0.02, scale=scale)
        for here, there, big, small in zip(places, places[1:], sizes, sizes[1:], strict=False)
    ]
    return Part("tail", tuple(volumes), 0.05 * scale)


def _hind(roles: Roles, limb: Limb, binding: Binding, scale: float) -> list[Volume]:
    return _chain(roles, limb, binding, {"upper": THIGH, "middle": SHIN}, scale)


def _fore(roles: Roles, limb: Limb, binding: Binding, scale: float) -> list[Volume]:
    profiles = {"base": SHOULDER, "upper": UPPER_ARM, "middle": FOREARM}
    return _chain(roles, limb, binding, profiles, scale)


def _chain(
    roles: Roles, limb: Limb, binding: Binding, profiles: dict[str, tuple], scale: float
) -> list[Volume]:
    """A leg, bone by bone, and its paw."""
    joints = limb.joints
    volumes = []
    for here, there in pairwise(joints):
        part = roles.meaning(here).part
        start = binding.positions[here]
        end = binding.positions[there]
        if np.linalg.norm(end - start) > 1e-3 and not (part == "base" and limb.region == "leg"):
            profile = profiles.get(part, FOOT)
            volumes.append(bone(start, end, profile, blend=0.018, scale=scale))
    return [*volumes, *_paw(binding.positions[joints[-1]], scale)]


def _paw(contact: np.ndarray, scale: float) -> tuple[Volume, Volume]:
    """A paw on a flat sole. The joint that stands on the ground lies in it, not above it."""
    sole = float(contact[1]) - PAW * scale
    heel = np.array((contact[0], sole + 0.017 * scale, contact[2] - 0.004 * scale))
    toes = heel + scale * (0.040 * FRONT - 0.003 * UP)
    paw = ((0.0, 0.020, 0.020), (0.6, 0.026, 0.019), (1.0, 0.023, 0.013))
    return (
        ellipsoid(contact + 0.010 * scale * UP, (0.017, 0.022, 0.018), blend=0.02, scale=scale),
        bone(heel, toes, paw, front=UP, blend=0.02, scale=scale),
    )
