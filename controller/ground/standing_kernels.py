"""One step of standing on a ground, compiled: see :mod:`controller.ground.standing`.

Numba's cache of compiled code does not see changes in other modules, and this code calls that of
:mod:`controller.motion.leg_kernels`. So only :data:`step` is cached, under a name that has the
text of both modules in it.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from controller.core.compiling import cached
from controller.motion import leg_kernels
from controller.motion.leg_kernels import (
    _along,
    _between,
    _length,
    _lift_tip,
    _minus,
    _of,
    _places,
    _reachable,
    _three,
    _times,
    decayed,
    in_contact,
    two_bone,
)

HOW = {"fastmath": {"reassoc", "contract", "nsz", "arcp"}, "error_model": "numpy"}
compiled = njit(**HOW)  # type: ignore[call-overload]

# Columns of a foot's memory. RISE, MOVE and TILT are how the foot differs from one on flat ground,
# each with its speed: metres up, metres over the ground (x, z), and the slope on which it stands.
SEEN, TOE_DOWN, HEEL_DOWN, SWING, LASTS, LAND_AHEAD, LAND_ASIDE, BEND = range(8)
RISE, MOVE_X, MOVE_Z, TILT_X, TILT_Z = range(8, 18, 2)
WANT_X, WANT_Z = 18, 19
TOE, ANKLE = 20, 23  # of the input
MEMORY = 26
# Columns of a body's memory, each with its speed, and then the input's root.
LIFT, LEAN_X, LEAN_Z, SINK, GO_X, GO_Z = range(0, 12, 2)
ROOT = 12
BODY = 16
# Columns of a leg's shape, as in leg_kernels, and of the settings.
FORWARD, HINGE, TIP = 0, 3, 6
TOE_STANDS, HEEL_STANDS, LENGTH, FASTEST, PLANTS = range(9, 14)
LOW, LIFTED, SLOW, QUICK, SIZE, SECONDS, HIPS, DEEPEST, LEAN, JUMP, SOFT, HARD = range(12)
SETTINGS = 12

FOOT_STEEP = 0.58  # slope along a foot: 30°
FOOT_SIDE = 0.32  # and across it: 18°
MARGIN = 0.02  # m by which a foot that swings clears the ground
SHIFTS = 7
SHIFT = 0.02  # m: a foot is moved by up to 7 times that, to where it can stand
BAD = 0.01  # m: what is wrong with a place before another one is looked for
REACH = 0.45  # m around the hips that count for their height
FINEST = 4
POINTS = 8  # on the way of a foot that swings
LEAD = 0.7  # the share of the way that is left by which a foot goes ahead
FALL = 0.15  # if it goes down by so many metres
QUICKEST = 4.0  # m/s by which ground may lift a foot
AT_ONCE = 2.0  # steps in which a foot that stands gets where it belongs
LIMBER = 1.4  # how much faster than captured ones knees may be


@compiled
def _height(heights: Any, table: Any, x: float, z: float) -> float:
    """As :meth:`controller.ground.ground.Ground.height`."""
    rows, columns = heights.shape
    u = (x - table[0]) * table[2]
    v = (z - table[1]) * table[3]
    i = math.floor(u)
    k = math.floor(v)
    u -= i
    v -= k
    i = i % rows
    k = k % columns
    after = i + 1 if i + 1 < rows else 0
    beyond = k + 1 if k + 1 < columns else 0
    near = (1 - v) * heights[i, k] + v * heights[i, beyond]
    far = (1 - v) * heights[after, k] + v * heights[after, beyond]
    return (1 - u) * near + u * far


@compiled
def _around(heights: Any, table: Any, x: float, z: float, size: float) -> Any:
    """The ground's smooth height around a point, and its slope along x and z: of the plane that
    fits best, with a Hann window."""
    total = 0.0
    level = 0.0
    east = 0.0
    south = 0.0
    square = 0.0
    for i in range(-FINEST, FINEST + 1):
        a = i / (FINEST + 1)
        for k in range(-FINEST, FINEST + 1):
            b = k / (FINEST + 1)
            weight = (1 + math.cos(math.pi * a)) * (1 + math.cos(math.pi * b))
            height = _height(heights, table, x + a * REACH * size, z + b * REACH * size)
            total += weight
            level += weight * height
            east += weight * a * height
            south += weight * b * height
            square += weight * a * a
    scale = 1 / (square * REACH * size)
    return level / total, east * scale, south * scale


@compiled
def _towards(row: Any, column: int, target: float, seconds: float, left: float) -> None:
    """One step of a value that arrives at ``target`` at rest, ``left`` s from now: on a cubic."""
    left = max(left, 1.5 * seconds)
    s = seconds / left
    value = row[column]
    speed = row[column + 1]
    apart = target - value
    row[column] = value + (s - 2 * s * s + s * s * s) * left * speed
    row[column] += (3 - 2 * s) * s * s * apart
    row[column + 1] = (1 - 4 * s + 3 * s * s) * speed + 6 * (1 - s) * s * apart / left


@compiled
def _follow(row: Any, column: int, target: float, decay: float, seconds: float) -> None:
    """One step of a critically damped spring."""
    rest, row[column + 1] = decayed(row[column] - target, row[column + 1], decay, seconds)
    row[column] = target + rest


@compiled
def _support(
    heights: Any, table: Any, x: float, z: float, ux: float, uz: float, long: float, tip: float
) -> Any:
    """How a foot stands with its toe joint at (x, z), pointing along (ux, uz), its ankle ``long`` m
    behind: the ground under the toe, the slope along the foot, by how much the toe must be above
    the ground there, and how bad the place is, in metres."""
    toe = _height(heights, table, x, z)
    heel = _height(heights, table, x - long * ux, z - long * uz)
    slope = (toe - heel) / long
    steep = min(max(slope, -FOOT_STEEP), FOOT_STEEP)
    hang = toe - steep * long - heel
    rise = max(-hang, 0.0)
    ahead = _height(heights, table, x + tip * ux, z + tip * uz)
    step = max(ahead - toe - rise - steep * tip, 0.0)
    edge = 0.3 * max(toe + rise + steep * tip - ahead - 0.03, 0.0)
    return toe, steep, rise, 3 * rise + 0.5 * max(hang, 0.0) + 2 * min(step, 0.2) + edge


@compiled
def _side_slope(heights: Any, table: Any, x: float, z: float, ux: float, uz: float) -> float:
    """The ground's slope across a foot, towards (uz, −ux)."""
    half = 0.035
    left = _height(heights, table, x + half * uz, z - half * ux)
    right = _height(heights, table, x - half * uz, z + half * ux)
    slope = (left - right) / (2 * half)
    return slope if abs(slope) < 0.7 else 0.0  # an edge, not a slope


@compiled
def _better(
    heights: Any, table: Any, x: float, z: float, ux: float, uz: float, long: float, tip: float,
    size: float
) -> float:  # fmt: skip
    """By how many metres along itself a foot should be moved, to stand better."""
    best = _support(heights, table, x, z, ux, uz, long, tip)[3]
    if best < BAD * size:
        return 0.0
    move = 0.0
    for k in range(1, SHIFTS + 1):
        away = k * SHIFT * size
        for side in range(2):
            by = away if side == 0 else -away
            place = _support(heights, table, x + by * ux, z + by * uz, ux, uz, long, tip)
            cost = place[3] + 0.1 * away
            if cost < best:
                best = cost
                move = by
    return move


@compiled
def _foot(
    s: Any, toe: Any, ankle: Any, u: Any, body: Any, heights: Any, table: Any, shape: Any,
    settings: Any
) -> None:  # fmt: skip
    """Bring a foot's memory up to date: how it differs from one on flat ground."""
    seconds = settings[SECONDS]
    size = settings[SIZE]
    ux, uz = u
    long = max((toe[0] - ankle[0]) * ux + (toe[2] - ankle[2]) * uz, 0.06 * size)
    tip = 0.06 * size
    fresh = s[SEEN] == 0 or _length(_minus(toe, _three(s, TOE))) > settings[JUMP]
    toe_speed = _length(_minus(toe, _three(s, TOE))) / seconds
    heel_speed = _length(_minus(ankle, _three(s, ANKLE))) / seconds
    if fresh:
        s[:] = 0
        s[LASTS] = 0.4
        toe_speed = heel_speed = 0.0
    way_x = (toe[0] - s[TOE]) / seconds if not fresh else 0.0
    way_z = (toe[2] - s[TOE + 2]) / seconds if not fresh else 0.0
    clear = toe[1] - shape[TOE_STANDS]
    s[TOE_DOWN] = in_contact(s[TOE_DOWN], clear, toe_speed, settings)
    heel_clear = ankle[1] - shape[HEEL_STANDS]
    s[HEEL_DOWN] = in_contact(s[HEEL_DOWN], heel_clear, heel_speed, settings)
    down = s[TOE_DOWN] > 0 or (s[HEEL_DOWN] > 0 and shape[PLANTS] > 0)
    for k in range(3):
        s[TOE + k] = toe[k]
        s[ANKLE + k] = ankle[k]

    x = toe[0]
    z = toe[2]
    left = AT_ONCE * seconds
    if down:
        if s[SWING] > 0 or fresh:
            if s[SWING] > 0.1:
                s[LASTS] = 0.5 * s[LASTS] + 0.5 * min(s[SWING], 0.8)
            from_x = x - body[ROOT]
            from_z = z - body[ROOT + 2]
            s[LAND_AHEAD] = from_x * ux + from_z * uz
            s[LAND_ASIDE] = from_x * uz - from_z * ux
            here = _support(
                heights, table, x + s[MOVE_X], z + s[MOVE_Z], ux, uz, long, tip
            )  # fmt: skip
            if fresh or here[3] > 2 * BAD * size:
                by = _better(heights, table, x, z, ux, uz, long, tip, size)
                s[WANT_X] = by * ux
                s[WANT_Z] = by * uz
            else:
                s[WANT_X] = s[MOVE_X]
                s[WANT_Z] = s[MOVE_Z]
        s[SWING] = 0
    else:
        s[SWING] += seconds
        share = min(s[SWING] / max(s[LASTS], 0.1), 1.0)
        left = max(s[LASTS] - s[SWING] - seconds, left)
        goal_x = body[ROOT] + body[GO_X] * left + s[LAND_AHEAD] * ux + s[LAND_ASIDE] * uz
        goal_z = body[ROOT + 2] + body[GO_Z] * left + s[LAND_AHEAD] * uz - s[LAND_ASIDE] * ux
        seen = share * share
        x = (1 - seen) * goal_x + seen * (x + 0.5 * left * way_x)
        z = (1 - seen) * goal_z + seen * (z + 0.5 * left * way_z)
        by = _better(heights, table, x, z, ux, uz, long, tip, size)
        s[WANT_X] = by * ux
        s[WANT_Z] = by * uz
    lead_x = s[WANT_X]
    lead_z = s[WANT_Z]
    if not down:  # downwards, a foot goes ahead first
        fall = s[RISE] - _height(heights, table, x + s[WANT_X], z + s[WANT_Z])
        share = LEAD * min(max(fall / (FALL * size), 0.0), 1.0) * min(s[SWING] / s[LASTS], 1.0)
        lead_x += share * (x - toe[0])
        lead_z += share * (z - toe[2])
    _towards(s, MOVE_X, lead_x, seconds, left if down else max(0.5 * left, AT_ONCE * seconds))
    _towards(s, MOVE_Z, lead_z, seconds, left if down else max(0.5 * left, AT_ONCE * seconds))

    at_x = toe[0] + s[MOVE_X]
    at_z = toe[2] + s[MOVE_Z]
    if down:
        x = at_x
        z = at_z
    else:
        x += s[WANT_X]
        z += s[WANT_Z]
    level, steep, rise, _ = _support(heights, table, x, z, ux, uz, long, tip)
    side = min(max(_side_slope(heights, table, x, z, ux, uz), -FOOT_SIDE), FOOT_SIDE)
    _towards(s, TILT_X, steep * ux + side * uz, seconds, left)
    _towards(s, TILT_Z, steep * uz - side * ux, seconds, left)
    target = level + rise
    if s[TOE_DOWN] > 0:  # nearer to the ground than on the flat, where it may float a little
        target -= clear - min(max(clear, -0.003 * size), 0.01 * size)
    _towards(s, RISE, target, seconds, left)

    if not down:
        # Over whatever is higher than the way on the cubic: as a string would be pulled tight.
        need = -QUICKEST
        after = max(left - seconds, 0.5 * seconds)
        bare = max(min(clear, heel_clear), 0.0)
        margin = MARGIN * size * (1 - min(s[SWING] / s[LASTS], 1.0) ** 2)
        tilt = s[TILT_X] * ux + s[TILT_Z] * uz
        for k in range(1, POINTS):
            share = k / POINTS
            px = at_x + share * (x - at_x)
            pz = at_z + share * (z - at_z)
            top = max(
                _height(heights, table, px, pz),
                _height(heights, table, px + tip * ux, pz + tip * uz) - tilt * tip,
                _height(heights, table, px - long * ux, pz - long * uz) + tilt * long,
            )
            over = top + margin - (1 - share) * bare
            expected = s[RISE] + (3 - 2 * share) * share * share * (target - s[RISE])
            expected += share * (1 - share) * (1 - share) * after * s[RISE + 1]
            if over > expected:
                need = max(need, (over - s[RISE]) / max(share * left, seconds))
        if need > s[RISE + 1]:
            s[RISE] += (min(need, QUICKEST) - s[RISE + 1]) * seconds
            s[RISE + 1] = min(need, QUICKEST)
    if fresh:
        s[RISE] = target
        s[MOVE_X] = s[WANT_X]
        s[MOVE_Z] = s[WANT_Z]
        s[TILT_X] = steep * ux + side * uz
        s[TILT_Z] = steep * uz - side * ux
        s[RISE + 1] = s[MOVE_X + 1] = s[MOVE_Z + 1] = s[TILT_X + 1] = s[TILT_Z + 1] = 0
    # Never in the ground.
    least = _height(heights, table, toe[0] + s[MOVE_X], toe[2] + s[MOVE_Z]) - clear - 0.003 * size
    if s[RISE] < least:
        s[RISE] = least
        s[RISE + 1] = max(s[RISE + 1], 0.0)


@compiled
def _target(s: Any, toe: Any, ankle: Any, out: Any, turn: Any) -> None:
    """Where ankle and toe go, ``out`` (2, 3), and how the foot turns, ``turn`` (3, 3)."""
    _between((0.0, 1.0, 0.0), (-s[TILT_X], 1.0, -s[TILT_Z]), turn)
    out[1, 0] = toe[0] + s[MOVE_X]
    out[1, 1] = toe[1] + s[RISE]
    out[1, 2] = toe[2] + s[MOVE_Z]
    foot = _of(turn, _minus(ankle, toe))
    for k in range(3):
        out[0, k] = out[1, k] + foot[k]


@compiled
def _body(
    body: Any, root: Any, place: Any, legs: Any, heights: Any, table: Any, settings: Any
) -> None:  # fmt: skip
    """Bring a body's memory up to date: its height on the ground, and how it leans."""
    seconds = settings[SECONDS]
    size = settings[SIZE]
    number = len(legs)
    hind_x = (place[legs[0, 0], 0] + place[legs[1 % number, 0], 0]) / 2
    hind_z = (place[legs[0, 0], 2] + place[legs[1 % number, 0], 2]) / 2
    level, east, south = _around(heights, table, hind_x, hind_z, size)
    level += east * (root[0] - hind_x) + south * (root[2] - hind_z)
    lean_x = settings[LEAN] * east
    lean_z = settings[LEAN] * south
    if number >= 4:  # its back is along the line between its fore and hind legs
        fore_x = (place[legs[2, 0], 0] + place[legs[3, 0], 0]) / 2
        fore_z = (place[legs[2, 0], 2] + place[legs[3, 0], 2]) / 2
        fore = _around(heights, table, fore_x, fore_z, size)[0]
        way_x = fore_x - hind_x
        way_z = fore_z - hind_z
        long = max(math.sqrt(way_x * way_x + way_z * way_z), 0.05)
        hind = _around(heights, table, hind_x, hind_z, size)[0]
        rise = (fore - hind) / long
        level = hind + rise * ((root[0] - hind_x) * way_x + (root[2] - hind_z) * way_z) / long
        lean_x = -rise * way_x / long
        lean_z = -rise * way_z / long
    fresh = body[ROOT + 3] == 0
    go_x = 0.0 if fresh else (root[0] - body[ROOT]) / seconds
    go_z = 0.0 if fresh else (root[2] - body[ROOT + 2]) / seconds
    if fresh or go_x * go_x + go_z * go_z > 400:
        body[:] = 0
        body[LIFT] = level
        body[LEAN_X] = lean_x
        body[LEAN_Z] = lean_z
        go_x = go_z = 0.0
    decay = settings[HIPS]
    _follow(body, LEAN_X, lean_x, 0.4 * decay, seconds)
    _follow(body, LEAN_Z, lean_z, 0.4 * decay, seconds)
    _follow(body, GO_X, go_x, 0.5 * decay, seconds)
    _follow(body, GO_Z, go_z, 0.5 * decay, seconds)
    climbing = east * body[GO_X] + south * body[GO_Z]
    _follow(body, LIFT, level + 2 * climbing / decay, decay, seconds)  # without its delay
    body[ROOT + 3] = 1
    for k in range(3):
        body[ROOT + k] = root[k]


@compiled
def _drop(hip: Any, own: float, target: Any, length: float, settings: Any) -> float:
    """By how many metres a hip must sink so that its leg reaches; less than 0 if it does."""
    reach = max(own, settings[SOFT] * length)
    x = target[0] - hip[0]
    z = target[2] - hip[2]
    return hip[1] - target[1] - math.sqrt(max(reach * reach - x * x - z * z, 0.0))


@compiled
def _one(
    root: Any, rotations: Any, offsets: Any, links: Any, legs: Any, shape: Any, settings: Any,
    heights: Any, table: Any, feet: Any, body: Any, turned: Any, work: Any
) -> None:  # fmt: skip
    """One character: ``root`` (3,) and ``turned`` (J, 3, 3) are written."""
    place, target, turns, spare, found = work
    number = len(legs)
    _places(root, rotations, offsets, links, place)
    _body(body, root, place, legs, heights, table, settings)
    lean = spare[1]
    _between((0.0, 1.0, 0.0), (body[LEAN_X], 1.0, body[LEAN_Z]), lean)
    deepest = 0.0
    for f in range(number):
        s = feet[f]
        ankle = _three(place[legs[f, 2]], 0)
        toe = _three(place[legs[f, 3]], 0)
        ahead = _of(rotations[legs[f, 2]], _three(shape[f], FORWARD))
        level = max(math.sqrt(ahead[0] * ahead[0] + ahead[2] * ahead[2]), 1e-6)
        u = (ahead[0] / level, ahead[2] / level)
        _foot(s, toe, ankle, u, body, heights, table, shape[f], settings)
        _target(s, toe, ankle, target[f], turns[3 * f + 2])
        # The hip leans with the body; the rest of the leg is moved along.
        hip = _three(place[legs[f, 0]], 0)
        moved = _of(lean, _minus(hip, _three(root, 0)))
        own = _length(_minus(ankle, hip))
        hip = (root[0] + moved[0], root[1] + moved[1] + body[LIFT], root[2] + moved[2])
        drop = _drop(hip, own, _three(target[f, 0], 0), shape[f, LENGTH], settings)
        deepest = max(deepest, min(drop, settings[DEEPEST]))
    _follow(body, SINK, deepest, 1.6 * settings[HIPS], settings[SECONDS])

    rise = body[LIFT] - body[SINK]
    for f in range(number):
        s = feet[f]
        hip = _three(place[legs[f, 0]], 0)
        knee = _three(place[legs[f, 1]], 0)
        ankle = _three(place[legs[f, 2]], 0)
        own = _length(_minus(ankle, hip))
        moved = _of(lean, _minus(hip, _three(root, 0)))
        new = (root[0] + moved[0], root[1] + moved[1] + rise, root[2] + moved[2])
        by = _minus(new, hip)
        wanted = _three(target[f, 0], 0)
        toe = _three(target[f, 1], 0)
        end = _reachable(new, toe, wanted, own, shape[f, LENGTH], settings)
        least = 0.0
        most = math.pi
        if s[SEEN] > 0:
            step = LIMBER * shape[f, FASTEST] * settings[SECONDS]
            least = max(s[BEND] - step, least)
            most = min(s[BEND] + step, most)
        hinge = _of(rotations[legs[f, 0]], _three(shape[f], HINGE))
        part = turns[3 * f : 3 * f + 2]
        s[BEND], distance = two_bone(
            new, _along(knee, by, 1.0), _along(ankle, by, 1.0), hinge, end, least, most, found
        )  # fmt: skip
        part[0] = found[0]
        part[1] = found[1]
        s[SEEN] = 1
        if _length(_minus(wanted, toe)) > 1e-6:
            _between(_minus(wanted, toe), _minus(end, toe), spare[0])
            _times(spare[0], turns[3 * f + 2], turns[3 * f + 2])
        way = _minus(end, new)
        reached = _along(new, way, distance / max(_length(way), 1e-9))
        for k in range(3):
            target[f, 1, k] = toe[k] + reached[k] - end[k]

    root[1] += rise
    for j in range(len(place)):
        if links[j, 1] >= 0:
            _times(turns[links[j, 1]], rotations[j], turned[j])
        else:
            _times(lean, rotations[j], turned[j])
    for f in range(number):
        tip = _of(turned[legs[f, 3]], _three(shape[f], TIP))
        toe = _three(target[f, 1], 0)
        size = _length(tip)
        ground = _height(heights, table, toe[0] + tip[0], toe[2] + tip[2])
        _lift_tip(turned[legs[f, 3]], max(toe[1] - ground, -0.5 * size), shape[f], spare[0])


def _step_of(version: str) -> Any:
    """:data:`step`, compiled for this ``version`` of the code that it calls."""

    @cached(**HOW)
    def step(
        root: Any, rotations: Any, offsets: Any, links: Any, legs: Any, shape: Any, settings: Any,
        heights: Any, table: Any, feet: Any, body: Any
    ) -> Any:  # fmt: skip
        """Root positions (B, 3) and world joint rotations (B, J, 3, 3) on the ground of a table of
        ``heights``.

        The first arguments are those of :func:`controller.motion.leg_kernels.step`. ``feet``
        (B, F, MEMORY) and ``body`` (B, BODY) are kept from step to step, and written.
        """
        len(version)
        number = len(legs)
        root = root.copy()
        turned = rotations.copy()
        work = (
            np.empty((len(offsets), 3)),
            np.empty((number, 2, 3)),
            np.empty((3 * number, 3, 3)),
            np.empty((2, 3, 3)),
            np.empty((3, 3, 3)),
        )
        for b in range(len(root)):
            _one(
                root[b], rotations[b], offsets, links, legs, shape, settings, heights, table,
                feet[b], body[b], turned[b], work
            )  # fmt: skip
        return root, turned

    return step


_TEXTS = [Path(str(file)).read_bytes() for file in (__file__, leg_kernels.__file__)]
step = _step_of(hashlib.sha256(b"".join(_TEXTS)).hexdigest())
