"""Animations of glTF files (.glb, .gltf) as captures of the joints that they move.

The joints are those of a skin, or where there is no skin the nodes that are animated, with all
nodes between them. Every animation becomes a capture. Positions are the world's, by all nodes above
the joints; a joint's frame is that of its world matrix without the scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import FormatError
from controller.data.formats.gltf import Gltf, Object
from controller.data.formats.reading import NoMotion, Reading, check_rate, check_size
from controller.motion.capture import Capture
from controller.motion.geometry import matrix_from_6d, quaternion_to_matrix, slerp

SAMPLE_FPS = 60.0
"""Frames a second at which animations are sampled. Keys at 60, 30, 20, 15 and 12 a second are met
exactly."""
PATHS = {"translation": "VEC3", "rotation": "VEC4", "scale": "VEC3"}
"""What an animation may move, and the type of its values. Weights of shapes move no joint."""
STEP_S = 1e-4
"""Seconds by which a sample may be before a key and still have its value: times are float32."""
LONGEST_NAME = 100
SMALLEST_VOLUME = 1e-18
"""Determinant of a joint's matrix below which it has no axes."""
SEVERAL = "the file has several skeletons; the one with the most animated joints is read"


@dataclass(frozen=True, eq=False)
class Curve:
    """How one property of a node moves.

    times   (K,) seconds, not falling
    values  (K, C), or (3 K, C) with the tangents of a cubic spline; quaternions are x, y, z, w
    kind    STEP, LINEAR or CUBICSPLINE
    """

    times: np.ndarray
    values: np.ndarray
    kind: str
    is_rotation: bool

    def at(self, seconds: np.ndarray) -> Tensor:
        """(T, C): its values at some times; before the first key and after the last, theirs."""
        seconds = np.clip(seconds, self.times[0], self.times[-1])
        late = np.searchsorted(self.times, seconds + STEP_S * (self.kind == "STEP"), side="right")
        before = np.clip(late - 1, 0, len(self.times) - 1)
        after = np.minimum(before + 1, len(self.times) - 1)
        step = self.times[after] - self.times[before]
        share = (seconds - self.times[before]) / np.where(step > 0, step, 1.0)
        amount = torch.from_numpy(np.clip(share, 0.0, 1.0))[:, None]
        if self.kind == "CUBICSPLINE":
            return self._cubic(before, after, amount, torch.from_numpy(step)[:, None])
        values = torch.from_numpy(self.values)
        if self.kind == "STEP":
            return values[before]
        if self.is_rotation:
            return slerp(values[before], values[after], amount)
        return torch.lerp(values[before], values[after], amount)

    def _cubic(self, before: np.ndarray, after: np.ndarray, t: Tensor, step: Tensor) -> Tensor:
        """Hermite's spline, as the specification's appendix C has it."""
        keys = torch.from_numpy(self.values).reshape(len(self.times), 3, -1)
        start = keys[before, 1]
        leaving = step * keys[before, 2]
        arriving = step * keys[after, 0]
        end = keys[after, 1]
        square = t * t
        cube = square * t
        value = (2 * cube - 3 * square + 1) * start + (cube - 2 * square + t) * leaving
        value = value + (3 * square - 2 * cube) * end + (cube - square) * arriving
        return torch.nn.functional.normalize(value, dim=-1) if self.is_rotation else value


Curves = dict[tuple[int, str], Curve]
"""Node and property → how it moves."""


def read_captures(path: Path, fps: float | None = None) -> Reading:
    """Read all animations of a file, each as a capture called ``file:animation``.

    They are sampled at ``fps``, by default :data:`SAMPLE_FPS`. Raises NoMotion for a file without
    animations of joints, FormatError with the wrong part of a damaged one, and DataError if it
    cannot be read.
    """
    document = Gltf.load(path)
    if not document.table("animations"):
        raise NoMotion(f"{path}: no animation in it")
    animations = [
        _read_curves(document, animation, f"animations[{number}]")
        for number, animation in enumerate(document.table("animations"))
    ]
    moving = {node for curves in animations for node, path in curves if path != "scale"}
    joints, remarks = skeleton_nodes(document, moving)
    check_size(path, 1, len(joints))
    chain = [*_above(document, joints[0]), *joints]
    movers = set(chain)
    names = _names(document)
    captures = []
    frames = 0
    for name, curves in zip(names, animations, strict=True):
        curves = {key: curve for key, curve in curves.items() if key[0] in movers}
        if not curves:
            remarks.append(f"animation {name} moves no joint and was left out")
            continue
        seconds = _times(path, curves, fps or SAMPLE_FPS)
        frames += len(seconds)
        check_size(path, frames, len(chain))
        captures.append(_capture(document, name, curves, chain, joints, seconds, fps or SAMPLE_FPS))
    if not captures:
        raise NoMotion(f"{path}: no animation of its joints in it")
    return Reading(captures, remarks)


def _names(document: Gltf) -> list[str]:
    """What to call the animations: ``file:animation``, each different."""
    names: dict[str, None] = {}
    for number, animation in enumerate(document.table("animations")):
        own = animation.get("name")
        text = " ".join(own.split())[:LONGEST_NAME] if isinstance(own, str) else ""
        name = f"{document.path.stem}:{text or number}"
        while name in names:
            name = f"{name} ({number})"
        names[name] = None
    return list(names)


# -- curves ----------------------------------------------------------------------------------------


def _read_curves(document: Gltf, animation: Object, where: str) -> Curves:
    """The curves of an animation that move nodes."""
    curves: Curves = {}
    samplers = document.objects("samplers", animation, f"{where}.")
    for number, channel in enumerate(document.objects("channels", animation, f"{where}.")):
        place = f"{where}.channels[{number}]"
        target = document.as_object(channel.get("target"), f"{place}.target")
        path = target.get("path")
        if path not in PATHS or "node" not in target:
            continue  # weights, or what an extension moves
        node = document.integer(target, "node", f"{place}.target", len(document.nodes))
        if (node, path) in curves:
            document.fail(place, f"{path} of node {node} again", "each property once")
        if document.nodes[node].matrix:
            document.fail(place, f"node {node} has a matrix", "a node without one")
        sampler = samplers[document.integer(channel, "sampler", place, len(samplers))]
        curves[node, path] = _read_curve(document, sampler, path, place)
    return curves


def _read_curve(document: Gltf, sampler: Object, path: str, where: str) -> Curve:
    kind = sampler.get("interpolation", "LINEAR")
    if kind not in ("STEP", "LINEAR", "CUBICSPLINE"):
        document.wrong(f"{where}.interpolation", kind, "STEP, LINEAR or CUBICSPLINE")
    times = document.accessor(document.index(sampler, "input", where, "accessors"), "SCALAR")
    output = document.index(sampler, "output", where, "accessors")
    values = document.accessor(output, PATHS[path])
    keys = len(times) * (3 if kind == "CUBICSPLINE" else 1)
    if len(values) != keys:
        document.fail(where, f"{len(values)} values at {len(times)} times", f"{keys} values")
    seconds = times[:, 0].astype(np.float64)
    if (np.diff(seconds) < 0).any():
        document.fail(where, "times that fall", "times that rise")
    values = values.astype(np.float64)
    if path == "rotation":
        values = _unit(document, values, kind, where)
    return Curve(seconds, values, kind, path == "rotation")


def _unit(document: Gltf, values: np.ndarray, kind: str, where: str) -> np.ndarray:
    """Quaternions with unit length, which integers have only nearly; tangents stay."""
    lengths = np.linalg.norm(values, axis=-1, keepdims=True)
    if kind == "CUBICSPLINE":
        lengths[0::3] = 1
        lengths[2::3] = 1
    if not (lengths > 1e-3).all():
        document.fail(where, "a rotation of zeros", "unit quaternions")
    return values / lengths


def _times(path: Path, curves: Curves, fps: float) -> np.ndarray:
    """(T,): when to sample, from the first key to the last."""
    start = min(float(curve.times[0]) for curve in curves.values())
    end = max(float(curve.times[-1]) for curve in curves.values())
    frames = math.floor((end - start) * fps + 1e-3) + 1
    check_rate(path, frames, fps)
    return start + np.arange(frames) / fps


# -- joints ----------------------------------------------------------------------------------------


def _above(document: Gltf, node: int) -> list[int]:
    """The nodes above a node, the root first."""
    above = []
    while (node := document.nodes[node].parent) >= 0:
        above.append(node)
    return above[::-1]


def skeleton_nodes(document: Gltf, moving: set[int]) -> tuple[list[int], list[str]]:
    """The joints of the skeleton with the most ``moving`` nodes, parents first, and remarks.

    Skins that share joints are of one skeleton. The first joint is the lowest that all others hang
    from, and the nodes on the way from it to each are joints as well.
    """
    skins = [
        set(document.indices(skin, "joints", f"skins[{number}]", len(document.nodes)))
        for number, skin in enumerate(document.table("skins"))
    ]
    groups = _united([skin for skin in skins if skin] or ([moving] if moving else []))
    for group in groups:
        check_size(document.path, 1, len(group))
    groups = [part for group in groups for part in _by_root(document, group)]
    if not groups:
        raise NoMotion(f"{document.path}: no animation of joints in it")
    chosen = max(groups, key=lambda group: (len(group & moving), len(group)))
    rivals = [group for group in groups if group is not chosen and group & moving]

    paths = [[*_above(document, node), node] for node in sorted(chosen)]
    depth = 0
    while all(len(path) > depth + 1 and path[depth + 1] == paths[0][depth + 1] for path in paths):
        depth += 1
    needed = {node for path in paths for node in path[depth:]}
    joints: list[int] = []
    waiting = [paths[0][depth]]
    while waiting:
        node = waiting.pop()
        joints.append(node)
        waiting += [child for child in reversed(document.nodes[node].children) if child in needed]
    return joints, [SEVERAL] if rivals else []


def _united(sets: list[set[int]]) -> list[set[int]]:
    """Sets joined where they have something in common."""
    groups: list[set[int]] = []
    for members in sets:
        group = set(members)
        for other in [other for other in groups if other & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    return groups


def _by_root(document: Gltf, nodes: set[int]) -> list[set[int]]:
    """Nodes of one tree each."""
    trees: dict[int, set[int]] = {}
    for node in sorted(nodes):
        root = [*_above(document, node), node][0]
        trees.setdefault(root, set()).add(node)
    return list(trees.values())


# -- captures --------------------------------------------------------------------------------------


def _capture(
    document: Gltf,
    name: str,
    curves: Curves,
    chain: list[int],
    joints: list[int],
    seconds: np.ndarray,
    fps: float,
) -> Capture:
    """The joints in the world at some times. ``chain`` are all nodes that move them, parents first;
    its last ones are the joints."""
    linear, places = _world(document, curves, chain, seconds)
    linear = linear[:, -len(joints) :]
    flat = (torch.linalg.det(linear).abs() < SMALLEST_VOLUME).any(dim=0)
    if bool(flat.any()):
        node = document.nodes[joints[int(flat.nonzero()[0])]]
        raise FormatError(
            f"{document.path}: {name}: node {node.name} has a scale of 0; expected joints with a "
            "size"
        )
    rotations = matrix_from_6d(torch.cat((linear[..., 0], linear[..., 1]), dim=-1))
    place_of = {node: number for number, node in enumerate(joints)}
    return Capture(
        name,
        joint_names(document, joints),
        (-1, *(place_of[document.nodes[node].parent] for node in joints[1:])),
        places[:, -len(joints) :].clone(),
        rotations,
        _tips(document, joints, linear[0], rotations[0]),
        fps,
    )


def _world(
    document: Gltf, curves: Curves, chain: list[int], seconds: np.ndarray
) -> tuple[Tensor, Tensor]:
    """The matrices (T, N, 3, 3) and places (T, N, 3) of a chain of nodes in the world."""
    frames = len(seconds)
    places = torch.empty(frames, len(chain), 3, dtype=torch.float64)
    turns = torch.empty(frames, len(chain), 4, dtype=torch.float64)
    scales = torch.empty(frames, len(chain), 3, dtype=torch.float64)
    for number, node in enumerate(chain):
        own = document.nodes[node]
        rest = {
            "translation": (places, own.translation),
            "rotation": (turns, np.roll(own.rotation, -1)),
            "scale": (scales, own.scale),
        }
        for path, (table, value) in rest.items():
            curve = curves.get((node, path))
            table[:, number] = torch.from_numpy(value) if curve is None else curve.at(seconds)

    linear = quaternion_to_matrix(torch.roll(turns, 1, dims=-1)) * scales[..., None, :]
    number_of = {node: number for number, node in enumerate(chain)}
    for number, node in enumerate(chain):
        parent = number_of.get(document.nodes[node].parent)
        if parent is not None:
            above = linear[:, parent]
            bone = (above @ places[:, number, :, None]).squeeze(-1)
            places[:, number] = places[:, parent] + bone
            linear[:, number] = above @ linear[:, number]
    return linear, places


def joint_names(document: Gltf, joints: list[int]) -> tuple[str, ...]:
    names: list[str] = []
    for node in joints:
        name = document.nodes[node].name
        while name in names:
            name = f"{name}_{node}"
        names.append(name)
    return tuple(names)


def _tips(document: Gltf, joints: list[int], linear: Tensor, rotations: Tensor) -> Tensor:
    """(J, 3): where the bones of leaves end in their own frames, by the joints' matrices and
    rotations (J, 3, 3) of one frame: at their first child that is no joint and has no mesh, as
    exporters leave one at the end of a chain."""
    tips = torch.zeros(len(joints), 3, dtype=torch.float64)
    known = set(joints)
    for number, node in enumerate(joints):
        children = document.nodes[node].children
        ends = [child for child in children if document.nodes[child].mesh is None]
        if ends and not known & set(children):
            end = torch.from_numpy(document.nodes[ends[0]].translation)
            tips[number] = rotations[number].T @ (linear[number] @ end)
    return tips
