"""Binary glTF files (.glb): a skeleton, motion of it, and a skinned body if there is one.

glTF 2.0: metres, Y up, right-handed, as everywhere here. Rotations are interpolated along the
shorter arc, which glTF calls LINEAR.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.body.mesh import SkinnedBody
from controller.core import files
from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.pose import facing
from controller.motion.skeleton import Clip, Skeleton, to_local

MAGIC = b"glTF"
CODES = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}
TYPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTICES = 34962
ELEMENTS = 34963
ROOT_BONES = ("root", "root_motion", "root_motion_bone")
"""Names of a root bone; the first that no joint has."""
FLAT_SMOOTHING_S = 0.25
"""s: smooths the direction of a root bone, which should not turn with every step."""


def write(
    path: Path,
    clips: Sequence[Clip],
    body: SkinnedBody | None = None,
    *,
    root_bone: bool = False,
    copyright: str = "",
) -> None:
    """Write clips of one skeleton as animations, and a body on it, atomically.

    The nodes stand in the body's bound pose, or without a body in the skeleton's rest pose. With a
    ``root_bone``, a bone on the ground carries the way over the ground and the direction, and the
    hips move relative to it; otherwise the hips carry all. ``copyright`` says whose the motion is.

    Raises DataError if there is no clip, a clip is empty, not finite or of another skeleton, or the
    body is.
    """
    if not clips:
        raise DataError(f"{path}: there is no motion to write")
    skeleton = clips[0].skeleton
    for clip in clips:
        _check(path, clip, skeleton)
    if body is not None and not body.fits(skeleton):
        raise DataError(f"{path}: the body is made for another skeleton than the motion's")
    files.write(path, _Document(skeleton, body, root_bone, copyright).packed(clips))


def write_clip(path: Path, clip: Clip) -> None:
    """Write one clip without a body. Raises DataError as :func:`write`."""
    write(path, [clip])


def _check(path: Path, clip: Clip, skeleton: Skeleton) -> None:
    """Raise DataError unless a clip can be written with this skeleton."""
    own = clip.skeleton
    same = own.names == skeleton.names and own.parents == skeleton.parents
    if not same or not torch.allclose(own.offsets, skeleton.offsets, atol=1e-4):
        raise DataError(f"{path}: {clip.name} has another skeleton than {skeleton.names[0]}'s")
    if not len(clip):
        raise DataError(f"{path}: {clip.name} has no frames")
    if not (clip.positions.isfinite().all() and clip.rotations.isfinite().all()):
        raise DataError(f"{path}: {clip.name} has values that are not finite")


class _Document:
    """A glTF document that grows, and the bytes of its buffer.

    joints   the nodes of the skeleton's joints
    carrier  the node that moves over the ground
    """

    def __init__(
        self, skeleton: Skeleton, body: SkinnedBody | None, root_bone: bool, copyright: str
    ) -> None:
        self.skeleton = skeleton
        self.root_bone = root_bone
        self.data = bytearray()
        asset = {"version": "2.0", "generator": f"motion-vae-controller {_version()}"}
        self.content: dict[str, Any] = {
            "asset": asset | ({"copyright": copyright} if copyright else {}),
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "accessors": [],
            "bufferViews": [],
        }
        self._add_skeleton(body)
        if body is not None:
            self._add_body(body)

    def packed(self, clips: Sequence[Clip]) -> bytes:
        """The whole file, with these clips as its animations."""
        names: dict[str, None] = {}
        self.content["animations"] = []
        for clip in clips:
            name = clip.name
            while name in names:
                name += "'"
            names[name] = None
            self.content["animations"].append(self._animation(name, clip))
        self.content["buffers"] = [{"byteLength": len(self.data)}]
        text = json.dumps(self.content, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 4)
        data = bytes(self.data) + b"\0" * (-len(self.data) % 4)
        size = 12 + 8 + len(text) + 8 + len(data)
        return b"".join(
            (
                struct.pack("<4sII", MAGIC, 2, size),
                struct.pack("<I4s", len(text), b"JSON"),
                text,
                struct.pack("<I4s", len(data), b"BIN\0"),
                data,
            )
        )

    def _node(self, **values: Any) -> int:
        self.content["nodes"].append(values)
        return len(self.content["nodes"]) - 1

    def _accessor(
        self,
        values: np.ndarray,
        *,
        target: int | None = None,
        bounds: bool = False,
        normalised: bool = False,
    ) -> int:
        """Store values (N, …) and describe them. ``bounds`` states the least and the largest."""
        values = np.ascontiguousarray(values)
        self.data += b"\0" * (-len(self.data) % 4)
        view: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": len(self.data),
            "byteLength": values.nbytes,
        }
        if target is not None:
            view["target"] = target
        self.data += values.astype(values.dtype.newbyteorder("<")).tobytes()
        self.content["bufferViews"].append(view)
        accessor: dict[str, Any] = {
            "bufferView": len(self.content["bufferViews"]) - 1,
            "componentType": CODES[values.dtype.str[1:]],
            "count": len(values),
            "type": TYPES[values.shape[1:]],
        }
        if normalised:
            accessor["normalized"] = True
        if bounds:
            table = values.reshape(len(values), -1)
            accessor["min"] = table.min(axis=0).tolist()
            accessor["max"] = table.max(axis=0).tolist()
        self.content["accessors"].append(accessor)
        return len(self.content["accessors"]) - 1

    # -- skeleton and body -------------------------------------------------------------------------

    def _add_skeleton(self, body: SkinnedBody | None) -> None:
        """A node for each joint, and one where the bone of a leaf ends."""
        skeleton = self.skeleton
        count = len(skeleton)
        rest = torch.eye(3).expand(count, 3, 3)
        if body is not None:
            rest = to_local(skeleton.parents, torch.from_numpy(body.rotations).double())
        turns = _quaternions(rest)
        self.joints = []
        for joint, name in enumerate(skeleton.names):
            place = skeleton.offsets[joint].tolist() if joint else [0.0, self._height(body), 0.0]
            self.joints.append(
                self._node(name=name, translation=place, rotation=turns[joint].tolist())
            )
        for joint, node in enumerate(self.joints):
            children = [self.joints[child] for child in skeleton.children(joint)]
            if not children and float(skeleton.tips[joint].norm()) > 1e-6:
                tip = skeleton.tips[joint].tolist()
                children = [self._node(name=f"{skeleton.names[joint]}_end", translation=tip)]
            if children:
                self.content["nodes"][node]["children"] = children
        self.carrier = self.joints[0]
        if self.root_bone:
            name = next(each for each in ROOT_BONES if each not in skeleton.names)
            self.carrier = self._node(name=name, children=[self.joints[0]])
        self.content["scenes"][0]["nodes"].append(self.carrier)

    def _height(self, body: SkinnedBody | None) -> float:
        """The height of the root at which the rest pose stands on the ground."""
        if body is not None:
            return -float(body.levels[0].positions[:, 1].min())
        heights = [0.0]
        for joint, parent in enumerate(self.skeleton.parents[1:], start=1):
            heights.append(heights[parent] + float(self.skeleton.offsets[joint, 1]))
        return -min(heights)

    def _add_body(self, body: SkinnedBody) -> None:
        """The finest level of the body as a mesh with vertex colours, and its skin."""
        level = body.levels[0]
        height = self._height(body)
        up = np.array((0.0, height, 0.0))
        linear = (level.colours[:, :3].astype(float) / 255) ** 2
        colours = np.column_stack((linear, np.ones(len(linear))))
        index = np.uint16 if len(level.positions) < 65535 else np.uint32
        joints = level.joints.copy()
        joints[level.weights == 0] = 0  # as glTF asks
        attributes = {
            "POSITION": self._accessor(
                (level.positions + up).astype(np.float32), target=VERTICES, bounds=True
            ),
            "NORMAL": self._accessor(_unit(level.normals), target=VERTICES),
            "COLOR_0": self._accessor(
                np.rint(65535 * colours).astype(np.uint16), target=VERTICES, normalised=True
            ),
            "JOINTS_0": self._accessor(_bytes_or_shorts(joints), target=VERTICES),
            "WEIGHTS_0": self._accessor(level.weights, target=VERTICES, normalised=True),
        }
        triangles = self._accessor(level.triangles.reshape(-1).astype(index), target=ELEMENTS)
        paint = {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0, "roughnessFactor": 0.6}
        self.content["materials"] = [{"name": "Body", "pbrMetallicRoughness": paint}]
        shape = {"attributes": attributes, "indices": triangles, "material": 0}
        self.content["meshes"] = [{"name": "Body", "primitives": [shape]}]

        bound = np.tile(np.eye(4), (len(body.skeleton), 1, 1))
        bound[:, :3, :3] = body.rotations
        bound[:, :3, 3] = body.positions + up
        inverse = np.linalg.inv(bound).transpose(0, 2, 1)  # glTF stores matrices by columns
        inverse[:, :, 3] = (0, 0, 0, 1)
        carried = [self.carrier] if self.root_bone else []
        matrices = [np.eye(4)[None]] * len(carried) + [inverse]
        skin = {
            "name": "Body",
            "joints": [*self.joints, *carried],
            "inverseBindMatrices": self._accessor(
                np.concatenate([inverse, *matrices[:-1]]).astype(np.float32)
            ),
            "skeleton": self.carrier,
        }
        self.content["skins"] = [skin]
        self.content["scenes"][0]["nodes"].append(self._node(name="Body", mesh=0, skin=0))

    # -- motion ------------------------------------------------------------------------------------

    def _animation(self, name: str, clip: Clip) -> dict[str, Any]:
        """An animation with a curve for each joint's rotation and for what moves."""
        seconds = (np.arange(len(clip)) / clip.fps).astype(np.float32)
        times = self._accessor(seconds, bounds=True)
        samplers: list[dict[str, Any]] = []
        channels: list[dict[str, Any]] = []

        def move(node: int, path: str, values: np.ndarray) -> None:
            output = self._accessor(values.astype(np.float32))
            samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
            target = {"node": node, "path": path}
            channels.append({"sampler": len(samplers) - 1, "target": target})

        places = clip.positions.double()
        rotations = clip.rotations.double()
        if self.root_bone:
            ground, turn, places, hips = _split(clip)
            rotations = torch.cat((hips[:, None], rotations[:, 1:]), dim=1)
            move(self.carrier, "translation", ground.numpy())
            move(self.carrier, "rotation", _continuous(_quaternions(turn)))
        move(self.joints[0], "translation", places.numpy())
        turns = _quaternions(rotations)
        for joint, node in enumerate(self.joints):
            move(node, "rotation", _continuous(turns[:, joint]))
        extras = {"fps": clip.fps, "frames": len(clip)}
        return {"name": name, "samplers": samplers, "channels": channels, "extras": extras}


def _split(clip: Clip) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What a root bone carries, and what is left to the hips: the place on the ground (T, 3), the
    rotation about the vertical (T, 3, 3), the hips' place (T, 3) and rotation (T, 3, 3)."""
    positions = clip.positions.double()
    turn = geometry.yaw_matrix(facing(clip, FLAT_SMOOTHING_S).double())
    back = turn.transpose(-1, -2)
    ground = positions * torch.tensor((1.0, 0.0, 1.0), dtype=torch.float64)
    hips = (back @ (positions - ground)[..., None])[..., 0]
    return ground, turn, hips, back @ clip.rotations[:, 0].double()


def _quaternions(rotations: Tensor) -> np.ndarray:
    """Unit quaternions (..., 4) as x, y, z, w, the order of glTF."""
    turns = geometry.matrix_to_quaternion(rotations.double())
    turns = torch.nn.functional.normalize(turns, dim=-1)
    result: np.ndarray = torch.roll(turns, -1, dims=-1).numpy()
    return result


def _continuous(turns: np.ndarray) -> np.ndarray:
    """Quaternions (T, 4) with signs such that none is farther than needed from the one before:
    programs that interpolate the numbers themselves then turn the short way, too."""
    flips = np.einsum("ti,ti->t", turns[1:], turns[:-1]) < 0
    signs = np.concatenate(([1.0], np.where(flips, -1.0, 1.0))).cumprod()
    return turns * signs[:, None]


def _unit(normals: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(normals.astype(float), axis=1, keepdims=True)
    return (normals / lengths).astype(np.float32)


def _bytes_or_shorts(joints: np.ndarray) -> np.ndarray:
    return joints.astype(np.uint8 if joints.max() < 256 else np.uint16)


def _version() -> str:
    try:
        return metadata.version("motion-vae-controller")
    except metadata.PackageNotFoundError:
        return "from source"
