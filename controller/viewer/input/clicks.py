"""A script of clicks on the ground, in place of a user's mouse."""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.core.errors import ConfigError

FARTHEST = 1000.0
"""The farthest point that can be clicked on: m from the origin."""


@dataclass(frozen=True)
class ClickScript:
    """Clicks on points of the ground.

    clicks  (simulation frame, x, z), with x and z in metres
    """

    clicks: tuple[tuple[int, float, float], ...] = ()

    @classmethod
    def parse(cls, text: str) -> ClickScript:
        """Read a script such as ``"0:3/4,90:-2/1.5"``.

        Raises :class:`ConfigError`, which names the part that cannot be read.
        """
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        return cls(tuple(_parse_click(part) for part in parts))

    def at(self, frame: int) -> list[tuple[float, float]]:
        """The points (x, z) that are clicked on in this frame."""
        return [(x, z) for when, x, z in self.clicks if when == frame]

    @property
    def length(self) -> int:
        """The number of frames up to and including the last click; 0 for an empty script."""
        return max((frame + 1 for frame, _, _ in self.clicks), default=0)


def _parse_click(part: str) -> tuple[int, float, float]:
    number = r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)"
    match = re.fullmatch(rf"([0-9]{{1,9}})\s*:\s*{number}\s*/\s*{number}", part)
    if match is None:
        raise ConfigError(f"--clicks: {part!r} is not FRAME:X/Z, in metres, for example 90:-2/1.5")

    x = float(match[2])
    z = float(match[3])
    if max(abs(x), abs(z)) > FARTHEST:
        raise ConfigError(f"--clicks: {part!r} is farther than {FARTHEST:.0f} m from the origin")
    return int(match[1]), x, z
