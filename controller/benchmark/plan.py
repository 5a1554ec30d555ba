"""How much is measured: everything for documents, or less for a quick look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.benchmark.limits import SQUARE


@dataclass(frozen=True)
class Plan:
    """The size of every measurement.

    seconds       of one timing
    samples       that one timing has at least
    batches       numbers of characters for which the steps are timed
    square        rows and columns of the large matrices that are multiplied
    memory_steps  of the character whose memory is measured
    frames        that the viewer draws
    starts        of ``play.py``
    """

    seconds: float
    samples: int
    batches: Sequence[int]
    square: int
    memory_steps: int
    frames: int
    starts: int


FULL = Plan(
    seconds=2.0,
    samples=5,
    batches=(1, 10, 100, 1000, 10_000),
    square=SQUARE,
    memory_steps=20_000,
    frames=1000,
    starts=3,
)
QUICK = Plan(
    seconds=0.1,
    samples=2,
    batches=(1, 10, 100, 1000),
    square=1024,
    memory_steps=6000,
    frames=100,
    starts=1,
)
