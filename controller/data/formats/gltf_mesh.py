"""Rigged meshes in glTF 2.0 files (.glb, .gltf): the skeleton, and all that hangs on it.

Read are triangles with positions, normals, colours and one set of texture coordinates, any number
of skins, any number of influences, and materials' base colours. What has no skin but hangs on a
joint, such as a hat, follows that joint. Source: Khronos Group, *glTF 2.0 Specification* (2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from controller.body.rig import Rig, Shape
from controller.core.errors import FormatError
from controller.data.formats.gltf import COMPONENTS, Gltf, Object
from controller.data.formats.gltf_animation import joint_names, skeleton_nodes
from controller.data.formats.gltf_rest import Skin, rest_matrices, world_matrices
from controller.data.formats.gltf_surface import Pictures, Surface
from controller.data.formats.reading import MAX_DEPTH
from controller.motion.overrides import RoleOverrides
from controller.motion.skeleton import Skeleton

MAX_VERTICES = 1_000_000
MAX_TRIANGLES = 1_000_000
MAX_SETS = 4
"""Sets of four influences of a vertex."""
COMPRESSED = "KHR_draco_mesh_compression"
TRIANGLES, STRIP, FAN = 4, 5, 6
"""Modes of primitives. Points and lines are left out."""


def read_rig(path: Path, overrides: RoleOverrides | None = None) -> Rig:
    """Read a rigged mesh; ``overrides`` state roles of its joints.

    Raises FormatError for a file without a skin and for a damaged one, and DataError if it cannot
    be read.
    """
    document = Gltf.load(path)
    used = [node for node in document.nodes if node.mesh is not None and node.skin is not None]
    if not used:
        raise FormatError(f"{path}: no mesh with a skin in it; expected a rigged character")
    return _Reader(document).rig(overrides or RoleOverrides())


class _Reader:
    """Reads the meshes of a document.

    joints  the nodes of the skeleton, parents first
    number  node → its joint; that of the nearest joint above it for all that hang on joints
    """

    def __init__(self, document: Gltf) -> None:
        self.document = document
        self.world = world_matrices(document)
        self.joints, _ = skeleton_nodes(document, set())
        used = {node.skin for node in document.nodes if node.mesh is not None}
        self.skins = {
            number: Skin(document, number, self.world)
            for number in sorted(number for number in used if number is not None)
        }
        skins = list(self.skins.values())
        self.rest = rest_matrices(document, skins, self.joints, self.world)
        self.number = {node: number for number, node in enumerate(self.joints)}
        waiting = list(self.joints)
        while waiting:
            node = waiting.pop()
            for child in document.nodes[node].children:
                if child not in self.number:
                    self.number[child] = self.number[node]
                    waiting.append(child)
        self.pictures = Pictures(document)
        self.surfaces: dict[int | None, Surface] = {}
        self.vertices = 0
        self.triangles = 0

    def rig(self, overrides: RoleOverrides) -> Rig:
        """All of it."""
        places = np.stack([self.rest[node][:3, 3] for node in self.joints])
        parents = [-1]
        offsets = np.zeros((len(self.joints), 3))
        for joint, node in enumerate(self.joints[1:], start=1):
            parent = self.number[self.document.nodes[node].parent]
            parents.append(parent)
            offsets[joint] = places[joint] - places[parent]
        self._check_depth(parents)
        names = joint_names(self.document, self.joints)
        skeleton = Skeleton(
            names,
            tuple(parents),
            torch.from_numpy(offsets).float(),
            torch.from_numpy(self._tips(places)).float(),
            overrides,
        )
        shapes = tuple(self._shapes())
        path = self.document.path
        if not shapes:
            raise FormatError(f"{path}: no triangles in it; expected a rigged character")
        return Rig(str(path), skeleton, places[0], shapes, tuple(self.pictures.read))

    def _check_depth(self, parents: list[int]) -> None:
        depths: list[int] = []
        for parent in parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 1)
        if max(depths) > MAX_DEPTH:
            self.document.fail("skins", f"a chain of {max(depths)} joints", f"at most {MAX_DEPTH}")

    def _tips(self, places: np.ndarray) -> np.ndarray:
        """(J, 3): from each leaf joint to the first node below it that has no mesh."""
        tips = np.zeros_like(places)
        known = set(self.joints)
        for joint, node in enumerate(self.joints):
            children = self.document.nodes[node].children
            ends = [child for child in children if self.document.nodes[child].mesh is None]
            if ends and not known & set(children):
                local = np.linalg.solve(self.world[node], self.world[ends[0]])
                tips[joint] = (self.rest[node] @ local)[:3, 3] - places[joint]
        return tips

    def _shapes(self) -> Iterator[Shape]:
        for place, node in enumerate(self.document.nodes):
            if node.mesh is None or (node.skin is None and place not in self.number):
                continue  # a room or a prop beside the character
            mesh = self.document.table("meshes")[node.mesh]
            where = f"meshes[{node.mesh}]."
            for number, primitive in enumerate(self.document.objects("primitives", mesh, where)):
                name = f"{where}primitives[{number}]"
                if primitive.get("mode", TRIANGLES) in (TRIANGLES, STRIP, FAN):
                    yield self._shape(place, primitive, name)

    def _shape(self, node: int, primitive: Object, where: str) -> Shape:
        """One primitive of a node's mesh, in the rest pose."""
        document = self.document
        if COMPRESSED in document.as_object(primitive.get("extensions", {}), where):
            document.fail(where, "compressed data", "data that are not compressed")
        attributes = document.as_object(primitive.get("attributes"), f"{where}.attributes")
        count = self._count(document.index(attributes, "POSITION", where, "accessors"), where)
        self.vertices += count
        if self.vertices > MAX_VERTICES:
            document.fail(where, "one more vertex", f"at most {MAX_VERTICES:,} in all meshes")
        positions = self._attribute(attributes, "POSITION", ("VEC3",), count, where)
        assert positions is not None
        triangles = self._triangles(primitive, count, where)
        material = None
        if "material" in primitive:
            material = document.index(primitive, "material", where, "materials")
        if material not in self.surfaces:
            self.surfaces[material] = Surface(document, material, self.pictures)
        surface = self.surfaces[material]

        colours = self._attribute(attributes, "COLOR_0", ("VEC3", "VEC4"), count, where)
        tint = np.ones((count, 3)) if colours is None else colours[:, :3].clip(0.0, 1.0)
        uvs = self._attribute(attributes, surface.channel, ("VEC2",), count, where)
        uvs = np.zeros((count, 2)) if uvs is None else surface.moved(document, uvs)
        normals = self._attribute(attributes, "NORMAL", ("VEC3",), count, where)
        joints, weights, linear, offset = self._influences(node, attributes, count, where)
        placed = np.einsum("vij,vj->vi", linear, positions) + offset
        if normals is None:
            normals = _normals(placed, triangles)
        else:
            normals = np.einsum("vij,vj->vi", np.linalg.inv(linear).transpose(0, 2, 1), normals)
        if np.linalg.det(linear[0]) < 0:
            triangles = triangles[:, ::-1]
        kept, inverse = np.unique(triangles, return_inverse=True)
        return Shape(
            placed[kept],
            _unit(normals[kept]),
            joints[kept],
            weights[kept],
            tint[kept] * surface.factor,
            uvs[kept],
            inverse.reshape(-1, 3),
            surface.material,
        )

    def _count(self, accessor: int, where: str) -> int:
        """How many elements an accessor says it has."""
        owner = self.document.table("accessors")[accessor]
        end = MAX_VERTICES * 3 + 1
        return self.document.integer(owner, "count", f"{where}: accessors[{accessor}]", end)

    def _attribute(
        self, attributes: Object, name: str, kinds: tuple[str, ...], count: int, where: str
    ) -> np.ndarray | None:
        """(V, C): an attribute of all vertices; None if there is none."""
        if name not in attributes:
            return None
        document = self.document
        number = document.index(attributes, name, where, "accessors")
        if self._count(number, where) != count:
            document.fail(f"{where}.{name}", "another number of values", f"{count}")
        kind = document.table("accessors")[number].get("type")
        if kind not in kinds or kind not in COMPONENTS:
            document.wrong(f"{where}.{name}: type", kind, " or ".join(kinds))
        return document.accessor(number, kind)

    def _triangles(self, primitive: Object, count: int, where: str) -> np.ndarray:
        """(T, 3) vertices of a primitive."""
        document = self.document
        corners = np.arange(count)
        if "indices" in primitive:
            number = document.index(primitive, "indices", where, "accessors")
            self._count(number, where)
            values = document.accessor(number, "SCALAR")[:, 0]
            if values.dtype.kind != "i":
                document.fail(f"{where}.indices", "numbers that are not whole", "whole ones")
            if values.min() < 0 or values.max() >= count:
                wrong = int(values.max() if values.max() >= count else values.min())
                document.wrong(f"{where}.indices", wrong, f"whole numbers from 0 to {count - 1}")
            corners = values
        mode = primitive.get("mode", TRIANGLES)
        if mode == STRIP:
            table = np.stack((corners[:-2], corners[1:-1], corners[2:]), axis=1)
            table[1::2] = table[1::2, [1, 0, 2]]
        elif mode == FAN:
            first = np.broadcast_to(corners[:1], len(corners[2:]))
            table = np.stack((first, corners[1:-1], corners[2:]), axis=1)
        else:
            table = corners[: len(corners) // 3 * 3].reshape(-1, 3)
        self.triangles += len(table)
        if not len(table):
            document.fail(where, "no triangle", "some")
        if self.triangles > MAX_TRIANGLES:
            document.fail(where, "one more triangle", f"at most {MAX_TRIANGLES:,} in all meshes")
        return table

    def _influences(
        self, node: int, attributes: Object, count: int, where: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Joints (V, K) and weights (V, K) of the vertices, and what takes the vertices to the rest
        pose: matrices (V, 3, 3) and places (V, 3)."""
        owner = self.document.nodes[node]
        if owner.skin is None:
            joint = self.number[node]
            above = self.joints[joint]
            matrix = self.rest[above] @ np.linalg.solve(self.world[above], self.world[node])
            return (
                np.full((count, 1), joint),
                np.ones((count, 1)),
                np.broadcast_to(matrix[:3, :3], (count, 3, 3)),
                np.broadcast_to(matrix[:3, 3], (count, 3)),
            )
        skin = self.skins[owner.skin]
        numbers, weights = self._weights(attributes, count, len(skin.joints), where)
        if skin.placement is None:
            matrices = np.einsum("vk,vkij->vij", weights, skin.bound[numbers])
        else:
            matrices = np.broadcast_to(skin.placement, (count, 4, 4))
        ours = np.array([self.number.get(joint, 0) for joint in skin.joints])
        return ours[numbers], weights, matrices[:, :3, :3], matrices[:, :3, 3]

    def _weights(
        self, attributes: Object, count: int, joints: int, where: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of a skin's joints (V, K) and shares (V, K) that sum up to 1."""
        found = []
        for place in range(MAX_SETS):
            one = self._attribute(attributes, f"JOINTS_{place}", ("VEC4",), count, where)
            share = self._attribute(attributes, f"WEIGHTS_{place}", ("VEC4",), count, where)
            if one is None or share is None:
                break
            if one.dtype.kind != "i":
                self.document.fail(f"{where}.JOINTS_{place}", "shares of 1", "whole numbers")
            found.append((one, share.astype(float)))
        if not found:
            self.document.fail(where, "no JOINTS_0 and WEIGHTS_0", "both, as the mesh has a skin")
        numbers = np.concatenate([one for one, _ in found], axis=1)
        weights = np.concatenate([share for _, share in found], axis=1).clip(0.0)
        wrong = (numbers >= joints) & (weights > 0)
        if wrong.any():
            first = int(numbers[wrong][0])
            allowed = f"whole numbers from 0 to {joints - 1}"
            self.document.wrong(f"{where}.JOINTS_0", first, allowed)
        numbers = np.where(weights > 0, numbers, 0)
        total = weights.sum(axis=1, keepdims=True)
        weights[:, :1] += total <= 0  # one that follows nothing follows the first joint
        return numbers, weights / np.where(total > 0, total, 1.0)


def _normals(positions: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3): the mean directions of the triangles at each vertex, by area."""
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    normals = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], np.cross(b - a, c - a))
    return normals


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    up = np.array((0.0, 1.0, 0.0))
    return np.where(lengths > 1e-12, vectors / np.maximum(lengths, 1e-12), up)
