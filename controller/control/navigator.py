"""A high-level policy: it steers a frozen joystick policy, which does the walking."""

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
"""radians: the largest angle by which the network turns the desired direction and facing together,
and by which it then turns the direction alone."""


class Navigator(Network):
    """Observation ``(B, O)`` → latent ``(B, latent)``, by way of a goal for a frozen joystick
    policy.

    The observation is of a task that extends the joystick's: its goal begins with a desired
    velocity and facing. A ReLU network sees the whole observation and corrects that: how fast to
    go, where to go and face, and how far to the side of the facing to go. The joystick policy sees
    the pose and the corrected goal, whose velocity is never faster than it was trained to go in
    that direction. Untrained, the network corrects next to nothing, so it begins with what the
    joystick policy can do alone. It is differentiable through both.
    """

    has_kernels = False

    def __init__(
        self, observation: int, hidden: Sequence[int], pilot: dict[str, Any], stick: dict[str, Any]
    ) -> None:
        """Build one from its sizes, which checkpoints hold by these names.

        ``pilot``: the sizes of the joystick policy's :class:`Actor`; ``stick``: the fields of the
        :class:`JoystickConfig` that it was trained with.
        """
        super().__init__(observation, hidden, 3)
        self.pilot = Actor(**pilot).requires_grad_(False)
        self.stick = JoystickConfig(**stick)
        self.sizes |= {"pilot": pilot, "stick": stick}
        self.pose_size: int = pilot["observation"] - JoystickTask.goal_size

    def wish(self, observation: Tensor) -> Tensor:
        """(B, 4): the corrected goal as the joystick task shows it. Velocity forward and to the
        left in m/s, then cosine and sine of the angle from the facing to the desired one."""
        begin = self.pose_size
        goal = observation[:, begin : begin + JoystickTask.goal_size]
        pace, turn, aside = super().forward(observation).unbind(dim=-1)
        turn = MOST_TURN * torch.tanh(turn)
        aside = MOST_TURN * torch.tanh(aside)

        velocity = 2 * torch.sigmoid(pace)[:, None] * _turn(goal[:, :2], turn + aside)
        facing = _turn(goal[:, 2:], turn)
        slower = velocity * self._slowing(velocity, facing)[:, None]
        return torch.cat((slower, facing), dim=-1)

    @torch.no_grad()
    def _slowing(self, velocity: Tensor, facing: Tensor) -> Tensor:
        """(B,) factors up to 1 that bring velocities (B, 2) down to what the joystick policy was
        trained with."""
        direction = torch.atan2(velocity[:, 1], velocity[:, 0])
        angle = direction - torch.atan2(facing[:, 1], facing[:, 0])
        return self.stick.slowing(velocity.norm(dim=-1), angle)

    def forward(self, observation: Tensor) -> Tensor:
        pose = observation[:, : self.pose_size]
        return self.pilot(torch.cat((pose, self.wish(observation)), dim=-1))


def _turn(vector: Tensor, angle: Tensor) -> Tensor:
    """Vectors (B, 2), forward and left, turned to the left by ``angle`` (B,) radians."""
    return geometry.turn(vector.flip(-1), angle).flip(-1)
