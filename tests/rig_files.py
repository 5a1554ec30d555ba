"""Rigged meshes for tests: a small double pyramid around each joint of a skeleton, and soles."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gltf_files import Document
from PIL import Image

from controller.body.size import REACH, reach
from controller.motion.geometry import matrix_to_quaternion
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton

TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
CODES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
SIZE = 0.02
CORNERS = SIZE * np.array(
    ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)), float
)
FACES = np.array(
    [(a, b, c) for a, b, c in ((0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4))]
    + [(b, a, c) for a, b, c in ((0, 2, 5), (2, 1, 5), (1, 3, 5), (3, 0, 5))]
)
SOLE = 0.011
Z_UP = np.array(((1.0, 0, 0), (0, 0, 1), (0, -1, 0)))
"""From Y up to Z up, transposed: from a mesh with Z up to the world."""


@dataclass
class RigFile:
    """What a file is made of; ``write`` makes it.

    pose     (J, 3, 3) rotations of the bones in the bound pose, from the skeleton's rest pose
    frames   seed of the frames of the joints, which are arbitrary
    unit     metres of a unit of the mesh; with any but 1, its Z is up
    posed    the nodes stand in another pose than the bound one
    dtype    of indices and joints: "u1", "u2", "u4"; weights have 8 or 16 bits where these do
    """

    skeleton: Skeleton
    pose: np.ndarray | None = None
    frames: int = 0
    unit: float = 1.0
    posed: bool = False
    dtype: str = "u2"
    picture: np.ndarray | None = None
    material: dict[str, Any] = field(default_factory=dict)
    weights: np.ndarray | None = None
    joints: np.ndarray | None = None

    def __post_init__(self) -> None:
        skeleton = self.skeleton
        count = len(skeleton)
        if self.pose is None:
            self.pose = np.tile(np.eye(3), (count, 1, 1))
        self.places = np.zeros((count, 3))
        for joint, parent in enumerate(skeleton.parents[1:], start=1):
            way = skeleton.offsets[joint].numpy().astype(float)
            self.places[joint] = self.places[parent] + self.pose[parent] @ way
        self.sole = SOLE * reach(skeleton, Roles.of(skeleton)) / REACH
        self.places[:, 1] += self.sole - self.places[:, 1].min()
        self.vertices = (self.places[:, None] + CORNERS).reshape(-1, 3)
        self.followed = np.repeat(np.arange(count), len(CORNERS))
        for leg in Roles.of(skeleton).legs:  # a sole below what stands on the ground
            mine = self.vertices[self.followed == leg.contact]
            mine[:, 1] = mine[:, 1].clip(max(self.places[leg.contact][1] - self.sole, 0.0))
            self.vertices[self.followed == leg.contact] = mine
        self.triangles = (6 * np.arange(count)[:, None, None] + FACES).reshape(-1, 3)

    def document(self) -> Document:
        """The document."""
        skeleton = self.skeleton
        count = len(skeleton)
        chooser = np.random.default_rng(self.frames)
        turns, _ = np.linalg.qr(chooser.normal(size=(count, 3, 3)))
        turns *= np.sign(np.linalg.det(turns))[:, None, None]
        inner = self.places / self.unit
        world = np.eye(4)
        if self.unit != 1.0:
            inner = inner @ Z_UP  # the rows times the inverse
            turns = np.einsum("ji,njk->nik", Z_UP, turns)
            world[:3, :3] = Z_UP * self.unit
        bound = np.tile(np.eye(4), (count, 1, 1))
        bound[:, :3, :3] = turns
        bound[:, :3, 3] = inner

        made = Document()
        del made.content["animations"]
        for joint in range(count):
            parent = skeleton.parents[joint]
            above = bound[parent] if parent >= 0 else np.eye(4)
            local = np.linalg.inv(above) @ bound[joint]
            if self.posed and parent >= 0:
                angle = chooser.normal() * 0.4
                c, s = np.cos(angle), np.sin(angle)
                local[:3, :3] = local[:3, :3] @ np.array(((c, -s, 0), (s, c, 0), (0, 0, 1)))
            values: dict[str, Any] = {
                "translation": local[:3, 3].tolist(),
                "rotation": quaternion(local[:3, :3]),
            }
            if skeleton.children(joint):
                values["children"] = list(skeleton.children(joint))
            made.node(skeleton.names[joint], **values)
        mesh = made.node("Mesh", mesh=0, skin=0)
        made.node("Armature", matrix=world.T.ravel().tolist(), children=[0, mesh])
        inverse = np.linalg.inv(bound).transpose(0, 2, 1).reshape(count, 16)
        made.content["skins"] = [
            {"joints": list(range(count)), "inverseBindMatrices": raw(made, inverse, "f4")}
        ]
        self._add_mesh(made)
        return made

    def _add_mesh(self, made: Document) -> None:
        positions = self.vertices / self.unit
        if self.unit != 1.0:
            positions = positions @ Z_UP
        joints, weights = self.joints, self.weights
        if joints is None or weights is None:
            joints = np.c_[self.followed, np.zeros((len(self.followed), 3), int)]
            weights = np.tile((1.0, 0.0, 0.0, 0.0), (len(joints), 1))
        attributes = {"POSITION": raw(made, positions, "f4", gap=12)}
        for place in range(joints.shape[1] // 4):
            part = slice(4 * place, 4 * place + 4)
            kind = "u1" if self.dtype == "u1" else "u2"
            attributes[f"JOINTS_{place}"] = raw(made, joints[:, part], kind)
            shares = weights[:, part]
            if self.dtype == "u4":
                attributes[f"WEIGHTS_{place}"] = raw(made, shares, "f4", gap=4)
            else:
                whole = np.rint(shares * np.iinfo(kind).max)
                attributes[f"WEIGHTS_{place}"] = raw(made, whole, kind, normalized=True)
        shape = {"attributes": attributes, "indices": raw(made, self.triangles, self.dtype)}
        if self.picture is not None:
            attributes["TEXCOORD_0"] = raw(made, np.full((len(positions), 2), 0.5), "f4")
            add_picture(made, self.picture)
            texture = {"baseColorTexture": {"index": 0}}
            made.content["materials"] = [{"pbrMetallicRoughness": texture, **self.material}]
            shape["material"] = 0
        made.content["meshes"] = [{"primitives": [shape]}]

    def write(self, path: Path) -> Path:
        """Write a .glb file."""
        return self.document().glb(path)


def raw(made: Document, values: Any, dtype: str, gap: int = 0, normalized: bool = False) -> int:
    """Values (N, C) as an accessor, numbers as they are; ``gap`` bytes lie between elements."""
    table = np.asarray(values)
    table = table.reshape(-1, 1) if dtype in ("u1", "u2", "u4") and table.shape[1] == 3 else table
    packed = table.astype(f"<{dtype}")
    made.data += b"\0" * (-len(made.data) % 4)
    view = {"buffer": 0, "byteOffset": len(made.data)}
    size = packed.itemsize * packed.shape[1]
    for row in packed:
        made.data += row.tobytes() + b"\xff" * gap
    view["byteLength"] = len(made.data) - view["byteOffset"]
    if gap:
        view["byteStride"] = size + gap
    made.content["bufferViews"].append(view)
    made.content["accessors"].append(
        {
            "bufferView": len(made.content["bufferViews"]) - 1,
            "componentType": CODES[dtype],
            "count": len(packed),
            "type": TYPES[packed.shape[1]],
            **({"normalized": True} if normalized else {}),
        }
    )
    return len(made.content["accessors"]) - 1


def add_picture(made: Document, picture: np.ndarray) -> None:
    """Add the document's only texture, as PNG in its own buffer."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    view = {"buffer": 0, "byteOffset": len(made.data), "byteLength": len(file.getvalue())}
    made.data += file.getvalue()
    made.content["bufferViews"].append(view)
    number = len(made.content["bufferViews"]) - 1
    made.content["images"] = [{"bufferView": number, "mimeType": "image/png"}]
    made.content["textures"] = [{"source": 0}]


def quaternion(matrix: np.ndarray) -> list[float]:
    """x, y, z, w."""
    turn = matrix_to_quaternion(torch.from_numpy(np.ascontiguousarray(matrix))).numpy()
    result: list[float] = np.roll(turn, -1).tolist()
    return result


def a_pose(skeleton: Skeleton, degrees: float = 50.0) -> np.ndarray:
    """Rotations (J, 3, 3) that let the arms of a T-pose hang by so many degrees."""
    pose = np.tile(np.eye(3), (len(skeleton), 1, 1))
    for arm in Roles.of(skeleton).arms or ():
        angle = np.radians(-degrees if arm.side == "left" else degrees)
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array(((c, -s, 0), (s, c, 0), (0, 0, 1)))
        hanging = {arm.upper}
        for joint, parent in enumerate(skeleton.parents):
            if parent in hanging:
                hanging.add(joint)
        for joint in hanging:
            pose[joint] = turn
    return pose
