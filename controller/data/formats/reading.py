"""What all readers of motion files share: what they return, and the limits that keep a damaged or
absurd file from taking all memory or all day."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple, NoReturn

from controller.core.errors import DataError, FormatError
from controller.motion.capture import Capture

MAX_BYTES = 512 * 2**20
"""Bytes of one file. An hour of 60 joints at 120 frames a second as text has twice as many: longer
captures come in several files."""
MAX_JOINTS = 500
"""Joints of one skeleton. A person with all fingers and a face has 150."""
MAX_DEPTH = 100
"""Joints from the root to a leaf. A tail or a rope has 30."""
MAX_CHILDREN = 100
"""Joints of one parent. A head with a face has 60; telling left from right among them is
quadratic."""
MIN_FPS = 1.0
"""A frame of more than a second is a rate in other units, such as milliseconds."""
MAX_FPS = 1000.0
MILLISECONDS = 1000.0
MILLISECOND_FPS = (10.0, 500.0)
"""Rates that somebody may have meant who wrote milliseconds in place of seconds."""
MAX_SECONDS = 4 * 3600.0
"""Seconds of one clip."""
MAX_JOINT_FRAMES = 30_000_000
"""Frames times joints of one file: 2.9 GB as positions and rotations."""
HUGE = 1e30
"""Numbers in a file must be smaller than this; float32 could not hold it in every unit. NaN is not
smaller."""


class NoMotion(FormatError):
    """A file that is whole but holds no motion, such as a character at rest or a data set: to be
    left out, but no reason to distrust the files beside it."""


class Reading(NamedTuple):
    """The captures of one file, and what was assumed to read them: sentences without the file's
    name, so that they are said once for many files."""

    captures: list[Capture]
    remarks: list[str]


def fail(path: Path, line: int, problem: str, expected: str) -> NoReturn:
    """Raise FormatError about a line of a text file."""
    raise FormatError(f"{path}, line {line}: {problem}; expected {expected}")


def found(text: str) -> str:
    """What an error says of unexpected text."""
    return f"found {repr(text)[:60]}"


def as_number(word: str) -> float:
    """The number that a word is; NaN if it is none."""
    try:
        return float(word)
    except ValueError:
        return math.nan


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises DataError if it cannot be read, is not a regular file (a pipe would
    never end), or is larger than :data:`MAX_BYTES`."""
    try:
        if not path.is_file():
            path.stat()
            raise DataError(f"{path}: cannot be read (not a regular file)")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(
                f"{path}: {size / 2**20:.0f} MiB; allowed: {MAX_BYTES / 2**20:.0f} MiB a file"
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def read_lines(path: Path, kind: str) -> list[str]:
    """A text file's lines, with any kind of line ending. ``kind`` is what the file should be.

    Raises DataError as :func:`read_bytes` does, and FormatError for what is not UTF-8.
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fail(path, line, f"byte 0x{data[error.start]:02x} is not text", f"{kind} file in UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def check_rate(path: Path, frames: int, fps: float) -> None:
    """Raise FormatError for a frame rate or a length that no capture has."""
    if not MIN_FPS <= fps <= MAX_FPS:
        meant = fps * MILLISECONDS
        hint = "--fps states another rate"
        if MILLISECOND_FPS[0] <= meant <= MILLISECOND_FPS[1]:
            hint = f"if these are milliseconds, --fps {meant:.4g} says so"
        raise FormatError(
            f"{path}: a frame lasts {1 / fps:.4g} s; allowed: {1 / MAX_FPS:g} to {1 / MIN_FPS:g} s "
            f"({hint})"
        )
    if frames > MAX_SECONDS * fps:
        raise FormatError(
            f"{path}: {frames / fps / 3600:.4g} h long; allowed: {MAX_SECONDS / 3600:g} h a clip"
        )


def check_size(path: Path, frames: int, joints: int) -> None:
    """Raise FormatError for more joints or frames than are read at once."""
    if joints > MAX_JOINTS:
        raise FormatError(f"{path}: more than {MAX_JOINTS} joints; allowed: {MAX_JOINTS}")
    if frames * joints > MAX_JOINT_FRAMES:
        raise FormatError(
            f"{path}: {frames} frames of {joints} joints; allowed: {MAX_JOINT_FRAMES // joints} "
            "frames of so many joints"
        )


def check(path: Path, capture: Capture) -> None:
    """Raise FormatError for a capture with an impossible rate, size or position."""
    check_rate(path, len(capture), capture.fps)
    check_size(path, len(capture), len(capture.names))
    depths: list[int] = []
    for parent in capture.parents:
        depths.append(depths[parent] + 1 if parent >= 0 else 1)
    if max(depths) > MAX_DEPTH:
        raise FormatError(f"{path}: a chain of {max(depths)} joints; allowed: {MAX_DEPTH}")
    widest = max(map(capture.parents.count, set(capture.parents)))
    if widest > MAX_CHILDREN:
        raise FormatError(f"{path}: a joint with {widest} children; allowed: {MAX_CHILDREN}")
    if not bool((capture.positions.abs() < HUGE).all()):
        raise FormatError(f"{path}: {capture.name} has positions that are not finite")
