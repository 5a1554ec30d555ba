"""A script of held keys: the keyboard of a run that nobody sits at."""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.core.errors import ConfigError

STEERING_KEYS = (
    *("w", "a", "s", "d", "up", "left", "down", "right", "shift", "ctrl", "q", "e", "f", "r", "p"),
    *("n", "v", *"0123456789"),  # tasks: their own keys, and which one
)


@dataclass(frozen=True)
class KeyScript:
    """Which keys are held in which simulation frame.

    ranges  (start, end, key): held from frame ``start`` up to, not including, frame ``end``
    """

    ranges: tuple[tuple[int, int, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> KeyScript:
        """Read ``"0-150:w,60-120:shift"``; :class:`ConfigError` names the part that cannot be
        read."""
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        return cls(tuple(_parse_range(part) for part in parts))

    def held(self, frame: int) -> frozenset[str]:
        """The keys held in that frame."""
        return frozenset(key for start, end, key in self.ranges if start <= frame < end)

    @property
    def length(self) -> int:
        """The first frame after which nothing is held any more; 0 for an empty script."""
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
            f"--keys: {part!r} holds an unknown key; there are {', '.join(STEERING_KEYS)}"
        )
    return start, end, key
