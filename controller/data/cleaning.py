"""From clips as captured to clips that agree: one skeleton and rest pose, one rate, the floor at
zero, no glitches."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.pose import mirrored_name
from controller.motion.skeleton import Clip, Skeleton, to_global, to_local

MAX_ROOT_SPEED = 6.0
"""m/s; a sprint. Anything faster is a capture error."""
MAX_JOINT_JERKINESS = 0.09
"""m: how far a joint may be off the straight line from its last two frames at 30 Hz (about 80
m/s²)."""
MAX_JOINT_TURN = 1.2
"""rad a frame (2,000 °/s): more is a flip of a joint's twist by the solver, not a movement."""
MIN_SEGMENT_S = 1.0
FLOOR_QUANTILE = 0.01


def symmetric_skeleton(skeleton: Skeleton) -> Skeleton:
    """The same skeleton with left and right made equal (bones differ by a millimetre as captured),
    so that a mirrored pose is a pose of the same skeleton."""
    other = [skeleton.index(mirrored_name(name)) for name in skeleton.names]
    sign = torch.tensor([-1.0, 1.0, 1.0])
    return replace(
        skeleton,
        offsets=(skeleton.offsets + skeleton.offsets[other] * sign) / 2,
        tips=(skeleton.tips + skeleton.tips[other] * sign) / 2,
    )


def renamed(clip: Clip, names: dict[str, str]) -> Clip:
    """The clip with joints renamed by the map ``names``; others keep theirs."""
    skeleton = replace(
        clip.skeleton, names=tuple(names.get(name, name) for name in clip.skeleton.names)
    )
    return replace(clip, skeleton=skeleton)


def retargeted(clip: Clip, skeleton: Skeleton) -> Clip:
    """The clip on another skeleton with the same joint names: joints reordered, rest pose turned,
    bones replaced.

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
        children = skeleton.children(joint)
        ours = skeleton.offsets[list(children)] if children else skeleton.tips[joint : joint + 1]
        theirs = offsets[list(children)] if children else tips[joint : joint + 1]
        turned.append(rotations[:, joint] @ rest_turn(ours, theirs))
    return Clip(
        clip.name,
        skeleton,
        clip.positions,
        to_local(skeleton.parents, torch.stack(turned, dim=1)),
        clip.fps,
    )


def rest_turn(ours: Tensor, theirs: Tensor) -> Tensor:
    """The rotation ``(3, 3)`` that best turns our bones of one joint, ``(C, 3)``, onto theirs
    (Kabsch 1976)."""
    lengths = ours.norm(dim=-1) * theirs.norm(dim=-1)
    if not bool((lengths > 1e-8).all()):
        return torch.eye(3)
    if len(ours) == 1:
        return geometry.rotation_between(ours[0], theirs[0])
    u, _, vt = torch.linalg.svd(theirs.T.double() @ ours.double())
    u[:, -1] *= torch.sign(torch.linalg.det(u @ vt))
    return (u @ vt).float()


def levelled(clip: Clip, feet: tuple[int, int]) -> Clip:
    """The clip with its floor at y = 0: the 1st percentile of the lower toe's height."""
    lowest = clip.joint_positions()[:, list(feet), 1].amin(dim=-1)
    floor = torch.quantile(lowest, FLOOR_QUANTILE)
    return replace(clip, positions=clip.positions - torch.tensor([0.0, 1.0, 0.0]) * floor)


def glitches(clip: Clip) -> list[tuple[int, str]]:
    """Frames that no body could have made, as (frame, what is wrong with the step into it), in
    order."""
    positions = clip.joint_positions()
    scale = 30.0 / clip.fps
    found: dict[int, str] = {}
    speed = (clip.positions[1:] - clip.positions[:-1]).norm(dim=-1) * clip.fps
    for frame in torch.nonzero(speed > MAX_ROOT_SPEED).flatten().tolist():
        found[frame + 1] = f"root at {speed[frame]:.1f} m/s"
    jump = (positions[2:] - 2 * positions[1:-1] + positions[:-2]).norm(dim=-1)
    for frame in torch.nonzero(jump.amax(-1) > MAX_JOINT_JERKINESS * scale**2).flatten().tolist():
        joint = int(jump[frame].argmax())
        found.setdefault(
            frame + 2, f"{clip.skeleton.names[joint]} jumps {100 * jump[frame, joint]:.0f} cm"
        )
    turn = clip.rotations[:-1].transpose(-1, -2) @ clip.rotations[1:]
    angle = torch.acos(((turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1))
    for frame in torch.nonzero(angle.amax(-1) > MAX_JOINT_TURN * scale).flatten().tolist():
        joint = int(angle[frame].argmax())
        found.setdefault(
            frame + 1,
            f"{clip.skeleton.names[joint]} flips by {torch.rad2deg(angle[frame, joint]):.0f}°",
        )
    return sorted(found.items())


def calibration_pose(clip: Clip) -> Tensor:
    """(T,) booleans: both arms held out sideways, as performers stand to calibrate at a take's
    start and end.

    An arm is out when its hand is within 37° of the shoulder's height and the hands are three
    quarters of their span apart. A margin of a third of a second is added, for the arms' way up and
    down. All False without arms and hands.
    """
    names = [name for name in clip.skeleton.names if mirrored_name(name) != name]
    arms = [
        next((n for n in names if n.lower().endswith(f"{side}arm")), None)
        for side in ("left", "right")
    ]
    hands = [
        next((n for n in names if n.lower().endswith(f"{side}hand")), None)
        for side in ("left", "right")
    ]
    if None in (*arms, *hands):
        return torch.zeros(len(clip), dtype=torch.bool)
    positions = clip.joint_positions()
    shoulder, hand = (
        positions[:, [clip.skeleton.index(str(name)) for name in pair]] for pair in (arms, hands)
    )
    arm = hand - shoulder  # (T, 2, 3)
    level = (arm[..., 1] / arm.norm(dim=-1) > -0.6).all(dim=-1)
    span = arm.norm(dim=-1).sum(dim=-1) + (shoulder[:, 0] - shoulder[:, 1]).norm(dim=-1)
    apart = (hand[:, 0] - hand[:, 1]).norm(dim=-1) > 0.75 * span
    margin = round(clip.fps / 3)
    out = (level & apart).float()[None, None]
    return torch.nn.functional.max_pool1d(out, 2 * margin + 1, 1, margin)[0, 0] > 0


def segments(clip: Clip) -> tuple[list[Clip], list[str]]:
    """The clip without calibration poses, cut at its glitches.

    Returns the pieces of at least a second, and one sentence on what was dropped and why (none if
    nothing was).
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
        whole = (start, end) == (0, len(clip))
        name = clip.name if whole else f"{clip.name}[{start}:{end}]"
        pieces.append(
            replace(
                clip,
                name=name,
                positions=clip.positions[start:end],
                rotations=clip.rotations[start:end],
            )
        )
    reasons = []
    if bool(posing.any()):
        reasons.append(f"{int(posing.sum())} frames of calibration pose dropped")
    if cuts:
        listed = ", ".join(f"{frame} ({what})" for frame, what in list(cuts.items())[:3])
        reasons.append(
            f"cut at frame {listed}" + (f" and {len(cuts) - 3} more" if len(cuts) > 3 else "")
        )
    if short:
        reasons.append(f"{short} frames dropped in pieces under {MIN_SEGMENT_S:g} s")
    return pieces, [f"{clip.name}: {'; '.join(reasons)}"] if reasons else []
