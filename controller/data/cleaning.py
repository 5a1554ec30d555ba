"""Cleaning of captured clips: one skeleton and rest pose, one frame rate, the floor at zero, no
glitches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.pose import FPS
from controller.motion.roles import Roles
from controller.motion.skeleton import Clip, Skeleton, to_global, to_local

MAX_ROOT_SPEED = 6.0
"""m/s, a sprint. Anything faster is a capture error."""
MAX_JOINT_JERKINESS = 0.09
"""m by which a joint may miss the straight line through its last two frames at :data:`FPS` (about
80 m/s²)."""
FAST_ROOT_SPEED = 3.0
FAST_JERKINESS = 0.05
"""m/s and m: a clip in which a tenth of the values are above these runs. Captured walking at its
fastest has 2.2 and 0.043, running 0.066 and more."""
OUTLIER = 2.5
"""Times a running clip's own 90 % quantile that are a glitch. Captured running has up to 2.0."""
SPRINT = 3.0
"""Times the usual limit that no running exceeds: more is a glitch in any clip."""
MAX_JOINT_TURN = 1.2
"""rad a frame at :data:`FPS` (2,000 °/s). More is a flip of a joint's twist by the solver, not a
movement."""
FLOOR_WINDOW_S = 1.0
"""s: in a window this long one foot or the other touches the floor."""
LEVEL_FLOOR_M = {"biped": 0.1, "quadruped": 0.25}
"""m: a clip whose floor varies by more than this goes over slopes or stairs. People on a level
floor have up to 0.06, a dog that also lies down 0.12."""
MIN_SEGMENT_S = 1.0
"""Shorter pieces of a clip are dropped."""
FLOOR_QUANTILE = 0.01
"""The floor is at this quantile of the height of the lowest foot."""


def symmetric_skeleton(skeleton: Skeleton) -> Skeleton:
    """The same skeleton with equal left and right bones, which differ by a millimetre as captured:
    a mirrored pose is then a pose of the same skeleton. Raises DataError if a joint has a side but
    no counterpart."""
    other = Roles.of(skeleton).mirror
    sign = torch.tensor([-1.0, 1.0, 1.0])
    return replace(
        skeleton,
        offsets=(skeleton.offsets + skeleton.offsets[other] * sign) / 2,
        tips=(skeleton.tips + skeleton.tips[other] * sign) / 2,
    )


def renamed(clip: Clip, names: dict[str, str]) -> Clip:
    """The clip with joints renamed by the map ``names``; other joints keep their names."""
    renamed_joints = tuple(names.get(name, name) for name in clip.skeleton.names)
    return replace(clip, skeleton=replace(clip.skeleton, names=renamed_joints))


def retargeted(clip: Clip, skeleton: Skeleton) -> Clip:
    """The clip on another skeleton with the same joint names: with its order of joints, its rest
    pose and its bones.

    Where the rest poses differ, a joint's rotation absorbs the turn between the two rest directions
    of its bones, so that limbs point where they did in the capture. Raises DataError if a joint is
    missing.
    """
    missing = set(skeleton.names) - set(clip.skeleton.names)
    if missing:
        raise DataError(
            f"{clip.name}: joints {', '.join(sorted(missing))} are missing; it has "
            f"{', '.join(clip.skeleton.names)}"
        )

    order = [clip.skeleton.index(name) for name in skeleton.names]
    rotations = to_global(clip.skeleton.parents, clip.rotations)[:, order]
    offsets = clip.skeleton.offsets[order]
    tips = clip.skeleton.tips[order]
    turned = []
    for joint in range(len(skeleton)):
        children = list(skeleton.children(joint))
        ours = skeleton.offsets[children] if children else skeleton.tips[joint : joint + 1]
        theirs = offsets[children] if children else tips[joint : joint + 1]
        turned.append(rotations[:, joint] @ rest_turn(ours, theirs))

    local = to_local(skeleton.parents, torch.stack(turned, dim=1))
    return Clip(clip.name, skeleton, clip.positions, local, clip.fps)


def rest_turn(ours: Tensor, theirs: Tensor) -> Tensor:
    """The rotation ``(3, 3)`` that best turns the bones of one joint, ``ours`` (C, 3), onto
    ``theirs``. The identity if a bone has no length."""
    lengths = ours.norm(dim=-1) * theirs.norm(dim=-1)
    if not bool((lengths > 1e-8).all()):
        return torch.eye(3)
    if len(ours) == 1:
        return geometry.rotation_between(ours[0], theirs[0])
    return geometry.best_rotation(ours.double(), theirs.double()).float()


def levelled(clip: Clip, feet: tuple[int, ...]) -> Clip:
    """The clip with its floor at y = 0: the 1st percentile of the height of the lowest of the
    joints ``feet``."""
    lowest = clip.joint_positions()[:, list(feet), 1].amin(dim=-1)
    floor = torch.quantile(lowest, FLOOR_QUANTILE)
    return replace(clip, positions=clip.positions - torch.tensor([0.0, 1.0, 0.0]) * floor)


def floor_spread(clip: Clip, feet: Sequence[int]) -> float:
    """How far apart, in m, the heights of the floor under a clip are: 5 to 95 % of the lowest
    foot's lowest height within :data:`FLOOR_WINDOW_S` around each frame."""
    lowest = clip.joint_positions()[:, list(feet), 1].amin(dim=-1)
    reach = round(FLOOR_WINDOW_S * clip.fps / 2)
    if len(lowest) <= 2 * reach:
        return 0.0
    floor = -torch.nn.functional.max_pool1d(-lowest[None, None], 2 * reach + 1, 1)[0, 0]
    low, high = torch.quantile(floor, torch.tensor([0.05, 0.95])).tolist()
    return high - low


def glitches(clip: Clip) -> list[tuple[int, str]]:
    """Frames that no body could have produced, in order: each with what is wrong with the step
    into it."""
    names = clip.skeleton.names
    scale = FPS / clip.fps
    result: dict[int, str] = {}

    speed = (clip.positions[1:] - clip.positions[:-1]).norm(dim=-1) * clip.fps
    for frame in _frames(speed > limit(speed, MAX_ROOT_SPEED, FAST_ROOT_SPEED)):
        result[frame + 1] = f"root at {speed[frame]:.1f} m/s"

    positions = clip.joint_positions()
    jump = (positions[2:] - 2 * positions[1:-1] + positions[:-2]).norm(dim=-1)
    jerkiness = jump.amax(-1) / scale**2
    for frame in _frames(jerkiness > limit(jerkiness, MAX_JOINT_JERKINESS, FAST_JERKINESS)):
        joint = int(jump[frame].argmax())
        problem = f"{names[joint]} jumps {100 * jump[frame, joint]:.0f} cm"
        result.setdefault(frame + 2, problem)

    turn = clip.rotations[:-1].transpose(-1, -2) @ clip.rotations[1:]
    trace = turn.diagonal(dim1=-2, dim2=-1).sum(-1)
    angle = torch.acos(((trace - 1) / 2).clamp(-1, 1))
    for frame in _frames(angle.amax(-1) > MAX_JOINT_TURN * scale):
        joint = int(angle[frame].argmax())
        problem = f"{names[joint]} flips by {torch.rad2deg(angle[frame, joint]):.0f}°"
        result.setdefault(frame + 1, problem)
    return sorted(result.items())


def limit(values: Tensor, usual: float, fast: float) -> float:
    """The largest value of a clip's that is no glitch.

    It is the ``usual`` one, unless a tenth of the clip's own values are above ``fast``: then the
    clip runs or jumps, and its own 90 % quantile, times :data:`OUTLIER`, says what is unusual.
    """
    if not len(values):
        return usual
    own = float(torch.quantile(values, 0.9))
    return min(max(usual, OUTLIER * own), SPRINT * usual) if own > fast else usual


def _frames(condition: Tensor) -> list[int]:
    """The frames at which a condition ``(T,)`` is true."""
    frames: list[int] = torch.nonzero(condition).flatten().tolist()
    return frames


def calibration_pose(clip: Clip) -> Tensor:
    """The frames, as booleans ``(T,)``, in which both arms are stretched out sideways: performers
    stand like this to calibrate at the start and the end of a take.

    An arm is out when its hand is within 37° of the shoulder's height and the hands are three
    quarters of their span apart. A margin of a third of a second covers the arms' way up and down.
    All are False if the character has no arms with hands, or stands on them.
    """
    arms = Roles.of(clip.skeleton).arms
    if arms is None:
        return torch.zeros(len(clip), dtype=torch.bool)
    shoulders = [arm.start for arm in arms]
    hands = [arm.end for arm in arms if arm.end is not None and not arm.grounded]
    if len(hands) < 2:
        return torch.zeros(len(clip), dtype=torch.bool)

    positions = clip.joint_positions()
    shoulder = positions[:, shoulders]
    hand = positions[:, hands]
    reach = hand - shoulder  # (T, 2, 3)
    level = (reach[..., 1] / reach.norm(dim=-1) > -0.6).all(dim=-1)
    width = (shoulder[:, 0] - shoulder[:, 1]).norm(dim=-1)
    span = reach.norm(dim=-1).sum(dim=-1) + width
    apart = (hand[:, 0] - hand[:, 1]).norm(dim=-1) > 0.75 * span

    margin = round(clip.fps / 3)
    out = (level & apart).float()[None, None]
    return torch.nn.functional.max_pool1d(out, 2 * margin + 1, 1, margin)[0, 0] > 0


def segments(clip: Clip) -> tuple[list[Clip], list[str]]:
    """The clip without calibration poses, cut at its glitches.

    Returns the pieces of at least :data:`MIN_SEGMENT_S` and a list with one sentence on what was
    dropped and why, empty if nothing was.
    """
    posing = calibration_pose(clip)
    cuts = dict(glitches(clip))
    edges = torch.nonzero(posing[1:] != posing[:-1]).flatten() + 1
    bounds = sorted({0, len(clip), *cuts, *edges.tolist()})

    pieces = []
    short = 0
    for start, end in pairwise(bounds):
        if bool(posing[start]):
            continue
        if end - start < MIN_SEGMENT_S * clip.fps:
            short += end - start
            continue
        pieces.append(_piece(clip, start, end))

    reasons = []
    if bool(posing.any()):
        reasons.append(f"{int(posing.sum())} frames of calibration pose dropped")
    if cuts:
        listed = ", ".join(f"{frame} ({what})" for frame, what in list(cuts.items())[:3])
        rest = f" and {len(cuts) - 3} more" if len(cuts) > 3 else ""
        reasons.append(f"cut at frame {listed}{rest}")
    if short:
        reasons.append(f"{short} frames dropped in pieces under {MIN_SEGMENT_S:g} s")
    return pieces, [f"{clip.name}: {'; '.join(reasons)}"] if reasons else []


def _piece(clip: Clip, start: int, end: int) -> Clip:
    """Frames ``start`` to ``end`` of a clip, whose name says so unless they are all."""
    whole = (start, end) == (0, len(clip))
    return replace(
        clip,
        name=clip.name if whole else f"{clip.name}[{start}:{end}]",
        positions=clip.positions[start:end],
        rotations=clip.rotations[start:end],
    )
