"""A rigged mesh from a file: its skeleton and vertices in its rest pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.motion.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Material:
    """What a surface looks like.

    picture  its texture, an index into the pictures of the rig; −1 without one
    cutoff   what has less alpha than this is not drawn; 0 draws all
    double   it is seen from behind, too
    """

    picture: int = -1
    cutoff: float = 0.0
    double: bool = False


@dataclass(frozen=True, eq=False)
class Shape:
    """V vertices and T triangles of one material, in the rest pose.

    positions  (V, 3) in the units of the rig
    normals    (V, 3) unit vectors
    joints     (V, K) the joints that a vertex follows
    weights    (V, K) their shares, whose sum is 1
    colours    (V, 3) linear red, green and blue from 0 to 1, by which the texture is multiplied
    uvs        (V, 2) places in the texture, (0, 0) the upper left corner
    triangles  (T, 3) counter-clockwise from outside
    """

    positions: np.ndarray
    normals: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    colours: np.ndarray
    uvs: np.ndarray
    triangles: np.ndarray
    material: Material


@dataclass(frozen=True, eq=False)
class Rig:
    """A rigged mesh.

    name      what errors call it: its file
    skeleton  its joints; their frames are those of the world in the rest pose
    root      (3,) where the skeleton's root is in the rest pose
    shapes    its surfaces
    pictures  textures (H, W, 4) uint8: sRGB and alpha, the top row first
    """

    name: str
    skeleton: Skeleton
    root: np.ndarray
    shapes: tuple[Shape, ...]
    pictures: tuple[np.ndarray, ...]
