"""A critically damped spring: smoothing with a half-life, independent of the frame rate."""

from __future__ import annotations

import math

import numpy as np


class Spring:
    """A value that follows a target without overshooting, and starts and stops softly.

    The distance to the target halves in about ``half_life`` seconds. A step is the exact solution
    of x″ = −2y·x′ − y²·(x − target), with y the decay. The result therefore does not depend on how
    many steps a second is divided into.
    """

    def __init__(self, value: object, half_life: float) -> None:
        self.decay = 2 * math.log(2) / half_life
        self.reset(value)

    def reset(self, value: object) -> None:
        """Jump to ``value``, at rest."""
        self.value = np.array(value, dtype=float)
        self.velocity = np.zeros_like(self.value)

    def step(self, target: object, seconds: float) -> np.ndarray:
        """Move towards ``target`` for ``seconds``, and return the new value."""
        distance = self.value - np.asarray(target, dtype=float)
        momentum = self.velocity + distance * self.decay
        damping = math.exp(-self.decay * seconds)

        self.value = damping * (distance + momentum * seconds) + target
        self.velocity = damping * (self.velocity - momentum * self.decay * seconds)
        return self.value
