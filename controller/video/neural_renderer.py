"""The network as a renderer: it paints the character that a person steers, from its own last
picture and the pose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from controller.core.errors import CheckpointError, DataError
from controller.games.player import Player
from controller.motion.skeleton import Skeleton
from controller.video import acting, blocks, labels, shooting
from controller.video.film import Clip, LabelKind
from controller.video.network import SHIPPED, Painter
from controller.video.view import View
from controller.viewer.screen import Screen


class NeuralRenderer:
    """Paints a picture at each step. Its first picture is OpenGL's; so is that after every cut, as
    when R resets the character.

    picture  (height, width, 3) uint8, the newest
    """

    def __init__(self, painter: Painter, skeleton: Skeleton) -> None:
        """DataError if the network was not trained on films of this skeleton."""
        if painter.network.config.protocol != "pose":
            raise DataError("the neural renderer needs a network of protocol pose")
        view = painter.header.get("view")
        if view is None:
            raise DataError("the network was trained on somebody's pictures, not on a film of ours")
        kind = LabelKind("skeleton", 2 * len(skeleton), labels.ACTIONS + labels.EFFECTORS)
        painter.require_labels(kind, "the character that plays")
        self.painter = painter
        self.skeleton = skeleton
        self.view = View(**view)
        self.limbs = labels.Limbs.of(skeleton)
        self.picture = np.zeros((self.view.height, self.view.width, 3), np.uint8)
        self._state: Any = None
        self._before = np.zeros(3)
        self._random = torch.Generator().manual_seed(0)

    @classmethod
    def load(cls, path: Path | None, skeleton: Skeleton) -> NeuralRenderer:
        """The network in a file, by default the shipped one. CheckpointError if there is none."""
        path = path or SHIPPED / "pose.safetensors"
        try:
            return cls(Painter.load(path), skeleton)
        except DataError as error:
            raise CheckpointError(f"{path}: {error}") from error

    @torch.inference_mode()
    def step(self, player: Player, screen: Screen) -> None:
        """Paint the player's newest pose; after a cut, take OpenGL's picture of it. On ground that
        is not flat, which no film has shown, nothing changes."""
        if not player.ground.flat:
            return None
        if player.before is player.now or self._state is None:
            return self.anchor(player, screen)
        shot = acting.shot(player, self._before)
        self._before = player.root.numpy().copy()
        label, vector, condition = shooting.label_of(self.limbs, self.view, shot)
        clip = Clip(label[None], label[None], vector[None], condition[None])
        network = self.painter.network
        noise = torch.randn(1, network.config.latent, generator=self._random)
        painted, self._state = network.paint(self._state, clip, noise)
        self.picture = blocks.to_bytes(painted[0]).permute(1, 2, 0).numpy()
        return None

    def anchor(self, player: Player, screen: Screen) -> None:
        """Begin with OpenGL's picture of the player's newest pose."""
        scene = acting.shot(player, player.root.numpy()).scene
        self._before = player.root.numpy().copy()
        self.picture = opengl_picture(screen, scene, self.view)
        pixels = torch.from_numpy(self.picture.copy()).permute(2, 0, 1)[None]
        self._state = blocks.to_unit(pixels)


def opengl_picture(screen: Screen, scene: acting.Scene, view: View) -> np.ndarray:
    """A scene as the film shows it, drawn by the window's own renderer."""
    size = screen.renderer.size
    screen.renderer.resize((view.width * shooting.FINER, view.height * shooting.FINER))
    screen.renderer.draw(scene, view.camera_at(scene.pose.root.numpy()))
    picture = shooting.smaller(screen.renderer.read())
    screen.renderer.resize(size)
    return picture
