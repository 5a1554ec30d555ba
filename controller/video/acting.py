"""What the character does in a film: random steering by a seed, as a person would steer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from controller.control.folder import CharacterFolder
from controller.dynamics.character import Character
from controller.games.named_policy import NamedPolicy
from controller.games.player import Player
from controller.motion.skeleton import forward_kinematics
from controller.video import labels
from controller.viewer.scene.scene import Scene

TASK = "joystick"
SHORTEST, LONGEST = 15, 90
"""Frames between two decisions."""
KINDS = {"idle": 0.2, "slow": 0.15, "walk": 0.35, "fast": 0.3}
"""What a decision may be, and how often it is."""
TURN = 0.25
"""Share of decisions in which the facing turns, too."""
ROAM = 1.2
"""m from the origin beyond which a character before a fixed camera walks back."""


@dataclass(frozen=True)
class Steering:
    """Keys and stick of one decision, for so many frames."""

    frames: int
    keys: frozenset[str]
    move: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Shot:
    """All that a picture is drawn and labelled from.

    scene      what is drawn
    positions  (J, 3) metres
    action     (4,) and
    effector   (3,) as :mod:`controller.video.labels` defines them
    """

    scene: Scene
    positions: np.ndarray
    action: np.ndarray
    effector: np.ndarray


def decisions(seed: int) -> Iterator[Steering]:
    """Random steering without end, the same for the same seed."""
    random = np.random.default_rng(seed)
    while True:
        kind = str(random.choice(list(KINDS), p=list(KINDS.values())))
        frames = int(random.integers(SHORTEST, LONGEST + 1))
        angle = random.uniform(-np.pi, np.pi)
        turn = random.choice(("q", "e")) if random.random() < TURN else None
        keys = {"slow": {"ctrl"}, "fast": {"shift"}}.get(kind, set()) | ({turn} if turn else set())
        size = 0.0 if kind == "idle" else 1.0
        yield Steering(
            frames, frozenset(map(str, keys)), (size * np.sin(angle), size * np.cos(angle))
        )


class Actor:
    """A character with its joystick policy. Raises CheckpointError if its folder lacks either."""

    def __init__(self, folder: CharacterFolder) -> None:
        self.folder = folder
        self.character = Character.load(folder.mvae)
        self.policies = [
            NamedPolicy.load(path, self.character) for path in folder.policies(TASK)[:1]
        ]
        self.limbs = labels.Limbs.of(self.character.skeleton)

    def player(self, seed: int) -> Player:
        """The character at the start of an episode."""
        return Player(self.character, self.policies, seed, TASK, folder=self.folder)

    def shots(self, seed: int, frames: int, stays: bool = False) -> Iterator[Shot]:
        """An episode of so many frames; one that ``stays`` does not go far from the origin."""
        player = self.player(seed)
        before = player.root.numpy().copy()
        script = decisions(seed)
        left = 0
        for _ in range(frames):
            if left == 0:
                decision = next(script)
                left = decision.frames
            left -= 1
            move = back(before) if stays and np.hypot(*before[[0, 2]]) > ROAM else decision.move
            player.step(decision.keys, move=move)
            yield shot(player, before)
            before = player.root.numpy().copy()


def back(root: np.ndarray) -> tuple[float, float]:
    """The stick (right, forward) towards the origin. Right is −X before a camera along +Z."""
    x, z = -root[[0, 2]] / np.hypot(*root[[0, 2]])
    return -float(x), float(z)


def shot(player: Player, before: np.ndarray) -> Shot:
    """What is to be seen of a player now, whose root was ``before`` (3,) one frame ago."""
    scene = Scene(player.now.pose, player.now.yaw)
    root = player.root
    positions = forward_kinematics(player.character.skeleton, root, player.rotations)
    facing = player.now.yaw if player.now.facing is None else player.now.facing
    return Shot(
        scene,
        positions.numpy().astype(float),
        labels.action(player.now.wish, facing),
        labels.effector(before, root.numpy(), player.seconds),
    )
