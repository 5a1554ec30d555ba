"""One step of foot locking, compiled: see :mod:`controller.motion.foot_lock`.

What is drawn of one character costs a few microseconds here; as operators of torch it would cost
more than its whole step. Numba compiles this for the current processor and caches it on disk. It
does not see changes in other modules that compiled code calls, so all of it is in one file. The
leg's formulas are those of :func:`controller.motion.ik.two_bone`; a test compares the two.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from controller.core.compiling import cached

compiled = cached(fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")

# Columns of a foot's memory. LOCK is where the pivot is held, REST how far it still is from there
# (or the foot from the input, if it is free), SHIFT and TURN are how the whole foot was moved last.
SEEN, PIVOT, FLAT, TOE_DOWN, HEEL_DOWN, TIRED = range(6)
LOCK_X, LOCK_Z, LOCK_YAW, REST_X, REST_Z, REST_YAW, SPEED_X, SPEED_Z, SPEED_YAW = range(6, 15)
SHIFT_X, SHIFT_Z, TURN, YAW, BEND = range(15, 20)
TOE, ANKLE = 20, 23  # the input's, three columns each
MEMORY = 26
FREE, ON_TOE, ON_HEEL = range(3)

# Columns of what is known of a leg; the first three have three each. Then those of the settings.
FORWARD, HINGE, TIP = 0, 3, 6
TOE_STANDS, HEEL_STANDS, LENGTH, FASTEST, PLANTS = range(9, 14)
LOW, LIFTED, SLOW, QUICK, RADIUS, ANGLE, STOP, RELEASE, SINK, DEEPEST = range(10)
SOFT, HARD, JUMP, SECONDS = range(10, 14)
SETTINGS = 14
RESTED = 0.15  # share of radius and angle within which a foot that was let go may be held again
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
def _three(row: Any, first: int) -> Any:
    """Three columns as a tuple: one kind of vectors is compiled once."""
    return row[first], row[first + 1], row[first + 2]


@compiled
def _length(a: Any) -> float:
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


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
    scale = 1 / max(_length(a), 1e-12)
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
) -> Any:
    """Rotations of thigh and shin in the world, ``out[0]`` and ``out[1]``, that bring the ankle to
    ``target``, or towards it with a bend from ``least`` to ``most``. Returns the bend, and the
    distance from hip to ankle. ``out[2]`` is overwritten."""
    first = _minus(knee, hip)
    second = _minus(ankle, knee)
    a = _length(first)
    b = _length(second)
    along = _unit(first)
    axis = _along(_cross(along, _unit(second)), _unit(hinge), 2 * STRAIGHT)
    axis = _unit(_along(axis, along, -_dot(axis, along)))
    way = _minus(target, hip)
    distance = min(max(_length(way), abs(a - b)), a + b)
    cosine = (distance * distance - a * a - b * b) / max(2 * a * b, 1e-12)
    bend = min(max(math.acos(min(max(cosine, -1.0), 1.0)), least), most)
    flat = _along(second, axis, -_dot(second, axis))
    half = (bend - math.atan2(_dot(_cross(first, flat), axis), _dot(first, flat))) / 2
    sine = math.sin(half)
    _between(second, flat, out[2])
    _from_quaternion(math.cos(half), (sine * axis[0], sine * axis[1], sine * axis[2]), out[0])
    _times(out[0], out[2], out[1])
    whole = _along(first, _of(out[1], second), 1.0)
    _between(whole, way, out[0])
    _times(out[0], out[1], out[1])
    return bend, _length(whole)


@compiled
def _expected(s: Any, toe: Any, ankle: Any, yaw: float, settings: Any) -> Any:
    """How the foot is shifted (x, z) and turned about its toe if it stays held, or free, as it is.
    Its springs move on."""
    seconds = settings[SECONDS]
    decay = settings[RELEASE] if s[PIVOT] == FREE else settings[STOP]
    s[REST_X], s[SPEED_X] = decayed(s[REST_X], s[SPEED_X], decay, seconds)
    s[REST_Z], s[SPEED_Z] = decayed(s[REST_Z], s[SPEED_Z], decay, seconds)
    decay = settings[STOP] if s[FLAT] > 0 else settings[RELEASE]
    s[REST_YAW], s[SPEED_YAW] = decayed(s[REST_YAW], s[SPEED_YAW], decay, seconds)
    turn = s[REST_YAW]
    if s[FLAT] > 0:
        turn += _wrap(s[LOCK_YAW] - yaw)
    x = s[REST_X]
    z = s[REST_Z]
    if s[PIVOT] != FREE:
        x += s[LOCK_X] - toe[0]
        z += s[LOCK_Z] - toe[2]
    if s[PIVOT] == ON_HEEL:
        heel_x, heel_z = _turned(ankle[0] - toe[0], ankle[2] - toe[2], turn)
        x -= heel_x
        z -= heel_z
    return x, z, turn


@compiled
def _pivot(
    s: Any, toe: Any, ankle: Any, far: float, turn: float, shape: Any, settings: Any, on: bool
) -> Any:
    """By what the foot is held now, and whether its yaw is held, too."""
    toe_speed = _length(_minus(toe, _three(s, TOE))) / settings[SECONDS]
    heel_speed = _length(_minus(ankle, _three(s, ANKLE))) / settings[SECONDS]
    s[TOE_DOWN] = in_contact(s[TOE_DOWN], toe[1] - shape[TOE_STANDS], toe_speed, settings)
    s[HEEL_DOWN] = in_contact(s[HEEL_DOWN], ankle[1] - shape[HEEL_STANDS], heel_speed, settings)
    stands = s[TOE_DOWN] > 0 or s[HEEL_DOWN] > 0
    if not stands or (far < RESTED * settings[RADIUS] and turn < RESTED * settings[ANGLE]):
        s[TIRED] = 0
    if far > settings[RADIUS] or turn > settings[ANGLE]:
        s[TIRED] = 1
    if not on or s[TIRED] > 0:
        return FREE, 0
    if s[TOE_DOWN] > 0:
        return ON_TOE, 1 if s[HEEL_DOWN] > 0 else 0
    if s[HEEL_DOWN] > 0 and shape[PLANTS] > 0:
        return ON_HEEL, 0
    return FREE, 0


@compiled
def _change(
    s: Any, toe: Any, ankle: Any, yaw: float, x: float, z: float, turn: float, pivot: int,
    flat: int, settings: Any
) -> None:  # fmt: skip
    """Hold the foot by another pivot, or let it go: it goes on from where it is, as fast as it is.

    A spring that starts at −v / decay with the speed v comes to rest without turning back.
    """
    seconds = settings[SECONDS]
    if pivot != s[PIVOT]:
        s[REST_X] = x
        s[REST_Z] = z
        s[SPEED_X] = (x - s[SHIFT_X]) / seconds
        s[SPEED_Z] = (z - s[SHIFT_Z]) / seconds
        if pivot != FREE:
            place_x = toe[0] + x
            place_z = toe[2] + z
            before_x = s[TOE] + s[SHIFT_X]
            before_z = s[TOE + 2] + s[SHIFT_Z]
            if pivot == ON_HEEL:
                heel_x, heel_z = _turned(ankle[0] - toe[0], ankle[2] - toe[2], turn)
                old_x, old_z = _turned(s[ANKLE] - s[TOE], s[ANKLE + 2] - s[TOE + 2], s[TURN])
                place_x += heel_x
                place_z += heel_z
                before_x += old_x
                before_z += old_z
            s[SPEED_X] = (place_x - before_x) / seconds
            s[SPEED_Z] = (place_z - before_z) / seconds
            s[REST_X] = -s[SPEED_X] / settings[STOP]
            s[REST_Z] = -s[SPEED_Z] / settings[STOP]
            s[LOCK_X] = place_x - s[REST_X]
            s[LOCK_Z] = place_z - s[REST_Z]
    if flat != s[FLAT]:
        s[REST_YAW] = turn
        s[SPEED_YAW] = (turn - s[TURN]) / seconds
        if flat > 0:
            s[SPEED_YAW] = _wrap(yaw + turn - s[YAW] - s[TURN]) / seconds
            s[REST_YAW] = -s[SPEED_YAW] / settings[STOP]
            s[LOCK_YAW] = yaw + turn - s[REST_YAW]
    s[PIVOT] = pivot
    s[FLAT] = flat


@compiled
def _hold(s: Any, toe: Any, ankle: Any, yaw: float, shape: Any, settings: Any, on: bool) -> None:
    """Bring a foot's memory up to date with the input's toe, ankle and yaw of the foot."""
    if s[SEEN] == 0 or _length(_minus(toe, _three(s, TOE))) > settings[JUMP]:
        s[:] = 0
        s[YAW] = yaw
        for k in range(3):
            s[TOE + k] = toe[k]
            s[ANKLE + k] = ankle[k]
    x, z, turn = _expected(s, toe, ankle, yaw, settings)
    far = math.sqrt(x * x + z * z)
    pivot, flat = _pivot(s, toe, ankle, far, abs(turn), shape, settings, on)
    _change(s, toe, ankle, yaw, x, z, turn, pivot, flat, settings)
    s[SHIFT_X] = x
    s[SHIFT_Z] = z
    s[TURN] = turn
    s[YAW] = yaw
    for k in range(3):
        s[TOE + k] = toe[k]
        s[ANKLE + k] = ankle[k]


@compiled
def _reachable(hip: Any, toe: Any, ankle: Any, own: float, length: float, settings: Any) -> Any:
    """The ankle, nearer to the hip if it is out of reach: the heel rises, and the toe stays.
    ``own`` is how far the input's leg reaches, ``length`` that of its bones."""
    foot = _length(_minus(ankle, toe))
    soft = max(own, settings[SOFT] * length)
    rest = max(own, settings[HARD] * length) - soft
    for _ in range(4):
        way = _minus(ankle, hip)
        distance = _length(way)
        if distance <= soft:
            break
        reach = soft
        if rest > 1e-6:
            reach += rest * (1 - math.exp((soft - distance) / rest))
        ankle = _along(hip, way, reach / distance)
        if foot < 1e-6:
            break
        up = _minus(ankle, toe)
        ankle = _along(toe, up, foot / max(_length(up), 1e-9))
    return ankle


@compiled
def _drop(hip: Any, ankle: Any, base: float, target: Any, length: float, settings: Any) -> float:
    """As :func:`controller.motion.ik.needed_drop`, for a leg that may be as straight as it was;
    less than 0 if it reaches further."""
    reach = max(_length(_minus(ankle, hip)), settings[SOFT] * length)
    x = target[0] - hip[0]
    z = target[2] - hip[2]
    return hip[1] + base - target[1] - math.sqrt(max(reach * reach - x * x - z * z, 0.0))


@compiled
def _pose(
    hip: Any, knee: Any, ankle: Any, hinge: Any, target: Any, s: Any, shape: Any, settings: Any,
    turns: Any, spare: Any
) -> float:  # fmt: skip
    """How thigh, shin and foot turn in the world, ``turns``, so that ankle and toe are where
    ``target`` (2, 3) says. Returns the height of the toe, which a knee's speed may change."""
    wanted = _three(target[0], 0)
    toe = _three(target[1], 0)
    own = _length(_minus(ankle, hip))
    end = _reachable(hip, toe, wanted, own, shape[LENGTH], settings)
    least = 0.0
    most = math.pi
    if s[SEEN] > 0:
        least = max(s[BEND] - shape[FASTEST] * settings[SECONDS], least)
        most = min(s[BEND] + shape[FASTEST] * settings[SECONDS], most)
    s[BEND], distance = two_bone(hip, knee, ankle, hinge, end, least, most, turns)
    s[SEEN] = 1
    half = s[TURN] / 2
    _from_quaternion(math.cos(half), (0.0, math.sin(half), 0.0), turns[2])
    if _length(_minus(wanted, toe)) > 1e-6:
        _between(_minus(wanted, toe), _minus(end, toe), spare)
        _times(spare, turns[2], turns[2])
    way = _minus(end, hip)
    return toe[1] + (distance / max(_length(way), 1e-9) - 1) * way[1]


@compiled
def _lift_tip(rotation: Any, height: float, shape: Any, spare: Any) -> None:
    """Turn a toe whose tip is below the ground, with its joint at a ``height`` above it."""
    tip = _of(rotation, _three(shape, TIP))
    size = _length(tip)
    if size < 1e-6 or height + tip[1] >= 0:
        return
    rise = min(max(-height / size, -1.0), 1.0)
    level = math.sqrt(1 - rise * rise) / max(math.sqrt(tip[0] * tip[0] + tip[2] * tip[2]), 1e-9)
    _between(tip, (level * tip[0], rise, level * tip[2]), spare)
    _times(spare, rotation, rotation)


@compiled
def _places(root: Any, rotations: Any, offsets: Any, links: Any, place: Any) -> None:
    """Forward kinematics: ``place`` (J, 3)."""
    for k in range(3):
        place[0, k] = root[k]
    for j in range(1, len(place)):
        bone = _of(rotations[links[j, 0]], _three(offsets[j], 0))
        for k in range(3):
            place[j, k] = place[links[j, 0], k] + bone[k]


@compiled
def _target(s: Any, toe: Any, ankle: Any, ground: float, out: Any) -> None:
    """Where ankle and toe go, ``out`` (2, 3): over ground of this height, and not into it."""
    x, z = _turned(ankle[0] - toe[0], ankle[2] - toe[2], s[TURN])
    lift = ground + max(0.0, -toe[1], -ankle[1])
    out[1, 0] = toe[0] + s[SHIFT_X]
    out[1, 1] = toe[1] + lift
    out[1, 2] = toe[2] + s[SHIFT_Z]
    out[0, 0] = out[1, 0] + x
    out[0, 1] = ankle[1] + lift
    out[0, 2] = out[1, 2] + z


@compiled
def step(
    root: Any, rotations: Any, offsets: Any, links: Any, legs: Any, shape: Any, settings: Any,
    ground: Any, feet: Any, sink: Any, on: bool
) -> Any:  # fmt: skip
    """Root positions (B, 3) and world joint rotations (B, J, 3, 3) with feet that stand still.

    ``offsets`` (J, 3) are the bones, ``links`` (J, 2) each joint's parent and the part of a leg
    that it turns with, ``legs`` (F, 4) the joints at hip, knee, ankle and toe, ``shape`` (F, 14)
    what else is known of them, ``ground`` (B, F) the height of the ground at each foot. ``feet``
    (B, F, MEMORY) and ``sink`` (B, 2), the hips' height and its speed, are kept from step to step,
    and written.
    """
    number = len(legs)
    root = root.copy()
    turned = rotations.copy()
    place = np.empty((len(offsets), 3))
    target = np.empty((number, 2, 3))
    turns = np.empty((3 * number, 3, 3))
    spare = np.empty((3, 3))
    for b in range(len(root)):
        _places(root[b], rotations[b], offsets, links, place)
        base = ground[b].min()
        deepest = 0.0
        for f in range(number):
            s = feet[b, f]
            hip = _three(place[legs[f, 0]], 0)
            ankle = _three(place[legs[f, 2]], 0)
            toe = _three(place[legs[f, 3]], 0)
            ahead = _of(rotations[b, legs[f, 2]], _three(shape[f], FORWARD))
            _hold(s, toe, ankle, math.atan2(ahead[0], ahead[2]), shape[f], settings, on)
            _target(s, toe, ankle, ground[b, f], target[f])
            drop = _drop(hip, ankle, base, _three(target[f, 0], 0), shape[f, LENGTH], settings)
            if drop > settings[DEEPEST]:
                s[TIRED] = 1
            deepest = max(deepest, min(drop, settings[DEEPEST]))

        wanted = base - deepest
        rest, speed = decayed(sink[b, 0] - wanted, sink[b, 1], settings[SINK], settings[SECONDS])
        sink[b, 0] = wanted + rest
        sink[b, 1] = speed
        root[b, 1] += sink[b, 0]
        place[:, 1] += sink[b, 0]
        for f in range(number):
            hip = _three(place[legs[f, 0]], 0)
            knee = _three(place[legs[f, 1]], 0)
            ankle = _three(place[legs[f, 2]], 0)
            hinge = _of(rotations[b, legs[f, 0]], _three(shape[f], HINGE))
            own = turns[3 * f : 3 * f + 3]
            height = _pose(
                hip, knee, ankle, hinge, target[f], feet[b, f], shape[f],
                settings, own, spare
            )  # fmt: skip
            target[f, 1, 1] = height - ground[b, f]
        for j in range(len(place)):
            if links[j, 1] >= 0:
                _times(turns[links[j, 1]], rotations[b, j], turned[b, j])
        for f in range(number):
            _lift_tip(turned[b, legs[f, 3]], target[f, 1, 1], shape[f], spare)
    return root, turned
