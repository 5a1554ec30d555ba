"""File formats of motion, by suffix.

A format is added by registering it, here or in a plugin::

    FORMATS.add(".abc", MotionFormat(read=read_abc, write=write_abc))
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from controller.core.errors import ConfigError
from controller.core.registry import Registry
from controller.data.formats import bvh, npz
from controller.motion.capture import Capture
from controller.motion.skeleton import Clip


class Reader(Protocol):
    """Reads a file of motion. ``unit`` is the number of metres in one of the file's units."""

    def __call__(self, path: Path, *, unit: float) -> Clip: ...


class CaptureReader(Protocol):
    """Reads a file of motion as it is, in its own units and axes."""

    def __call__(self, path: Path) -> Capture: ...


class Writer(Protocol):
    """Writes a clip, whole or not at all."""

    def __call__(self, path: Path, clip: Clip) -> None: ...


class MotionFormat(NamedTuple):
    """What can be done with one kind of file; None is what cannot."""

    read: Reader | None = None
    write: Writer | None = None
    capture: CaptureReader | None = None


FORMATS: Registry[MotionFormat] = Registry("motion format")
"""Suffix, in lower case with its dot → format."""
FORMATS.add(".bvh", MotionFormat(bvh.read, bvh.write, bvh.read_capture))
FORMATS.add(".npz", MotionFormat(write=npz.write))


def readable() -> tuple[str, ...]:
    """The suffixes of files that can be read."""
    return tuple(suffix for suffix, form in FORMATS.items() if form.read is not None)


def writable() -> tuple[str, ...]:
    """The suffixes of files that can be written."""
    return tuple(suffix for suffix, form in FORMATS.items() if form.write is not None)


def read(path: Path, *, unit: float) -> Clip:
    """Read a file of motion by its suffix. Raises ConfigError if no format reads it."""
    form = FORMATS.find(path.suffix.lower())
    if form.read is None:
        raise ConfigError(f"{path}: no reader for {path.suffix!r}; allowed: {_list(readable())}")
    return form.read(path, unit=unit)


def read_capture(path: Path) -> Capture:
    """Read a file of motion as it is, by its suffix. Raises ConfigError if no format reads it."""
    form = FORMATS.find(path.suffix.lower())
    if form.capture is None:
        raise ConfigError(f"{path}: no reader for {path.suffix!r}; allowed: {_list(readable())}")
    return form.capture(path)


def write(path: Path, clip: Clip) -> None:
    """Write a file of motion by its suffix. Raises ConfigError if no format writes it."""
    form = FORMATS.find(path.suffix.lower())
    if form.write is None:
        raise ConfigError(f"{path}: no writer for {path.suffix!r}; allowed: {_list(writable())}")
    form.write(path, clip)


def _list(suffixes: tuple[str, ...]) -> str:
    return ", ".join(suffixes)
