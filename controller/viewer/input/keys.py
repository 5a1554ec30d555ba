"""A script of key presses, in place of a user's keyboard."""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.core.errors import ConfigError

STEERING_KEYS = (
    *("w", "a", "s", "d", "up", "left", "down", "right", "shift", "ctrl", "q", "e", "f", "r", "p"),
    "i",  # holds the feet, or lets them go
    "g",  # the next ground
    "tab",
    *("h", "j", "k", "l"),  # a character's style
    *("n", "v", *"0123456789"),  # a game's own keys, and those that choose a game
)


@dataclass(frozen=True)
class KeyScript:
    """Keys that are down during ranges of simulation frames.

    ranges  (start, end, key): down from frame ``start`` up to, but not including, frame ``end``
    """

    ranges: tuple[tuple[int, int, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> KeyScript:
        """Read a script such as ``"0-150:w,60-120:shift"``.

        Raises :class:`ConfigError`, which names the part that cannot be read.
        """
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        return cls(tuple(_parse_range(part) for part in parts))

    def at(self, frame: int) -> frozenset[str]:
        """The keys that are down in this frame."""
        return frozenset(key for start, end, key in self.ranges if start <= frame < end)

    @property
    def length(self) -> int:
        """The number of frames until the last key is released; 0 for an empty script."""
        return max((end for _, end, _ in self.ranges), default=0)

    def __str__(self) -> str:
        return ",".join(f"{start}-{end}:{key}" for start, end, key in self.ranges)


def _parse_range(part: str) -> tuple[int, int, str]:
    match = re.fullmatch(r"([0-9]{1,9})\s*-\s*([0-9]{1,9})\s*:\s*(\w+)", part)
    if match is None:
        raise ConfigError(f"--keys: {part!r} is not START-END:KEY, for example 0-150:w")

    start = int(match[1])
    end = int(match[2])
    key = match[3].lower()
    if end <= start:
        raise ConfigError(f"--keys: {part!r} ends at frame {end}, which is not after its start")
    if key not in STEERING_KEYS:
        raise ConfigError(
            f"--keys: {part!r} has an unknown key; allowed: {', '.join(STEERING_KEYS)}"
        )
    return start, end, key
