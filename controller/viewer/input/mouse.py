"""The mouse: tells clicks, double clicks and drags apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Pixel = tuple[int, int]

LEFT = 1
"""The number of the left button, as in pygame."""
CLICK = 5
"""Pixels: a mouse that moves farther than this with a button down drags."""
DOUBLE = 0.4
"""s: the longest time between the two clicks of a double click."""


@dataclass
class Stroke:
    """A drag with the left button since the last reset. Pixels count from the upper left.

    start  where the button went down
    path   where the mouse has been since the last reset, oldest first; a new stroke's path begins
           with ``start``
    done   whether the button went up
    """

    start: Pixel
    path: list[Pixel] = field(default_factory=list)
    done: bool = False


class Mouse:
    """What the mouse has done since the last :meth:`reset`, from the events that it is given.

    clicks   where the left button clicked
    doubles  where it clicked for the second time, soon after the first and at the same place
    stroke   a drag with the left button; None without one
    moved    how far the mouse dragged with each button, (right, down) in pixels
    """

    def __init__(self) -> None:
        self._down: dict[int, Pixel] = {}  # where each button went down
        self._drags: set[int] = set()
        self._last_click: tuple[float, Pixel] = (-math.inf, (0, 0))
        self._at: Pixel = (0, 0)
        self.reset()

    def reset(self) -> None:
        """Forget what was done. Buttons stay down, and a drag goes on."""
        self.clicks: list[Pixel] = []
        self.doubles: list[Pixel] = []
        self.moved: dict[int, Pixel] = {}
        self.stroke = Stroke(self._down[LEFT]) if LEFT in self._drags else None

    def press(self, button: int, at: Pixel) -> None:
        """A button goes down."""
        self._down[button] = at
        self._at = at

    def move(self, at: Pixel) -> None:
        """The mouse moves."""
        for button, start in self._down.items():
            if button in self._drags:
                right, down = self.moved.get(button, (0, 0))
                self.moved[button] = right + at[0] - self._at[0], down + at[1] - self._at[1]
            elif math.dist(start, at) > CLICK:
                # The way up to here does not count: the drag begins without a jump.
                self._drags.add(button)
                if button == LEFT:
                    self.stroke = Stroke(start, [start])

        if self.stroke and not self.stroke.done:
            self.stroke.path.append(at)
        self._at = at

    def release(self, button: int, at: Pixel, time: float) -> None:
        """A button goes up, at a ``time`` in seconds."""
        if button not in self._down:
            return
        self.move(at)
        del self._down[button]

        if button in self._drags:
            self._drags.remove(button)
            if button == LEFT and self.stroke:
                self.stroke.done = True
        elif button == LEFT:
            self._click(at, time)

    def _click(self, at: Pixel, time: float) -> None:
        last_time, last_at = self._last_click
        if time - last_time < DOUBLE and math.dist(at, last_at) <= CLICK:
            self.doubles.append(at)
            self._last_click = (-math.inf, at)  # a third click is a first one again
        else:
            self.clicks.append(at)
            self._last_click = (time, at)
