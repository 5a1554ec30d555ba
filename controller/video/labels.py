"""Labels: what a network is told about a picture. A drawn skeleton with one colour a limb, and
vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton
from controller.video.view import View
from controller.viewer.gl import sun

FINER = 4
"""Labels are drawn this many times as large and then averaged, so that a bone can move by a part of
a pixel."""
COLOURS = {
    ("leg", "left"): (40, 120, 255),
    ("leg", "right"): (255, 60, 40),
    ("arm", "left"): (40, 230, 230),
    ("arm", "right"): (255, 170, 40),
}
TRUNK = (235, 235, 235)
HEAD = (200, 90, 230)
GROUND = (70, 70, 70)
SHADOW = (0, 70, 30)
"""Colours: of limbs, of the other bones, of the ground's lines, and of the bones' shadows."""
BONE = 0.08
"""m: how thick a bone is drawn."""
LINES = 6
"""Lines of the ground, a metre apart, to each side of the camera's aim."""
ACTIONS = 4
EFFECTORS = 3


@dataclass(frozen=True)
class Limbs:
    """The bones of a skeleton and their colours.

    joints   (N,) the joint at the lower end of each bone
    parents  (N,) the joint at its upper end
    colours  RGB of each
    """

    joints: tuple[int, ...]
    parents: tuple[int, ...]
    colours: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, skeleton: Skeleton) -> Limbs:
        """Every bone of a skeleton: one colour for each leg and arm, one for the rest."""
        roles = Roles.of(skeleton, complete=False)
        owner = {
            joint: COLOURS[limb.region, limb.side] for limb in roles.limbs for joint in limb.joints
        }
        if roles.head is not None:
            owner[roles.head] = HEAD
        joints = tuple(joint for joint, parent in enumerate(skeleton.parents) if parent >= 0)
        parents = tuple(skeleton.parents[joint] for joint in joints)
        return cls(joints, parents, tuple(owner.get(joint, TRUNK) for joint in joints))


def draw(view: View, limbs: Limbs, positions: np.ndarray) -> np.ndarray:
    """The label picture (height, width, 3) uint8 of joints (J, 3) metres: the lines of the ground,
    the shadow's bones, and the bones, the farthest first."""
    root = positions[0]
    large = Image.new("RGB", (view.width * FINER, view.height * FINER))
    canvas = ImageDraw.Draw(large)
    _draw_ground(canvas, view, root)

    reach = positions[:, 1:2] / sun.TOWARDS[1]
    shadow = view.project(positions - reach * sun.TOWARDS, root)
    spots = view.project(positions, root)
    pairs = list(zip(limbs.joints, limbs.parents, limbs.colours, strict=True))
    for joint, parent, _ in pairs:
        _line(canvas, view, shadow[joint], shadow[parent], SHADOW)
    pairs.sort(key=lambda pair: -(spots[pair[0], 2] + spots[pair[1], 2]))
    for joint, parent, colour in pairs:
        _line(canvas, view, spots[joint], spots[parent], colour)
    return np.asarray(large.reduce(FINER))


def _draw_ground(canvas: ImageDraw.ImageDraw, view: View, root: np.ndarray) -> None:
    """The lines at whole metres around the point that the camera looks at."""
    middle = root if view.camera == "following" else np.zeros(3)
    x, z = np.floor(middle[[0, 2]])
    near = middle[2] - view.distance * np.cos(view.elevation) + 0.3  # in front of the camera
    across = [((x - LINES, k), (x + LINES, k)) for k in np.arange(z - LINES, z + LINES + 1)]
    along = [((k, near), (k, z + LINES)) for k in np.arange(x - LINES, x + LINES + 1)]
    ends = np.array([pair for pair in across + along if pair[0][1] >= near])
    points = np.insert(ends, 1, 0.0, axis=-1)  # (lines, 2, 3), at height 0
    for start, end in view.project(points, root)[..., :2] * FINER:
        canvas.line((*start, *end), fill=GROUND, width=2)


def _line(
    canvas: ImageDraw.ImageDraw,
    view: View,
    start: np.ndarray,
    end: np.ndarray,
    colour: tuple[int, int, int],
) -> None:
    depth = (start[2] + end[2]) / 2
    if depth <= 0.1:  # behind the camera
        return
    width = max(2, round(BONE * view.pixels_per_metre(depth) * FINER))
    canvas.line((*(start[:2] * FINER), *(end[:2] * FINER)), fill=colour, width=width)
    half = width / 2
    for x, y in (start[:2] * FINER, end[:2] * FINER):
        canvas.ellipse((x - half, y - half, x + half, y + half), fill=colour)


def vector(view: View, positions: np.ndarray) -> np.ndarray:
    """The projected joints (2·J,) float32: right and down, from −1 to 1 within the picture."""
    spots = view.project(positions, positions[0])[:, :2]
    scaled = 2 * spots / (view.width, view.height) - 1
    return np.clip(scaled, -2, 2).astype(np.float32).reshape(-1)


def action(velocity: np.ndarray, facing: float) -> np.ndarray:
    """What the person asks for, as 4 numbers: the desired velocity (2,) m/s as (x, z), and cosine
    and sine of the desired yaw. The film's camera looks along +Z, so these are what it sees."""
    return np.array((*velocity, np.cos(facing), np.sin(facing)), dtype=np.float32)


def effector(before: np.ndarray, root: np.ndarray, seconds: float) -> np.ndarray:
    """Where the hips are, as 3 numbers: x and z metres a second since the picture ``before``, and
    metres above the ground. A following camera keeps them in the middle, so x and z themselves
    would say nothing."""
    x, z = (root - before)[[0, 2]] / seconds
    return np.array((x, root[1], z), dtype=np.float32)
