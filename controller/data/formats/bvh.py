"""Biovision hierarchy files (.bvh): a skeleton and its motion as text.

In memory there are metres and rotation matrices. ``unit`` is the number of metres in a file's unit
of length, 0.01 for centimetres. Angles in a file are degrees, intrinsic, in the order of its
channels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from controller.core import files
from controller.core.errors import DataError, require
from controller.data.formats.reading import (
    HUGE,
    MAX_JOINTS,
    Reading,
    as_number,
    check_size,
    fail,
    found,
    read_lines,
)
from controller.motion.capture import Capture
from controller.motion.geometry import AXES, euler_to_matrix, matrix_to_euler
from controller.motion.skeleton import Clip, Skeleton

ZERO_LENGTH = 1e-6
"""Metres. A joint with a shorter offset is on its parent."""
STILL = 1e-5
"""A joint whose rotation matrix changes by less than this over a clip does not move."""
CHANNELS = {
    f"{axis}{kind}".upper(): (kind, axis) for axis in AXES for kind in ("position", "rotation")
}


def read(path: str | Path, *, unit: float = 0.01) -> Clip:
    """Read a BVH file. The clip is named after the file, without its suffix.

    There may be any number of channels in any order. A position channel replaces that component of
    OFFSET: the root's is its position, and the median of another joint's over the frames gives a
    bone of constant length. Joints that are on their parent and only divide its rotation
    ("helpers") are folded into their children, which leaves the world positions and rotations of
    all other joints as they are. The frame rate is rounded to a whole number within 0.1 % of it.

    Raises FormatError with the wrong line, or DataError if the file cannot be read.
    """
    require(unit > 0, "unit", unit, "a positive number of metres")
    path = Path(path)
    joints, values, fps = _parse(path)
    rotations = _rotations(joints, values)
    positions = _positions(joints, values) * unit
    offsets = np.median(positions, axis=0)
    offsets[0] = 0
    fixed = np.ptp(positions, axis=0).max(axis=-1) < ZERO_LENGTH
    parents, remaining = _fold_helpers(joints, rotations, offsets, fixed)

    tips = np.array([joint.tip for joint in joints]) * unit
    has_children = [joint in parents for joint in range(len(joints))]
    tips[has_children] = 0  # a tip is the end of a leaf's bone
    skeleton = Skeleton(
        tuple(joints[joint].name for joint in remaining),
        tuple(remaining.index(parents[joint]) if joint else -1 for joint in remaining),
        torch.from_numpy(offsets[remaining]).float(),
        torch.from_numpy(tips[remaining]).float(),
    )
    root = torch.from_numpy(positions[:, 0]).float()
    return Clip(path.stem, skeleton, root, rotations[:, remaining].float(), fps)


def read_capture(path: str | Path) -> Capture:
    """Read a BVH file as it is: every joint in the world, in the file's own units and axes.

    Position channels count for every joint and frame. Raises FormatError with the wrong line, or
    DataError if the file cannot be read.
    """
    path = Path(path)
    joints, values, fps = _parse(path)
    local = _rotations(joints, values)
    places = torch.from_numpy(_positions(joints, values))
    rotations = torch.empty_like(local)
    positions = torch.empty_like(places)
    for index, joint in enumerate(joints):
        if joint.parent < 0:
            rotations[:, index] = local[:, index]
            positions[:, index] = places[:, index]
        else:
            above = rotations[:, joint.parent]
            rotations[:, index] = above @ local[:, index]
            bone = (above @ places[:, index, :, None]).squeeze(-1)
            positions[:, index] = positions[:, joint.parent] + bone
    return Capture(
        path.stem,
        tuple(joint.name for joint in joints),
        tuple(joint.parent for joint in joints),
        positions,
        rotations,
        torch.tensor([joint.tip for joint in joints], dtype=torch.float64),
        fps,
    )


def read_captures(path: Path, fps: float | None = None) -> Reading:
    """The one capture of a BVH file; ``fps`` replaces its own rate."""
    capture = read_capture(path)
    return Reading([replace(capture, fps=fps or capture.fps)], [])


def _parse(path: Path) -> tuple[list[_Joint], np.ndarray, float]:
    """The joints of a file, its rows of channel values (T, C), and its frame rate."""
    lines = read_lines(path, "a BVH")
    words = _Words(path, lines)
    joints = _read_hierarchy(words)
    width = sum(len(joint.channels) for joint in joints)
    values, fps = _read_motion(path, lines, words.line, width)
    check_size(path, len(values), len(joints))
    return joints, values, fps


def write(path: str | Path, clip: Clip, *, unit: float = 0.01, order: str = "ZXY") -> None:
    """Write a clip. The file appears under its name only when it is complete.

    The root has six channels and every other joint three rotations in ``order``. Joints are written
    depth first, as the format nests them, so a skeleton in another order is reordered.

    Raises DataError for a clip that could not be read back.
    """
    require(unit > 0, "unit", unit, "a positive number of metres")
    require(sorted(order) == sorted(AXES), "order", order, "X, Y and Z, each once, such as 'ZXY'")
    if len(clip) == 0 or not (clip.positions.isfinite().all() and clip.rotations.isfinite().all()):
        raise DataError(
            f"{path}: not written; clip {clip.name} has no frames or values that are not finite"
        )

    text: list[str] = ["HIERARCHY"]
    turns = " ".join(f"{axis}rotation" for axis in order)
    nested = _write_joint(clip.skeleton, 0, turns, 1 / unit, "", text)

    rotations = clip.rotations[:, nested].double().cpu()
    angles = torch.rad2deg(matrix_to_euler(rotations, order))
    positions = clip.positions.double().cpu() / unit
    columns = torch.cat((positions, angles.flatten(1)), dim=1)  # (T, 3 + 3 J)
    text += ["MOTION", f"Frames: {len(clip)}", f"Frame Time: {1 / clip.fps:.10f}"]
    row = " ".join(["%.7f"] * columns.shape[1])
    text += [row % tuple(values) for values in columns.tolist()]
    files.write(path, "\n".join(text) + "\n")


@dataclass
class _Joint:
    """A joint as it is in the file, with lengths in file units.

    channels  "position" or "rotation" and the axis, for each channel
    tip       where its bone ends, from an End Site
    ends      how many End Sites it has
    """

    name: str
    parent: int
    offset: tuple[float, ...] | None = None
    channels: tuple[tuple[str, str], ...] = ()
    tip: tuple[float, ...] = (0.0, 0.0, 0.0)
    ends: int = 0


class _Words:
    """The words of a file, one by one. ``line`` is the line of the last one."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path = path
        self.line = 1
        self._words: Iterator[tuple[int, str]] = (
            (number, word)
            for number, line in enumerate(lines, start=1)
            for word in line.replace("{", " { ").replace("}", " } ").split()
        )

    def fail(self, problem: str, expected: str) -> NoReturn:
        """Raise FormatError about the last word."""
        fail(self.path, self.line, problem, expected)

    def next(self, expected: str) -> str:
        """The next word. FormatError if the file ends."""
        try:
            self.line, word = next(self._words)
        except StopIteration:
            self.fail("the file ends", expected)
        return word

    def expect(self, keyword: str) -> None:
        """Read one word, which must be ``keyword`` in any case of letters."""
        word = self.next(keyword)
        if word.upper() != keyword:
            self.fail(found(word), keyword)

    def name(self) -> str:
        """The rest of the line, since names may contain blanks, and the opening brace after it."""
        line = self.line
        parts = []
        while (word := self.next("{")) != "{":
            if self.line != line:
                self.fail(found(word), "{")
            parts.append(word)
        return " ".join(parts)

    def vector(self) -> tuple[float, ...]:
        """Three numbers."""
        return tuple(self._number() for _ in range(3))

    def _number(self) -> float:
        word = self.next("three numbers after OFFSET")
        value = as_number(word)
        if not abs(value) < HUGE:
            self.fail(found(word), "three finite numbers after OFFSET")
        return value

    def channels(self) -> tuple[tuple[str, str], ...]:
        """The number of channels and as many channels."""
        count = self.next("the number of channels")
        if not re.fullmatch("[0-9]{1,3}", count):
            self.fail(found(count), "the number of channels")
        channels = []
        for _ in range(int(count)):
            word = self.next(f"{count} channels")
            if word.upper() not in CHANNELS:
                self.fail(found(word), f"{count} channels such as Xposition or Zrotation")
            channels.append(CHANNELS[word.upper()])
        positions = [channel for channel in channels if channel[0] == "position"]
        if len(set(positions)) < len(positions):
            self.fail("the same position channel twice", "each once")
        return tuple(channels)


def _read_hierarchy(words: _Words) -> list[_Joint]:
    """The joints, parents first. Reads up to and including MOTION."""
    words.expect("HIERARCHY")
    words.expect("ROOT")
    joints = [_Joint(words.name(), -1)]
    names = {joints[0].name}
    open_joints = [0]
    while open_joints:
        joint = joints[open_joints[-1]]
        word = words.next(f"a closing brace for joint {joint.name}").upper()
        if word == "JOINT":
            joints.append(_Joint(words.name(), open_joints[-1]))
            open_joints.append(len(joints) - 1)
            if joints[-1].name in names:
                words.fail(f"a second joint named {joints[-1].name!r}", "each name once")
            if len(joints) > MAX_JOINTS:
                words.fail("one more joint", f"at most {MAX_JOINTS}")
            names.add(joints[-1].name)
        elif word == "OFFSET":
            joint.offset = words.vector()
        elif word == "CHANNELS":
            joint.channels = words.channels()
        elif word == "END":
            _read_end_site(words, joint)
        elif word == "}":
            if joint.offset is None:
                words.fail(f"joint {joint.name} has no OFFSET", "one")
            open_joints.pop()
        else:
            words.fail(
                found(word), f"JOINT, End Site, OFFSET, CHANNELS or }} in joint {joint.name}"
            )
    words.expect("MOTION")
    return joints


def _read_end_site(words: _Words, joint: _Joint) -> None:
    """The end of a joint's bone, after END."""
    words.expect("SITE")
    words.name()
    words.expect("OFFSET")
    tip = words.vector()
    words.expect("}")
    if joint.ends == 0:  # the first of several is the bone's end
        joint.tip = tip
    joint.ends += 1


def _read_motion(path: Path, lines: list[str], start: int, width: int) -> tuple[np.ndarray, float]:
    """The rows after line ``start`` (MOTION) as (T, width), and the frame rate."""
    rows = [
        (number, line) for number, line in enumerate(lines[start:], start=start + 1) if line.strip()
    ]
    end = rows[-1][0] if rows else start
    declared = _header(
        path, rows, 0, end, r"frames\s*:\s*(\d+)", "'Frames:' and a whole number above 0"
    )
    seconds = _header(
        path, rows, 1, end, r"frame\s+time\s*:\s*(\S+)", "'Frame Time:' and seconds above 0"
    )
    rows = rows[2:]
    if len(rows) < declared:
        fail(
            path,
            end,
            f"the file ends after {len(rows)} frames",
            f"{int(declared)}, as 'Frames:' says",
        )
    if len(rows) > declared:
        fail(path, rows[int(declared)][0], "another row", f"the end after {int(declared)} frames")
    values = np.empty((len(rows), width))
    for row, (number, line) in enumerate(rows):
        words = line.split()
        if len(words) != width:
            fail(path, number, f"{len(words)} values", f"{width}, one a channel")
        try:
            values[row] = [float(word) for word in words]
        except ValueError:
            # NaN for what is not a number; reported below.
            values[row] = [as_number(word) for word in words]
    good = np.abs(values) < HUGE
    if not good.all():
        row, column = np.argwhere(~good)[0]
        number, line = rows[row]
        fail(path, number, found(line.split()[column]), "a finite number")

    fps = 1 / seconds
    whole = round(fps)
    is_whole = whole > 0 and abs(fps - whole) <= 1e-3 * whole
    return values, float(whole) if is_whole else fps


def _header(
    path: Path, rows: list[tuple[int, str]], index: int, end: int, pattern: str, expected: str
) -> float:
    """The positive number of one of the two lines after MOTION."""
    if index >= len(rows):
        fail(path, end, "the file ends", expected)
    number, line = rows[index]
    match = re.fullmatch(pattern, line.strip(), re.IGNORECASE)
    value = as_number(match[1]) if match else math.nan
    if not (math.isfinite(value) and value > 1e-9):  # the inverse of a nanosecond is finite
        fail(path, number, found(line.strip()), expected)
    return value


def _rotations(joints: list[_Joint], values: np.ndarray) -> Tensor:
    """(T, J, 3, 3) float64, relative to the parent. Joints with the same order of channels are
    computed together."""
    groups: dict[str, list[int]] = {}
    columns: list[list[int]] = []
    column = 0
    for index, joint in enumerate(joints):
        turns = [
            (number, axis)
            for number, (kind, axis) in enumerate(joint.channels, column)
            if kind == "rotation"
        ]
        order = "".join(axis for _, axis in turns)
        groups.setdefault(order, []).append(index)
        columns.append([number for number, _ in turns])
        column += len(joint.channels)

    angles = torch.from_numpy(np.radians(values))
    rotations = torch.eye(3, dtype=torch.float64).repeat(len(values), len(joints), 1, 1)
    for order, members in groups.items():
        if order:
            own = angles[:, [columns[joint] for joint in members]]
            rotations[:, members] = euler_to_matrix(own, order)
    return rotations


def _positions(joints: list[_Joint], values: np.ndarray) -> np.ndarray:
    """(T, J, 3) in file units, relative to the parent: OFFSET, or position channels in place of
    it."""
    offsets = np.array([joint.offset for joint in joints])
    positions = np.tile(offsets, (len(values), 1, 1))
    channels = [
        (index, *channel) for index, joint in enumerate(joints) for channel in joint.channels
    ]
    for column, (index, kind, axis) in enumerate(channels):
        if kind == "position":
            positions[:, index, AXES[axis]] = values[:, column]
    return positions


def _fold_helpers(
    joints: list[_Joint], rotations: Tensor, offsets: np.ndarray, fixed: np.ndarray
) -> tuple[list[int], list[int]]:
    """Remove joints that are on their parent. The ``rotations`` and ``offsets`` of their children
    change in place.

    Returns each joint's new parent (−2 for a removed one) and the joints that remain. A helper that
    turns during the clip moves its children's bones, which no other joint could do, so it remains.
    """
    parents = [joint.parent for joint in joints]
    short = np.linalg.norm(offsets, axis=-1) < ZERO_LENGTH
    # Children first, so that chains of helpers are folded, too.
    for joint in reversed(range(1, len(joints))):
        children = [child for child, parent in enumerate(parents) if parent == joint]
        turn = rotations[:, joint]
        still = bool((turn - turn[0]).abs().max() < STILL)
        needless = still or all(short[child] for child in children)
        if not (short[joint] and fixed[joint] and needless):
            continue
        for child in children:
            rotations[:, child] = turn @ rotations[:, child]
            offsets[child] = turn[0].numpy() @ offsets[child]
            parents[child] = parents[joint]
        parents[joint] = -2
    return parents, [joint for joint, parent in enumerate(parents) if parent > -2]


def _write_joint(
    skeleton: Skeleton, joint: int, turns: str, scale: float, pad: str, text: list[str]
) -> list[int]:
    """Append a joint and all below it to ``text``. Returns the joints in the order in which they
    are written."""
    is_root = not pad
    head = "ROOT" if is_root else "JOINT"
    channels = f"6 Xposition Yposition Zposition {turns}" if is_root else f"3 {turns}"
    text += [
        f"{pad}{head} {skeleton.names[joint]}",
        f"{pad}{{",
        f"{pad}\tOFFSET {_numbers(skeleton.offsets[joint] * scale)}",
        f"{pad}\tCHANNELS {channels}",
    ]
    nested = [joint]
    children = skeleton.children(joint)
    for child in children:
        nested += _write_joint(skeleton, child, turns, scale, pad + "\t", text)
    if not children:
        tip = _numbers(skeleton.tips[joint] * scale)
        text += [f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {tip}", f"{pad}\t}}"]
    text.append(f"{pad}}}")
    return nested


def _numbers(vector: Tensor) -> str:
    return " ".join(f"{value:.7f}" for value in vector.tolist())
