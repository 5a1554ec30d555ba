"""Where a person is in a list of clips, and what the keys do to that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SLOWEST = 0.1
FASTEST = 4.0
"""Times the speed at which the motion was captured."""
FASTER = 1.25
"""What one press of + multiplies the speed by."""
HOLD_S = 0.35
"""s that a key must be held before it scrubs."""
ARROWS = {"left": -1, "right": 1}
"""Keys that step through the frames, and by how many."""
NEXT = {"down", "pagedown"}
PREVIOUS = {"up", "pageup"}


@dataclass
class Playback:
    """One clip of several at one frame, played or paused.

    lengths  frames of each clip
    rates    frames a second of each
    clip     the clip that is shown
    frame    where in it; between two frames while it plays
    speed    times the captured speed
    loop     whether a clip begins again at its end; otherwise the next one follows
    """

    lengths: Sequence[int]
    rates: Sequence[float]
    clip: int = 0
    frame: float = 0.0
    speed: float = 1.0
    loop: bool = True
    paused: bool = False
    _held: frozenset[str] = field(default_factory=frozenset)
    _seconds_held: float = 0.0

    @property
    def last(self) -> int:
        """The last frame of the clip."""
        return self.lengths[self.clip] - 1

    @property
    def fps(self) -> float:
        """Frames a second of the clip."""
        return self.rates[self.clip]

    def press(self, keys: frozenset[str]) -> None:
        """Do what keys ask that went down since the last call of :meth:`hold`."""
        if keys & NEXT:
            self.choose(self.clip + 1)
        if keys & PREVIOUS:
            self.choose(self.clip - 1)
        if "+" in keys:
            self.speed = _speed(self.speed * FASTER)
        if "-" in keys:
            self.speed = _speed(self.speed / FASTER)
        if "l" in keys:
            self.loop = not self.loop
        for arrow in keys & set(ARROWS):
            self.step(ARROWS[arrow])

    def hold(self, keys: frozenset[str], seconds: float) -> None:
        """Let time pass with these keys down: new ones are pressed; an arrow held longer scrubs at
        the speed of play."""
        self.press(keys - self._held)
        arrows = keys & set(ARROWS)
        same = bool(arrows) and arrows == self._held & set(ARROWS)
        self._seconds_held = self._seconds_held + seconds if same else 0.0
        self._held = keys
        if self._seconds_held > HOLD_S and len(arrows) == 1:
            way = sum(ARROWS[arrow] for arrow in arrows)
            self._go(self.frame + way * seconds * self.fps * self.speed)

    def step(self, frames: int) -> None:
        """Pause, and go so many whole frames on or back."""
        self.paused = True
        self._go(round(self.frame) + frames)

    def choose(self, clip: int) -> None:
        """Go to the beginning of a clip; before the first comes the last."""
        self.clip = clip % len(self.lengths)
        self.frame = 0.0

    def advance(self, seconds: float) -> None:
        """Play on for so many seconds, unless paused."""
        if self.paused:
            return
        self.frame += seconds * self.fps * self.speed
        if self.frame <= self.last:
            return
        if self.loop:
            self.frame = self.frame % self.last if self.last else 0.0
        elif self.clip + 1 < len(self.lengths):
            self.choose(self.clip + 1)
        else:
            self.frame = float(self.last)
            self.paused = True

    def _go(self, frame: float) -> None:
        self.frame = min(max(frame, 0.0), float(self.last))


def _speed(wanted: float) -> float:
    """A speed within its limits; exactly 1 near it, so that as many presses lead back to it."""
    limited = min(max(wanted, SLOWEST), FASTEST)
    return 1.0 if abs(limited - 1) < 0.02 else limited
