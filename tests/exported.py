"""What exported controllers are compared with: the step that the window takes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import torch
from synthetic import data, dog, layout, strings_policy
from torch import Tensor

from controller.control.actors import Actor
from controller.control.folder import CharacterInfo
from controller.control.policy import Policy
from controller.dynamics.character import Character, CharacterState
from controller.export.steered import SteeredCharacter
from controller.games.joystick import JoystickGame
from controller.games.settings import Settings
from controller.model.mixture import MotionVAE, MotionVAEConfig
from controller.motion.pose import PoseLayout
from controller.motion.skeleton import forward_kinematics, to_local
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation
from controller.viewer.input.steering import Wish

PERIOD = 45
"""Frames of a command."""
STYLES = ("calm", "angry", "old")


@dataclass(frozen=True)
class Motion:
    """T frames of one character; ``rotations`` (T, J, 3, 3) are relative to the parents."""

    pose: np.ndarray
    position: np.ndarray
    yaw: np.ndarray
    root: np.ndarray
    rotations: np.ndarray
    joints: np.ndarray

    def farthest(self, other: Motion) -> dict[str, float]:
        """The largest difference in each field; of yaws the short way round."""
        apart = {}
        for each in fields(self):
            values = getattr(self, each.name) - getattr(other, each.name)
            if each.name == "yaw":
                values = np.angle(np.exp(1j * values))
            apart[each.name] = float(np.abs(values).max())
        return apart


def wishes(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Velocities (T, 2) and facings (T,) that change now and then: some stand, some are faster than
    any policy was trained for."""
    generator = np.random.default_rng(seed)
    count = -(-frames // PERIOD)
    speed = generator.uniform(0, 3, count) * (generator.random(count) > 0.2)
    way, facing = generator.uniform(-np.pi, np.pi, (2, count))
    velocity = np.stack((np.sin(way), np.cos(way)), axis=-1) * speed[:, None]
    return velocity.repeat(PERIOD, 0)[:frames], facing.repeat(PERIOD)[:frames]


@torch.inference_mode()
def ours(
    steered: SteeredCharacter, start: np.ndarray, velocity: np.ndarray, facing: np.ndarray
) -> Motion:
    """The motion in the window's game from a reset pose (D,) at the origin."""
    character = steered.character
    game = JoystickGame(character, torch.Generator(), Settings())
    game.use_policy(steered.policy)
    state = CharacterState(torch.tensor(start)[None], torch.zeros(1, 2), torch.zeros(1))
    frames: list[tuple[Tensor, ...]] = []
    for towards, yaw in zip(velocity, facing, strict=True):
        game.set_wish(Wish(towards, float(yaw)))
        state = game.step(state)
        root, rotations = character.joints(state)
        joints = forward_kinematics(character.skeleton, root, rotations)
        local = to_local(character.skeleton.parents, rotations)
        frames.append((state.pose, state.position, state.yaw, root, local, joints))
    return Motion(*(torch.cat(parts).numpy() for parts in zip(*frames, strict=True)))


def matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4) as (x, y, z, w): each axis turned by
    v + 2w(q × v) + 2q × (q × v)."""
    q, w = quaternions[..., None, :3], quaternions[..., None, 3:]
    axes = np.eye(3, dtype=quaternions.dtype)
    once = np.cross(q, axes)
    return np.swapaxes(axes + 2 * w * once + 2 * np.cross(q, once), -1, -2)


def info(name: str = "Tester") -> CharacterInfo:
    return CharacterInfo(name, "Made up", "CC0-1.0", 'Somebody, "for nothing"')


@cache
def woody() -> SteeredCharacter:
    """The shipped character."""
    return SteeredCharacter.open("woody")


@cache
def woody_for_1000_steps() -> Motion:
    """From its first reset pose, with the wishes of seed 0."""
    return ours(woody(), woody().reset_poses[0], *wishes(0, 1000))


@cache
def untrained() -> SteeredCharacter:
    """A small untrained character with styles: its joints are turned every way."""
    part = PoseLayout(layout().skeleton, STYLES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        sizes = {"latent": 6, "hidden": 21, "experts": 3, "gate_hidden": 7}
        model = MotionVAE(part.size, MotionVAEConfig(**sizes, styles=STYLES))
        for weight in model.decoder.parameters():
            weight.data *= 2  # so that it moves
        normalizer = data().normalizer()
        for name in ("mean", "std", "low", "high"):
            column = torch.full((len(STYLES),), 1.0 if name in ("std", "high") else 0.0)
            values = torch.cat((getattr(normalizer, name), column))
            values[part.orientations] = {"mean": 0.0, "std": 1.0, "low": -9.0, "high": 9.0}[name]
            getattr(model.normalizer, name).copy_(values)
        poses = torch.randn(4, part.size)
        poses[:, part.style] = torch.eye(4)[:, : len(STYLES)]
        poses[3, part.style] = 1 / len(STYLES)
        character = Character(model, part, poses)
        simulation = Simulation(character, JoystickTask(character))
        actor = Actor(simulation.observation_size, 6, (13, 10), 1.5)
    settings = simulation.task.settings()
    return SteeredCharacter(info(), character, Policy.of(actor, character, "joystick", settings))


@cache
def swaying() -> SteeredCharacter:
    """The untrained character with a policy that sways."""
    quiet = untrained()
    header = quiet.policy.header | {"sway": {"deviation": 0.4, "frames": 8.0}}
    return SteeredCharacter(info(), quiet.character, Policy(quiet.policy.actor, header))


@cache
def on_four_legs() -> SteeredCharacter:
    """A puppet of a dog, which does exactly what it is told."""
    return SteeredCharacter(info("Dog"), dog(), strings_policy(dog()))
