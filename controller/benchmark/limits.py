"""What the machine itself can do, and so the time below which no program can bring a piece of work:
its floor.

One character's step reads every weight once for two operations, so that the memory nearest to the
weights is its limit. A batch reads them once for all its characters, and is limited by how fast the
processor multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from numba import njit
from torch import nn

from controller.benchmark.timing import Call, alternate, finished, measure, threads
from controller.model.gemm import product

SHAPES = ((1024, 1728, 256), (2048, 2048, 2048))
"""Rows, inner width and columns of the products: a layer of experts for a thousand characters, and
a large square."""
COPIED = 256 * 2**20
"""Bytes: far more than any cache holds."""


@dataclass(frozen=True)
class Limits:
    """Rates of the machine in 10⁹ a second.

    gemm_gflops          float32 operations, multiplying matrices
    cache_gb_per_s       bytes, reading again and again as many as the weights have, with one thread
    copy_gb_per_s        bytes read and written, copying more than caches hold; for information
    """

    gemm_gflops: float
    cache_gb_per_s: float
    copy_gb_per_s: float

    @classmethod
    def measured(cls, weight_bytes: int, device: torch.device, seconds: float) -> Limits:
        """This machine's, in about three times ``seconds``."""
        return cls(
            gemm_gflops(device, seconds),
            cache_gb_per_s(weight_bytes, device, seconds),
            copy_gb_per_s(device, seconds),
        )

    def best(self, other: Limits) -> Limits:
        """The higher of each rate: a limit measured while something else ran is none."""
        return Limits(
            *(max(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        )


@torch.inference_mode()
def gemm_gflops(device: torch.device, seconds: float) -> float:
    """The best rate over shapes, kernels (torch's, :mod:`controller.model.gemm`'s) and layouts of
    the right matrix."""
    best = 0.0
    for rows, inner, columns in SHAPES:
        left = torch.rand(rows, inner, device=device)
        right = torch.rand(inner, columns, device=device)
        turned = right.t().contiguous().t()  # as a linear layer has its weights
        ways: dict[str, Call] = {
            "torch": partial(torch.matmul, left, right),
            "ours": partial(product, left, right),
            "ours, turned": partial(product, left, turned),
        }
        best = max(
            best,
            2 * rows * inner * columns / _fastest_us(ways, device, seconds / len(SHAPES)) / 1e3,
        )
    return best


@torch.inference_mode()
def cache_gb_per_s(size: int, device: torch.device, seconds: float) -> float:
    """The best rate at which ``size`` bytes of float32, just read, are read once more by one
    thread."""
    numbers = torch.rand(size // 4, device=device)
    width = 1024
    matrix = numbers[: len(numbers) // width * width].view(-1, width)
    vector = torch.rand(width, device=device)
    ways: dict[str, Call] = {"sum": numbers.sum, "product": partial(torch.mv, matrix, vector)}
    if device.type == "cpu":
        array = numbers.numpy()
        ways["compiled"] = partial(_sum, array)
    with threads(1):
        return 4 * len(numbers) / _fastest_us(ways, device, seconds) / 1e3


@torch.inference_mode()
def copy_gb_per_s(device: torch.device, seconds: float) -> float:
    """The rate at which a large array is copied, its bytes counted twice: once read, once
    written."""
    source = torch.rand(COPIED // 4, device=device)
    target = torch.empty_like(source)
    return (
        2
        * COPIED
        / measure(finished(partial(target.copy_, source), device), seconds).median_us
        / 1e3
    )


def _fastest_us(ways: dict[str, Call], device: torch.device, seconds: float) -> float:
    """µs of the fastest way, by its median."""
    timings = alternate(
        {name: finished(way, device) for name, way in ways.items()}, seconds, least=3
    )
    return min(timing.median_us for timing in timings.values())


@njit(cache=True, fastmath=True)
def _sum(numbers: Any) -> Any:
    total = numbers[0]
    for index in range(1, numbers.shape[0]):
        total += numbers[index]
    return total


@dataclass(frozen=True)
class Work:
    """What some networks must do at the least.

    flops         of one character: two for each weight of each matrix, all experts' and the gate's
                  included
    weight_bytes  of all parameters, which every call must read
    """

    flops: int
    weight_bytes: int

    @classmethod
    def of(cls, *networks: nn.Module) -> Work:
        named = [item for network in networks for item in network.named_parameters()]
        return cls(
            2 * sum(values.numel() for name, values in named if name.endswith("weight")),
            sum(values.numel() * values.element_size() for _, values in named),
        )

    def floor_us(self, batch: int, limits: Limits) -> float:
        """µs below which no call for ``batch`` characters can come on a machine with these
        limits."""
        if batch == 1:
            return self.weight_bytes / limits.cache_gb_per_s / 1e3
        return batch * self.flops / limits.gemm_gflops / 1e3
