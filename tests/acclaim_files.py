"""A clip as Acclaim files: a skeleton (.asf) and a motion (.amc), as CMU's database has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from controller.motion.geometry import matrix_to_euler
from controller.motion.skeleton import Clip

Array = NDArray[np.float64]
ROLES = {
    "LeftUpLeg": "lfemur", "LeftLeg": "ltibia", "LeftFoot": "lfoot", "LeftToe": "ltoes",
    "RightUpLeg": "rfemur", "RightLeg": "rtibia", "RightFoot": "rfoot", "RightToe": "rtoes",
    "Spine": "thorax", "Head": "head", "LeftArm": "lhumerus", "LeftForeArm": "lradius",
    "LeftHand": "lwrist", "RightArm": "rhumerus", "RightForeArm": "rradius",
    "RightHand": "rwrist", "Hips": "root",
}  # fmt: skip
"""CMU's names for the joints of `synthetic.skeleton`."""
CONNECTORS = {
    "lfemur": "lhipjoint", "rfemur": "rhipjoint", "thorax": "lowerback", "head": "lowerneck",
    "lhumerus": "lclavicle", "rhumerus": "rclavicle",
}  # fmt: skip
"""CMU's names for bones without channels to where others begin."""


@dataclass(frozen=True)
class Acclaim:
    """How the files are written.

    metres    metres in a unit of length, before the skeleton's ``length``
    length    what the skeleton's ``:units`` say
    angle     deg or rad
    order     of a bone's turns about its own axes
    axes      whether bones have axes of their own; their knees then turn about more than one
    """

    metres: float = 0.0254
    length: float = 0.45
    angle: str = "deg"
    order: str = "XYZ"
    axes: bool = True


def write(folder: Path, clip: Clip, how: Acclaim = Acclaim()) -> Path:
    """Write ``16.asf`` and ``16_01.amc``; returns the latter."""
    skeleton = clip.skeleton
    scale = how.length / how.metres
    axes = own_axes(len(skeleton), how)
    channels: dict[int, str] = {}
    columns: dict[int, Array] = {}
    for joint in range(len(skeleton)):
        matrix = turn(axes[joint])
        local = matrix.T @ clip.rotations[:, joint].double().numpy() @ matrix
        order = how.order if joint else "XYZ"
        angles = matrix_to_euler(torch.from_numpy(local), order[::-1]).numpy()[:, ::-1]
        moves = np.abs(angles).max(axis=0) > 1e-9
        channels[joint] = order if not joint else "".join(np.array(list(order))[moves])
        columns[joint] = angles if not joint else angles[:, moves]

    names = [ROLES[name] for name in skeleton.names]
    bones: list[str] = []
    links: list[str] = []
    for joint, name in enumerate(names):
        children = list(skeleton.children(joint))
        offsets = skeleton.offsets.double().numpy()
        straight = joint > 0 and len(children) == 1
        vector = offsets[children[0]] if straight else skeleton.tips[joint].double().numpy()
        below = [names[child] if straight else CONNECTORS[names[child]] for child in children]
        if joint:
            dof = " ".join(f"r{axis.lower()}" for axis in channels[joint])
            bones.append(bone(name, vector * scale, axes[joint], dof, how))
        for child, connector in zip(children, below, strict=True):
            if not straight:  # a bone without channels to where the child begins
                bones.append(bone(connector, offsets[child] * scale, np.zeros(3), "", how))
                links.append(f"    {connector} {names[child]}")
        if below:
            links.insert(0, f"    {name} {' '.join(below)}")

    (folder / "16.asf").write_text(
        "# skeleton\n:version 1.10\n:name walker\n:units\n  mass 1.0\n"
        f"  length {how.length}\n  angle {how.angle}\n:documentation\n  any text: it is skipped\n"
        ":root\n   order TX TY TZ RX RY RZ\n   axis XYZ\n   position 0 0 0\n   orientation 0 0 0\n"
        ":bonedata\n" + "".join(bones) + ":hierarchy\n  begin\n" + "\n".join(links) + "\n  end\n"
    )
    unit = np.degrees(1) if how.angle == "deg" else 1.0
    lines = ["#!OML:ASF walker.asf", ":FULLY-SPECIFIED"]
    lines += [":DEGREES"] if how.angle == "deg" else []
    for frame in range(len(clip)):
        lines.append(str(frame + 1))
        place = clip.positions[frame].double().numpy() * scale
        lines.append(f"root {numbers(place)} {numbers(columns[0][frame] * unit)}")
        for joint, name in enumerate(names):
            if joint and channels[joint]:
                lines.append(f"{name} {numbers(columns[joint][frame] * unit)}")
    path = folder / "16_01.amc"
    path.write_text("\n".join(lines) + "\n")
    return path


def own_axes(count: int, how: Acclaim) -> Array:
    """(J, 3) radians about X, Y and Z, one after the other."""
    axes = np.random.default_rng(3).uniform(-3, 3, (count, 3)) * how.axes
    axes[0] = 0
    return axes


def turn(angles: Array) -> Array:
    """(3, 3): turns about the fixed axes X, then Y, then Z."""
    result = np.eye(3)
    for axis, angle in enumerate(angles):
        j, k = (axis + 1) % 3, (axis + 2) % 3
        one = np.eye(3)
        one[j, j] = one[k, k] = np.cos(angle)
        one[k, j] = np.sin(angle)
        one[j, k] = -np.sin(angle)
        result = one @ result
    return result


def bone(name: str, vector: Array, axes: Array, dof: str, how: Acclaim) -> str:
    """The lines of one bone."""
    length = float(np.linalg.norm(vector))
    direction = vector / length if length else np.array([1.0, 0, 0])
    unit = np.degrees(1) if how.angle == "deg" else 1.0
    lines = [
        "  begin",
        "     id 1",
        f"     name {name}",
        f"     direction {numbers(direction)}",
        f"     length {length:.9f}",
        f"     axis {numbers(axes * unit)}  XYZ",
    ]
    if dof:
        limits = "\n".join(["            (-180.0 180.0)"] * (len(dof.split()) - 1))
        lines += [f"    dof {dof}", f"    limits (-180.0 180.0)\n{limits}"]
    return "\n".join([*lines, "  end", ""])


def numbers(values: Array) -> str:
    return " ".join(f"{value:.9f}" for value in values)
