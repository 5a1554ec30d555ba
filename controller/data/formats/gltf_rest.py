"""The rest pose of a glTF skeleton: the pose in which its skins are bound.

Nodes may stand in another pose, such as the first frame of an animation. So a joint's place comes
from its inverse bind matrix; that of a joint without one, from its node below its parent.
"""

from __future__ import annotations

import numpy as np
import torch

from controller.data.formats.gltf import Gltf, Object
from controller.motion.geometry import quaternion_to_matrix

AGREE = 1e-3
"""How far the matrices from a mesh to the world may differ between joints, relative to their size,
for nodes that stand in the bound pose."""
SMALLEST_VOLUME = 1e-18
"""Determinant of a matrix below which it has no inverse."""


def world_matrices(document: Gltf) -> np.ndarray:
    """(N, 4, 4): from each node's frame to the world, as the nodes stand in the file."""
    nodes = document.nodes
    matrices = np.tile(np.eye(4), (len(nodes), 1, 1))
    if not nodes:
        return matrices
    turns = torch.from_numpy(np.stack([node.rotation for node in nodes]))
    matrices[:, :3, :3] = quaternion_to_matrix(turns).numpy()
    matrices[:, :3, :3] *= np.stack([node.scale for node in nodes])[:, None, :]
    matrices[:, :3, 3] = np.stack([node.translation for node in nodes])
    waiting = [number for number, node in enumerate(nodes) if node.parent < 0]
    while waiting:
        number = waiting.pop()
        for child in nodes[number].children:
            matrices[child] = matrices[number] @ matrices[child]
            waiting.append(child)
    return matrices


class Skin:
    """A skin of a document.

    joints     nodes, by the numbers that vertices use
    bound      (J, 4, 4) from the joints' frames to the world in the bound pose
    placement  (4, 4) from the mesh to the world in the bound pose; None for a skin without inverse
               bind matrices, whose vertices are in the frames of their joints
    """

    def __init__(self, document: Gltf, number: int, world: np.ndarray) -> None:
        owner = document.table("skins")[number]
        where = f"skins[{number}]"
        self.joints = document.indices(owner, "joints", where, len(document.nodes))
        if not self.joints:
            document.fail(where, "no joints", "some")
        self.bound = world[self.joints]
        self.placement: np.ndarray | None = None
        if "inverseBindMatrices" in owner:
            inverse = self._inverse(document, owner, where)
            self.placement = _placement(document, self.joints, self.bound @ inverse)
            self.bound = self.placement @ np.linalg.inv(inverse)

    def _inverse(self, document: Gltf, owner: Object, where: str) -> np.ndarray:
        """(J, 4, 4): the inverse bind matrices."""
        number = document.index(owner, "inverseBindMatrices", where, "accessors")
        table = document.accessor(number, "MAT4")
        if len(table) < len(self.joints):
            document.fail(where, f"{len(table)} inverse bind matrices", f"{len(self.joints)}")
        matrices = table[: len(self.joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
        volumes = np.abs(np.linalg.det(matrices[:, :3, :3]))
        if not (volumes > SMALLEST_VOLUME).all():
            document.fail(where, "an inverse bind matrix without an inverse", "ones that have it")
        return matrices


def _placement(document: Gltf, joints: list[int], candidates: np.ndarray) -> np.ndarray:
    """(4, 4): from the mesh to the world, of what each joint says (J, 4, 4).

    If they do not agree, nodes stand in another pose than the bound one. Then the highest joint's
    is taken, turned to the nearest multiple of 90° about the axes: exporters change between Y up
    and Z up, and what else the pose does is no part of the bound pose.
    """
    size = np.abs(candidates).max()
    if np.abs(candidates - candidates[0]).max() <= AGREE * size:
        first: np.ndarray = candidates[0]
        return first
    known = set(joints)
    top = next(i for i, node in enumerate(joints) if document.nodes[node].parent not in known)
    chosen = candidates[top].copy()
    linear = chosen[:3, :3]
    scale = abs(float(np.linalg.det(linear))) ** (1 / 3)
    snapped = np.zeros((3, 3))
    left = np.abs(linear)
    for _ in range(3):  # the largest entry that is left decides its row and column
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        snapped[row, column] = np.sign(linear[row, column]) * scale
        left[row] = -1.0
        left[:, column] = -1.0
    chosen[:3, :3] = snapped
    return chosen


def rest_matrices(
    document: Gltf, skins: list[Skin], nodes: list[int], world: np.ndarray
) -> dict[int, np.ndarray]:
    """Node → (4, 4) to the world in the rest pose, for the skeleton's nodes, parents first."""
    bound = {
        node: matrix
        for skin in reversed(skins)  # the first skin that has a joint decides
        for node, matrix in zip(skin.joints, skin.bound, strict=True)
    }
    rest: dict[int, np.ndarray] = {}
    for node in nodes:
        parent = document.nodes[node].parent
        if node in bound:
            rest[node] = bound[node]
        elif parent in rest:
            rest[node] = rest[parent] @ np.linalg.solve(world[parent], world[node])
        else:
            rest[node] = world[node]
    return rest
