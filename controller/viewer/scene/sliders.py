"""Values that a person sets by hand, and those that go on by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Sliders:
    """N values within ±``limit``, shown and dragged in a panel.

    values  (N,) as they are now
    held    (N,) booleans: set by hand, and left alone by chance
    weight  (N,) from 0 to 1: how much each does, next to the one that does most
    drawn   whether those that nobody holds are drawn at random; if not, they are 0
    """

    values: np.ndarray
    held: np.ndarray
    weight: np.ndarray
    limit: float
    title: str = ""
    drawn: bool = field(default=True)

    @classmethod
    def of(cls, weight: np.ndarray, limit: float, title: str) -> Sliders:
        """All free and at 0."""
        return cls(np.zeros(len(weight)), np.zeros(len(weight), bool), weight, limit, title)

    def hold(self, index: int, value: float) -> None:
        """Set one by hand; beyond the limit is at the limit."""
        self.values[index] = float(np.clip(value, -self.limit, self.limit))
        self.held[index] = True

    def release(self, index: int | None = None) -> None:
        """Let go of one, or of all."""
        some = slice(None) if index is None else index
        self.held[some] = False
        if not self.drawn:
            self.values[some] = 0.0

    def switch(self) -> None:
        """Draw the others at random from now on, or have them be 0."""
        self.drawn = not self.drawn
        if not self.drawn:
            self.values[~self.held] = 0.0

    def draw(self, values: np.ndarray) -> None:
        """Values drawn at random, (N,), for those that nobody holds."""
        if self.drawn:
            self.values = np.where(self.held, self.values, values)
