"""Sliders: values that are drawn at random unless the user sets them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(eq=False)
class Sliders:
    """N values within ±``limit``, which the user can drag in a panel.

    values   (N,) the values now
    clamped  (N,) booleans: whether the user has set a value, which then stays
    weight   (N,) from 0 to 1: the effect of each value, relative to the largest effect
    random   whether free values are drawn at random; otherwise they are 0
    """

    values: np.ndarray
    clamped: np.ndarray
    weight: np.ndarray
    limit: float
    title: str = ""
    random: bool = True

    @classmethod
    def of(cls, weight: np.ndarray, limit: float, title: str) -> Sliders:
        """Sliders that are all free and at 0."""
        count = len(weight)
        return cls(np.zeros(count), np.zeros(count, bool), weight, limit, title)

    def clamp(self, index: int, value: float) -> None:
        """Set one value, clipped to the limit, and keep it."""
        self.values[index] = float(np.clip(value, -self.limit, self.limit))
        self.clamped[index] = True

    def release(self, index: int | None = None) -> None:
        """Free one value, or all of them."""
        rows = slice(None) if index is None else index
        self.clamped[rows] = False
        if not self.random:
            self.values[rows] = 0.0

    def switch(self) -> None:
        """Change whether free values are drawn at random or are 0."""
        self.random = not self.random
        if not self.random:
            self.values[~self.clamped] = 0.0

    def draw(self, values: np.ndarray) -> None:
        """Use random ``values`` (N,) for the free ones."""
        if self.random:
            self.values = np.where(self.clamped, self.values, values)
