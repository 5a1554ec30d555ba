"""A critically damped spring: smoothing tuned by its half-life, the same at every frame rate."""

from __future__ import annotations

import math

import numpy as np


class Spring:
    """A value that follows a target without overshooting, starting and stopping softly.

    ``half_life`` is about the seconds in which the distance to the target halves. The step is the
    exact solution of x″ = −2y·x′ − y²·(x − target) over the step, so its result does not depend on
    how a second is cut into steps.
    """

    def __init__(self, value: object, half_life: float) -> None:
        self.decay = 2 * math.log(2) / half_life
        self.reset(value)

    def reset(self, value: object) -> None:
        """Be at ``value``, at rest."""
        self.value = np.array(value, dtype=float)
        self.velocity = np.zeros_like(self.value)

    def step(self, target: object, seconds: float) -> np.ndarray:
        """Move towards ``target`` for ``seconds`` and return the value then."""
        distance = self.value - np.asarray(target, dtype=float)
        momentum = self.velocity + distance * self.decay
        kept = math.exp(-self.decay * seconds)
        self.value = kept * (distance + momentum * seconds) + target
        self.velocity = kept * (self.velocity - momentum * self.decay * seconds)
        return self.value
