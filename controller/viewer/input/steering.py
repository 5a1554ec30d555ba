"""From keys and sticks to the desired velocity and facing direction in the world."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

import numpy as np

from controller.viewer.scene.spring import Spring

TURN_RATE = 2.0  # rad/s, while Q or E is down
HALF_LIFE = 0.08  # s; short enough to feel direct, long enough that the wish never jumps
DEAD_ZONE = 0.15  # of a stick's deflection


Pace = Literal["slow", "walk", "fast"]
"""With Ctrl, with neither key, and with Shift."""


@dataclass(frozen=True)
class Paces:
    """m/s at full deflection of the stick, for each :data:`Pace`."""

    slow: float = 0.6
    walk: float = 1.3
    fast: float = 2.0

    @classmethod
    def up_to(cls, fastest: float) -> Paces:
        """The paces of a character whose motion reaches ``fastest`` m/s: Shift asks for all of it,
        and one that is slower than a person walks and creeps more slowly, too."""
        return cls(min(cls.slow, 0.3 * fastest), min(cls.walk, 0.65 * fastest), fastest)


@dataclass(frozen=True)
class Controls:
    """What the user steers with at one moment, relative to the camera.

    right, forward  the stick; a length above 1 counts as 1
    pace            how fast to go at full deflection
    turn            +1 turns the desired facing direction to the left, −1 to the right
    lock            whether the key that switches the facing lock is down
    """

    right: float = 0.0
    forward: float = 0.0
    pace: Pace = "walk"
    turn: float = 0.0
    lock: bool = False

    @classmethod
    def of(cls, keys: Set[str], move: tuple[float, float] = (0.0, 0.0)) -> Controls:
        """The controls for the ``keys`` (of ``STEERING_KEYS``) that are down, and a gamepad's stick
        at ``move`` (right, forward)."""

        def axis(positive: set[str], negative: set[str]) -> float:
            return float(bool(keys & positive)) - float(bool(keys & negative))

        pace: Pace = "walk"
        if "ctrl" in keys:
            pace = "slow"
        elif "shift" in keys:
            pace = "fast"
        return cls(
            right=axis({"d", "right"}, {"a", "left"}) + move[0],
            forward=axis({"w", "up"}, {"s", "down"}) + move[1],
            pace=pace,
            turn=axis({"q"}, {"e"}),
            lock="f" in keys,
        )


@dataclass(frozen=True)
class Wish:
    """How the character should move.

    velocity  (2,) m/s in the world, as (x, z)
    facing    radians, the yaw that it should face
    """

    velocity: np.ndarray
    facing: float


class Steering:
    """Turns controls into a smooth wish.

    The desired facing direction follows the direction of travel, as in most games. When the user
    turns it (Q, E) while moving, it stays as it is until the stick is released. The lock (F) keeps
    it until it is switched off, so that S walks backward.
    """

    def __init__(self, facing: float = 0.0, paces: Paces | None = None) -> None:
        self.paces = paces or Paces()
        self.locked = False
        self._velocity = Spring((0.0, 0.0), HALF_LIFE)
        self._facing = Spring(0.0, HALF_LIFE)
        self._lock_down = False  # in the last step
        self.reset(facing)

    def reset(self, facing: float) -> None:
        """Stand still and face the yaw ``facing``. The lock stays as it is."""
        self._velocity.reset((0.0, 0.0))
        self._facing.reset(facing)
        self._target = facing
        self._manual = False  # whether the user has turned the facing direction while moving

    def step(self, controls: Controls, azimuth: float, seconds: float) -> Wish:
        """The wish after ``seconds`` more of these controls.

        The camera looks along the yaw ``azimuth``.
        """
        stick = world_stick(controls, azimuth)
        moving = bool(np.any(stick))
        if controls.lock and not self._lock_down:
            self.locked = not self.locked
        self._lock_down = controls.lock

        self._target += controls.turn * TURN_RATE * seconds
        self._manual = bool(controls.turn) or (self._manual and moving)
        if moving and not self._manual and not self.locked:
            heading = math.atan2(stick[0], stick[1])
            turn = math.remainder(heading - self._target, 2 * math.pi)  # the short way round
            self._target += turn

        self._velocity.step(stick * getattr(self.paces, controls.pace), seconds)
        self._facing.step(self._target, seconds)
        return self.wish()

    def wish(self) -> Wish:
        """The wish as it is now."""
        facing = math.remainder(float(self._facing.value), 2 * math.pi)
        return Wish(self._velocity.value.copy(), facing)


def world_stick(controls: Controls, azimuth: float) -> np.ndarray:
    """The stick as a vector (x, z) in the world, no longer than 1; 0 in the stick's dead zone."""
    length = math.hypot(controls.right, controls.forward)
    if length <= DEAD_ZONE:
        return np.zeros(2)
    scale = min((length - DEAD_ZONE) / (1 - DEAD_ZONE), 1.0) / length
    sin = math.sin(azimuth)
    cos = math.cos(azimuth)
    x = controls.forward * sin - controls.right * cos
    z = controls.forward * cos + controls.right * sin
    return scale * np.array((x, z))
