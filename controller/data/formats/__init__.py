"""File formats of motion, by suffix.

A format is added by registering it, here or in a plugin::

    FORMATS.add(".abc", MotionFormat(captures=read_abc, write=write_abc))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from controller.core.errors import ConfigError, ControllerError, DataError, first_line
from controller.core.registry import Registry
from controller.data.formats import acclaim, bvh, gltf_animation, gltf_writing, npz
from controller.data.formats.reading import NoMotion, Reading, check, check_rate
from controller.motion.capture import Capture
from controller.motion.skeleton import Clip

__all__ = ["FORMATS", "MotionFormat", "NoMotion", "Reading"]


class Reader(Protocol):
    """Reads a file of motion. ``unit`` is the number of metres in one of the file's units."""

    def __call__(self, path: Path, *, unit: float) -> Clip: ...


class CaptureReader(Protocol):
    """Reads the motions of a file as they are, in its own units and axes.

    ``fps`` is the frame rate that the user states, None for the file's own. A format whose motion
    is in seconds is sampled at it.
    """

    def __call__(self, path: Path, fps: float | None = None) -> Reading: ...


class Writer(Protocol):
    """Writes a clip, whole or not at all."""

    def __call__(self, path: Path, clip: Clip) -> None: ...


class MotionFormat(NamedTuple):
    """What can be done with one kind of file; None is what cannot.

    companions  suffixes of files without motion that the reader needs beside one
    """

    read: Reader | None = None
    write: Writer | None = None
    captures: CaptureReader | None = None
    companions: tuple[str, ...] = ()


FORMATS: Registry[MotionFormat] = Registry("motion format")
"""Suffix, in lower case with its dot → format."""
FORMATS.add(".bvh", MotionFormat(bvh.read, bvh.write, bvh.read_captures))
FORMATS.add(".amc", MotionFormat(captures=acclaim.read_captures, companions=(".asf",)))
GLTF = MotionFormat(captures=gltf_animation.read_captures, companions=(".bin",))
FORMATS.add(".glb", GLTF._replace(write=gltf_writing.write_clip))
FORMATS.add(".gltf", GLTF)
FORMATS.add(".npz", MotionFormat(write=npz.write, captures=npz.read_captures))


def readable() -> tuple[str, ...]:
    """The suffixes of files that can be read."""
    return tuple(suffix for suffix, form in FORMATS.items() if form.captures is not None)


def companions() -> tuple[str, ...]:
    """The suffixes of files that readers need beside those that they read."""
    found = (suffix for form in FORMATS.values() for suffix in form.companions)
    return tuple(dict.fromkeys(found))


def writable() -> tuple[str, ...]:
    """The suffixes of files that can be written."""
    return tuple(suffix for suffix, form in FORMATS.items() if form.write is not None)


def read(path: Path, *, unit: float) -> Clip:
    """Read a file of motion by its suffix, on the skeleton that it has.

    Raises ConfigError if no format reads it so, and FormatError for an impossible frame rate.
    """
    form = FORMATS.find(path.suffix.lower())
    if form.read is None:
        allowed = [suffix for suffix, form in FORMATS.items() if form.read is not None]
        raise ConfigError(f"{path}: no reader for {path.suffix!r}; allowed: {', '.join(allowed)}")
    with _blamed_on(path):
        clip = form.read(path, unit=unit)
        check_rate(path, len(clip), clip.fps)
    return clip


def read_captures(path: Path, fps: float | None = None) -> Reading:
    """Read all motions of a file as they are, by its suffix.

    ``fps`` is stated by the user and wins over the file's own. Raises ConfigError if no format
    reads it, NoMotion if there is no motion in it, and another ControllerError if it is damaged or
    beyond the limits of :mod:`controller.data.formats.reading`.
    """
    form = FORMATS.find(path.suffix.lower())
    if form.captures is None:
        raise ConfigError(f"{path}: no reader for {path.suffix!r}; allowed: {_list(readable())}")
    with _blamed_on(path):
        reading = form.captures(path, fps)
        for capture in reading.captures:
            check(path, capture)
    return reading


@contextmanager
def _blamed_on(path: Path) -> Iterator[None]:
    """Raise DataError about the file for whatever goes wrong in reading it, so that one bad file
    never takes others with it."""
    try:
        yield
    except ControllerError:
        raise
    except MemoryError:
        raise DataError(f"{path}: does not fit into memory; split it") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)[:100]}"
        raise DataError(f"{path}: cannot be read ({reason})") from error


def read_capture(path: Path) -> Capture:
    """Read a file that holds a single motion, as :func:`read_captures` does. Raises DataError if it
    holds several."""
    captures = read_captures(path).captures
    if len(captures) != 1:
        raise DataError(f"{path}: {len(captures)} motions; a single one is expected")
    return captures[0]


def write(path: Path, clip: Clip) -> None:
    """Write a file of motion by its suffix. Raises ConfigError if no format writes it."""
    form = FORMATS.find(path.suffix.lower())
    if form.write is None:
        raise ConfigError(f"{path}: no writer for {path.suffix!r}; allowed: {_list(writable())}")
    form.write(path, clip)


def _list(suffixes: tuple[str, ...]) -> str:
    return ", ".join(suffixes)
