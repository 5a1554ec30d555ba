"""Rates of the machine itself, and the floor that follows: a time that no program can beat.

One character's step reads every weight once for two operations, so it is limited by the memory
closest to the processor that holds the weights. A batch reads the weights once for all its
characters, so it is limited by how fast the processor multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from torch import nn

from controller.benchmark.timing import Call, alternate, measure, synchronized, threads
from controller.core.compiling import cached
from controller.model.gemm import product

EXPERTS_SHAPE = (1024, 1728, 256)
"""Rows, inner width and columns of a product: a layer of experts for a thousand characters."""
SQUARE = 2048
"""Rows, inner width and columns of the other product: a large square."""
COPIED_BYTES = 256 * 2**20
"""Bytes to copy: far more than any cache holds."""
LEAST = 3
"""Samples that each rate is measured from, at least."""


@dataclass(frozen=True)
class Limits:
    """Rates of the machine in 10⁹ a second.

    gemm_gflops          float32 operations, multiplying matrices
    cache_gb_per_s       bytes read, over and over, from as many as the weights have, on one thread
    copy_gb_per_s        bytes read and written, copying more than caches hold; for information
    """

    gemm_gflops: float
    cache_gb_per_s: float
    copy_gb_per_s: float

    @classmethod
    def measure(
        cls, weight_bytes: int, device: torch.device, seconds: float, square: int = SQUARE
    ) -> Limits:
        """Measure this machine, in about three times ``seconds``; ``square`` is the size of the
        large matrices."""
        return cls(
            gemm_gflops(device, seconds, square),
            cache_gb_per_s(weight_bytes, device, seconds),
            copy_gb_per_s(device, seconds),
        )

    def best(self, other: Limits) -> Limits:
        """The higher of each rate: a rate measured while something else ran is not the limit."""
        names = [field.name for field in fields(self)]
        return Limits(*(max(getattr(self, name), getattr(other, name)) for name in names))


@torch.inference_mode()
def gemm_gflops(device: torch.device, seconds: float, square: int = SQUARE) -> float:
    """The best rate over shapes, kernels (torch's and :mod:`controller.model.gemm`'s) and layouts
    of the right matrix."""
    shapes = (EXPERTS_SHAPE, (square, square, square))
    best = 0.0
    for rows, inner, columns in shapes:
        left = torch.rand(rows, inner, device=device)
        right = torch.rand(inner, columns, device=device)
        transposed = right.t().contiguous().t()  # the layout of a linear layer's weights
        ways: dict[str, Call] = {
            "torch": partial(torch.matmul, left, right),
            "ours": partial(product, left, right),
            "ours, transposed": partial(product, left, transposed),
        }

        operations = 2 * rows * inner * columns
        fastest_us = _fastest_us(ways, device, seconds / len(shapes))
        best = max(best, operations / fastest_us / 1e3)
    return best


@torch.inference_mode()
def cache_gb_per_s(size: int, device: torch.device, seconds: float) -> float:
    """The best rate at which one thread reads ``size`` bytes of float32 that it has just read."""
    numbers = torch.rand(size // 4, device=device)
    width = 1024
    matrix = numbers[: len(numbers) // width * width].view(-1, width)
    vector = torch.rand(width, device=device)

    ways: dict[str, Call] = {"sum": numbers.sum, "product": partial(torch.mv, matrix, vector)}
    if device.type == "cpu":
        ways["compiled"] = partial(_sum, numbers.numpy())

    with threads(1):
        return 4 * len(numbers) / _fastest_us(ways, device, seconds) / 1e3


@torch.inference_mode()
def copy_gb_per_s(device: torch.device, seconds: float) -> float:
    """The rate at which a large array is copied. Its bytes count twice: once read, once written."""
    source = torch.ones(COPIED_BYTES // 4, device=device)
    destination = torch.empty_like(source)
    copy = synchronized(partial(destination.copy_, source), device)
    return 2 * COPIED_BYTES / measure(copy, seconds, least=LEAST).median_us / 1e3


def _fastest_us(ways: dict[str, Call], device: torch.device, seconds: float) -> float:
    """The smallest median, in µs."""
    calls = {name: synchronized(way, device) for name, way in ways.items()}
    timings = alternate(calls, seconds, least=LEAST)
    return min(timing.median_us for timing in timings.values())


@cached(fastmath=True)
def _sum(numbers: Any) -> Any:
    total = numbers[0]
    for index in range(1, numbers.shape[0]):
        total += numbers[index]
    return total


@dataclass(frozen=True)
class Work:
    """The least work that some networks must do.

    flops         for one character: two for each weight of each matrix, including all experts' and
                  the gate's
    weight_bytes  of all parameters, which every call must read
    """

    flops: int
    weight_bytes: int

    @classmethod
    def of(cls, *networks: nn.Module) -> Work:
        """The work of these networks, one after the other."""
        parameters = [item for network in networks for item in network.named_parameters()]
        weights = sum(values.numel() for name, values in parameters if name.endswith("weight"))
        size = sum(values.numel() * values.element_size() for _, values in parameters)
        return cls(2 * weights, size)

    def floor_us(self, batch: int, limits: Limits) -> float:
        """The µs that a call for ``batch`` characters takes at least on a machine with these
        limits."""
        if batch == 1:
            return self.weight_bytes / limits.cache_gb_per_s / 1e3
        return batch * self.flops / limits.gemm_gflops / 1e3
