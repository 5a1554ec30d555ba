"""glTF 2.0 documents (.glb, .gltf), every index and size checked before it is used.

Python's own JSON reader is all that is needed: what matters here are accessors, which the libraries
for Python do not check, and animations. Source: Khronos Group, *glTF 2.0 Specification* (2021).
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn
from urllib.parse import unquote

import numpy as np
import torch

from controller.core.errors import ControllerError, FormatError, first_line
from controller.data.formats.reading import HUGE, MAX_BYTES, found, read_bytes
from controller.motion.geometry import matrix_to_quaternion

MAX_JSON_VALUES = 3_000_000
"""Commas and brackets in a document. A hundred animations of a person have a million."""
MAX_NODES = 10_000
MAX_DEPTH = 500
"""Nodes from a root to a leaf."""
MAX_ACCESSOR_VALUES = 100_000_000
"""Numbers that all accessors together may give."""
DTYPES: dict[int, np.dtype[Any]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
"""Component types of accessors, by their number in the specification."""
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
UNREADABLE = ("EXT_meshopt_compression", "KHR_meshopt_compression")
"""Extensions that pack the data of animations."""
SHEAR = 1e-3
"""Cosine between axes of a matrix from which on it is no rotation with a scale."""

Object = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Node:
    """A node of the scene.

    parent       index of its parent, −1 for a root
    translation  (3,)
    rotation     (4,) unit quaternion, w first
    scale        (3,)
    matrix       whether the file gives a matrix, which no animation may replace
    mesh, skin   indices, or None
    """

    name: str
    parent: int
    children: tuple[int, ...]
    translation: np.ndarray
    rotation: np.ndarray
    scale: np.ndarray
    matrix: bool
    mesh: int | None
    skin: int | None


class Gltf:
    """A glTF document and its binary data.

    ``content`` is the JSON object, ``blob`` the binary chunk of a .glb file.
    """

    def __init__(self, path: Path, content: Object, blob: bytes | None = None) -> None:
        self.path = path
        self.content = content
        self.blob = blob
        self._buffers: dict[int, bytes] = {}
        self._accessors: dict[int, np.ndarray] = {}
        self._values = 0
        self._lists: dict[str, list[Object]] = {}

    @classmethod
    def load(cls, path: Path) -> Gltf:
        """Read a .glb or .gltf file; which of them it is, its first bytes say.

        Raises FormatError if it is neither, and DataError if it cannot be read.
        """
        data = read_bytes(path)
        blob = None
        if data[:4] == b"glTF":
            data, blob = _chunks(path, data)
        document = cls(path, _json(path, data), blob)
        version = document.as_object(document.content.get("asset"), "asset").get("version")
        if not (isinstance(version, str) and version.startswith("2.")):
            document.wrong("asset.version", version, "2.0")
        required = document.content.get("extensionsRequired", [])
        for extension in UNREADABLE:
            if isinstance(required, list) and extension in required:
                document.wrong("extensionsRequired", extension, "data that are not compressed")
        return document

    def fail(self, where: str, problem: str, expected: str) -> NoReturn:
        """Raise FormatError about a part of the document."""
        raise FormatError(f"{self.path}: {where}: {problem}; expected {expected}")

    def wrong(self, where: str, value: object, expected: str) -> NoReturn:
        """Raise FormatError about a value of the document."""
        shown = found(value) if isinstance(value, str) else f"found {str(value)[:60]}"
        self.fail(where, shown, expected)

    # -- values ------------------------------------------------------------------------------------

    def as_object(self, value: Any, where: str) -> Object:
        """A value that must be an object."""
        if not isinstance(value, dict):
            self.wrong(where, value, "an object")
        return value

    def objects(self, key: str, owner: Object | None = None, where: str = "") -> list[Object]:
        """A list of objects; empty where there is none."""
        values = (self.content if owner is None else owner).get(key, [])
        if not isinstance(values, list):
            self.wrong(where + key, values, "a list")
        for number, value in enumerate(values):
            if not isinstance(value, dict):
                self.wrong(f"{where}{key}[{number}]", value, "an object")
        return values

    def integer(self, owner: Object, key: str, where: str, end: int, default: Any = None) -> int:
        """A whole number from 0 to ``end`` − 1."""
        value = owner.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < end:
            self.wrong(f"{where}.{key}", value, f"a whole number from 0 to {end - 1}")
        return value

    def index(self, owner: Object, key: str, where: str, kind: str) -> int:
        """An index into the list ``kind`` of the document."""
        return self.integer(owner, key, where, len(self.table(kind)))

    def table(self, kind: str) -> list[Object]:
        """A list of the document, checked once."""
        if kind not in self._lists:
            self._lists[kind] = self.objects(kind)
        return self._lists[kind]

    def indices(self, owner: Object, key: str, where: str, end: int) -> list[int]:
        """A list of different whole numbers from 0 to ``end`` − 1; empty where there is none."""
        values = owner.get(key, [])
        good = isinstance(values, list) and all(
            isinstance(value, int) and not isinstance(value, bool) and 0 <= value < end
            for value in values
        )
        if not good or len(set(values)) < len(values):
            self.wrong(f"{where}.{key}", values, f"different whole numbers from 0 to {end - 1}")
        return values

    def vector(self, owner: Object, key: str, where: str, default: list[float]) -> np.ndarray:
        """A list of as many finite numbers as ``default`` has."""
        values = owner.get(key, default)
        good = isinstance(values, list) and len(values) == len(default)
        good = good and all(
            isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < HUGE
            for value in values
        )
        if not good:
            self.wrong(f"{where}.{key}", values, f"{len(default)} finite numbers")
        return np.array(values, dtype=np.float64)

    def number(self, owner: Object, key: str, where: str, default: float) -> float:
        """A finite number."""
        return float(self.vector({key: [owner.get(key, default)]}, key, where, [default])[0])

    # -- nodes -------------------------------------------------------------------------------------

    @cached_property
    def nodes(self) -> list[Node]:
        """The nodes, by their index; unnamed ones are called ``node_7``.

        Raises FormatError for a node with two parents, for nodes in a ring, and for more than
        :data:`MAX_NODES`.
        """
        objects = self.table("nodes")
        count = len(objects)
        if count > MAX_NODES:
            self.fail("nodes", f"{count} of them", f"at most {MAX_NODES}")
        parents = [-1] * count
        for number, owner in enumerate(objects):
            for child in self.indices(owner, "children", f"nodes[{number}]", count):
                if parents[child] >= 0:
                    self.fail(f"nodes[{child}]", "a second parent", "one")
                parents[child] = number
        self._check_no_ring(objects, parents)
        return [self._node(number, owner, parents[number]) for number, owner in enumerate(objects)]

    def _check_no_ring(self, objects: list[Object], parents: list[int]) -> None:
        """Raise FormatError unless every node hangs from a root, not too deep; each has one parent
        at most."""
        waiting = [(number, 1) for number, parent in enumerate(parents) if parent < 0]
        reached = 0
        while waiting:
            number, depth = waiting.pop()
            if depth > MAX_DEPTH:
                self.fail(f"nodes[{number}]", f"{depth} nodes deep", f"at most {MAX_DEPTH}")
            reached += 1
            waiting += [(child, depth + 1) for child in objects[number].get("children", [])]
        if reached < len(objects):
            self.fail("nodes", "a ring of children", "a tree")

    def _node(self, number: int, owner: Object, parent: int) -> Node:
        where = f"nodes[{number}]"
        name = owner.get("name")
        translation = self.vector(owner, "translation", where, [0.0] * 3)
        rotation = self.vector(owner, "rotation", where, [0.0, 0.0, 0.0, 1.0])
        scale = self.vector(owner, "scale", where, [1.0] * 3)
        if "matrix" in owner:
            matrix = self.vector(owner, "matrix", where, [0.0] * 16).reshape(4, 4).T
            translation = matrix[:3, 3]
            scale, turn = self._factors(matrix[:3, :3], where)
            rotation = np.roll(matrix_to_quaternion(torch.from_numpy(turn)).numpy(), -1)
        length = float(np.linalg.norm(rotation))
        if not length > 1e-6:
            self.wrong(f"{where}.rotation", rotation.tolist(), "a unit quaternion")
        return Node(
            name if isinstance(name, str) and name else f"node_{number}",
            parent,
            tuple(owner.get("children", [])),
            translation,
            np.roll(rotation, 1) / length,
            scale,
            "matrix" in owner,
            self.index(owner, "mesh", where, "meshes") if "mesh" in owner else None,
            self.index(owner, "skin", where, "skins") if "skin" in owner else None,
        )

    def _factors(self, linear: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
        """The scale (3,) and the rotation (3, 3) of a matrix. FormatError for one that shears."""
        scale = np.linalg.norm(linear, axis=0)
        if not (scale > 1e-12).all():
            self.wrong(f"{where}.matrix", linear.tolist(), "a matrix with an inverse")
        if np.linalg.det(linear) < 0:
            scale[0] = -scale[0]
        turn = linear / scale
        if np.abs(turn.T @ turn - np.eye(3)).max() > SHEAR:
            self.wrong(f"{where}.matrix", linear.tolist(), "a rotation and a scale without shear")
        return scale, turn

    # -- binary data -------------------------------------------------------------------------------

    def accessor(self, number: int, kind: str) -> np.ndarray:
        """(count, components): the values of an accessor whose type must be ``kind``, such as
        "VEC3". float64 where they are numbers or normalized integers, and int64 otherwise.

        Raises FormatError for values outside its buffer, that are not finite, or sparse.
        """
        owner = self.table("accessors")[number]
        where = f"accessors[{number}]"
        if owner.get("type") != kind:
            self.wrong(f"{where}.type", owner.get("type"), kind)
        if number not in self._accessors:
            self._accessors[number] = self._read_accessor(owner, where)
        return self._accessors[number]

    def _read_accessor(self, owner: Object, where: str) -> np.ndarray:
        if "sparse" in owner or "bufferView" not in owner:
            self.fail(where, "a sparse accessor", "one with a bufferView")
        component = owner.get("componentType")
        if not isinstance(component, int) or component not in DTYPES:
            self.wrong(f"{where}.componentType", component, f"one of {list(DTYPES)}")
        dtype = DTYPES[component]
        width = COMPONENTS[owner["type"]]
        size = width * dtype.itemsize
        number = self.index(owner, "bufferView", where, "bufferViews")
        view, stride = self._view(number, size)
        start = self.integer(owner, "byteOffset", where, len(view) + 1, 0)
        count = self.integer(owner, "count", where, len(view) // min(size, stride) + 1)
        if count == 0 or start + stride * (count - 1) + size > len(view):
            self.wrong(f"{where}.count", count, f"values inside the {len(view)} bytes of its view")
        self._values += count * width
        if self._values > MAX_ACCESSOR_VALUES:
            self.fail(where, "one more value", f"at most {MAX_ACCESSOR_VALUES} in all accessors")

        shape = (count, width)
        raw = np.ndarray(shape, dtype, view, start, (stride, dtype.itemsize))
        if dtype.kind == "f":
            if not (np.abs(raw) < HUGE).all():
                self.fail(where, "values that are not finite", "finite ones")
            return raw.astype(np.float64)
        if owner.get("normalized") is True:
            return np.maximum(raw / np.iinfo(dtype).max, -1.0)
        return raw.astype(np.int64)

    def _view(self, number: int, size: int) -> tuple[memoryview, int]:
        """The bytes of a buffer view, and its bytes from one element to the next."""
        owner = self.table("bufferViews")[number]
        where = f"bufferViews[{number}]"
        if any(name in self.as_object(owner.get("extensions", {}), where) for name in UNREADABLE):
            self.fail(where, "compressed data", "data that are not compressed")
        data = self._buffer(self.index(owner, "buffer", where, "buffers"))
        start = self.integer(owner, "byteOffset", where, len(data) + 1, 0)
        length = self.integer(owner, "byteLength", where, len(data) - start + 1)
        stride = self.integer(owner, "byteStride", where, 253, size)
        if stride < size:
            self.wrong(f"{where}.byteStride", stride, f"at least {size}")
        return memoryview(data)[start : start + length], stride

    def _buffer(self, number: int) -> bytes:
        """The bytes of a buffer: the .glb file's own, a data URI's, or a file's."""
        if number not in self._buffers:
            owner = self.table("buffers")[number]
            where = f"buffers[{number}]"
            uri = owner.get("uri")
            if uri is None:
                if number > 0 or self.blob is None:
                    self.fail(where, "no uri", "one, or the binary part of a .glb file")
                data = self.blob
            elif not isinstance(uri, str):
                self.wrong(f"{where}.uri", uri, "text")
            elif uri.startswith("data:"):
                data = self._data_uri(uri, where)
            else:
                data = self._file(uri, where)
            length = self.integer(owner, "byteLength", where, len(data) + 1)
            self._buffers[number] = data[:length]
            if sum(map(len, self._buffers.values())) > MAX_BYTES:
                self.fail(where, "more data", f"at most {MAX_BYTES // 2**20} MiB in all buffers")
        return self._buffers[number]

    def image(self, number: int) -> bytes:
        """The bytes of an image: those of a buffer view, a data URI's, or a file's."""
        owner = self.table("images")[number]
        where = f"images[{number}]"
        uri = owner.get("uri")
        if uri is None:
            view = self._view(self.index(owner, "bufferView", where, "bufferViews"), 1)
            return bytes(view[0])
        if not isinstance(uri, str):
            self.wrong(f"{where}.uri", uri, "text")
        return self._data_uri(uri, where) if uri.startswith("data:") else self._file(uri, where)

    def _data_uri(self, uri: str, where: str) -> bytes:
        head, _, data = uri.partition(",")
        if not head.endswith(";base64"):
            self.wrong(f"{where}.uri", head, "a data URI in base64")
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            self.wrong(f"{where}.uri", uri[:40], "a data URI in base64")

    def _file(self, uri: str, where: str) -> bytes:
        """A file in the document's folder or below it."""
        name = unquote(uri)
        folder = self.path.parent.resolve()
        relative = PurePosixPath(name)
        if ":" in name or "\\" in name or "\0" in name or relative.is_absolute():
            self.wrong(f"{where}.uri", uri, "a file in the folder of this one")
        try:
            target = (folder / relative).resolve()
        except (OSError, RuntimeError):
            self.wrong(f"{where}.uri", uri, "a file in the folder of this one")
        if not target.is_relative_to(folder):
            self.wrong(f"{where}.uri", uri, "a file in the folder of this one")
        try:
            return read_bytes(target)
        except ControllerError as error:
            raise FormatError(f"{self.path}: {where}.uri: {error}") from None


def _chunks(path: Path, data: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a .glb file."""
    if len(data) < 20:
        raise FormatError(f"{path}: the file ends after {len(data)} bytes; expected a .glb file")
    version, length, size, kind = struct.unpack_from("<IIII", data, 4)
    if version != 2:
        raise FormatError(f"{path}: .glb version {version}; expected 2")
    if length > len(data) or kind != 0x4E4F534A or 20 + size > length:
        raise FormatError(
            f"{path}: {len(data)} bytes; expected a .glb file of {length}, with JSON first"
        )
    text = data[20 : 20 + size]
    start = 20 + size
    while start + 8 <= length:
        size, kind = struct.unpack_from("<II", data, start)
        if start + 8 + size > length:
            raise FormatError(f"{path}: the file ends inside a chunk of {size} bytes")
        if kind == 0x004E4942:
            return text, data[start + 8 : start + 8 + size]
        start += 8 + size
    return text, None


def _json(path: Path, data: bytes) -> Object:
    """A JSON object. Raises FormatError if it is none, or has too many values to keep."""
    count = sum(data.count(mark) for mark in (b",", b"[", b"{"))
    if count > MAX_JSON_VALUES:
        raise FormatError(f"{path}: {count} values of JSON; allowed: {MAX_JSON_VALUES}")
    try:
        content = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = first_line(error)[:100]
        raise FormatError(f"{path}: not a glTF file ({reason})") from None
    if not isinstance(content, dict):
        raise FormatError(f"{path}: not a glTF file (no JSON object)")
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
