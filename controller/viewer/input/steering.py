"""From held keys and sticks to a wish in the world: how fast, which way, facing where."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from controller.viewer.scene.spring import Spring

# m/s with Ctrl, with neither, with Shift
SLOW = 0.6
WALK = 1.3
FAST = 2.0
TURN_RATE = 2.0  # rad/s, while Q or E is held
HALF_LIFE = 0.08  # s; short enough to feel direct, long enough that a wish never jumps
DEAD_ZONE = 0.15  # of a stick's deflection


@dataclass(frozen=True)
class Controls:
    """What a person holds at one moment, before anyone looks where the camera is.

    right, forward  the stick; longer than 1 is as good as 1
    speed           m/s at full deflection
    turn            +1 turns the wished facing left, −1 right
    hold_facing     the key that switches the facing lock is down
    """

    right: float = 0.0
    forward: float = 0.0
    speed: float = WALK
    turn: float = 0.0
    hold_facing: bool = False

    @classmethod
    def of(cls, held: Set[str], move: tuple[float, float] = (0.0, 0.0)) -> Controls:
        """The controls when ``held`` (of ``STEERING_KEYS``) are down and a pad's stick is at
        ``move``."""

        def axis(more: set[str], less: set[str]) -> float:
            return float(bool(held & more)) - float(bool(held & less))

        return cls(
            right=axis({"d", "right"}, {"a", "left"}) + move[0],
            forward=axis({"w", "up"}, {"s", "down"}) + move[1],
            speed=SLOW if "ctrl" in held else FAST if "shift" in held else WALK,
            turn=axis({"q"}, {"e"}),
            hold_facing="f" in held,
        )


@dataclass(frozen=True)
class Wish:
    """Where the character should go. velocity (2,) world (x, z) m/s; facing yaw in radians."""

    velocity: np.ndarray
    facing: float


class Steering:
    """Turns controls into a smooth wish.

    The wished facing follows the way of travel, as in most games. Turning it (Q, E) while moving
    holds it where it was put until the stick is let go; the lock (F) holds it until it is switched
    off, so that S walks backward.
    """

    def __init__(self, facing: float = 0.0) -> None:
        self.locked = False
        self._velocity = Spring((0.0, 0.0), HALF_LIFE)
        self._facing = Spring(0.0, HALF_LIFE)
        self._lock_was_down = False
        self.reset(facing)

    def reset(self, facing: float) -> None:
        """Stand still and face that way. The lock stays as it is."""
        self._velocity.reset((0.0, 0.0))
        self._facing.reset(facing)
        self._target = facing
        self._turned = False

    def step(self, controls: Controls, azimuth: float, seconds: float) -> Wish:
        """The wish after ``seconds`` more of these controls, seen by a camera that looks along the
        yaw ``azimuth``."""
        stick = world_stick(controls, azimuth)
        if controls.hold_facing and not self._lock_was_down:
            self.locked = not self.locked
        self._lock_was_down = controls.hold_facing

        moving = bool(np.any(stick))
        if controls.turn:
            self._target += controls.turn * TURN_RATE * seconds
        self._turned = bool(controls.turn) or (self._turned and moving)
        if moving and not self._turned and not self.locked:
            heading = math.atan2(stick[0], stick[1])
            self._target += math.remainder(
                heading - self._target, 2 * math.pi
            )  # the short way round

        self._velocity.step(stick * controls.speed, seconds)
        self._facing.step(self._target, seconds)
        return self.wish()

    def wish(self) -> Wish:
        """The wish as it is now."""
        return Wish(
            self._velocity.value.copy(), math.remainder(float(self._facing.value), 2 * math.pi)
        )


def world_stick(controls: Controls, azimuth: float) -> np.ndarray:
    """The stick as a world vector (x, z) no longer than 1, with the dead zone taken out of its
    middle."""
    length = math.hypot(controls.right, controls.forward)
    if length <= DEAD_ZONE:
        return np.zeros(2)
    scale = min((length - DEAD_ZONE) / (1 - DEAD_ZONE), 1.0) / length
    sin = math.sin(azimuth)
    cos = math.cos(azimuth)
    return scale * np.array(
        (
            controls.forward * sin - controls.right * cos,
            controls.forward * cos + controls.right * sin,
        )
    )
