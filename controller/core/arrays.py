"""NumPy's .npz files, whose arrays are looked at before memory is taken for them.

``numpy.load`` believes the file: a few megabytes can ask for many gigabytes. Here an array's size
is known from the archive's directory and from the array's own header, and its owner says what is
allowed, before anything is unpacked.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from controller.core.errors import ControllerError, DataError
from controller.core.headers import sentence, shown

MOST_BYTES = 2**33
"""Bytes of an array: 80 hours of poses of 20 joints."""
SMALL = 2**26
"""Bytes up to which an array may be packed as well as it can be."""
MOST_PACKED = 100
"""Bytes of a larger array that may come from one byte of the file. Floating-point motion shrinks
to a half at best."""
ENCRYPTED = 1


@dataclass(frozen=True)
class Layout:
    """What an array's own header says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Npz:
    """An open .npz file. Its methods raise DataError, which names the array."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {
            member.filename.removesuffix(".npy"): member
            for member in archive.infolist()
            if member.filename.endswith(".npy")
        }

    @property
    def names(self) -> list[str]:
        """The names of its arrays."""
        return list(self._members)

    def layout(self, name: str) -> Layout:
        """Shape and dtype of an array, unread. DataError if there is no such array, or it is larger
        than it may be, or its parts disagree about its size."""
        member = self._member(name)
        with self._archive.open(member) as stream:
            layout = _read_layout(stream)
            rest = member.file_size - stream.tell()
        size = layout.dtype.itemsize * math.prod(layout.shape)
        if layout.dtype.hasobject or size != rest:
            raise DataError(f"the array {name!r} of {size} bytes has {rest} bytes in the file")
        return layout

    def read(self, name: str) -> np.ndarray:
        """The array. DataError as for :meth:`layout`, and if its bytes are damaged."""
        self.layout(name)
        with self._archive.open(self._member(name)) as stream:
            return npy.read_array(stream, allow_pickle=False)

    def _member(self, name: str) -> zipfile.ZipInfo:
        member = self._members.get(name)
        if member is None:
            raise DataError(f"the array {name!r} is missing; it has {shown(self.names)}")
        bomb = member.file_size > max(SMALL, MOST_PACKED * member.compress_size)
        if member.flag_bits & ENCRYPTED or bomb or member.file_size > MOST_BYTES:
            raise DataError(
                f"the array {name!r} has {member.file_size} bytes, packed in "
                f"{member.compress_size}; allowed: {MOST_BYTES}, {MOST_PACKED} for each packed one"
            )
        return member


def _read_layout(stream: IO[bytes]) -> Layout:
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"an array of the format {version} found; allowed: (1, 0), (2, 0)")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    if any(count < 0 for count in shape):
        raise DataError(f"an array of the shape {shown(shape)} found")
    return Layout(shape, dtype)


@contextmanager
def opened(path: Path | str, what: str) -> Iterator[Npz]:
    """A block that reads an .npz file, and builds ``what`` from it: "motion data set".

    Whatever cannot be read or built is the file's fault: any error becomes a DataError of one
    sentence that begins with the file's name.
    """
    try:
        if not Path(path).is_file():
            raise DataError("no such file")
        with zipfile.ZipFile(path) as archive:
            yield Npz(archive)
    except ControllerError as error:
        raise DataError(f"{path}: not a {what} ({sentence(error)})") from error
    except Exception as error:  # the archive, the arrays' headers, or compressed bytes
        name = type(error).__name__
        raise DataError(f"{path}: not a {what} ({name}: {sentence(error)})") from error
