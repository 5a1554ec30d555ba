"""A picture of clips as stick figures, so that a person can see whether axes, facing and scale are
right."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from controller.core import files
from controller.data.dataset import ClipEntry, MotionDataset
from controller.motion.pose import FPS, mirrored_name, root_trajectory

CELL = (300, 230)
SCALE = 95  # pixels a metre
LEFT = (206, 84, 60)
RIGHT = (46, 108, 184)
MIDDLE = (60, 60, 60)


def draw(data: MotionDataset, clips: list[ClipEntry], path: Path, frames: int = 6) -> None:
    """Write a PNG with a row for each clip: ``frames`` poses from the side (facing right), and the
    path from above.

    The character faces right in every pose, its left limbs red, its right ones blue, the floor a
    grey line. On the path, ticks show the facing, one every half second; the path begins at the
    dot, going up.
    """
    width = CELL[0] * 4
    height = CELL[1] * len(clips)
    image = Image.new("RGB", (width, height), (250, 250, 248))
    canvas = ImageDraw.Draw(image)
    for row, clip in enumerate(clips):
        poses = data.poses[clip.rows]
        top = row * CELL[1]
        speed = poses[:, 0].mean()
        canvas.text(
            (6, top + 4),
            f"{clip.name}   {clip.length / FPS:.1f} s   mean forward {speed:.2f} m/s",
            MIDDLE,
        )
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
    skeleton = data.layout.skeleton
    joints = data.layout.joint_positions(pose)
    order = sorted(
        range(1, len(skeleton)), key=lambda j: -float(joints[j, 0])
    )  # the left side (+X) is farther off
    for joint in order:
        start = joints[skeleton.parents[joint]]
        end = joints[joint]
        name = skeleton.names[joint]
        colour = (
            MIDDLE if mirrored_name(name) == name else LEFT if "left" in name.lower() else RIGHT
        )
        points = [(x + SCALE * float(p[2]), floor - SCALE * float(p[1])) for p in (start, end)]
        canvas.line(points, colour, 3)


def _path(canvas: ImageDraw.ImageDraw, poses: Tensor, corner: tuple[int, int]) -> None:
    position, yaw = root_trajectory(poses)
    size = (position.amax(0) - position.amin(0)).clamp(min=0.5)
    scale = min(SCALE, 0.85 * CELL[0] / float(size[0]), 0.85 * CELL[1] / float(size[1]))
    middle = (position.amax(0) + position.amin(0)) / 2
    # Seen from above with +Z up the page, +X (the left) points left.
    x = corner[0] + CELL[0] / 2 - scale * (position[:, 0] - middle[0])
    y = corner[1] + CELL[1] / 2 - scale * (position[:, 1] - middle[1])
    canvas.line(list(zip(x.tolist(), y.tolist(), strict=True)), MIDDLE, 2)
    for i in range(0, len(poses), round(FPS / 2)):
        ahead = (float(x[i] - 9 * torch.sin(yaw[i])), float(y[i] - 9 * torch.cos(yaw[i])))
        canvas.line([(float(x[i]), float(y[i])), ahead], RIGHT, 1)
    canvas.ellipse((float(x[0]) - 4, float(y[0]) - 4, float(x[0]) + 4, float(y[0]) + 4), LEFT)
