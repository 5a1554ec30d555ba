"""Actors: networks from observations to latents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from controller.dynamics.character import Character
from controller.model.gemm import Linear


class Network(nn.Module):
    """A ReLU network: observation ``(B, O)`` → ``(B, outputs)``.

    ``sizes`` are the arguments that build the same network again.
    """

    def __init__(self, observation: int, hidden: Sequence[int], outputs: int) -> None:
        super().__init__()
        sizes = (observation, *hidden)
        layers: list[nn.Module] = []
        for inputs, width in pairwise(sizes):
            layers += [Linear(inputs, width), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = Linear(sizes[-1], outputs)
        self.sizes: dict[str, Any] = {"observation": observation, "hidden": list(hidden)}

    def widened(self, observation: int) -> Self:
        """A network that acts the same and has further columns in its observation, which it ignores
        until it is trained."""
        wider = type(self)(**self.sizes | {"observation": observation})
        weights = self.state_dict()
        first = weights["body.0.weight"]
        zeros = first.new_zeros(len(first), observation - first.shape[1])
        weights["body.0.weight"] = torch.cat((first, zeros), dim=1)
        wider.load_state_dict(weights)
        return wider

    def forward(self, observation: Tensor) -> Tensor:
        return self.head(self.body(observation))


class Actor(Network):
    """Observation ``(B, O)`` → mean latent ``(B, latent)`` within ±``limit``: a ReLU network and
    limit·tanh."""

    has_kernels = True  # controller.model.fast.kernels can compute it

    def __init__(self, observation: int, latent: int, hidden: Sequence[int], limit: float) -> None:
        super().__init__(observation, hidden, latent)
        self.limit = limit
        self.sizes |= {"latent": latent, "limit": limit}

    def forward(self, observation: Tensor) -> Tensor:
        return self.limit * torch.tanh(super().forward(observation))


class CodeActor(Network):
    """Observation ``(B, O)`` → latent ``(B, latent)`` for a motion VAE whose latents are codes: the
    one of K ``vectors`` that gets the highest logit from a ReLU network."""

    has_kernels = False

    def __init__(self, observation: int, latent: int, hidden: Sequence[int], codes: int) -> None:
        super().__init__(observation, hidden, codes)
        self.vectors: Tensor
        self.register_buffer("vectors", torch.zeros(codes, latent))
        self.sizes |= {"latent": latent, "codes": codes}

    def forward(self, observation: Tensor) -> Tensor:
        return self.vectors[super().forward(observation).argmax(dim=-1)]


def new_actor(
    character: Character, observation: int, hidden: Sequence[int], limit: float
) -> Actor | CodeActor:
    """An untrained actor of the kind that suits the character's latents."""
    if character.codes is None:
        return Actor(observation, character.latent, hidden, limit)
    actor = CodeActor(observation, character.latent, hidden, len(character.codes))
    actor.vectors.copy_(character.codes)
    return actor
