"""Inertialised blends: where motion changes, the difference between the old and the new one is
added to the new one and dies away, so that nothing jumps and only one motion has to be played.

The idea is David Bollo's (*Inertialization: High-Performance Animation Transitions in Gears of
War*, GDC 2018). Here the difference is carried by a critically damped spring towards 0, which
solves x″ = −2y·x′ − y²·x exactly: x(t) = (x₀ + (v₀ + y·x₀)·t)·e^(−y·t). From rest it is halfway
after a half-life of 1.678 / y, since (1 + u)·e^(−u) = ½ at u = 1.678.

Rotations are relative to the world, and their differences are rotation vectors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.motion import geometry
from controller.motion.pose import FPS

HALF_LIFE = 0.1
"""s"""
HALVES = 1.6783469900166605
"""The u at which (1 + u)·e^(−u) is a half."""
GONE = 1e-4
"""m, radians: a smaller difference is none."""

Frame = tuple[Tensor, Tensor]
"""Root positions (B, 3) in metres and world joint rotations (B, J, 3, 3)."""


def between(start: Frame, end: Frame) -> Tensor:
    """From one frame to another, (B, 1 + J, 3): how far the root rises, and how each joint turns.

    Where the root is on the ground does not count. It is the sum of its velocities, so it never
    jumps, and what is drawn must be where the simulation has it.
    """
    rise = (end[0] - start[0]) * end[0].new_tensor([0.0, 1.0, 0.0])
    turns = rotation_vector(end[1] @ start[1].transpose(-1, -2))
    return torch.cat((rise[:, None], turns), dim=1)


def moved(frame: Frame, difference: Tensor) -> Frame:
    """A frame moved by what :func:`between` returns."""
    return frame[0] + difference[:, 0], from_rotation_vector(difference[:, 1:]) @ frame[1]


def decay_of(half_life: float) -> float:
    """The decay y in 1/s of a critically damped spring that starts at rest and is halfway after
    ``half_life`` s."""
    return HALVES / half_life


def decayed(value: Tensor, speed: Tensor, decay: float, seconds: float) -> tuple[Tensor, Tensor]:
    """A critically damped spring towards 0 after so many ``seconds``: values and their speeds."""
    push = speed + decay * value
    left = math.exp(-decay * seconds)
    return left * (value + push * seconds), left * (speed - decay * push * seconds)


def rotation_vector(rotation: Tensor) -> Tensor:
    """Rotations ``(..., 3, 3)`` as vectors ``(..., 3)`` along their axes, as long as their angles
    in [0, π] radians."""
    quaternion = geometry.matrix_to_quaternion(rotation)
    sine = quaternion[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    return torch.where(sine > 1e-8, angle / sine.clamp(min=1e-8), 2.0) * quaternion[..., 1:]


def from_rotation_vector(vector: Tensor) -> Tensor:
    """The inverse of :func:`rotation_vector`, for vectors of any length."""
    half = vector.norm(dim=-1, keepdim=True) / 2
    share = torch.where(half > 1e-8, torch.sin(half) / (2 * half).clamp(min=1e-8), 0.5)
    return geometry.quaternion_to_matrix(torch.cat((torch.cos(half), share * vector), dim=-1))


class Inertialiser:
    """Blends the motion of B characters where it changes. Between changes it gives back what it
    gets, at no cost."""

    def __init__(self, half_life: float = HALF_LIFE, fps: float = FPS) -> None:
        self._decay = decay_of(half_life)
        self._seconds = 1 / fps
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first one."""
        self.shown: Frame | None = None
        self._before: Frame | None = None  # shown before that one
        self._given: Frame | None = None
        self._apart: Tensor | None = None  # (B, 1 + J, 3)
        self._speed: Tensor | None = None
        self._step: Tensor | None = None  # the old motion's last one, until a blend has its speed
        self._rows: Tensor | None = None  # (B, 1, 1): 1 for characters that were there before
        self._begins = False

    @property
    def active(self) -> bool:
        """Whether what it gives back differs from what it gets."""
        return self._apart is not None

    def keep(self, row: int, count: int, place: int) -> None:
        """Forget everybody but one: the character of a ``row`` is in the row ``place`` of ``count``
        from now on."""

        def alone(part: Tensor) -> Tensor:
            return part[row : row + 1].expand(count, *part.shape[1:])

        def only(frame: Frame | None) -> Frame | None:
            return frame and (alone(frame[0]), alone(frame[1]))

        self._rows = (torch.arange(count) == place).float()[:, None, None]
        self.shown = only(self.shown)
        self._before = only(self._before)
        self._given = only(self._given)
        if self._apart is not None and self._speed is not None:
            self._apart = self._rows * alone(self._apart)
            self._speed = self._rows * alone(self._speed)
        self._step = None

    def switch(self) -> None:
        """The next frame is of another motion, one step later than the last one."""
        self._begins = self.shown is not None

    def take_over(self, frame: Frame) -> None:
        """The next frame is of another motion, at the time at which this frame was shown."""
        self.reset()
        self.shown = frame
        self._begins = True

    def __call__(self, root: Tensor, rotations: Tensor) -> Frame:
        """The next frame, blended."""
        given = root, rotations
        if self._begins:
            self._begin(given)
        elif self._apart is not None:
            self._go_on(self._apart, given)
        self._before = self.shown
        self._given = given
        self.shown = given if self._apart is None else moved(given, self._apart)
        return self.shown

    def _begin(self, given: Frame) -> None:
        """Show where the old motion would be now."""
        assert self.shown is not None
        expected = self.shown
        if self._given is not None and self._before is not None:
            self._step = between(self._before, self.shown)
            expected = moved(self.shown, self._step)
        apart = between(given, expected)
        self._apart = apart if self._rows is None else self._rows * apart
        self._speed = torch.zeros_like(apart)
        self._rows = None
        self._begins = False

    def _go_on(self, apart: Tensor, given: Frame) -> None:
        """Let the difference die away. Only now is known how fast the new motion is, and so how
        fast the difference was when it began."""
        if self._step is not None and self._given is not None:
            faster = self._step - between(self._given, given)
            moving = (apart != 0).any(dim=(1, 2), keepdim=True)  # not those that are new
            self._speed = moving * faster / self._seconds
            self._step = None
        assert self._speed is not None
        apart, self._speed = decayed(apart, self._speed, self._decay, self._seconds)
        gone = float(apart.abs().max()) < GONE and float(self._speed.abs().max()) < GONE
        self._apart = None if gone else apart
