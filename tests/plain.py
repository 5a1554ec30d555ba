"""The character as one would write it down, without any thought of speed: what the fast paths are
held against.

Built from the tensors of the shipped checkpoints alone. Each character blends the experts' weights
for itself, as Ling et al. 2020 have it (figure 4), and every formula is one line of torch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from controller.control.folder import CharacterFolder
from controller.control.policy import KIND as POLICY_KIND
from controller.core import checkpoint
from controller.dynamics.character import KIND, Character, CharacterState
from controller.tasks.base import Task
from controller.tasks.simulation import Simulation

SECONDS = 1 / 30
MARGIN = 1.0
"""Deviations by which a pose may leave the range of the captured ones."""
LIMIT = 2.0
"""Of a latent, either way."""


class Plain:
    """The shipped decoder and joystick policy. Poses ``(B, 243)`` are z-scored, latents ``(B,
    32)``."""

    def __init__(self) -> None:
        self.header, self.model = checkpoint.load(CharacterFolder.open().mvae, KIND)
        self.layers, self.actor = checkpoint.load(
            CharacterFolder.open().policy("joystick"), POLICY_KIND
        )
        self.mean = self.model["normalizer.mean"]
        self.std = self.model["normalizer.std"]
        self.low = (self.model["normalizer.low"] - self.mean) / self.std - MARGIN
        self.high = (self.model["normalizer.high"] - self.mean) / self.std + MARGIN
        self.joint_count = len(self.header["skeleton"]["names"])

    def gate(self, inputs: Tensor) -> Tensor:
        """(B, 32 + 243) → each expert's share (B, 6)."""
        for layer in ("0", "2", "4"):
            weight = self.model[f"decoder.gate.{layer}.weight"]
            bias = self.model[f"decoder.gate.{layer}.bias"]
            inputs = functional.linear(
                inputs if layer == "0" else functional.elu(inputs), weight, bias
            )
        return torch.softmax(inputs, dim=-1)

    def expert_layer(self, name: str, inputs: Tensor, shares: Tensor) -> Tensor:
        """One layer with the weights blended for each character: (B, I) → (B, O)."""
        weight = torch.einsum("be,eio->bio", shares, self.model[f"decoder.{name}.weight"])
        bias = shares @ self.model[f"decoder.{name}.bias"]
        return torch.einsum("bi,bio->bo", inputs, weight) + bias

    def decode(self, latent: Tensor, pose: Tensor) -> Tensor:
        """The next pose, held to its range."""
        shares = self.gate(torch.cat((latent, pose), dim=-1))
        hidden = functional.elu(
            self.expert_layer("first", torch.cat((latent, pose), dim=-1), shares)
        )
        hidden = functional.elu(
            self.expert_layer("second", torch.cat((latent, hidden), dim=-1), shares)
        )
        following = self.expert_layer("output", torch.cat((latent, hidden), dim=-1), shares)
        return torch.minimum(torch.maximum(following, self.low), self.high)

    def step(self, state: CharacterState, latent: Tensor) -> CharacterState:
        """1/30 s: the next pose, and its root velocity (forward, left, turning) added to place and
        yaw."""
        pose = self.decode(latent.clamp(-LIMIT, LIMIT), state.pose)
        forward, left, turning = (pose * self.std + self.mean)[:, :3].unbind(dim=-1)
        sin = torch.sin(state.yaw)
        cos = torch.cos(state.yaw)
        way = torch.stack((left * cos + forward * sin, forward * cos - left * sin), dim=-1)
        yaw = state.yaw + SECONDS * turning
        return CharacterState(
            pose, state.position + SECONDS * way, torch.remainder(yaw + math.pi, math.tau) - math.pi
        )

    def act(self, observation: Tensor) -> Tensor:
        """The policy's latent: three layers of ReLU, then 2·tanh."""
        hidden = observation
        for layer in ("0", "2", "4"):
            weight = self.actor[f"body.{layer}.weight"]
            bias = self.actor[f"body.{layer}.bias"]
            hidden = functional.relu(functional.linear(hidden, weight, bias))
        return LIMIT * torch.tanh(
            functional.linear(hidden, self.actor["head.weight"], self.actor["head.bias"])
        )

    def joints(self, state: CharacterState) -> tuple[Tensor, Tensor]:
        """World root positions (B, 3) and world joint rotations (B, J, 3, 3), from two columns of
        each rotation."""
        pose = state.pose * self.std + self.mean
        count = self.joint_count
        columns = pose[:, 3 + 6 * count :].reshape(-1, count, 2, 3)
        first = functional.normalize(columns[:, :, 0], dim=-1)
        along = (first * columns[:, :, 1]).sum(dim=-1, keepdim=True)
        second = functional.normalize(columns[:, :, 1] - along * first, dim=-1)
        local = torch.stack((first, second, torch.cross(first, second, dim=-1)), dim=-1)
        sin = torch.sin(state.yaw)
        cos = torch.cos(state.yaw)
        none = torch.zeros_like(sin)
        one = torch.ones_like(sin)
        facing = torch.stack((cos, none, sin, none, one, none, -sin, none, cos), dim=-1).reshape(
            -1, 1, 3, 3
        )
        root = torch.stack((state.position[:, 0], pose[:, 4], state.position[:, 1]), dim=-1)
        return root, facing @ local


class PlainSimulation(Simulation):
    """The simulation with its dynamics written plainly; all else as it is."""

    def __init__(self, character: Character, task: Task[Any], plain: Plain) -> None:
        super().__init__(character, task)
        self.plain = plain

    def move(self, state: CharacterState, latent: Tensor) -> CharacterState:
        return self.plain.step(state, latent)
