"""What the mouse does: clicks, drags and double clicks told apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Pixel = tuple[int, int]

CLICK = 5
"""Pixels: who moves farther with a button down drags, and only then is anything dragged."""
DOUBLE = 0.4
"""s: the longest time between the two clicks of a double click."""


@dataclass
class Stroke:
    """The left button on its way since the last look.

    start  where it went down, from the upper left
    path   where it has been since the last look, oldest first; from ``start`` on when the stroke is
           new
    done   it went up
    """

    start: Pixel
    path: list[Pixel] = field(default_factory=list)
    done: bool = False


class Mouse:
    """Told of every event, it knows since the last :meth:`look` ``clicks`` and ``doubles``, where a
    left click was, the second of two in short order in the same place; ``stroke``, of a drag with
    the left button; ``moved``, how far each button dragged, (right, down) in pixels."""

    def __init__(self) -> None:
        self._down: dict[int, Pixel] = {}
        self._drags: set[int] = set()
        self._last: tuple[float, Pixel] = (-math.inf, (0, 0))
        self._at: Pixel = (0, 0)
        self.look()

    def look(self) -> None:
        """Forget what was seen; what is held goes on."""
        self.clicks: list[Pixel] = []
        self.doubles: list[Pixel] = []
        self.moved: dict[int, Pixel] = {}
        self.stroke = Stroke(self._down[1]) if 1 in self._drags else None

    def press(self, button: int, at: Pixel) -> None:
        self._down[button] = self._at = at

    def move(self, at: Pixel) -> None:
        """The mouse is somewhere else."""
        for button, start in self._down.items():
            begins = button not in self._drags and math.dist(start, at) > CLICK
            if begins:
                self._drags.add(button)
                if button == 1:
                    self.stroke = Stroke(start, [start])
            if button in self._drags and not begins:  # the way to there was no drag yet
                right, down = self.moved.get(button, (0, 0))
                self.moved[button] = right + at[0] - self._at[0], down + at[1] - self._at[1]
        if self.stroke and not self.stroke.done:
            self.stroke.path.append(at)
        self._at = at

    def release(self, button: int, at: Pixel, time: float) -> None:
        """A button went up at a ``time`` in seconds."""
        if button not in self._down:
            return
        self.move(at)
        del self._down[button]
        if button in self._drags:
            self._drags.remove(button)
            if button == 1 and self.stroke:
                self.stroke.done = True
        elif button == 1:
            twice = time - self._last[0] < DOUBLE and math.dist(at, self._last[1]) <= CLICK
            (self.doubles if twice else self.clicks).append(at)
            self._last = (-math.inf, at) if twice else (time, at)
