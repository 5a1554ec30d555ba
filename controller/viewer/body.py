"""The visible body: rounded cones fixed to the joints of a skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from controller.skeleton import Skeleton, forward_kinematics
from controller.viewer import anatomy

UP, FRONT = np.array((0.0, 1.0, 0.0)), np.array((0.0, 0.0, 1.0))


class Part(NamedTuple):
    """A rounded cone along +Y of its own frame, rigid on one joint.

    joint   index of the joint that carries it
    frame   (3, 3) in the joint's frame; the columns are the part's width, length and depth directions
    origin  (3,) metres, its start in the joint's frame
    shape   (4,) radius at the start, radius at the end, length, depth ÷ width
    colour  (3,) linear RGB
    cuff    metres from the start up to which it is dark; negative for a part without a cuff
    """

    joint: int
    frame: np.ndarray
    origin: np.ndarray
    shape: tuple[float, float, float, float]
    colour: tuple[float, float, float]
    cuff: float


@dataclass(frozen=True, eq=False)
class Body:
    """P parts, each field of :class:`Part` as one array with P rows."""

    joints: np.ndarray
    frames: np.ndarray
    origins: np.ndarray
    shapes: np.ndarray
    colours: np.ndarray
    cuffs: np.ndarray

    def __len__(self) -> int:
        return len(self.joints)

    @classmethod
    def of(cls, skeleton: Skeleton) -> Body:
        """A body for any skeleton: known names get their shape, other bones one that goes with their length."""
        scale = _height(skeleton) / anatomy.HEIGHT
        parts: list[Part] = []
        for joint, name in enumerate(skeleton.names):
            bones = [(skeleton.names[child], skeleton.offsets[child]) for child in skeleton.children(joint)]
            for child, end in bones or [("tip", skeleton.tips[joint])]:
                parts += _bone(joint, name, child, end.numpy().astype(float), scale)
            if "head" in name.lower():
                parts.append(_visor(joint, skeleton.tips[joint].numpy().astype(float), scale))
        joints, *fields = zip(*parts, strict=True)
        return cls(np.array(joints), *(np.array(field, dtype=np.float32) for field in fields))

    def place(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """Part frame → world (P, 3, 4) for joint positions (J, 3) and global joint rotations (J, 3, 3)."""
        rotation = rotations[self.joints]
        placed = np.empty((len(self), 3, 4), dtype=np.float32)
        placed[..., :3] = rotation @ self.frames
        placed[..., 3] = positions[self.joints] + (rotation @ self.origins[..., None])[..., 0]
        return placed


def _bone(joint: int, name: str, child: str, end: np.ndarray, scale: float) -> list[Part]:
    """The parts of one bone: its cone and, if it is a foot, the heel and the sole."""
    look = anatomy.shape_of(name, child, float(np.linalg.norm(end)) / scale)
    colour = anatomy.side_colour(name) if look.accent else anatomy.PORCELAIN
    start = UP * end[1] * 0.35 if look.level else np.zeros(3)
    if anatomy.is_sole(name):
        start = start + UP * look.start * look.depth * scale
    if anatomy.is_sole(name) or anatomy.is_sole(child):
        end = end + UP * look.end * look.depth * scale
    cuff = look.cuff * scale
    parts = [_cone(joint, start, end, (look.start * scale, look.end * scale), look.depth, colour, cuff)]
    if anatomy.is_sole(child) and not anatomy.is_sole(name):
        heel = np.array((0.0, end[1], 0.0)) - 0.4 * (end - UP * end[1])
        parts.append(_cone(joint, heel, end, (0.9 * look.end * scale, look.end * scale), look.depth, colour))
    return parts


def _visor(joint: int, tip: np.ndarray, scale: float) -> Part:
    """A dark band before the eyes: which way a head looks is hard to tell otherwise."""
    middle, half = tip * 0.8 + FRONT * 0.036 * scale, np.array((0.013 * scale, 0.0, 0.0))
    return _cone(joint, middle - half, middle + half, (0.063 * scale, 0.063 * scale), 0.62, anatomy.GRAPHITE)


def _cone(
    joint: int,
    start: np.ndarray,
    end: np.ndarray,
    radii: tuple[float, float],
    depth: float,
    colour: tuple[float, float, float],
    cuff: float = -1.0,
) -> Part:
    """A rounded cone between two points of a joint's frame; flat front to back if upright, top to bottom if not."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length if length > 1e-9 else UP
    thin = FRONT if abs(along[1]) > 0.7 else UP
    across = np.cross(along, thin)
    across /= np.linalg.norm(across)
    frame = np.stack((across, along, np.cross(across, along)), axis=1)
    return Part(joint, frame, start, (*radii, length, depth), colour, cuff)


def _height(skeleton: Skeleton) -> float:
    """The longest side of the box around the rest pose: a standing body's height, whichever way up it is stored."""
    rest = forward_kinematics(skeleton, torch.zeros(3), torch.eye(3).expand(len(skeleton), 3, 3))
    return float((rest.amax(0) - rest.amin(0)).max())
