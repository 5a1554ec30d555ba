"""The time that functions take: they are warmed up, then called again and again.

A timing has the median and the 99th percentile.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

Call = Callable[[], Any]
Clock = Callable[[], int]
"""Returns the time in ns."""

WARM_UP = 0.1
"""Share of a measurement's time that is spent before it, so that caches, pools and clock rates have
settled."""


@dataclass(frozen=True)
class Timing:
    """µs of one call: the median and the 99th percentile of many samples."""

    median_us: float
    p99_us: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Timing:
        """The timing of samples in ns."""
        ordered = sorted(samples)
        middle = len(ordered) // 2
        if len(ordered) % 2:
            median = ordered[middle]
        else:
            median = (ordered[middle - 1] + ordered[middle]) / 2
        p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
        return cls(median / 1e3, p99 / 1e3)

    def per_s(self, units: float = 1) -> float:
        """Units a second, if one call does ``units`` of them."""
        return units * 1e6 / self.median_us


def alternate(
    functions: Mapping[str, Call],
    seconds: float,
    calls: int = 1,
    least: int = 5,
    clock: Clock = time.perf_counter_ns,
) -> dict[str, Timing]:
    """Time each function, by its name, for about ``seconds`` in all, with at least ``least``
    samples.

    A sample is the mean of ``calls`` calls. The functions alternate, sample by sample, so that
    whatever else the machine does meanwhile affects all of them alike. The garbage collector stays
    on: its pauses are part of the 99th percentile.
    """
    samples: dict[str, list[float]] = {name: [] for name in functions}

    def sample_each() -> None:
        for name, function in functions.items():
            start = clock()
            for _ in range(calls):
                function()
            samples[name].append((clock() - start) / calls)

    def sample_for(nanoseconds: float, least: int) -> None:
        end = clock() + nanoseconds
        rounds = 0
        while rounds < least or clock() < end:
            sample_each()
            rounds += 1

    sample_for(1e9 * WARM_UP * seconds, 1)
    for values in samples.values():
        values.clear()
    sample_for(1e9 * seconds, least)
    return {name: Timing.of(values) for name, values in samples.items()}


def measure(function: Call, seconds: float, calls: int = 1, least: int = 5) -> Timing:
    """Time one function as :func:`alternate` does."""
    return alternate({"": function}, seconds, calls, least)[""]


def synchronized(function: Call, device: torch.device) -> Call:
    """``function`` followed by a wait until the GPU has finished; on the CPU, ``function``
    itself."""
    if device.type == "cpu":
        return function

    def call() -> None:
        function()
        torch.cuda.synchronize(device)

    return call


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads inside the block; restore the previous number after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
