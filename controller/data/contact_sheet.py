"""A picture of clips as stick figures, which shows whether axes, facing and scale are right."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from controller.core import files
from controller.data.dataset import ClipEntry, MotionDataset
from controller.motion.pose import FPS, root_trajectory

CELL = (300, 230)
"""Width and height in pixels of a quarter of a row."""
SCALE = 95
"""Pixels a metre."""
LEFT = (206, 84, 60)
RIGHT = (46, 108, 184)
MIDDLE = (60, 60, 60)
COLOURS = {"left": LEFT, "right": RIGHT, "": MIDDLE}
"""Side of a joint → sRGB."""


def draw(data: MotionDataset, clips: list[ClipEntry], path: Path, frames: int = 6) -> None:
    """Write a PNG with a row for each clip: ``frames`` poses from the side (facing right), and the
    path from above.

    The character faces right in every pose. Its left limbs are red, its right ones blue; the floor
    is a grey line. On the path, a tick every half second shows the facing. The path begins at the
    dot and goes up the page.
    """
    width = CELL[0] * 4
    height = CELL[1] * len(clips)
    image = Image.new("RGB", (width, height), (250, 250, 248))
    canvas = ImageDraw.Draw(image)
    for row, clip in enumerate(clips):
        poses = data.poses[clip.rows]
        top = row * CELL[1]
        speed = poses[:, 0].mean()
        title = f"{clip.name}   {clip.length / FPS:.1f} s   mean forward {speed:.2f} m/s"
        canvas.text((6, top + 4), title, MIDDLE)

        floor = top + CELL[1] - 14
        canvas.line((0, floor, 3 * CELL[0], floor), (190, 190, 190))
        step = 3 * CELL[0] // frames
        for index, frame in enumerate(torch.linspace(0, len(poses) - 1, frames).long()):
            _figure(canvas, data, poses[frame], index * step + step // 2, floor)

        _path(canvas, poses, (3 * CELL[0], top))
    with files.atomic(path) as temporary:
        image.save(temporary, format="PNG")


def _figure(
    canvas: ImageDraw.ImageDraw, data: MotionDataset, pose: Tensor, x: int, floor: int
) -> None:
    """Draw one pose from its right side, with its root over ``x``."""
    skeleton = data.layout.skeleton
    joints = data.layout.joint_positions(pose)
    # From the left side (+X), which is farther away, to the right one.
    order = sorted(range(1, len(skeleton)), key=lambda joint: -float(joints[joint, 0]))
    for joint in order:
        ends = (joints[skeleton.parents[joint]], joints[joint])
        points = [(x + SCALE * float(end[2]), floor - SCALE * float(end[1])) for end in ends]
        canvas.line(points, COLOURS[data.layout.roles.sides[joint]], 3)


def _path(canvas: ImageDraw.ImageDraw, poses: Tensor, corner: tuple[int, int]) -> None:
    """Draw the way of the root, seen from above."""
    position, yaw = root_trajectory(poses)
    size = (position.amax(0) - position.amin(0)).clamp(min=0.5)
    scale = min(SCALE, 0.85 * CELL[0] / float(size[0]), 0.85 * CELL[1] / float(size[1]))
    middle = (position.amax(0) + position.amin(0)) / 2
    # From above, with +Z up the page, +X (the left) points left.
    x = corner[0] + CELL[0] / 2 - scale * (position[:, 0] - middle[0])
    y = corner[1] + CELL[1] / 2 - scale * (position[:, 1] - middle[1])
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    canvas.line(points, MIDDLE, 2)

    ahead_x = x - 9 * torch.sin(yaw)
    ahead_y = y - 9 * torch.cos(yaw)
    for frame in range(0, len(poses), round(FPS / 2)):
        ahead = (float(ahead_x[frame]), float(ahead_y[frame]))
        canvas.line([points[frame], ahead], RIGHT, 1)

    start_x, start_y = points[0]
    canvas.ellipse((start_x - 4, start_y - 4, start_x + 4, start_y + 4), LEFT)
