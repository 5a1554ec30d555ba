"""What acts: networks from observations to latents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from controller.dynamics.character import Character
from controller.model.gemm import Linear


class Network(nn.Module):
    """A ReLU network: observation ``(B, O)`` → ``(B, outputs)``."""

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
        """One that acts alike and sees further columns after its own, which it does not heed
        yet."""
        wider = type(self)(**self.sizes | {"observation": observation})
        weights = self.state_dict()
        first = weights["body.0.weight"]
        new = first.new_zeros(len(first), observation - first.shape[1])
        wider.load_state_dict(weights | {"body.0.weight": torch.cat((first, new), dim=1)})
        return wider

    def forward(self, observation: Tensor) -> Tensor:
        return self.head(self.body(observation))


class Actor(Network):
    """Observation ``(B, O)`` → mean latent ``(B, latent)`` within ±``limit``: a ReLU network and
    limit·tanh."""

    has_kernels = True  # that is, controller.model.fast.kernels computes it

    def __init__(self, observation: int, latent: int, hidden: Sequence[int], limit: float) -> None:
        super().__init__(observation, hidden, latent)
        self.limit = limit
        self.sizes |= {"latent": latent, "limit": limit}

    def forward(self, observation: Tensor) -> Tensor:
        return self.limit * torch.tanh(super().forward(observation))


class CodeActor(Network):
    """Observation ``(B, O)`` → a latent ``(B, latent)``, the one of K ``vectors`` to which a ReLU
    network gives the highest logit: for a motion VAE whose latents are codes."""

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
    """An untrained actor for a character, of the kind that its latents ask for."""
    if character.codes is None:
        return Actor(observation, character.latent, hidden, limit)
    actor = CodeActor(observation, character.latent, hidden, len(character.codes))
    actor.vectors.copy_(character.codes)
    return actor
