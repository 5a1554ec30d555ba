"""Simulation steps of a fixed length, on a screen with any frame rate."""

from __future__ import annotations

LONGEST = 0.25
"""s: after a longer break, the simulation drops the rest instead of catching up."""

SPEEDS = (1, 2, 4, 8, 16)
"""How many times slower than life motion may be shown."""


class FixedStep:
    """Counts the steps of ``step`` seconds that are due as time passes.

    slowed  how many times slower than life: one of :data:`SPEEDS`
    """

    def __init__(self, step: float) -> None:
        self.step = step
        self.waiting = 0.0
        self.slowed = 1

    def slow_down(self, places: int) -> None:
        """Go so many places on in :data:`SPEEDS`, back if negative, to either end at most."""
        place = SPEEDS.index(self.slowed) + places
        self.slowed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]

    def advance(self, seconds: float) -> int:
        """Let ``seconds`` pass, and return the number of steps that are due now."""
        self.waiting += min(max(seconds, 0.0), LONGEST) / self.slowed
        due = int(self.waiting / self.step + 1e-9)
        self.waiting = max(self.waiting - due * self.step, 0.0)
        return due

    @property
    def fraction(self) -> float:
        """The part of a step, from 0 to 1, that has passed since the last one.

        The picture shows the character this far between its two newest states.
        """
        return min(self.waiting / self.step, 1.0)
