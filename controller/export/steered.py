"""A character with the policy that steers it, as the plain arrays that other programs need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from controller.control.actors import Actor
from controller.control.folder import CharacterFolder, CharacterInfo
from controller.control.policy import Policy
from controller.core.errors import ControllerError
from controller.dynamics.character import Character
from controller.model.mixture import Decoder
from controller.tasks.joystick import JoystickConfig, JoystickTask

FORMAT = 1
"""Version of the exported files: it changes when a program that reads them must change."""
RESET_POSES = 16
"""Reset poses among the metadata: there they are text, and large."""
QUANTITIES = {
    "position": "metres, (x, z) of the root on the ground",
    "yaw": "radians about +Y; 0 faces +Z, a positive one turns left",
    "velocity": "m/s over the ground, (x, z) in the world: how to move",
    "facing": "radians about +Y: the yaw to face",
    "root": "metres, (x, y, z) of the root joint in the world",
    "rotations": "quaternions (x, y, z, w), each joint relative to its parent, the root to the "
    "world",
    "joints": "metres, (x, y, z) of every joint in the world",
}
"""What the exported controllers take and give, with units."""
SWAY = {
    "noise": "on the latents: begin with zeros, then feed back next_noise",
    "random": "normal numbers with a deviation of 1, new ones in each step",
}
"""What an ONNX file takes, too, if its policy was trained with noise."""


@dataclass(frozen=True)
class Layer:
    """A linear layer of one or more experts: weight (E, I, O) and bias (E, O)."""

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, linear: nn.Linear) -> Layer:
        return cls(_array(linear.weight.t())[None], _array(linear.bias)[None])


@dataclass(frozen=True, eq=False)
class SteeredCharacter:
    """A motion VAE with a mixture of experts, and its policy for the joystick task."""

    info: CharacterInfo
    character: Character
    policy: Policy

    def __post_init__(self) -> None:
        model = self.character.model
        if not model.has_kernels:
            variant = model.config.variant
            raise ControllerError(
                f"{self.info.name}: a motion VAE of the variant {variant!r} cannot be exported; "
                "allowed: those whose decoder is a mixture of experts"
            )
        if type(self.policy.actor) is not Actor:
            kind = type(self.policy.actor).__name__
            raise ControllerError(
                f"{self.info.name}: a policy that is a {kind} cannot be exported; allowed: an Actor"
            )

    @classmethod
    def open(cls, path_or_name: Path | str, policy: Path | None = None) -> SteeredCharacter:
        """Load a character's folder with its best joystick policy, or with another ``policy``.

        Raises CheckpointError about files that are missing or wrong, ControllerError about a
        variant that cannot be exported.
        """
        folder = CharacterFolder.open(path_or_name)
        character = Character.load(folder.mvae)
        path = policy or folder.policy(JoystickTask.name)
        loaded = Policy.load(path, character, JoystickTask.name)
        return cls(folder.info, character, loaded)

    @cached_property
    def stick(self) -> JoystickConfig:
        """The speeds that the policy was trained for."""
        return JoystickConfig(**self.policy.header["settings"])

    @cached_property
    def gate(self) -> list[Layer]:
        """The layers of the gate, ELU after each but the last."""
        decoder = self.character.model.decoder
        assert isinstance(decoder, Decoder)
        return [Layer.of(module) for module in decoder.gate if isinstance(module, nn.Linear)]

    @cached_property
    def experts(self) -> list[Layer]:
        """The three layers of the experts."""
        decoder = self.character.model.decoder
        assert isinstance(decoder, Decoder)
        layers = (decoder.first, decoder.second, decoder.output)
        return [Layer(_array(layer.weight), _array(layer.bias)) for layer in layers]

    @cached_property
    def actor(self) -> list[Layer]:
        """The layers of the policy, ReLU after each but the last."""
        modules = self.policy.actor.modules()
        return [Layer.of(module) for module in modules if isinstance(module, nn.Linear)]

    @property
    def latent_limit(self) -> float:
        """The policy's latents are within ± this."""
        actor = self.policy.actor
        assert isinstance(actor, Actor)
        return actor.limit

    @property
    def sway(self) -> tuple[float, float]:
        """How much of the noise on the latents stays in a step, and the deviation of what is added
        (see ``controller.control.sway``); zeros without noise."""
        sway = self.policy.sway
        return (0.0, 0.0) if sway is None or sway.fresh == 0 else (sway.kept, sway.fresh)

    @cached_property
    def statistics(self) -> dict[str, np.ndarray]:
        """mean, std, low and high (D,): a pose in its own units is z·std + mean, and z is clamped
        to low and high."""
        normalizer = self.character.model.normalizer
        low = self.character.low
        high = self.character.high
        parts = {"mean": normalizer.mean, "std": normalizer.std, "low": low, "high": high}
        return {name: _array(values) for name, values in parts.items()}

    @cached_property
    def reset_poses(self) -> np.ndarray:
        """Z-scored poses (R, D) to start from."""
        return _array(self.character.reset_poses)

    @cached_property
    def parents(self) -> np.ndarray:
        """(J,) each joint's parent, which comes before it; −1 for the root."""
        return np.array(self.character.skeleton.parents, np.int32)

    @cached_property
    def offsets(self) -> np.ndarray:
        """(J, 3) metres from the parent in the rest pose, in which all rotations are identities;
        zeros for the root."""
        offsets = _array(self.character.skeleton.offsets).copy()
        offsets[0] = 0
        return offsets

    def metadata(self) -> dict[str, Any]:
        """What a program that reads an export must know, JSON-able."""
        every = np.linspace(0, len(self.reset_poses) - 1, RESET_POSES).round().astype(int)
        skeleton = self.character.skeleton
        limits = self.character.limits
        return {
            "format": FORMAT,
            "character": self.info.name,
            "title": self.info.title,
            "licence": self.info.terms,
            "attribution": self.info.attribution,
            "rate": self.character.fps,
            "units": "metres, seconds, radians",
            "axes": "right-handed, +Y up, +Z forward at yaw 0, +X to the left",
            "quantities": QUANTITIES | (SWAY if self.sway[1] else {}),
            "joints": list(skeleton.names),
            "parents": self.parents.tolist(),
            "rest_pose": "each joint at its offset from its parent, all rotations identities",
            "offsets": _rounded(self.offsets),
            "tips": _rounded(_array(skeleton.tips)),
            "styles": list(self.character.styles),
            "fastest": {
                "forward": self.stick.forward_speed,
                "sideways": self.stick.sideways_speed,
                "backward": self.stick.backward_speed,
            },
            "hips_height": [limits.lowest_hips, limits.highest_hips],
            "reset_poses": _rounded(self.reset_poses[np.unique(every)]),
        }


def _array(tensor: Tensor) -> np.ndarray:
    """float32 values, contiguous."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)


def _rounded(values: np.ndarray) -> list[Any]:
    """Nested lists of as many digits as float32 has."""
    return np.vectorize(lambda value: float(f"{value:.7g}"))(values.astype(float)).tolist()
