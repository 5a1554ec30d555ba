"""Steps of fixed length for a screen of any rate."""

from __future__ import annotations

LONGEST = (
    0.25  # s; after a longer break the simulation is late rather than hurrying after the clock
)


class FixedStep:
    """Counts how many steps of ``step`` seconds are due, and how far the next one has come."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.waiting = 0.0

    def advance(self, seconds: float) -> int:
        """Let ``seconds`` pass; the number of steps to be made now."""
        self.waiting += min(max(seconds, 0.0), LONGEST)
        due = int(self.waiting / self.step + 1e-9)
        self.waiting = max(self.waiting - due * self.step, 0.0)
        return due

    @property
    def fraction(self) -> float:
        """The share, from 0 to 1, of a step that has passed since the last: where between two
        states to draw."""
        return min(self.waiting / self.step, 1.0)
