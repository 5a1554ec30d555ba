"""Grounds that are made: hills, slopes, stairs and rocks. The same seed makes the same ground."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from controller.core.errors import ConfigError
from controller.ground import field_files
from controller.ground.ground import FLAT, UPHILL, Ground

STEEP = math.tan(math.radians(15))
"""The steepest part of hills, and slopes: 15°."""
STEP = 0.17
TREAD = 0.29
"""m: height and depth of a step of stairs. 2 · 0.17 + 0.29 is 0.63 m, the usual rule."""
HILLS = 48.0
SLOPES = 24.0
ROCKS = 16.0
"""m after which each repeats."""


def hills(seed: int) -> Ground:
    """Waves 6 to 24 m long, in all directions, that are 15° steep at most."""
    random = np.random.default_rng(seed)
    cells = 240
    place = np.arange(cells) / cells * 2 * np.pi
    heights = np.zeros((cells, cells))
    for a in range(9):
        for b in range(-8, 9):
            waves = math.hypot(a, b)  # along the side
            if 2 <= waves <= 8:
                phase = random.uniform(0, 2 * np.pi)
                size = random.normal() / waves**2
                heights += size * np.cos(a * place[:, None] + b * place[None, :] + phase)
    cell = HILLS / cells
    steepest = np.hypot(*(np.diff(heights, axis=i, append=heights.take([0], i)) for i in (0, 1)))
    heights *= STEEP * cell / steepest.max()
    return _centred("hills", heights, (cell, cell))


def slopes(seed: int) -> Ground:
    """Planes that rise by 15° along z for 12 m and fall again, with rounded edges. There is only
    one of them, whatever the seed."""
    cell = 0.05
    along = np.arange(0, SLOPES, cell)
    roof = STEEP * np.abs(along - SLOPES / 2)
    window = np.hanning(21)
    smooth = np.convolve(np.r_[roof[-10:], roof, roof[:10]], window / window.sum(), "valid")
    return _centred("slopes", smooth[None], (4.0, cell), (0.0, -SLOPES / 4))


def stairs(seed: int) -> Ground:
    """Flights of 6 to 12 steps along z, up and down again, with landings between them."""
    random = np.random.default_rng(seed)
    cell = 0.01
    heights: list[float] = []
    level = 0

    def walk(metres: float) -> None:
        heights.extend([level * STEP] * round(metres / cell))

    walk(3.2)
    for _ in range(3):
        steps = int(random.integers(6, 13))
        for direction in (1, -1):
            for _ in range(steps):
                level += direction
                walk(TREAD)
            walk(random.uniform(1.2, 2.4))
    return Ground("stairs", np.array(heights)[None], (4.0, cell), (0.0, -1.6))


def rocks(seed: int) -> Ground:
    """Round stones, up to 15 cm high and 20 to 140 cm wide."""
    random = np.random.default_rng(seed)
    cells = 400
    cell = ROCKS / cells
    place = np.arange(cells) * cell
    heights = np.zeros((cells, cells))
    for _ in range(320):
        x, z = random.uniform(0, ROCKS, 2)
        radius = random.uniform(0.1, 0.7)
        height = min(random.uniform(0.08, 0.28) * radius, 0.15)
        east, south = (np.abs((place - at + ROCKS / 2) % ROCKS - ROCKS / 2) for at in (x, z))
        share = np.minimum((east[:, None] ** 2 + south[None, :] ** 2) / radius**2, 1.0)
        np.maximum(heights, height * (1 - share) ** 2, out=heights)
    return _centred("rocks", heights, (cell, cell))


KINDS: dict[str, Callable[[int], Ground]] = {
    "flat": lambda seed: FLAT,
    "hills": hills,
    "slopes": slopes,
    "stairs": stairs,
    "rocks": rocks,
}
"""Name → what makes it from a seed; in the order of the key that goes through them."""


def named(
    name: str,
    seed: int = 0,
    *,
    size: float = field_files.SIZE,
    rise: float = field_files.RISE,
    uphill: float = UPHILL,
) -> Ground:
    """The ground of a name, or from a file. ``size`` and ``rise`` are for pictures: see
    :func:`field_files.load`.

    Raises ConfigError for a name that is neither, and DataError for a bad file.
    """
    if name in KINDS:
        made = KINDS[name](seed)
    elif Path(name).suffix or Path(name).exists():
        made = field_files.load(Path(name), size, rise)
    else:
        raise ConfigError(f"--ground is {name!r}; allowed: {', '.join(KINDS)}, or a file")
    return Ground(made.name, made.heights, made.cells, made.corner, uphill)


def next_ground(ground: Ground, seed: int = 0) -> Ground:
    """The ground of the next kind; after the last, and after one from a file, comes the first."""
    names = list(KINDS)
    place = names.index(ground.name) + 1 if ground.name in names else 0
    return named(names[place % len(names)], seed, uphill=ground.uphill)


def _centred(
    name: str,
    heights: np.ndarray,
    cells: tuple[float, float],
    corner: tuple[float, float] = (0.0, 0.0),
) -> Ground:
    """A ground whose height is 0 where characters begin."""
    ground = Ground(name, heights, cells, corner)
    return Ground(name, heights - float(ground.height(0.0, 0.0)), cells, corner)
