"""glTF files for tests: nodes, animations and accessors put together by hand."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from controller.motion.geometry import matrix_to_quaternion
from controller.motion.skeleton import Clip

TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
CODES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "f4": 5126}


@dataclass
class Document:
    """A glTF document that grows. ``content`` may be changed at will before it is written."""

    content: dict[str, Any] = field(
        default_factory=lambda: {
            "asset": {"version": "2.0"}, "nodes": [], "animations": [], "accessors": [],
            "bufferViews": [], "buffers": [{"byteLength": 0}],
        }
    )  # fmt: skip
    data: bytearray = field(default_factory=bytearray)

    def node(self, name: str, **values: Any) -> int:
        self.content["nodes"].append({"name": name, **values})
        return len(self.content["nodes"]) - 1

    def accessor(self, values: Any, dtype: str = "f4", gap: int = 0) -> int:
        """Values (N, C), integers as shares of the largest; ``gap`` bytes lie between elements, as
        in interleaved data."""
        table = np.asarray(values, dtype=np.float64)
        table = table.reshape(len(table), -1)
        if dtype == "f4":
            packed = table.astype("<f4")
        else:
            packed = np.round(table * np.iinfo(dtype).max).astype(f"<{dtype}")
        while len(self.data) % 4:
            self.data.append(0)
        view = {"buffer": 0, "byteOffset": len(self.data)}
        size = packed.itemsize * packed.shape[1]
        for row in packed:
            self.data += row.tobytes() + b"\xff" * gap
        view["byteLength"] = len(self.data) - view["byteOffset"]
        if gap:
            view["byteStride"] = size + gap
        self.content["bufferViews"].append(view)
        self.content["accessors"].append(
            {
                "bufferView": len(self.content["bufferViews"]) - 1,
                "componentType": CODES[dtype],
                "count": len(packed),
                "type": TYPES[packed.shape[1]],
                **({"normalized": True} if dtype != "f4" else {}),
            }
        )
        return len(self.content["accessors"]) - 1

    def animation(self, name: str | None = None) -> dict[str, Any]:
        made: dict[str, Any] = {"samplers": [], "channels": []}
        if name is not None:
            made["name"] = name
        self.content["animations"].append(made)
        return made

    def channel(
        self, animation: dict[str, Any], node: int, path: str, times: int, values: int,
        kind: str = "LINEAR",
    ) -> None:  # fmt: skip
        animation["samplers"].append({"input": times, "output": values, "interpolation": kind})
        target = {"node": node, "path": path}
        animation["channels"].append({"sampler": len(animation["samplers"]) - 1, "target": target})

    def glb(self, path: Path) -> Path:
        self.content["buffers"][0] = {"byteLength": len(self.data)}
        path.write_bytes(glb(json.dumps(self.content).encode(), bytes(self.data)))
        return path

    def gltf(self, path: Path, uri: str | None = None) -> Path:
        """As text; its data in itself, or where ``uri`` is given, in the file of that name."""
        data = bytes(self.data)
        inside = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
        self.content["buffers"][0] = {"byteLength": len(data), "uri": uri or inside}
        if uri:
            (path.parent / uri).write_bytes(data)
        path.write_text(json.dumps(self.content))
        return path


def glb(text: bytes, data: bytes) -> bytes:
    """The two chunks of a .glb file, each padded to four bytes."""
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def skinned(clip: Clip, *, dtype: str = "f4", gap: int = 0, kind: str = "LINEAR") -> Document:
    """A clip as an animated skin, in centimetres and Z up below an armature that scales and turns
    them to metres and Y up, as exporters leave it. Nodes come children first."""
    document = Document()
    skeleton = clip.skeleton
    count = len(skeleton)
    for joint in reversed(range(count)):
        below = [count - 1 - child for child in skeleton.children(joint)]
        offset = (skeleton.offsets[joint] * 100).tolist()
        values: dict[str, Any] = {"translation": offset}
        if below:
            values["children"] = below
        elif bool(skeleton.tips[joint].any()):
            values["children"] = [-joint]  # replaced below
        document.node(skeleton.names[joint], **values)
    nodes = document.content["nodes"]
    for joint in range(count):
        own = nodes[count - 1 - joint]
        if own.get("children") == [-joint]:
            tip = (skeleton.tips[joint] * 100).tolist()
            own["children"] = [document.node(f"{skeleton.names[joint]}_end", translation=tip)]
    half = 0.5**0.5
    armature = document.node(
        "Armature", rotation=[-half, 0, 0, half], scale=[0.01] * 3, children=[count - 1]
    )
    document.content["scenes"] = [{"nodes": [armature]}]
    document.content["skins"] = [{"joints": list(range(count))}]

    animation = document.animation("walking")
    times = document.accessor(np.arange(len(clip)) / clip.fps)
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # the inverse of the armature's
    place = clip.positions.double().numpy() @ turn.T * 100
    document.channel(animation, count - 1, "translation", times, document.accessor(place))
    rotations = clip.rotations.double().numpy().copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    for joint in range(count):
        import torch

        quaternions = matrix_to_quaternion(torch.from_numpy(rotations[:, joint])).numpy()
        values = np.roll(quaternions, -1, axis=1)
        output = document.accessor(values, dtype, gap)
        document.channel(animation, count - 1 - joint, "rotation", times, output, kind)
    return document
