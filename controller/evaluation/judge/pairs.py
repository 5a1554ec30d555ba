"""Captured and generated motion along the same clip, side by side, for people's eyes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from controller.core import files
from controller.core.errors import ConfigError
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.judge import clips
from controller.evaluation.judge.judging import Judge
from controller.evaluation.judge.motion import Motion
from controller.evaluation.judge.segments import Segments
from controller.motion.pose import FPS
from controller.viewer.pictures import GIF_EVERY, Gif
from controller.viewer.scene.camera import DISTANCE
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene

if TYPE_CHECKING:
    from controller.viewer.screen import Screen

KEY = "key.json"
SIZE = (320, 320)
"""Width and height of each half in pixels."""
LONGEST_S = 6.0
"""s of a picture, at most."""
GAP = 4
"""Pixels between the halves."""
ASIDE = math.pi - 0.9
"""rad between the direction in which a clip begins to face and that in which the camera looks."""
HIPS_M = 0.9
"""m: a usual height of hips; smaller bodies are seen from nearer."""


def draw_pairs(judge: Judge, act: Act, folder: Path) -> dict[str, Any]:
    """Write pair-1.gif and so on, each with captured motion on one side, drawn by lot, and that of
    ``act`` along the same clip on the other, and key.json, which says where the captured one is.
    Returns the key.

    Raises ConfigError if the folder has pairs already, and DisplayError if nothing can be drawn.
    """
    from controller.viewer.screen import Screen  # pygame, only when something is drawn

    check_folder(folder)
    character = judge.character
    segments = choose(judge.segments, judge.config.pairs, judge.seed)
    captured = clips.replay(judge.reference, segments)
    generated = judge.follow(act, segments)
    coins = torch.rand(len(segments), generator=torch.Generator().manual_seed(judge.seed)) < 0.5
    files.make_folder(folder)
    screen = Screen(character.skeleton, SIZE, headless=True)
    key = []
    try:
        for number, left in enumerate(coins.tolist()):
            frames = min(int(segments.frames[number]), round(LONGEST_S * FPS))
            halves = [_film(screen, character, m, number, frames) for m in (captured, generated)]
            name = f"pair-{number + 1}.gif"
            _write(folder / name, halves if left else halves[::-1])
            key.append(
                {
                    "file": name,
                    "captured": "left" if left else "right",
                    "clip": segments.names[number],
                    "held_out": bool(segments.held_out[number]),
                }
            )
    finally:
        screen.close()
    result = {"seed": judge.seed, "pairs": key}
    files.write(folder / KEY, json.dumps(result, indent=1) + "\n")
    return result


def check_folder(folder: Path) -> None:
    """Raise ConfigError if a folder has pairs already: some of them could stay without a key."""
    if (folder / KEY).exists() or any(folder.glob("pair-*.gif")):
        raise ConfigError(f"--pairs {folder}: this folder has pairs already; name another one")


def choose(segments: Segments, count: int, seed: int) -> Segments:
    """``count`` segments drawn at random, fewer if there are not so many: first those of held-out
    clips, and of each kind first one from each take, the longest."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(segments), generator=generator).tolist()
    order.sort(key=lambda number: -int(segments.frames[number]))
    seen: dict[int, int] = {}
    ranked = []
    for number in order:
        take = int(segments.take[number])
        seen[take] = seen.get(take, -1) + 1
        ranked.append((not bool(segments.held_out[number]), seen[take], number))
    ranked.sort(key=lambda each: each[:2])
    return segments.select([number for *_, number in ranked[:count]])


def _film(
    screen: Screen, character: Character, motion: Motion, number: int, frames: int
) -> list[np.ndarray]:
    """The pictures of one character, as often as a .gif shows them."""
    own = slice(0, frames, GIF_EVERY)
    state = CharacterState(
        motion.pose[number, own], motion.position[number, own], motion.yaw[number, own]
    )
    roots, rotations = character.joints(state)
    hips = float(roots[:, 1].median())
    camera = screen.camera
    camera.azimuth = ASIDE + float(state.yaw[0])
    camera.distance = DISTANCE * float(np.clip(hips / HIPS_M, 0.4, 2.0))
    camera.aim_at(hips)
    camera.jump(roots[0].numpy())
    pictures = []
    for row, yaw in enumerate(state.yaw.tolist()):
        scene = Scene(Pose.from_matrices(roots[row], rotations[row]), yaw)
        screen.draw(scene, GIF_EVERY / FPS)
        pictures.append(screen.picture())
    return pictures


def _write(path: Path, halves: list[list[np.ndarray]]) -> None:
    writer = Gif(path, FPS)
    for left, right in zip(*halves, strict=True):
        gap = np.zeros((len(left), GAP, 3), dtype=left.dtype)
        picture = np.concatenate((left, gap, right), axis=1)
        for _ in range(GIF_EVERY):  # the writer keeps one of these
            writer.add(picture)
    writer.close(keep=True)
