"""A trained policy, without the library that trained it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from controller import checkpoint, solo
from controller.character import Character
from controller.errors import CheckpointError, first_line
from controller.gemm import Linear
from controller.simulation import Simulation
from controller.solo import SoloActor

KIND = "policy"


class Actor(nn.Module):
    """Observation ``(B, O)`` → mean latent ``(B, latent)`` within ±``limit``: a ReLU network and limit·tanh."""

    def __init__(self, observation: int, latent: int, hidden: tuple[int, ...], limit: float) -> None:
        super().__init__()
        sizes = (observation, *hidden)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [Linear(inputs, outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = Linear(sizes[-1], latent)
        self.limit = limit

    def widened(self, observation: int) -> Actor:
        """An actor that acts alike and sees further columns after its own, which it does not heed yet."""
        weights = self.state_dict()
        first = weights["body.0.weight"]
        hidden = tuple(layer.out_features for layer in self.body if isinstance(layer, nn.Linear))
        wider = Actor(observation, self.head.out_features, hidden, self.limit)
        new = first.new_zeros(len(first), observation - first.shape[1])
        wider.load_state_dict(weights | {"body.0.weight": torch.cat((first, new), dim=1)})
        return wider

    def forward(self, observation: Tensor) -> Tensor:
        return self.limit * torch.tanh(self.head(self.body(observation)))


def model_fingerprint(character: Character) -> str:
    """SHA-256 over the decoder's weights and the statistics: a policy only fits the model it was trained on."""
    digest = hashlib.sha256()
    for name, value in sorted(character.model.state_dict().items()):
        if not name.startswith("encoder"):
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Policy:
    """The deterministic policy, the actor's mean: observations ``(B, O)`` → latents ``(B, latent)``."""

    def __init__(self, actor: Actor, header: dict[str, Any]) -> None:
        self.actor = actor.eval().requires_grad_(False)
        self.header = header

    @property
    def task(self) -> str:
        return self.header["task"]

    @cached_property
    def _solo(self) -> SoloActor:
        return SoloActor(self.actor, self.actor.limit)

    def __call__(self, observation: Tensor) -> Tensor:
        return self._solo(observation) if solo.fits(observation) else self.actor(observation)

    def save(self, path: Path | str) -> None:
        checkpoint.save(path, KIND, self.header, dict(self.actor.state_dict()))

    @classmethod
    def of(cls, actor: Actor, character: Character, task: str, settings: dict[str, Any], **header: Any) -> Policy:
        """A policy ready to be saved, with all that :meth:`load` needs and what else ``header`` tells."""
        shape = {
            "observation": actor.body[0].in_features,
            "latent": actor.head.out_features,
            "hidden": [layer.out_features for layer in actor.body if isinstance(layer, nn.Linear)],
            "limit": actor.limit,
        }
        record = {"task": task, "settings": settings, "actor": shape, "model": model_fingerprint(character), **header}
        return cls(actor, record)

    @classmethod
    def load_for(cls, path: Path | str, simulation: Simulation) -> Policy:
        """Read a policy for a simulation's task, or for the task that this one extends: such a one heeds the columns
        that they share. CheckpointError as for :meth:`load`."""
        task = simulation.task
        tasks = (task.name,) if task.extends is None else (task.name, task.extends)
        policy = cls.load(path, simulation.character, *tasks)
        seen = policy.header["actor"]["observation"]
        if seen == simulation.observation_size:
            return policy
        shape = policy.header["actor"] | {"observation": simulation.observation_size}
        actor = policy.actor.widened(simulation.observation_size).to(simulation.character.reset_poses.device)
        return cls(actor, policy.header | {"actor": shape})

    @classmethod
    def load(cls, path: Path | str, character: Character, *tasks: str) -> Policy:
        """Read a policy; CheckpointError if it is for none of the tasks, or another motion VAE than ``character``'s."""
        header, tensors = checkpoint.load(path, KIND)
        try:
            shape = header["actor"]
            actor = Actor(shape["observation"], shape["latent"], tuple(shape["hidden"]), shape["limit"])
            actor.load_state_dict(tensors)
            trained_for, model = header["task"], header["model"]
        except (KeyError, TypeError, RuntimeError) as error:
            raise CheckpointError(f"{path}: not a whole policy checkpoint ({first_line(error)})") from error
        if trained_for not in tasks:
            expected = " or ".join(repr(task) for task in tasks)
            raise CheckpointError(f"{path}: a policy for the task {trained_for!r} found; {expected} is expected")
        if model != model_fingerprint(character):
            raise CheckpointError(
                f"{path}: this policy was trained on another motion VAE; "
                f"train it on this one, or name its own with --mvae"
            )
        return cls(actor.to(character.reset_poses.device), header)
