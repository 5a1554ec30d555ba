"""Filming the character with the renderer: deterministic episodes with their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image

from controller.control.folder import CharacterFolder
from controller.video import labels
from controller.video.acting import Actor, Shot
from controller.video.film import Clip, LabelKind, Split
from controller.video.view import View
from controller.viewer.gl import quality
from controller.viewer.scene.scene import Scene
from controller.viewer.screen import Screen

FINER = 2
"""Pictures are drawn this many times as large and then averaged, against jagged edges."""
SPLIT_SEEDS = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
"""Episodes of different splits never have the same seed."""


class Studio:
    """A renderer that films one character. DisplayError without OpenGL, which may draw
    off-screen."""

    def __init__(self, actor: Actor, view: View) -> None:
        self.actor = actor
        self.view = view
        player = actor.player(0)
        size = (view.width * FINER, view.height * FINER)
        self.screen = Screen(
            actor.character.skeleton, size, headless=True, quality=quality.LOW, skin=player.skin
        )

    def picture(self, scene: Scene) -> np.ndarray:
        """A scene as the film shows it: (height, width, 3) uint8."""
        self.screen.renderer.draw(scene, self.view.camera_at(scene.pose.root.numpy()))
        return smaller(self.screen.renderer.read())

    def episode(self, seed: int, frames: int, tick: Callable[[], None] = lambda: None) -> Clip:
        """So many pictures of an episode, and their labels."""
        pictures, drawn, vectors, conditions = [], [], [], []
        for shot in self.actor.shots(seed, frames, stays=self.view.camera == "fixed"):
            pictures.append(torch.from_numpy(self.picture(shot.scene)).permute(2, 0, 1))
            label, vector, condition = label_of(self.actor.limbs, self.view, shot)
            drawn.append(label)
            vectors.append(vector)
            conditions.append(condition)
            tick()
        return Clip(*map(torch.stack, (pictures, drawn, vectors, conditions)))

    def close(self) -> None:
        """Close the window."""
        self.screen.close()


def smaller(picture: np.ndarray) -> np.ndarray:
    """A picture that was drawn finer, at the film's size."""
    return np.array(Image.fromarray(picture).reduce(FINER))


def label_of(
    limbs: labels.Limbs, view: View, shot: Shot
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The label picture (3, H, W) uint8, the vector (V,) and the condition (7,) of a shot."""
    drawn = labels.draw(view, limbs, shot.positions)
    return (
        torch.from_numpy(drawn.copy()).permute(2, 0, 1),
        torch.from_numpy(labels.vector(view, shot.positions)),
        torch.from_numpy(np.concatenate((shot.action, shot.effector))),
    )


def label_kind(actor: Actor) -> LabelKind:
    """The kind of labels that filming gives."""
    return LabelKind(
        "skeleton", 2 * len(actor.character.skeleton), labels.ACTIONS + labels.EFFECTORS
    )


def open_studio(character: str, view: View) -> Studio:
    """A studio for the character of this name or folder."""
    return Studio(Actor(CharacterFolder.open(character)), view)


def plan(
    train: int, validation: int, test: int, frames: int, long: int, seed: int
) -> Iterator[tuple[str, Split, int, int]]:
    """Name, split, seed and length of each episode: ``train`` of ``frames`` pictures, the others of
    ``long``."""
    counts: dict[Split, int] = {"train": train, "validation": validation, "test": test}
    for split, count in counts.items():
        length = frames if split == "train" else long
        for index in range(count):
            own = SPLIT_SEEDS[split] + 10_000 * seed + index
            yield f"{split}-{index:03d}", split, own, length
