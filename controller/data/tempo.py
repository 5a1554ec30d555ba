"""Copies of clips that are played faster or slower, so that a few captured seconds cover a range of
speeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from controller.core.errors import DataError, require
from controller.motion.skeleton import Clip

LIMITS = (0.5, 2.0)
"""Allowed factors: beyond them a body falls and swings as no body does."""
_MARK = re.compile(r"@(\d+(?:\.\d+)?)(?=\[|$)")


def parse(tempos: Sequence[str]) -> list[tuple[str, float]]:
    """Part of a clip's name and factor of each ``NAME=FACTOR``. Raises ConfigError if one is not
    of that form, or if its factor is not within :data:`LIMITS`."""
    pairs = []
    low, high = LIMITS
    for tempo in tempos:
        match = re.fullmatch(r"(.+)=(\d*\.?\d+)", tempo)
        times = float(match[2]) if match else 0.0
        allowed = f"NAME=FACTOR with a factor of {low:g} to {high:g}"
        require(low <= times <= high, "tempo", tempo, allowed)
        pairs.append((tempo.rpartition("=")[0], times))
    return pairs


def _copied(name: str) -> re.Match[str] | None:
    """Where a clip's name says that it is a copy. A file may have such a name, too: `walk@60` is
    none, since no copy is so fast."""
    match = _MARK.search(name)
    return match if match and LIMITS[0] <= float(match[1]) <= LIMITS[1] else None


def original(name: str) -> str:
    """The name of the clip that a clip is a copy of; its own if it is no copy."""
    match = _copied(name)
    return name if match is None else name[: match.start()] + name[match.end() :]


def factor(name: str) -> float:
    """How many times as fast a clip is played as its file has it; 1 if it is no copy."""
    match = _copied(name)
    return 1.0 if match is None else float(match[1])


def with_copies(clips: Sequence[Clip], tempos: Sequence[tuple[str, float]]) -> Iterator[Clip]:
    """The clips, then for every part of a name and factor a copy of each clip whose name contains
    it, played that many times as fast. Raises DataError for a name that fits no clip."""
    yield from clips
    for part, times in tempos:
        chosen = [clip for clip in clips if part in clip.name]
        if not chosen:
            raise DataError(f"no clip is named like {part!r}, of which --tempo wants a copy")
        for clip in chosen:
            yield replace(clip, name=f"{clip.name}@{times:g}", fps=clip.fps * times)
