"""A recorded stick, and what Python makes of it, to compare the web page with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from exported import matrices

from controller.dynamics.character import CharacterState
from controller.export.steered import SteeredCharacter
from controller.games.joystick import JoystickGame
from controller.games.settings import Settings
from controller.model.mixture import Decoder
from controller.motion.skeleton import forward_kinematics, to_local
from controller.viewer.input.steering import Controls, Pace

STEPS = 600
PACES: tuple[Pace, ...] = ("slow", "walk", "fast")


def stick() -> list[list[float]]:
    """A recorded stick: right, forward, pace, turn and lock in each of the steps."""
    generator = np.random.default_rng(5)
    moments: list[list[float]] = []
    while len(moments) < STEPS:
        right, forward = generator.uniform(-1, 1, 2) * (generator.random() > 0.2)
        pace = int(generator.integers(3))
        turn = int(generator.choice((-1, 0, 0, 0, 1)))
        moment = [round(right, 3), round(forward, 3), pace, turn]
        length = int(generator.integers(10, 70))
        press = int(generator.random() < 0.3)
        moments += [[*moment, press], *([[*moment, 0]] * length)]
    return moments[:STEPS]


def rounded() -> SteeredCharacter:
    """The shipped character with weights as in the page's file: of 16 bits."""
    steered = SteeredCharacter.open("woody")
    decoder = steered.character.model.decoder
    assert isinstance(decoder, Decoder)
    layers = [*decoder.gate.modules(), decoder.first, decoder.second, decoder.output]
    for module in (*layers, *steered.policy.actor.modules()):
        if isinstance(getattr(module, "weight", None), torch.nn.Parameter):
            module.weight.data = module.weight.data.half().float()
    return steered


@torch.inference_mode()
def played(steered: SteeredCharacter) -> dict[str, np.ndarray]:
    """Joints in the world (T, J, 3) and local rotations (T, J, 3, 3) of the window's game that
    gets the recorded stick."""
    character = steered.character
    game = JoystickGame(character, torch.Generator(), Settings())
    game.use_policy(steered.policy)
    start = torch.tensor(steered.reset_poses[:1])
    state = game.enter(CharacterState(start, torch.zeros(1, 2), torch.zeros(1)))
    frames: dict[str, list[np.ndarray]] = {"joints": [], "rotations": []}
    for right, forward, pace, turn, lock in stick():
        game.steer(Controls(right, forward, PACES[int(pace)], turn, lock > 0), 0.0)
        state = game.step(state)
        root, rotations = character.joints(state)
        joints = forward_kinematics(character.skeleton, root, rotations)
        frames["joints"].append(joints[0].numpy())
        frames["rotations"].append(to_local(character.skeleton.parents, rotations)[0].numpy())
    return {name: np.stack(rows).astype(np.float64) for name, rows in frames.items()}


def apart(replay: dict[str, Any], ours: dict[str, np.ndarray]) -> dict[str, float]:
    """The largest distances of joints in metres, as the runtime gives them (`joints`) and as the
    page draws them (`drawn`), and the largest angle between rotations in degrees."""
    joints = ours["joints"]
    away = {
        name: float(np.linalg.norm(np.reshape(replay[name], joints.shape) - joints, axis=-1).max())
        for name in ("joints", "drawn")
    }
    theirs = matrices(np.reshape(replay["rotations"], (*joints.shape[:2], 4)))
    skew = np.swapaxes(theirs, -1, -2) @ ours["rotations"]
    axis = [skew[..., 2, 1] - skew[..., 1, 2], skew[..., 0, 2] - skew[..., 2, 0]]
    axis.append(skew[..., 1, 0] - skew[..., 0, 1])
    sine = np.linalg.norm(axis, axis=0) / 2
    cosine = (np.trace(skew, axis1=-2, axis2=-1) - 1) / 2
    return away | {"degrees": float(np.rad2deg(np.arctan2(sine, cosine)).max())}
