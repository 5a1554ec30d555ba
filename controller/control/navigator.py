"""A high-level policy: it wishes as somebody at the stick would, and a frozen joystick policy
walks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from controller.control.actors import Actor, Network
from controller.motion import geometry
from controller.tasks.joystick import JoystickConfig, JoystickTask

MOST_TURN = math.pi / 2
"""radians by which a wish is turned at most, once for where to go and face, once more for where to
go alone."""


class Navigator(Network):
    """Observation ``(B, O)`` → latent ``(B, latent)``, by way of a wish to the ``pilot``, a frozen
    joystick policy.

    The observation is of a task that extends the joystick: its goal begins with a wish. A ReLU
    network sees all of it and corrects that wish: how fast to go, where to go and face, how far to
    go aside of that. The pilot sees the pose and the corrected wish, which is never faster than it
    was trained to go that way. Untrained, the network corrects next to nothing, so that it begins
    with what the pilot is able to do alone. Differentiable through both.
    """

    has_kernels = False

    def __init__(
        self, observation: int, hidden: Sequence[int], pilot: dict[str, Any], stick: dict[str, Any]
    ) -> None:
        """``pilot``: the sizes of the pilot's :class:`Actor`; ``stick``: the fields of the
        :class:`JoystickConfig` it was trained with."""
        super().__init__(observation, hidden, 3)
        self.pilot = Actor(**pilot).requires_grad_(False)
        self.stick = JoystickConfig(**stick)
        self.sizes |= {"pilot": pilot, "stick": stick}

    def wish(self, observation: Tensor) -> Tensor:
        """(B, 4): velocity forward and to the left in m/s, cosine and sine of the angle from the
        facing to the wished one, as the joystick task shows them."""
        begin = self.pilot.sizes["observation"] - JoystickTask.goal_size
        given = observation[:, begin : begin + JoystickTask.goal_size]
        pace, turn, aside = super().forward(observation).unbind(dim=-1)
        turn = MOST_TURN * torch.tanh(turn)
        aside = MOST_TURN * torch.tanh(aside)
        velocity = 2 * torch.sigmoid(pace)[:, None] * _turned(given[:, :2], turn + aside)
        facing = _turned(given[:, 2:], turn)
        return torch.cat((velocity * self._held(velocity, facing)[:, None], facing), dim=-1)

    @torch.no_grad()
    def _held(self, velocity: Tensor, facing: Tensor) -> Tensor:
        """(B,) up to 1: by what to multiply velocities (B, 2) that are faster than the pilot knows
        them."""
        angle = torch.atan2(velocity[:, 1], velocity[:, 0]) - torch.atan2(
            facing[:, 1], facing[:, 0]
        )
        return self.stick.slowing(velocity.norm(dim=-1), angle)

    def forward(self, observation: Tensor) -> Tensor:
        pose = observation[:, : self.pilot.sizes["observation"] - JoystickTask.goal_size]
        return self.pilot(torch.cat((pose, self.wish(observation)), dim=-1))


def _turned(vector: Tensor, angle: Tensor) -> Tensor:
    """Vectors (B, 2), forward and left, turned to the left by ``angle`` (B,) radians."""
    return geometry.turn(vector.flip(-1), angle).flip(-1)
