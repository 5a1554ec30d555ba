"""The volumes of a body that walks upright. Sizes are metres at scale 1, a body of about 1.7 m."""

from __future__ import annotations

from functools import partial

import numpy as np

from controller.body.binding import Binding
from controller.body.bones import FRONT, UP, bone, ellipsoid
from controller.body.volumes import Part, Volume
from controller.motion.roles import Limb, Roles

SOLE = 0.011
"""The height of the ball of the foot's joint above the sole."""

TORSO = (
    # place from hip joints (0) to shoulder joints (1), half width, half depth, forward
    (-0.20, 0.056, 0.060, 0.000),
    (-0.09, 0.108, 0.086, -0.004),
    (0.04, 0.134, 0.098, -0.006),
    (0.16, 0.136, 0.098, -0.004),
    (0.32, 0.129, 0.093, 0.003),
    (0.43, 0.128, 0.091, 0.005),
    (0.58, 0.140, 0.098, 0.004),
    (0.76, 0.162, 0.106, -0.002),
    (0.90, 0.168, 0.104, -0.006),
    (1.02, 0.142, 0.078, -0.012),
    (1.10, 0.070, 0.052, -0.014),
)
THIGH = (
    (0.0, 0.076, 0.086, -0.004),
    (0.2, 0.077, 0.086, 0.002),
    (0.5, 0.068, 0.076, 0.006),
    (0.8, 0.056, 0.061, 0.004),
    (1.0, 0.048, 0.053, 0.004),
)
SHIN = (
    (0.0, 0.047, 0.052, 0.004),
    (0.12, 0.047, 0.051, 0.000),
    (0.3, 0.053, 0.057, -0.010),
    (0.5, 0.047, 0.052, -0.010),
    (0.75, 0.035, 0.039, -0.004),
    (0.92, 0.030, 0.035, 0.000),
    (1.0, 0.031, 0.036, 0.000),
)
UPPER_ARM = (
    (0.0, 0.057, 0.060),
    (0.2, 0.056, 0.060),
    (0.5, 0.046, 0.050),
    (0.8, 0.038, 0.041),
    (1.0, 0.037, 0.038),
)
FOREARM = (
    (0.0, 0.037, 0.038),
    (0.2, 0.040, 0.043),
    (0.5, 0.034, 0.039),
    (0.8, 0.025, 0.031),
    (1.0, 0.021, 0.028),
)


def parts(roles: Roles, binding: Binding, scale: float) -> list[Part]:
    """The parts of the body, the trunk first."""
    made = [_trunk(roles, binding, scale), _head(roles, binding, scale)]
    for limb in roles.limbs:
        build = _leg if limb.region == "leg" else _arm
        volumes, floor = build(roles, limb, binding, scale)
        if volumes:
            name = f"{limb.side}_{limb.region}"
            made.append(Part(name, tuple(volumes), 0.05 * scale, floor))
    return made


def _starts(roles: Roles, binding: Binding, region: str) -> np.ndarray | None:
    starts = [binding.positions[limb.start] for limb in roles.limbs if limb.region == region]
    return np.array(starts) if starts else None


def _trunk(roles: Roles, binding: Binding, scale: float) -> Part:
    legs = _starts(roles, binding, "leg")
    arms = _starts(roles, binding, "arm")
    assert legs is not None  # roles are complete
    low = legs.mean(axis=0)
    chest = binding.positions[(*roles.spine, *roles.neck, roles.hips)[-1]]
    high = arms.mean(axis=0) if arms is not None else chest + UP * 0.1 * scale
    half = np.abs(arms[:, 0]).mean() / scale if arms is not None else 0.19
    torso = np.array(TORSO)
    # Wide shoulders have a wide chest.
    broad = 1 + 0.5 * (half / 0.19 - 1) * np.clip((torso[:, 0] - 0.3) / 0.5, 0, 1)
    torso[:, 1] *= np.clip(broad, 0.75, 1.35)

    volumes = [bone(low, high, torso.tolist(), power=2.3, caps=(0.03, 0.02), scale=scale)]
    for side in (-1.0, 1.0):
        x = np.array((side, 0.0, 0.0))
        seat = low + scale * (0.062 * x + (0.0, -0.012, -0.046))
        volumes.append(ellipsoid(seat, (0.072, 0.082, 0.068), blend=0.05, scale=scale))
        chest = high + scale * (0.068 * x + (0.0, -0.078, 0.050))
        volumes.append(ellipsoid(chest, (0.080, 0.062, 0.038), blend=0.06, scale=scale))
        inner = high + scale * (0.022 * x + (0.0, 0.075, -0.022))
        outer = high + scale * (0.72 * half * x + (0.0, 0.012, -0.014))
        ridge = ((0.0, 0.026, 0.030), (1.0, 0.030, 0.034))
        volumes.append(bone(inner, outer, ridge, blend=0.06, scale=scale))
    return Part("trunk", tuple(volumes), 0.0)


def _head(roles: Roles, binding: Binding, scale: float) -> Part:
    arms = _starts(roles, binding, "arm")
    place = roles.head if roles.head is not None else (*roles.neck, *roles.spine, roles.hips)[-1]
    skull = binding.positions[place]
    below = skull - UP * 0.09 * scale if arms is None else arms.mean(axis=0)
    below = np.array((skull[0], below[1], skull[2] - 0.016 * scale))
    neck = ((0.0, 0.060, 0.056), (0.5, 0.050, 0.050), (1.0, 0.047, 0.050))
    top = skull + scale * (0.045 * UP - 0.004 * FRONT)
    dome = skull + scale * np.array((0.0, 0.116, 0.010))
    jaw = skull + scale * np.array((0.0, 0.048, 0.045))
    volumes = (
        ellipsoid(dome, (0.073, 0.092, 0.092), scale=scale),
        ellipsoid(jaw, (0.052, 0.068, 0.056), blend=0.05, scale=scale),
        bone(below, top, neck, blend=0.022, scale=scale),
    )
    return Part("head", volumes, 0.045 * scale)


def _leg(
    roles: Roles, limb: Limb, binding: Binding, scale: float
) -> tuple[list[Volume], float | None]:
    """The volumes of a leg, and the height of its sole."""
    places = binding.positions
    volumes = []
    if limb.upper is not None and limb.middle is not None:
        volumes.append(bone(places[limb.upper], places[limb.middle], THIGH, scale=scale))
    if limb.middle is not None and limb.end is not None:
        volumes.append(bone(places[limb.middle], places[limb.end], SHIN, blend=0.02, scale=scale))
    if limb.end is None:
        return volumes, None
    foot, sole = _foot(roles, limb, binding, scale)
    return volumes + foot, sole


def _foot(roles: Roles, limb: Limb, binding: Binding, scale: float) -> tuple[list[Volume], float]:
    """Heel, instep and toes, and the height of the sole."""
    assert limb.end is not None
    ankle = binding.positions[limb.end]
    if limb.toe is not None:
        ball = binding.positions[limb.toe]
        end = binding.tip(roles.skeleton, limb.toe)
    else:
        end = binding.tip(roles.skeleton, limb.end)
        ball = ankle + 0.6 * (end - ankle)
    forward = ball - ankle
    forward[1] = 0.0
    if np.linalg.norm(forward) < 0.02 * scale:
        forward = FRONT * 0.1 * scale
        ball = ankle + forward - UP * 0.06 * scale
    ahead = forward / np.linalg.norm(forward)
    sole = float(min(ball[1], ankle[1] - 0.03 * scale)) - SOLE * scale
    toes = float(np.clip((end - ball) @ ahead / scale, 0.075, 0.11))

    def at(point: np.ndarray, along: float, height: float) -> np.ndarray:
        moved: np.ndarray = point + ahead * along * scale
        moved[1] = sole + height * scale
        return moved

    heel = ((0.0, 0.031, 0.032), (0.5, 0.034, 0.034), (1.0, 0.043, 0.028))
    toe = ((0.0, 0.044, 0.028), (0.5, 0.045, 0.024), (1.0, 0.034, 0.017))
    high = (ankle[1] - sole) / scale
    instep = ((0.0, 0.033, 0.036), (0.5, 0.034, 0.032), (1.0, 0.034, 0.020))
    make = partial(bone, front=UP, scale=scale)
    volumes = [
        make(at(ankle, -0.022, 0.026), at(ball, 0.0, 0.022), heel, blend=0.025),
        make(at(ankle, 0.002, high), at(ball, -0.01, 0.028), instep, blend=0.03),
        make(at(ball, -0.012, 0.020), at(ball, toes - 0.030, 0.012), toe, blend=0.02),
    ]
    return volumes, sole


def _arm(
    roles: Roles, limb: Limb, binding: Binding, scale: float
) -> tuple[list[Volume], float | None]:
    places = binding.positions
    volumes = []
    if limb.upper is not None and limb.middle is not None:
        front = binding.rotations[limb.upper] @ FRONT
        ends = places[limb.upper], places[limb.middle]
        volumes.append(bone(*ends, UPPER_ARM, front=front, scale=scale))
    if limb.middle is not None and limb.end is not None:
        front = binding.rotations[limb.middle] @ FRONT
        ends = places[limb.middle], places[limb.end]
        volumes.append(bone(*ends, FOREARM, front=front, blend=0.016, scale=scale))
    if limb.end is not None:
        volumes += _hand(roles, limb, binding, scale)
    return volumes, None


def _hand(roles: Roles, limb: Limb, binding: Binding, scale: float) -> list[Volume]:
    """A palm, four fingers that are a little curled, and a thumb."""
    assert limb.end is not None
    wrist = binding.positions[limb.end]
    turned = binding.rotations[limb.end]
    thumb_side = turned @ FRONT
    if limb.middle is not None:
        along = wrist - binding.positions[limb.middle]
    else:
        along = turned @ np.array((1.0 if limb.side == "left" else -1.0, 0.0, 0.0))
    along = along / np.linalg.norm(along)
    palm_side = turned @ -UP
    palm_side = palm_side - along * (palm_side @ along)
    palm_side /= np.linalg.norm(palm_side)
    thumb_side = thumb_side - along * (thumb_side @ along)
    thumb_side /= np.linalg.norm(thumb_side)

    def at(far: float, thumb: float, palm: float) -> np.ndarray:
        point: np.ndarray = wrist + scale * (far * along + thumb * thumb_side + palm * palm_side)
        return point

    palm = ((0.0, 0.019, 0.026), (0.4, 0.018, 0.036), (1.0, 0.014, 0.040))
    make = partial(bone, front=thumb_side, scale=scale)
    volumes = [make(at(0.0, 0, 0), at(0.082, 0, 0.002), palm, power=2.5, blend=0.02)]
    lengths = (0.070, 0.080, 0.074, 0.058)
    for finger, length in enumerate(lengths):
        side = 0.0285 - 0.019 * finger
        knuckle = at(0.082, side, 0.002)
        bend = at(0.082 + 0.52 * length, side * 0.96, 0.008)
        tip = at(0.082 + 0.52 * length + 0.40 * length, side * 0.88, 0.026)
        thick = ((0.0, 0.0105, 0.0105), (1.0, 0.0092, 0.0092))
        thin = ((0.0, 0.0092, 0.0092), (1.0, 0.0078, 0.0078))
        volumes.append(make(knuckle, bend, thick, blend=0.010))
        volumes.append(make(bend, tip, thin, blend=0.006))
    base = at(0.018, 0.020, 0.006)
    joint = at(0.058, 0.048, 0.020)
    end = at(0.090, 0.054, 0.030)
    volumes.append(make(base, joint, ((0, 0.015, 0.017), (1, 0.011, 0.012)), blend=0.016))
    volumes.append(make(joint, end, ((0, 0.011, 0.012), (1, 0.009, 0.009)), blend=0.008))
    return volumes
