"""One known walk, written as BVH in the conventions of other programs and performers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from controller.motion.geometry import matrix_to_euler
from controller.motion.skeleton import Clip

Array = NDArray[np.float64]
TURNS = {
    "+Y": np.eye(3),
    "+Z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-Y": np.diag([1.0, -1, -1]),
    "+X": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "-X": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "-Z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
"""Rotations that take +Y to each axis."""


@dataclass(frozen=True)
class Convention:
    """How a program writes motion.

    names      new names of joints; others keep theirs
    up         the axis that points up
    yaw        radians by which the whole scene is turned about it
    mirrored   a left-handed file: the scene as a mirror shows it
    metres     metres a file unit
    order      of the Euler angles
    frames     a rotation of each joint's own rest frame: bones then point along other local axes
    root       an extra joint over the hips, standing still at the origin
    positions  position channels for every joint
    """

    names: dict[str, str] = field(default_factory=dict)
    up: str = "+Y"
    yaw: float = 0.0
    mirrored: bool = False
    metres: float = 0.01
    order: str = "ZXY"
    frames: Array | None = None
    root: bool = False
    positions: bool = False


def scene(convention: Convention) -> Array:
    """The matrix (3, 3) that takes our world to the file's, without the unit."""
    cos = np.cos(convention.yaw)
    sin = np.sin(convention.yaw)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    mirror = np.diag([-1.0, 1, 1]) if convention.mirrored else np.eye(3)
    return TURNS[convention.up] @ mirror @ turn


def write(path: Path, clip: Clip, convention: Convention) -> Path:
    """Write the clip as that program would."""
    matrix = scene(convention)
    rotations = matrix @ clip.global_rotations().double().numpy() @ matrix.T
    positions = clip.joint_positions().double().numpy() @ matrix.T / convention.metres
    offsets = clip.skeleton.offsets.double().numpy() @ matrix.T / convention.metres
    tips = clip.skeleton.tips.double().numpy() @ matrix.T / convention.metres
    parents = list(clip.skeleton.parents)
    names = [convention.names.get(name, name) for name in clip.skeleton.names]

    if convention.frames is not None:
        rotations = rotations @ convention.frames
        turned = np.swapaxes(convention.frames, -1, -2)
        tips = np.einsum("jab,jb->ja", turned, tips)
        offsets[1:] = np.einsum("jab,jb->ja", turned[parents[1:]], offsets[1:])
    if convention.root:
        identity = np.broadcast_to(np.eye(3), (len(clip), 1, 3, 3))
        rotations = np.concatenate((identity, rotations), axis=1)
        positions = np.concatenate((np.zeros((len(clip), 1, 3)), positions), axis=1)
        offsets = np.concatenate((np.zeros((1, 3)), offsets))
        offsets[1] = positions[0, 1]
        tips = np.concatenate((np.zeros((1, 3)), tips))
        parents = [-1, *(parent + 1 for parent in parents)]
        names = ["reference", *names]

    path.write_text(text(names, parents, offsets, tips, positions, rotations, clip.fps, convention))
    return path


def text(
    names: list[str],
    parents: list[int],
    offsets: Array,
    tips: Array,
    positions: Array,
    rotations: Array,
    fps: float,
    convention: Convention,
) -> str:
    """A BVH file from world positions (T, J, 3) and global rotations (T, J, 3, 3)."""
    lines = ["HIERARCHY"]
    columns: list[Array] = []

    def joint(index: int, pad: str) -> None:
        parent = parents[index]
        moves = parent < 0 or convention.positions or (convention.root and parent == 0)
        lines.append(f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {names[index]}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}  OFFSET {numbers(offsets[index])}")
        turns = " ".join(f"{axis}rotation" for axis in convention.order)
        places = "Xposition Yposition Zposition " if moves else ""
        lines.append(f"{pad}  CHANNELS {6 if moves else 3} {places}{turns}")
        local = rotations[:, index]
        place = positions[:, index]
        if parent >= 0:
            back = np.swapaxes(rotations[:, parent], -1, -2)
            local = back @ local
            place = (back @ (place - positions[:, parent])[..., None])[..., 0]
        if moves:
            columns.append(place)
        columns.append(
            np.degrees(matrix_to_euler(torch.from_numpy(local), convention.order).numpy())
        )
        children = [child for child, above in enumerate(parents) if above == index]
        for child in children:
            joint(child, pad + "  ")
        if not children:
            lines.append(
                f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET {numbers(tips[index])}\n{pad}  }}"
            )
        lines.append(f"{pad}}}")

    joint(0, "")
    table = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(table)}", f"Frame Time: {1 / fps:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in table]
    return "\n".join(lines) + "\n"


def numbers(vector: Array) -> str:
    return " ".join(f"{value:.6f}" for value in vector)
