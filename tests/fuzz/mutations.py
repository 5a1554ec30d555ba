"""Ways to damage a file. Each takes the good file's bytes and a generator of random numbers."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from random import Random
from typing import Any

import numpy as np

from . import values

DTYPES = ("F32", "F64", "F16", "BF16", "I64", "I32", "I8", "U8", "U16", "BOOL", "F8_E4M3", "", "X9")
FLOATS = (float("nan"), float("inf"), -1.0, 0.0, 1e-38, 3e38, -3e38)
NUMBERS = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
WORDS = (
    b"nan", b"-1", b"0", b"1e308", b"9" * 30, b"33.333", b"1e5", b"1e18", b"", b"{", b"}", b"\0",
    b"\xff\xfe", b"[" * 5000, b"2147483648", b"1 " * 3000,
)  # fmt: skip
ZEROS = 200_000_000


def raw(good: bytes, random: Random) -> bytes:
    """Bits flipped, bytes cut, doubled, or replaced, wherever they are."""
    data = bytearray(good)
    head = random.random() < 0.6  # where formats keep what decides
    reach = min(len(data), 4096) if head else len(data)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        at = random.randrange(max(1, reach))
        kind = random.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << random.randrange(8)
        elif kind == 1:
            del data[at : at + random.choice((1, 4, 8, 1000))]
        elif kind == 2:
            data[at:at] = random.randbytes(random.choice((1, 4, 8, 100)))
        elif kind == 3:
            data[at : at + 8] = struct.pack("<q", random.choice((-1, 0, 2**31, 2**62, 2**63 - 1)))
        elif kind == 4:
            data[at:at] = data[at : at + random.choice((4, 64, 1000))]
        else:
            del data[random.randrange(len(data) + 1) :]
        reach = max(1, min(reach, len(data)))
    return bytes(data)


def text(good: bytes, random: Random) -> bytes:
    """Lines and numbers of a text removed, doubled, swapped or replaced."""
    if random.random() < 0.2:
        return raw(good, random)
    data = good
    for _ in range(random.choice((1, 1, 2, 5))):
        found = list(NUMBERS.finditer(data[:200_000]))
        lines = data.split(b"\n")
        at = random.randrange(len(lines))
        kind = random.randrange(5)
        if kind == 0 and found:
            number = random.choice(found[: random.choice((10, 100, 100_000))])
            data = data[: number.start()] + random.choice(WORDS) + data[number.end() :]
        elif kind == 1:
            data = b"\n".join(lines[:at] + lines[at + 1 :])
        elif kind == 2:
            data = b"\n".join([*lines[:at], *[lines[at]] * random.choice((2, 500)), *lines[at:]])
        elif kind == 3:
            data = b"\n".join([*lines[:at], random.choice(WORDS), *lines[at:]])
        else:
            words = lines[at].split()
            random.shuffle(words)
            data = b"\n".join([*lines[:at], b" ".join(words), *lines[at + 1 :]])
    return data


def document(good: bytes, random: Random) -> bytes:
    """A JSON document with another value in it."""
    if random.random() < 0.2:
        return text(good, random)
    return values.dumps(values.damaged(json.loads(good), random)).encode()


# -- checkpoints -----------------------------------------------------------------------------------


def checkpoint(good: bytes, random: Random) -> bytes:
    """A safetensors file whose table, whose own header or whose values are wrong."""
    kind = random.randrange(10)
    if kind == 0:
        return raw(good, random)
    (size,) = struct.unpack("<Q", good[:8])
    entries = json.loads(good[8 : 8 + size])
    data = bytearray(good[8 + size :])
    if kind <= 4:
        own = json.loads(entries["__metadata__"]["header"])
        for _ in range(random.choice((1, 1, 2))):
            damaged = values.damaged(own, random)
            own = damaged if isinstance(damaged, dict) else own
        entries["__metadata__"]["header"] = values.dumps(own)
    elif kind <= 6:
        _values(entries, data, random)
    elif kind == 7:
        return _packed(values.damaged(entries, random), data)
    else:
        _tensors(entries, data, random)
    return _packed(entries, data)


def _names(entries: dict[str, Any]) -> list[str]:
    return [name for name in entries if name != "__metadata__"]


def _values(entries: dict[str, Any], data: bytearray, random: Random) -> None:
    """Some values of a tensor become others."""
    entry = entries[random.choice(_names(entries))]
    begin, end = entry["data_offsets"]
    if entry["dtype"] == "F32" and end > begin:
        found = np.frombuffer(data, np.float32, (end - begin) // 4, begin).copy()
        chosen = random.choice((slice(None), random.randrange(len(found))))
        found[chosen] = random.choice(FLOATS)
        data[begin:end] = found.tobytes()
    else:
        data[begin:end] = random.randbytes(end - begin)


def _tensors(entries: dict[str, Any], data: bytearray, random: Random) -> None:
    """A tensor gets another name, shape or dtype, goes, or comes."""
    name = random.choice(_names(entries))
    entry = entries[name]
    kind = random.randrange(6)
    if kind == 0:
        entries[random.choice(("x", "", "a.b.c", name + "x", "optimizer.0.step"))] = entries.pop(
            name
        )
    elif kind == 1:
        entry["shape"] = random.choice(
            ([], entry["shape"][::-1], [*entry["shape"], 1], [1, *entry["shape"]])
        )
    elif kind == 2:
        entry["dtype"] = random.choice(DTYPES)
    elif kind == 3:
        entry["shape"] = [random.choice((0, 1, -1, 2**31, 2**62)) for _ in entry["shape"]]
    elif kind == 4:  # whole and consistent, but of another size: all values come last in the file
        shape = [max(1, side + random.choice((-1, 0, 1, 9))) for side in entry["shape"]]
        size = 4 * int(np.prod(shape, dtype=np.int64)) if shape else 4
        begin, end = entry["data_offsets"]
        moved = data[begin:end]
        for other in entries.values():
            if other is not entry and "data_offsets" in other and other["data_offsets"][0] >= end:
                other["data_offsets"] = [x - (end - begin) for x in other["data_offsets"]]
        del data[begin:end]
        entries[name] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [len(data), len(data) + size],
        }
        data += (moved * (size // max(1, len(moved)) + 1))[:size].ljust(size, b"\0")
    else:
        count = random.choice((0, 1, 5))
        entries["extra"] = {
            "dtype": "F32",
            "shape": [count],
            "data_offsets": [len(data), len(data) + 4 * count],
        }
        data += bytes(4 * count)


def _packed(entries: Any, data: bytes | bytearray) -> bytes:
    head = values.dumps(entries).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes(data)


# -- .npz ------------------------------------------------------------------------------------------


def archive(good: bytes, random: Random) -> bytes:
    """An .npz whose archive, whose arrays or whose JSON header is wrong, or that unpacks to
    gigabytes."""
    kind = random.randrange(8)
    if kind <= 1:
        return raw(good, random)
    with np.load(io.BytesIO(good)) as found:
        arrays = {name: found[name] for name in found.files}
    name = random.choice(list(arrays))
    if kind <= 4 and "header" in arrays:
        damaged = values.damaged(json.loads(str(arrays["header"])), random)
        arrays["header"] = np.array(values.dumps(damaged).replace("\0", ""))
    elif kind == 5:
        arrays[name] = _array(arrays[name], random)
    elif kind == 6:
        return _odd_archive(arrays, name, random)
    else:
        arrays.pop(name)
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def _array(array: np.ndarray, random: Random) -> np.ndarray:
    if array.dtype.kind == "f" and array.size and random.random() < 0.5:
        array = array.copy()
        array.reshape(-1)[random.randrange(array.size)] = random.choice(FLOATS)
        return array
    return random.choice((
        lambda: array[..., None], lambda: array[:0] if array.ndim else array,
        lambda: array.reshape(-1), lambda: np.zeros((), np.float64), lambda: np.arange(5),
        lambda: array.astype("U4"), lambda: np.asfortranarray(array), lambda: np.zeros(3, "V8"),
        lambda: array.astype(np.float64) if array.dtype.kind == "f" else array,
        lambda: array.astype(np.uint8) if array.dtype.kind == "f" else array,
    ))()  # fmt: skip


def _odd_archive(arrays: dict[str, np.ndarray], name: str, random: Random) -> bytes:
    """Members by hand: names that leave the folder, twice the same, headers that ask for more than
    there is, and zeros by the hundred megabytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(
        target, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as out:
        for each, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array)
            data = member.getvalue()
            if each == name:
                kind = random.randrange(6)
                if kind == 0:
                    out.writestr(f"../../{each}.npy", data)
                elif kind == 1:
                    out.writestr(f"{each}", data)
                elif kind == 2:
                    data = data.replace(b"'shape': (", b"'shape': (9", 1)
                elif kind == 3:
                    data = data.replace(b"<f4", random.choice((b"<f8", b"|O ", b"|V9", b"<U9")), 1)
                elif kind == 4 and random.random() < 0.05:
                    many = np.broadcast_to(np.float32(0), (ZEROS // 4,))
                    member = io.BytesIO()
                    np.lib.format.write_array_header_1_0(
                        member, np.lib.format.header_data_from_array_1_0(many)
                    )
                    data = member.getvalue() + bytes(ZEROS)
                else:
                    data = raw(data, random)
            out.writestr(f"{each}.npy", data)
    return target.getvalue()
