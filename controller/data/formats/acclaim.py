"""Acclaim files: a skeleton (.asf) and motions of it (.amc) as text, as CMU's database has them.

A bone starts where its parent's bone ends and runs along ``direction`` for ``length``. Its angles
are about its own axes C, which its ``axis`` line gives in the world of the rest pose; with M the
turn of its channels, it turns C·M·C⁻¹ in its parent's frame. The tokens of ``axis``, ``dof`` and
``order`` name fixed axes in the order in which the turns follow each other. Source: Schafer,
*Acclaim Skeleton File Definition* 1.10 (1994), with Vicon's notes on it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import DataError, FormatError
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
from controller.motion.geometry import euler_to_matrix

CMU_FPS = 120.0
"""Frames a second of CMU's captures. The files themselves have no rate."""
CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz")
ASSUMED_RATE = (
    f".amc files have no frame rate; read at {CMU_FPS:g} frames/s, as CMU's are "
    "(--fps states another)"
)
ROOT = "root"


@dataclass(eq=False)
class _Bone:
    """A bone of the skeleton, in file units and radians.

    axes      (3, 3), its own axes in the world of the rest pose
    channels  of :data:`CHANNELS`, in the order of the file's values
    parent    index of the parent bone, −1 for the root
    """

    name: str
    line: int
    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axes: Tensor = field(default_factory=lambda: torch.eye(3, dtype=torch.float64))
    channels: tuple[str, ...] = ()
    parent: int = -1

    @property
    def vector(self) -> np.ndarray:
        """(3,): from its start to its end in the rest pose."""
        size = np.linalg.norm(self.direction)
        return self.direction * (self.length / size) if size > 0 else np.zeros(3)


@dataclass(eq=False)
class _Skeleton:
    """The bones, the root first and parents before children; the root's place in the rest pose;
    radians in one of the file's units of angle; file units in the skeleton's unit of length."""

    bones: list[_Bone]
    place: np.ndarray
    angle: float
    unit: float


def read_captures(path: Path, fps: float | None = None) -> Reading:
    """Read an .amc file with the .asf file that belongs to it: see :func:`skeleton_file`.

    Joints are where bones start, and are called like them; lengths are divided by the ``length`` of
    the skeleton's ``:units``, which for CMU leaves inches. Raises FormatError with the wrong line,
    or DataError if a file is missing or cannot be read.
    """
    skeleton = _read_skeleton(skeleton_file(path))
    values = _read_motion(path, skeleton)
    check_size(path, len(values), len(skeleton.bones))
    positions, rotations = _world(skeleton, values)
    bones = skeleton.bones
    parents = {bone.parent for bone in bones}
    tips = [np.zeros(3) if index in parents else bone.vector for index, bone in enumerate(bones)]
    capture = Capture(
        path.stem,
        tuple(bone.name for bone in bones),
        tuple(bone.parent for bone in bones),
        positions / skeleton.unit,
        rotations,
        torch.from_numpy(np.array(tips)) / skeleton.unit,
        fps or CMU_FPS,
    )
    return Reading([capture], [] if fps else [ASSUMED_RATE])


def skeleton_file(path: Path) -> Path:
    """The .asf file that belongs to an .amc file: of those in its folder, the one with the longest
    name that the .amc file's name begins with (``16.asf`` for ``16_01.amc``), or else the only one.

    Raises FormatError if there is none, or several that could be meant, and DataError if the folder
    cannot be read.
    """
    try:
        beside = sorted(other for other in path.parent.iterdir() if other.suffix.lower() == ".asf")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    alike = [other for other in beside if _begins_with(path.stem, other.stem)]
    if alike:
        return max(alike, key=lambda other: len(other.stem))
    if len(beside) == 1:
        return beside[0]
    number_there = "none" if not beside else f"{len(beside)}, none of them named so"
    raise FormatError(
        f"{path}: its skeleton is missing; beside it there must be a single .asf file, or one "
        f"called like {path.stem.split('_')[0]}.asf; there is {number_there}"
    )


def _begins_with(name: str, start: str) -> bool:
    rest = name.lower().removeprefix(start.lower())
    return len(rest) < len(name) and not rest[:1].isalnum()


# -- the skeleton ----------------------------------------------------------------------------------


class _Lines:
    """The lines of a file as lists of words, without comments. ``line`` is the last one's number.

    Commas and parentheses count as blanks.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.line = 1
        self._lines = read_lines(path, kind)
        self._next = 0

    def read(self) -> list[str]:
        """The words of the next line that has any; none at the end of the file."""
        while self._next < len(self._lines):
            self._next += 1
            words = re.sub("[(),]", " ", self._lines[self._next - 1].partition("#")[0]).split()
            if words:
                self.line = self._next
                return words
        return []

    def back(self) -> None:
        """Let the last line be read again."""
        self._next = self.line - 1

    def numbers(self, words: list[str], count: int) -> list[float]:
        """The numbers after a keyword. Raises FormatError unless there are ``count`` finite
        ones."""
        values = [as_number(word) for word in words[1 : count + 1]]
        if len(values) < count or not all(abs(value) < HUGE for value in values):
            fail(self.path, self.line, found(" ".join(words)), f"{count} finite numbers")
        return values


def _read_skeleton(path: Path) -> _Skeleton:
    lines = _Lines(path, "an ASF")
    root = _Bone(ROOT, 1)
    skeleton = _Skeleton([root], np.zeros(3), math.radians(1), 1.0)
    links: list[tuple[int, list[str]]] = []
    sections = set()
    while words := lines.read():
        section = words[0].lower()
        if not section.startswith(":"):
            continue  # names, documentation, skins
        sections.add(section)
        if section == ":units":
            _read_units(lines, skeleton)
        elif section == ":root":
            _read_root(lines, skeleton)
        elif section == ":bonedata":
            _read_bones(lines, skeleton)
        elif section == ":hierarchy":
            links = _read_links(lines)
    for section in (":root", ":bonedata", ":hierarchy"):
        if section not in sections:
            fail(path, lines.line, "the file ends", f"a section {section}")
    skeleton.bones = _ordered(path, skeleton.bones, links)
    return skeleton


def _read_units(lines: _Lines, skeleton: _Skeleton) -> None:
    while words := lines.read():
        keyword = words[0].lower()
        if keyword.startswith(":"):
            lines.back()
            return
        if keyword == "length" and not (len(words) == 2 and words[1].isalpha()):
            (skeleton.unit,) = lines.numbers(words, 1)  # some programs write "m"
            if not 1e-6 < skeleton.unit < 1e6:
                fail(lines.path, lines.line, found(" ".join(words)), "a length above 0")
        elif keyword == "angle":
            unit = " ".join(words[1:]).lower()
            if unit not in ("deg", "rad"):
                fail(lines.path, lines.line, found(" ".join(words)), "'angle deg' or 'angle rad'")
            skeleton.angle = math.radians(1) if unit == "deg" else 1.0


def _read_root(lines: _Lines, skeleton: _Skeleton) -> None:
    root = skeleton.bones[0]
    root.line = lines.line
    while words := lines.read():
        keyword = words[0].lower()
        if keyword.startswith(":"):
            lines.back()
            break
        if keyword == "order":
            root.channels = _channels(lines, words)
        elif keyword == "position":
            skeleton.place = np.array(lines.numbers(words, 3))
        elif keyword == "orientation" and any(lines.numbers(words, 3)):
            # Programs disagree on what it turns.
            fail(lines.path, lines.line, found(" ".join(words)), "a root with orientation 0 0 0")
    if not root.channels:
        fail(lines.path, root.line, "the root has no order", "one such as TX TY TZ RX RY RZ")


def _channels(lines: _Lines, words: list[str]) -> tuple[str, ...]:
    """The channels after ``dof`` or ``order``."""
    channels = tuple(word.lower() for word in words[1:])
    if not set(channels) <= set(CHANNELS) or len(set(channels)) < len(channels):
        allowed = f"{', '.join(CHANNELS)}, each at most once"
        fail(lines.path, lines.line, found(" ".join(words)), allowed)
    return channels


def _read_bones(lines: _Lines, skeleton: _Skeleton) -> None:
    names = {ROOT}
    while words := lines.read():
        keyword = words[0].lower()
        if keyword.startswith(":"):
            lines.back()
            return
        if keyword != "begin":
            fail(lines.path, lines.line, found(" ".join(words)), "begin")
        bone = _read_bone(lines, skeleton.angle)
        if bone.name.lower() in names:
            fail(lines.path, lines.line, f"a second bone named {bone.name!r}", "each name once")
        names.add(bone.name.lower())
        skeleton.bones.append(bone)
        if len(skeleton.bones) > MAX_JOINTS:
            fail(lines.path, lines.line, "one more bone", f"at most {MAX_JOINTS}")


def _read_bone(lines: _Lines, angle: float) -> _Bone:
    """A bone, up to and including ``end``. What is not needed, such as limits, is skipped."""
    bone = _Bone("", lines.line)
    while words := lines.read():
        keyword = words[0].lower()
        if keyword == "end":
            break
        if keyword == "name":
            bone.name = " ".join(words[1:])
        elif keyword == "direction":
            bone.direction = np.array(lines.numbers(words, 3))
        elif keyword == "length":
            (bone.length,) = lines.numbers(words, 1)
        elif keyword == "axis":
            order = words[4].upper() if len(words) == 5 else ""
            if sorted(order) != ["X", "Y", "Z"]:
                fail(lines.path, lines.line, found(" ".join(words)), "three angles and an order")
            angles = angle * torch.tensor(lines.numbers(words, 3), dtype=torch.float64)
            bone.axes = _turn([(axis, angles["XYZ".index(axis)]) for axis in order])
        elif keyword == "dof":
            bone.channels = _channels(lines, words)
    else:
        fail(lines.path, lines.line, "the file ends", "end")
    if not bone.name:
        fail(lines.path, bone.line, "a bone without a name", "one")
    if bone.length > 0 and not bone.direction.any():
        fail(lines.path, bone.line, f"bone {bone.name} has no direction", "one")
    return bone


def _read_links(lines: _Lines) -> list[tuple[int, list[str]]]:
    """The lines of the hierarchy, each with its number: a bone, then its children."""
    links = []
    while words := lines.read():
        if words[0].startswith(":"):
            lines.back()
            break
        if len(words) > 1:
            links.append((lines.line, words))
    return links


def _ordered(path: Path, bones: list[_Bone], links: list[tuple[int, list[str]]]) -> list[_Bone]:
    """The bones with their parents, parents first."""
    known = {bone.name.lower(): bone for bone in bones}
    children: dict[str, list[str]] = {name: [] for name in known}
    linked = {ROOT}
    for line, words in links:
        parent, *below = (word.lower() for word in words)
        for name in (parent, *below):
            if name not in known:
                fail(path, line, f"bone {name!r} is not in :bonedata", "one that is")
        for name in below:
            if name in linked:
                fail(path, line, f"bone {name!r} has two parents", "one")
            linked.add(name)
        children[parent] += below
    ordered: list[_Bone] = []
    waiting = [(ROOT, -1)]
    while waiting:
        name, parent_index = waiting.pop()
        bone = known[name]
        bone.parent = parent_index
        waiting += [(child, len(ordered)) for child in reversed(children[name])]
        ordered.append(bone)
    for bone in bones:
        if bone not in ordered:
            fail(path, bone.line, f"bone {bone.name} does not hang from the root", "one that does")
    return ordered


# -- the motion ------------------------------------------------------------------------------------


def _read_motion(path: Path, skeleton: _Skeleton) -> np.ndarray:
    """(T, C): the values of all channels, bone after bone, angles in radians."""
    lines = _Lines(path, "an AMC")
    columns: dict[str, tuple[int, int]] = {}
    width = 0
    for bone in skeleton.bones:
        if bone.channels:
            columns[bone.name.lower()] = (width, width + len(bone.channels))
            width += len(bone.channels)
    angle = skeleton.angle
    rows: list[list[float]] = []
    number_before: int | None = None
    row: list[float] = []
    missing: set[str] = set()
    while words := lines.read():
        name = words[0].lower()
        if name.startswith(":"):
            angle = {":degrees": math.radians(1), ":radians": 1.0}.get(name, angle)
        elif len(words) == 1 and re.fullmatch("[0-9]{1,9}", name):
            _check_whole(lines, missing)
            if number_before is not None and int(name) != number_before + 1:
                fail(path, lines.line, f"frame {name} after {number_before}", "the next frame")
            number_before = int(name)
            row = [math.nan] * width
            rows.append(row)
            missing = set(columns)
        elif name not in missing:
            _fail_bone(lines, words[0], columns, number_before)
        else:
            start, end = columns[name]
            if len(words) != 1 + end - start:
                fail(path, lines.line, f"{len(words) - 1} values", f"{end - start}, one a channel")
            missing.remove(name)
            row[start:end] = [as_number(word) for word in words[1:]]
            if not all(abs(value) < HUGE for value in row[start:end]):
                fail(path, lines.line, found(" ".join(words)), "finite numbers")
    _check_whole(lines, missing)
    if not rows:
        fail(path, lines.line, "the file ends", "the number of a frame")
    values = np.array(rows).reshape(len(rows), width)
    turns = [channel[0] == "r" for bone in skeleton.bones for channel in bone.channels]
    values[:, turns] *= angle
    return values


def _check_whole(lines: _Lines, missing: set[str]) -> None:
    """Raise FormatError if bones are missing in the frame that ends."""
    if missing:
        fail(lines.path, lines.line, f"the frame ends without {min(missing)}", "every moving bone")


def _fail_bone(
    lines: _Lines, name: str, columns: dict[str, tuple[int, int]], frame: int | None
) -> None:
    """Raise FormatError about a line that is no bone's next value."""
    if frame is None:
        fail(lines.path, lines.line, found(name), "the number of a frame")
    if name.lower() in columns:
        fail(lines.path, lines.line, f"bone {name!r} twice in a frame", "once")
    fail(lines.path, lines.line, found(name), "a bone of the skeleton that has channels")


def _world(skeleton: _Skeleton, values: np.ndarray) -> tuple[Tensor, Tensor]:
    """Where each bone starts (T, J, 3) in file units, and its frame (T, J, 3, 3), which is the
    identity in the rest pose."""
    table = torch.from_numpy(values)
    frames = len(table)
    count = len(skeleton.bones)
    positions = torch.empty(frames, count, 3, dtype=torch.float64)
    rotations = torch.empty(frames, count, 3, 3, dtype=torch.float64)
    place = torch.from_numpy(skeleton.place)
    column = 0
    for index, bone in enumerate(skeleton.bones):
        own = {name: table[:, at] for at, name in enumerate(bone.channels, column)}
        column += len(bone.channels)
        turns = [(name[1].upper(), own[name]) for name in bone.channels if name[0] == "r"]
        turn = bone.axes @ _turn(turns) @ bone.axes.T
        zero = torch.zeros(frames, dtype=torch.float64)
        shift = torch.stack([own.get(name, zero) for name in CHANNELS[:3]], dim=-1)
        if bone.parent < 0:
            positions[:, index] = place + shift
            rotations[:, index] = turn
            continue
        above = rotations[:, bone.parent]
        end = torch.from_numpy(skeleton.bones[bone.parent].vector) + shift @ bone.axes.T
        positions[:, index] = positions[:, bone.parent] + (above @ end[..., None]).squeeze(-1)
        rotations[:, index] = above @ turn
    return positions, rotations


def _turn(turns: list[tuple[str, Tensor]]) -> Tensor:
    """(..., 3, 3): turns about fixed axes, one after the other."""
    if not turns:
        return torch.eye(3, dtype=torch.float64)
    order = "".join(axis for axis, _ in reversed(turns))
    angles = torch.stack([angle for _, angle in reversed(turns)], dim=-1)
    return euler_to_matrix(angles.double(), order)
