"""The time that functions take: warmed up, called again and again, told as a median and a 99th
percentile."""

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
"""Tells the time in ns."""

WARM_UP = 0.1
"""Share of the time given to a measurement that is spent before it, so that caches, pools and
clocks are as later."""


@dataclass(frozen=True)
class Timing:
    """µs of one call: the median of many samples, and what 99 % of them do not exceed."""

    median_us: float
    p99_us: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Timing:
        """From samples in ns."""
        ordered = sorted(samples)
        middle = len(ordered) // 2
        median = (
            ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        )
        return cls(median / 1e3, ordered[math.ceil(0.99 * len(ordered)) - 1] / 1e3)

    def per_s(self, units: float = 1) -> float:
        """How many a second, if one call does ``units``."""
        return units * 1e6 / self.median_us


def alternate(
    functions: Mapping[str, Call],
    seconds: float,
    calls: int = 1,
    least: int = 5,
    clock: Clock = time.perf_counter_ns,
) -> dict[str, Timing]:
    """The timing of each function, by its name, from about ``seconds`` for all of them and
    ``least`` samples or more.

    A sample is the mean of ``calls`` calls. The functions take turns, sample by sample, so that
    whatever else the machine does meanwhile falls on all of them alike. The collector of garbage
    stays on: its pauses are part of p99.
    """
    samples: dict[str, list[float]] = {name: [] for name in functions}

    def turn() -> None:
        for name, function in functions.items():
            began = clock()
            for _ in range(calls):
                function()
            samples[name].append((clock() - began) / calls)

    def turns(nanoseconds: float, least: int) -> None:
        end = clock() + nanoseconds
        taken = 0
        while taken < least or clock() < end:
            turn()
            taken += 1

    turns(1e9 * WARM_UP * seconds, 1)
    for taken in samples.values():
        taken.clear()
    turns(1e9 * seconds, least)
    return {name: Timing.of(taken) for name, taken in samples.items()}


def measure(function: Call, seconds: float, calls: int = 1, least: int = 5) -> Timing:
    """:func:`alternate` for one function alone."""
    return alternate({"": function}, seconds, calls, least)[""]


def finished(function: Call, device: torch.device) -> Call:
    """``function``, and a wait until a GPU has done what it asked for; itself on the CPU."""
    if device.type == "cpu":
        return function

    def waited() -> None:
        function()
        torch.cuda.synchronize(device)

    return waited


@contextmanager
def threads(count: int) -> Iterator[None]:
    """``count`` threads of torch in the block, as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
