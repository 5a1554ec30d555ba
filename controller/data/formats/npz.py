"""NumPy archives (.npz) of recorded motion: everything that is known, as plain arrays."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.lib import format as npy

from controller.core.errors import DataError, FormatError, first_line
from controller.core.files import atomic
from controller.data.formats.reading import (
    HUGE,
    MAX_BYTES,
    NoMotion,
    Reading,
    check_size,
)
from controller.motion.capture import Capture
from controller.motion.skeleton import Clip, to_global

ARRAYS = ("root", "rotations", "positions", "names", "parents", "offsets", "tips", "fps")
LONGEST_NAME = 200
ORTHONORMAL = 1e-3
"""Largest error of R·Rᵀ of a rotation that is one."""
AGREES_M = 1e-3
"""m by which joints may be from where the rotations and bones of the same file put them."""


def write(path: Path, clip: Clip) -> None:
    """Write arrays of T frames and J joints, in metres, Y up.

    ``root`` (T, 3), ``rotations`` (T, J, 3, 3) relative to the parent joint, ``positions`` (T, J,
    3) in the world, ``names`` (J,), ``parents`` (J,), ``offsets`` and ``tips`` (J, 3), ``fps``.
    """
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(  # to a file: numpy would add ".npz" to a name that ends in ".NPZ"
            file,
            root=clip.positions.numpy(),
            rotations=clip.rotations.numpy(),
            positions=clip.joint_positions().numpy(),
            names=np.array(clip.skeleton.names),
            parents=np.array(clip.skeleton.parents),
            offsets=clip.skeleton.offsets.numpy(),
            tips=clip.skeleton.tips.numpy(),
            fps=clip.fps,
        )


def read_captures(path: Path, fps: float | None = None) -> Reading:
    """Read a recording, as :func:`write` makes it; ``fps`` replaces its own rate.

    Positions are the file's own, and rotations the products of the file's. Raises NoMotion for an
    archive of other arrays, such as a data set, FormatError for one whose arrays do not agree, and
    DataError if it cannot be read.
    """
    arrays = _arrays(path)
    names = tuple(str(name) for name in arrays["names"])
    parents = tuple(int(parent) for parent in arrays["parents"])
    _check_skeleton(path, names, parents)
    rotations = to_global(parents, torch.from_numpy(arrays["rotations"]).double())
    capture = Capture(
        path.stem,
        names,
        parents,
        torch.from_numpy(arrays["positions"]).double(),
        rotations,
        torch.from_numpy(arrays["tips"]).double(),
        fps or float(arrays["fps"]),
    )
    _check_agreement(path, capture, arrays)
    return Reading([capture], [])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a recording, each with the shape that belongs to it."""
    try:
        if not path.is_file():
            path.stat()
            raise DataError(f"{path}: cannot be read (not a regular file)")
        with zipfile.ZipFile(path) as archive:
            missing = {f"{name}.npy" for name in ARRAYS} - set(archive.namelist())
            if missing:
                raise NoMotion(f"{path}: not a recording; it has no {min(missing)[:-4]}")
            size = sum(archive.getinfo(f"{name}.npy").file_size for name in ARRAYS)
            if size > MAX_BYTES:
                raise DataError(
                    f"{path}: {size / 2**20:.0f} MiB; allowed: {MAX_BYTES / 2**20:.0f} MiB a file"
                )
            arrays = {}
            for name in ARRAYS:
                with archive.open(f"{name}.npy") as file:
                    arrays[name] = _array(path, name, file, size)
    except (
        zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, SyntaxError, RuntimeError,
        NotImplementedError, OverflowError, TypeError, tokenize.TokenError,
    ) as error:  # fmt: skip
        raise DataError(f"{path}: not a readable recording ({first_line(error)[:100]})") from None
    return _shaped(path, arrays)


def _array(path: Path, name: str, file: IO[bytes], most: int) -> np.ndarray:
    """An array of at most ``most`` bytes. Its header is judged before any memory is taken."""
    version = npy.read_magic(file)
    if version != (1, 0):
        raise FormatError(f"{path}: {name}: NumPy format {version}; expected 1.0")
    shape, fortran, dtype = npy.read_array_header_1_0(file)
    count = int(np.prod(shape, dtype=object))
    if dtype.hasobject or fortran or not 0 <= count * dtype.itemsize <= most:
        raise FormatError(f"{path}: {name}: {shape} of {dtype}; expected an array of the file's")
    data = file.read(count * dtype.itemsize)
    return np.frombuffer(data, dtype, count).reshape(shape).copy()


def _shaped(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays if their shapes and kinds agree and their numbers are finite."""
    frames = arrays["root"].shape[0] if arrays["root"].ndim else 0
    joints = arrays["names"].size
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "root": ((frames, 3), "f"),
        "rotations": ((frames, joints, 3, 3), "f"),
        "positions": ((frames, joints, 3), "f"),
        "names": ((joints,), "U"),
        "parents": ((joints,), "i"),
        "offsets": ((joints, 3), "f"),
        "tips": ((joints, 3), "f"),
        "fps": ((), "fi"),
    }
    for name, (shape, kinds) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype.kind not in kinds or frames * joints == 0:
            raise FormatError(
                f"{path}: {name}: {array.shape} of {array.dtype}; expected {shape}, {kinds!r}"
            )
        if array.dtype.kind == "f" and not (np.abs(array) < HUGE).all():
            raise FormatError(f"{path}: {name}: values that are not finite; expected finite ones")
    if not arrays["fps"] > 0:
        raise FormatError(f"{path}: fps: {float(arrays['fps']):g}; expected frames a second")
    check_size(path, frames, joints)
    return arrays


def _check_skeleton(path: Path, names: tuple[str, ...], parents: tuple[int, ...]) -> None:
    if len(set(names)) < len(names) or not all(0 < len(name) <= LONGEST_NAME for name in names):
        raise FormatError(f"{path}: names: one is empty or there twice; expected different ones")
    good = parents[0] == -1 and all(
        0 <= parent < joint for joint, parent in enumerate(parents) if joint
    )
    if not good:
        raise FormatError(f"{path}: parents: expected −1, then joints that come before their own")


def _check_agreement(path: Path, capture: Capture, arrays: dict[str, np.ndarray]) -> None:
    """Raise FormatError unless rotations are rotations, and positions follow from them, the bones
    and the root."""
    product = capture.rotations @ capture.rotations.transpose(-1, -2)
    error = float((product - torch.eye(3, dtype=torch.float64)).abs().max())
    if not error < ORTHONORMAL or not bool((torch.linalg.det(capture.rotations) > 0).all()):
        raise FormatError(f"{path}: rotations: some are none; expected orthonormal matrices")
    parents = list(capture.parents)
    offsets = torch.from_numpy(arrays["offsets"]).double()
    bones = (capture.rotations[:, parents[1:]] @ offsets[1:, :, None]).squeeze(-1)
    expected = capture.positions[:, parents[1:]] + bones
    root = torch.from_numpy(arrays["root"]).double()
    misses = [capture.positions[:, 0] - root, (capture.positions[:, 1:] - expected).flatten(1)]
    if any(bool((miss.abs() > AGREES_M).any()) for miss in misses):
        raise FormatError(
            f"{path}: positions: joints are elsewhere than rotations and offsets put them; "
            "expected a recording that agrees with itself"
        )
