"""The visible body: rounded cones fixed to the joints of a skeleton."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from controller.body.colours import GRAPHITE, PORCELAIN, SIDE_COLOURS
from controller.body.size import REACH, reach
from controller.motion.names import Meaning
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton, forward_kinematics
from controller.viewer.gl import anatomy

UP = np.array((0.0, 1.0, 0.0))
FRONT = np.array((0.0, 0.0, 1.0))


class Part(NamedTuple):
    """A rounded cone along +Y of its own frame, rigid on one joint.

    joint   index of the joint that carries it
    frame   (3, 3) in the joint's frame; the columns are the part's width, length and depth
            directions
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
    """P parts, each field of :class:`Part` as one array with P rows.

    soles  the joints that darken the ground under them
    """

    joints: np.ndarray
    frames: np.ndarray
    origins: np.ndarray
    shapes: np.ndarray
    colours: np.ndarray
    cuffs: np.ndarray
    soles: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.joints)

    @classmethod
    def of(cls, skeleton: Skeleton) -> Body:
        """A body for any skeleton: bones get the shape of their role, or one that goes with their
        length."""
        sculptor = _Sculptor(skeleton)
        joints, *fields = zip(*sculptor.parts(), strict=True)
        arrays = [np.array(field, dtype=np.float32) for field in fields]
        frames, origins, shapes, colours, cuffs = arrays
        soles = anatomy.soles(sculptor.roles)
        return cls(np.array(joints), frames, origins, shapes, colours, cuffs, soles)

    @property
    def looks(self) -> np.ndarray:
        """(P, 8): shape, colour and cuff of each part."""
        return np.column_stack((self.shapes, self.colours, self.cuffs))

    def place(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """The transforms (..., P, 3, 4) from the parts' frames to the world, for joint positions
        (..., J, 3) in metres and global rotations (..., J, 3, 3)."""
        rotation = rotations[..., self.joints, :, :]
        placed = np.empty((*rotation.shape[:-1], 4), dtype=np.float32)
        np.matmul(rotation, self.frames, out=placed[..., :3])
        origins = (rotation @ self.origins[..., None])[..., 0]
        placed[..., 3] = positions[..., self.joints, :] + origins
        return placed


class _Sculptor:
    """Puts flesh on a skeleton.

    roles    what the joints are, as far as it can be made out
    scale    the character's size as a multiple of that of the body in anatomy.py
    upright  the rest pose stands, so that up and front are known for each joint. Some skeletons are
             stored with all bones along one axis; they get round limbs and neither soles nor a
             visor
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.roles = Roles.of(skeleton, complete=False)
        unrotated = torch.eye(3).expand(len(skeleton), 3, 3)
        rest = forward_kinematics(skeleton, torch.zeros(3), unrotated)
        extent = rest.amax(0) - rest.amin(0)
        self.upright = bool(extent[1] > 0.75 * extent.max())
        self.scale = reach(skeleton, self.roles) / REACH

    def parts(self) -> Iterator[Part]:
        """All parts, joint by joint."""
        skeleton = self.skeleton
        for joint in range(len(skeleton)):
            is_head = joint == self.roles.head
            tip = skeleton.tips[joint].numpy().astype(float)
            if is_head:  # it may end anywhere above the skull
                length = max(float(np.linalg.norm(tip)), 1e-6)
                tip *= min(1.0, anatomy.SKULL * self.scale / length)

            children = skeleton.children(joint)
            for child in children:
                end = skeleton.offsets[child].numpy().astype(float)
                yield from self._bone(joint, self.roles.meaning(child), end)
            if not children:
                yield from self._bone(joint, anatomy.TIP, tip)
            if self.upright and is_head:
                yield self._visor(joint, tip)

    def _bone(self, joint: int, child: Meaning, end: np.ndarray) -> Iterator[Part]:
        """The parts of one bone: its cone and, if it is a foot, one from the heel."""
        role = self.roles.meaning(joint)
        length = float(np.linalg.norm(end))
        look = anatomy.shape_of(role, child, length / self.scale)
        side = self.roles.sides[joint]
        colour = SIDE_COLOURS[side] if look.accent else PORCELAIN
        start = np.zeros(3)
        depth = look.depth
        first, last = self.scale * np.array((look.start, look.end))

        if not self.upright:
            first = first * depth**0.5
            last = last * depth**0.5
            depth = 1.0
        elif look.level:
            start = UP * 0.35 * end[1]
        elif anatomy.is_sole(role):
            start = start + UP * first * depth
            end = end + UP * last * depth
        elif anatomy.is_sole(child):
            end = end + UP * last * depth
            heel = UP * end[1] - 0.4 * (end - UP * end[1])
            yield _cone(joint, heel, end, (0.9 * last, last), depth, colour)
        yield _cone(joint, start, end, (first, last), depth, colour, look.cuff * self.scale)

    def _visor(self, joint: int, tip: np.ndarray) -> Part:
        """A dark band before the eyes, without which it is hard to tell which way a head looks."""
        middle = tip * 0.8 + FRONT * 0.036 * self.scale
        half = np.array((0.013 * self.scale, 0.0, 0.0))
        radius = 0.063 * self.scale
        return _cone(joint, middle - half, middle + half, (radius, radius), 0.62, GRAPHITE)


def _cone(
    joint: int,
    start: np.ndarray,
    end: np.ndarray,
    radii: tuple[float, float],
    depth: float,
    colour: tuple[float, float, float],
    cuff: float = -1.0,
) -> Part:
    """A rounded cone between two points of a joint's frame. ``depth`` below 1 flattens it: from
    front to back if it is upright, from top to bottom if not."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length if length > 1e-9 else UP
    thin = FRONT if abs(along[1]) > 0.7 else UP
    across = np.cross(along, thin)
    across /= np.linalg.norm(across)
    frame = np.stack((across, along, np.cross(across, along)), axis=1)
    return Part(joint, frame, start, (*radii, length, depth), colour, cuff)
