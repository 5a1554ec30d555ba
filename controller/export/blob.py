"""The weights file of the C runtime (``runtime/motion_vae.c``).

Little-endian. A header of 128 bytes, then sections, each followed by zeros up to a multiple of 64
bytes:

| section        | what                                                                        |
|----------------|-----------------------------------------------------------------------------|
| layers         | experts, inputs, outputs of each: 3 of the gate, 3 of the experts, policy   |
| parents        | (J) int32                                                                   |
| offsets        | (J, 3)                                                                      |
| mean, std      | (D) each                                                                    |
| low, high      | (D) each: the range of poses                                                |
| reset poses    | (R, D)                                                                      |
| names          | of joints, then of styles, each ended by a 0                                |
| notice         | licence and attribution, ended by a 0                                       |
| for each layer | bias (E, W), then weights in tiles: W is the outputs rounded up to 64, a    |
|                | tile has 64 outputs of all E·I rows, which are rounded up to 4; with zeros  |
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from controller.export.steered import FORMAT, Layer, SteeredCharacter

Precision = Literal["float32", "float16"]
"""How the weights of networks are stored. Everything else is float32."""
PRECISIONS = get_args(Precision)
MAGIC = b"mvaeblob"
HEADER = 128
ALIGNMENT = 64
TILE = 64
"""Outputs of a layer that lie together."""
ROWS = 4
"""Rows of weights are rounded up to this."""


def write(steered: SteeredCharacter, precision: Precision = "float32") -> bytes:
    """The file's bytes."""
    sections = list(_sections(steered, np.dtype(precision)))
    body = b"".join(sections)
    total = HEADER + len(body)
    after = _sizes(steered, precision, total).ljust(HEADER - 16, b"\0") + body
    return MAGIC + struct.pack("<II", FORMAT, zlib.crc32(after)) + after


def _sizes(steered: SteeredCharacter, precision: Precision, total: int) -> bytes:
    """The header after its checksum."""
    layout = steered.character.layout
    counts = (
        total,
        np.dtype(precision).itemsize * 8,
        layout.joints,
        layout.size,
        len(layout.styles),
        steered.character.latent,
        len(steered.reset_poses),
        len(_layers(steered)),
        len(_names(steered)),
        len(_notice(steered)),
    )
    stick = steered.stick
    numbers = (
        steered.character.fps,
        steered.latent_limit,
        stick.forward_speed,
        stick.sideways_speed,
        stick.backward_speed,
        *steered.sway,
    )
    return struct.pack(f"<{len(counts)}I{len(numbers)}f", *counts, *numbers)


def _layers(steered: SteeredCharacter) -> list[Layer]:
    return [*steered.gate, *steered.experts, *steered.actor]


def _names(steered: SteeredCharacter) -> bytes:
    names = (*steered.character.skeleton.names, *steered.character.styles)
    return b"".join(name.encode() + b"\0" for name in names)


def _notice(steered: SteeredCharacter) -> bytes:
    info = steered.info
    return f"{info.terms}. {info.attribution}".strip().encode().replace(b"\0", b"") + b"\0"


def _sections(steered: SteeredCharacter, dtype: np.dtype) -> Iterator[bytes]:
    layers = _layers(steered)
    sizes = np.array([layer.weight.shape for layer in layers], "<u4")
    yield _padded(sizes.tobytes())
    yield _padded(steered.parents.astype("<i4").tobytes())
    yield _padded(_floats(steered.offsets))
    for name in ("mean", "std", "low", "high"):
        yield _padded(_floats(steered.statistics[name]))
    yield _padded(_floats(steered.reset_poses))
    yield _padded(_names(steered))
    yield _padded(_notice(steered))
    for layer in layers:
        yield _padded(_floats(_multiple(layer.bias, TILE, axis=1)))
        yield _padded(tiles(layer.weight).astype(dtype.newbyteorder("<")).tobytes())


def tiles(weight: np.ndarray) -> np.ndarray:
    """Weights (E, I, O) in the order in which the runtime reads them, (tiles, rows, 64)."""
    rows = _multiple(weight.reshape(-1, weight.shape[2]), ROWS, axis=0)
    rows = _multiple(rows, TILE, axis=1)
    return rows.reshape(len(rows), -1, TILE).transpose(1, 0, 2)


def _multiple(values: np.ndarray, of: int, axis: int) -> np.ndarray:
    """The values with zeros after them, so that the size of an axis is a multiple of ``of``."""
    width = [(0, 0)] * values.ndim
    width[axis] = (0, -values.shape[axis] % of)
    return np.pad(values, width)


def _floats(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)
