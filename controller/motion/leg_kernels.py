"""One step of foot locking, compiled: see :mod:`controller.motion.foot_lock`.

What is drawn of one character costs a few microseconds here; as operators of torch it would cost
more than its whole step. Numba compiles this for the current processor and caches it on disk. The
leg's formulas are those of :func:`controller.motion.ik.two_bone`; a test compares the two.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

compiled = njit(cache=True, fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")

# Columns of a foot's memory.
SEEN, PIVOT, FLAT, TOE_DOWN, HEEL_DOWN, TIRED = range(6)
LOCK_X, LOCK_Z, LOCK_YAW = range(6, 9)
REST_X, REST_Z, REST_YAW, SPEED_X, SPEED_Z, SPEED_YAW = range(9, 15)
SHIFT_X, SHIFT_Z, TURN = range(15, 18)
TOE, ANKLE = 18, 21  # three columns each
YAW, BEND = 24, 25
MEMORY = 26
FREE, ON_TOE, ON_HEEL = range(3)

# Columns of what is known of a leg, and of the settings.
FORWARD, HINGE, TIP, TOE_STANDS, HEEL_STANDS, LENGTH, FASTEST, PLANTS = 0, 3, 6, 9, 10, 11, 12, 13
SHAPE = 14
(LOW, LIFTED, SLOW, QUICK, RADIUS, ANGLE, STOP, RELEASE, SINK, DEEPEST, SOFT, HARD, JUMP, SECONDS) = (
    range(14)
)  # fmt: skip
SETTINGS = 14
STRAIGHT = 0.05  # as in ik
NOTHING = 1e-9


@compiled
def decayed(value: float, speed: float, decay: float, seconds: float) -> Any:
    """A critically damped spring towards 0 after so many ``seconds``: its value and speed."""
    if abs(value) < NOTHING and abs(speed) < NOTHING:
        return 0.0, 0.0  # numbers that get ever smaller become slow
    push = speed + decay * value
    left = math.exp(-decay * seconds)
    return left * (value + push * seconds), left * (speed - decay * push * seconds)


@compiled
def in_contact(was: float, height: float, speed: float, settings: Any) -> float:
    """1 if a point of a foot stands, else 0: it is low and slow, and leaves later than it comes."""
    if was > 0:
        return 1.0 if height < settings[LIFTED] and speed < settings[QUICK] else 0.0
    return 1.0 if height < settings[LOW] and speed < settings[SLOW] else 0.0


@compiled
def _wrap(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi


@compiled
def _turned(x: float, z: float, angle: float) -> Any:
    cos = math.cos(angle)
    sin = math.sin(angle)
    return cos * x + sin * z, cos * z - sin * x


@compiled
def _length(x: float, y: float, z: float) -> float:
    return math.sqrt(x * x + y * y + z * z)


@compiled
def _cross(a: Any, b: Any) -> Any:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def _dot(a: Any, b: Any) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _minus(a: Any, b: Any) -> Any:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@compiled
def _along(a: Any, b: Any, share: float) -> Any:
    """a + share · b"""
    return a[0] + share * b[0], a[1] + share * b[1], a[2] + share * b[2]


@compiled
def _unit(a: Any) -> Any:
    scale = 1 / max(_length(a[0], a[1], a[2]), 1e-12)
    return scale * a[0], scale * a[1], scale * a[2]


@compiled
def _of(m: Any, v: Any) -> Any:
    """m · v"""
    return (
        m[0, 0] * v[0] + m[0, 1] * v[1] + m[0, 2] * v[2],
        m[1, 0] * v[0] + m[1, 1] * v[1] + m[1, 2] * v[2],
        m[2, 0] * v[0] + m[2, 1] * v[1] + m[2, 2] * v[2],
    )


@compiled
def _times(m: Any, n: Any, out: Any) -> None:
    """out = m · n; ``out`` may be ``n``."""
    for k in range(3):
        out[0, k], out[1, k], out[2, k] = _of(m, (n[0, k], n[1, k], n[2, k]))


@compiled
def _from_quaternion(w: float, v: Any, out: Any) -> None:
    scale = 1 / max(math.sqrt(w * w + _dot(v, v)), 1e-12)
    w = scale * w
    x, y, z = scale * v[0], scale * v[1], scale * v[2]
    out[0, 0] = 1 - 2 * (y * y + z * z)
    out[0, 1] = 2 * (x * y - w * z)
    out[0, 2] = 2 * (x * z + w * y)
    out[1, 0] = 2 * (x * y + w * z)
    out[1, 1] = 1 - 2 * (x * x + z * z)
    out[1, 2] = 2 * (y * z - w * x)
    out[2, 0] = 2 * (x * z - w * y)
    out[2, 1] = 2 * (y * z + w * x)
    out[2, 2] = 1 - 2 * (x * x + y * y)


@compiled
def _between(source: Any, target: Any, out: Any) -> None:
    """The smallest rotation from one direction to another."""
    a = _unit(source)
    b = _unit(target)
    _from_quaternion(1 + _dot(a, b), _cross(a, b), out)


@compiled
def two_bone(
    hip: Any, knee: Any, ankle: Any, hinge: Any, target: Any, least: float, most: float, out: Any
) -> float:
    """Rotations of thigh and shin in the world, ``out[0]`` and ``out[1]``, that bring the ankle to
    ``target``, with a bend from ``least`` to ``most``. Returns the bend. ``out[2]`` is written."""
    first = _minus(knee, hip)
    second = _minus(ankle, knee)
    a = _length(*first)
    b = _length(*second)
    along = _unit(first)
    axis = _along(_cross(along, _unit(second)), _unit(hinge), 2 * STRAIGHT)
    axis = _unit(_along(axis, along, -_dot(axis, along)))
    way = _minus(target, hip)
    distance = min(max(_length(*way), abs(a - b)), a + b)
    cosine = (distance * distance - a * a - b * b) / max(2 * a * b, 1e-12)
    bend = min(max(math.acos(min(max(cosine, -1.0), 1.0)), least), most)
    flat = _along(second, axis, -_dot(second, axis))
    now = math.atan2(_dot(_cross(first, flat), axis), _dot(first, flat))
    half = (bend - now) / 2
    sine = math.sin(half)
    _between(second, flat, out[2])
    _from_quaternion(math.cos(half), (sine * axis[0], sine * axis[1], sine * axis[2]), out[0])
    _times(out[0], out[2], out[1])
    bent = _of(out[1], second)
    _between((first[0] + bent[0], first[1] + bent[1], first[2] + bent[2]), way, out[0])
    _times(out[0], out[1], out[1])
    return bend


@compiled
def _foot(s: Any, toe: Any, ankle: Any, yaw: float, shape: Any, settings: Any, on: bool) -> None:
    """Bring a foot's memory up to date: where its toe is shifted to and how far it is turned about
    it, from where its toe and ankle are and the yaw of the foot."""
    seconds = settings[SECONDS]
    before = (s[TOE], s[TOE + 1], s[TOE + 2])
    before_ankle = (s[ANKLE], s[ANKLE + 1], s[ANKLE + 2])
    if s[SEEN] == 0 or _length(*_minus(toe, before)) > settings[JUMP]:
        s[:] = 0
        before = toe
        before_ankle = ankle
        s[YAW] = yaw
    toe_speed = _length(*_minus(toe, before)) / seconds
    ankle_speed = _length(*_minus(ankle, before_ankle)) / seconds

    # Where the foot goes if nothing changes.
    decay = settings[RELEASE] if s[PIVOT] == FREE else settings[STOP]
    s[REST_X], s[SPEED_X] = decayed(s[REST_X], s[SPEED_X], decay, seconds)
    s[REST_Z], s[SPEED_Z] = decayed(s[REST_Z], s[SPEED_Z], decay, seconds)
    decay = settings[STOP] if s[FLAT] > 0 else settings[RELEASE]
    s[REST_YAW], s[SPEED_YAW] = decayed(s[REST_YAW], s[SPEED_YAW], decay, seconds)
    turn = s[REST_YAW]
    if s[FLAT] > 0:
        turn += _wrap(s[LOCK_YAW] - yaw)
    foot_x, foot_z = _turned(ankle[0] - toe[0], ankle[2] - toe[2], turn)
    x = s[REST_X]
    z = s[REST_Z]
    if s[PIVOT] != FREE:
        x += s[LOCK_X] - toe[0]
        z += s[LOCK_Z] - toe[2]
        if s[PIVOT] == ON_HEEL:
            x -= foot_x
            z -= foot_z

    # What it stands on now.
    s[TOE_DOWN] = in_contact(s[TOE_DOWN], toe[1] - shape[TOE_STANDS], toe_speed, settings)
    s[HEEL_DOWN] = in_contact(s[HEEL_DOWN], ankle[1] - shape[HEEL_STANDS], ankle_speed, settings)
    far = math.sqrt(x * x + z * z)
    stands = s[TOE_DOWN] > 0 or s[HEEL_DOWN] > 0
    if not stands or (far < 0.15 * settings[RADIUS] and abs(turn) < 0.15 * settings[ANGLE]):
        s[TIRED] = 0
    if far > settings[RADIUS] or abs(turn) > settings[ANGLE]:
        s[TIRED] = 1
    pivot = FREE
    if on and s[TIRED] == 0:
        if s[TOE_DOWN] > 0:
            pivot = ON_TOE
        elif s[HEEL_DOWN] > 0 and shape[PLANTS] > 0:
            pivot = ON_HEEL
    flat = 1.0 if pivot == ON_TOE and s[HEEL_DOWN] > 0 else 0.0

    # Where that changes, the foot goes on from where it is, as fast as it is.
    if pivot != s[PIVOT]:
        s[SPEED_X] = (x - s[SHIFT_X]) / seconds
        s[SPEED_Z] = (z - s[SHIFT_Z]) / seconds
        s[REST_X] = x
        s[REST_Z] = z
        if pivot != FREE:
            point_x = x + toe[0]
            point_z = z + toe[2]
            moved_x = point_x - s[SHIFT_X] - before[0]
            moved_z = point_z - s[SHIFT_Z] - before[2]
            if pivot == ON_HEEL:
                old_x, old_z = _turned(
                    before_ankle[0] - before[0], before_ankle[2] - before[2], s[TURN]
                )
                moved_x += foot_x - old_x
                moved_z += foot_z - old_z
                point_x += foot_x
                point_z += foot_z
            # A spring that starts at −v/decay with the speed v comes to rest without turning back.
            s[SPEED_X] = moved_x / seconds
            s[SPEED_Z] = moved_z / seconds
            s[REST_X] = -s[SPEED_X] / settings[STOP]
            s[REST_Z] = -s[SPEED_Z] / settings[STOP]
            s[LOCK_X] = point_x - s[REST_X]
            s[LOCK_Z] = point_z - s[REST_Z]
    if flat != s[FLAT]:
        s[SPEED_YAW] = (turn - s[TURN]) / seconds
        s[REST_YAW] = turn
        if flat > 0:
            s[SPEED_YAW] = _wrap(yaw + turn - s[YAW] - s[TURN]) / seconds
            s[REST_YAW] = -s[SPEED_YAW] / settings[STOP]
            s[LOCK_YAW] = yaw + turn - s[REST_YAW]

    s[PIVOT] = pivot
    s[FLAT] = flat
    s[SHIFT_X] = x
    s[SHIFT_Z] = z
    s[TURN] = turn
    s[YAW] = yaw
    for k in range(3):
        s[TOE + k] = toe[k]
        s[ANKLE + k] = ankle[k]


@compiled
def _reachable(hip: Any, toe: Any, ankle: Any, foot: float, own: float, leg: float, settings: Any) -> Any:  # fmt: skip
    """The ankle, nearer to the hip if it is out of reach: the heel rises, and the toe stays."""
    soft = max(own, settings[SOFT] * leg)
    hard = max(own, settings[HARD] * leg)
    for _ in range(3):
        way = _minus(ankle, hip)
        distance = _length(*way)
        if distance <= soft:
            break
        reach = soft
        if hard - soft > 1e-6:
            reach += (hard - soft) * (1 - math.exp((soft - distance) / (hard - soft)))
        ankle = _along(hip, way, reach / distance)
        if foot < 1e-6:
            break
        up = _minus(ankle, toe)
        ankle = _along(toe, up, foot / max(_length(*up), 1e-9))
    return ankle


@compiled
def step(
    root: Any, rotations: Any, offsets: Any, links: Any, legs: Any, shape: Any, settings: Any,
    ground: Any, feet: Any, sink: Any, on: bool
) -> Any:  # fmt: skip
    """Root positions (B, 3) and world joint rotations (B, J, 3, 3) with feet that stand still.

    ``offsets`` (J, 3) are the bones, ``links`` (J, 2) each joint's parent and the part of a leg
    that it turns with, ``legs`` (F, 4) the joints at hip, knee, ankle and toe, ``shape`` (F, SHAPE)
    what else is known of them, ``ground`` (B, F) the height of the ground at each foot. ``feet``
    (B, F, MEMORY) and ``sink`` (B, 2) are kept from step to step, and written.
    """
    count, joints = rotations.shape[:2]
    number = legs.shape[0]
    moved = root.copy()
    turned = rotations.copy()
    place = np.empty((joints, 3))
    target = np.empty((number, 2, 3))  # of ankle and toe
    turns = np.empty((3 * number, 3, 3))  # of thigh, shin and foot
    spare = np.empty((3, 3, 3))
    for b in range(count):
        for k in range(3):
            place[0, k] = root[b, k]
        for j in range(1, joints):
            p = links[j, 0]
            bone = _of(rotations[b, p], offsets[j])
            for k in range(3):
                place[j, k] = place[p, k] + bone[k]

        base = ground[b, 0]
        for f in range(number):
            base = min(base, ground[b, f])
        deepest = 0.0
        for f in range(number):
            s = feet[b, f]
            hip, knee, ankle, toe = place[legs[f, 0]], place[legs[f, 1]], place[legs[f, 2]], place[legs[f, 3]]  # fmt: skip
            ahead = _of(rotations[b, legs[f, 2]], shape[f, FORWARD:])
            now = (toe[0], toe[1], toe[2])
            heel = (ankle[0], ankle[1], ankle[2])
            _foot(s, now, heel, math.atan2(ahead[0], ahead[2]), shape[f], settings, on)

            x, z = _turned(heel[0] - now[0], heel[2] - now[2], s[TURN])
            lift = max(0.0, -now[1]) if legs[f, 2] == legs[f, 3] else max(0.0, -now[1], -heel[1])
            target[f, 1, 0] = now[0] + s[SHIFT_X]
            target[f, 1, 1] = now[1] + ground[b, f] + lift
            target[f, 1, 2] = now[2] + s[SHIFT_Z]
            target[f, 0, 0] = target[f, 1, 0] + x
            target[f, 0, 1] = heel[1] + ground[b, f] + lift
            target[f, 0, 2] = target[f, 1, 2] + z

            # As in ik.needed_drop, from where hips are over ground of this height.
            way = _minus(heel, (hip[0], hip[1], hip[2]))
            reach = max(_length(*way), settings[SOFT] * shape[f, LENGTH])
            aside_x = target[f, 0, 0] - hip[0]
            aside_z = target[f, 0, 2] - hip[2]
            height = math.sqrt(max(reach * reach - aside_x * aside_x - aside_z * aside_z, 0.0))
            drop = hip[1] + base - target[f, 0, 1] - height
            if drop > settings[DEEPEST]:
                s[TIRED] = 1
            deepest = max(deepest, min(drop, settings[DEEPEST]))

        wanted = base - deepest
        value, speed = decayed(sink[b, 0] - wanted, sink[b, 1], settings[SINK], settings[SECONDS])
        sink[b, 0] = wanted + value
        sink[b, 1] = speed
        moved[b, 1] += sink[b, 0]
        for f in range(number):
            _pose_leg(place, sink[b, 0], rotations[b], legs[f], shape[f], settings, target[f],
                      feet[b, f], turns[3 * f : 3 * f + 3], spare)  # fmt: skip
        for j in range(joints):
            if links[j, 1] >= 0:
                _times(turns[links[j, 1]], rotations[b, j], turned[b, j])
        for f in range(number):
            _lift_toe(turned[b, legs[f, 3]], target[f, 1, 1] - ground[b, f], shape[f], spare)
    return moved, turned


@compiled
def _pose_leg(
    place: Any, lower: float, rotations: Any, leg: Any, shape: Any, settings: Any, target: Any,
    s: Any, turns: Any, spare: Any
) -> None:  # fmt: skip
    """How thigh, shin and foot turn in the world so that ankle and toe are at their targets."""
    own = _minus(place[leg[2]], place[leg[0]])
    reach = _length(*own)
    hip = (place[leg[0], 0], place[leg[0], 1] + lower, place[leg[0], 2])
    knee = (place[leg[1], 0], place[leg[1], 1] + lower, place[leg[1], 2])
    ankle = (place[leg[2], 0], place[leg[2], 1] + lower, place[leg[2], 2])
    toe = (target[1, 0], target[1, 1], target[1, 2])
    wanted = (target[0, 0], target[0, 1], target[0, 2])
    foot = _length(*_minus(wanted, toe))
    end = _reachable(hip, toe, wanted, foot, reach, shape[LENGTH], settings)
    least, most = 0.0, math.pi
    if s[SEEN] > 0:
        least = s[BEND] - shape[FASTEST] * settings[SECONDS]
        most = s[BEND] + shape[FASTEST] * settings[SECONDS]
    hinge = _of(rotations[leg[0]], shape[HINGE:])
    s[BEND] = two_bone(hip, knee, ankle, hinge, end, max(least, 0.0), min(most, math.pi), spare)
    s[SEEN] = 1
    _times(np.eye(3), spare[0], turns[0])
    _times(np.eye(3), spare[1], turns[1])
    half = s[TURN] / 2
    _from_quaternion(math.cos(half), (0.0, math.sin(half), 0.0), turns[2])
    if foot > 1e-6:
        _between(_minus(wanted, toe), _minus(end, toe), spare[0])
        _times(spare[0], turns[2], turns[2])


@compiled
def _lift_toe(rotation: Any, height: float, shape: Any, spare: Any) -> None:
    """Turn a toe whose tip is below the ground, with its joint at a ``height`` above it."""
    tip = _of(rotation, shape[TIP:])
    size = _length(*tip)
    if size < 1e-6 or height + tip[1] >= 0:
        return
    rise = min(max(-height / size, -1.0), 1.0)
    level = math.sqrt(1 - rise * rise) / max(math.sqrt(tip[0] * tip[0] + tip[2] * tip[2]), 1e-9)
    _between(tip, (level * tip[0], rise, level * tip[2]), spare[0])
    _times(spare[0], rotation, rotation)
