"""The processes that torchrun starts to train one model, each on its share of every batch.

Without torchrun there is one process and no group of them, and every function here is the identity.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

from controller.core.errors import ConfigError


def _told(name: str, alone: int) -> int:
    """What torchrun says in the environment; ``alone`` if it has started nothing."""
    return int(os.environ.get(name, alone))


def rank() -> int:
    """Which of the processes this one is, from 0."""
    return distributed.get_rank() if _together() else 0


def speaks() -> bool:
    """Whether this is the one that saves, logs and speaks for all."""
    return _told("RANK", 0) == 0


def count() -> int:
    """How many there are."""
    return distributed.get_world_size() if _together() else 1


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def own_device(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda": with several processes on a machine, each has a card
    of its own.

    Raises ConfigError if there is no card for this process.
    """
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    local = _told("LOCAL_RANK", 0)
    if name == "cpu" or (name == "auto" and not cards):
        return torch.device("cpu")
    if not cards:
        raise ConfigError("device is 'cuda', but torch finds no CUDA GPU; allowed here: auto, cpu")
    if local >= cards:
        started = _told("LOCAL_WORLD_SIZE", 1)
        raise ConfigError(
            f"--nproc-per-node is {started}; allowed: 1 to {cards}, as many as there are GPUs"
        )
    return torch.device("cuda", local)


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Meet the other processes, if there are any, and part from them when the block ends."""
    if _told("WORLD_SIZE", 1) == 1:
        yield
        return
    if sys.platform == "linux" and _told("LOCAL_WORLD_SIZE", 0) == _told("WORLD_SIZE", 1):
        os.environ.setdefault(
            "GLOO_SOCKET_IFNAME", "lo"
        )  # one machine's need no network, nor a name to know them by
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def meet() -> None:
    """Wait until all have come so far."""
    if count() > 1:
        distributed.barrier()


def share(rows: Tensor, dim: int = 0) -> Tensor:
    """This process's part of what all of them have drawn alike; the ``dim``-th dimension must be
    divisible."""
    return rows.chunk(count(), dim)[rank()]


def gathered(rows: Tensor) -> Tensor:
    """Rows ``(B, …)`` of all processes in their order, ``(N·B, …)``. Gradients go to this process's
    own alone."""
    if count() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(count())]
    distributed.all_gather(parts, rows.detach().contiguous())
    parts[rank()] = rows
    return torch.cat(parts)


def mean(values: Tensor) -> Tensor:
    """The mean of this tensor over the processes, without a gradient."""
    if count() == 1:
        return values.detach()
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total / count()


def agreed(holds: bool, device: torch.device) -> bool:
    """Whether ``holds`` is true in all of them."""
    if count() == 1:
        return holds
    return float(mean(torch.tensor(float(holds), device=device))) == 1.0


def of_first(figures: Mapping[str, float], device: torch.device) -> dict[str, float]:
    """The figures that process 0 has for these names: of what each has measured, so that all decide
    alike."""
    if count() == 1:
        return dict(figures)
    values = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
    distributed.broadcast(values, 0)
    return {
        name: type(own)(value)
        for (name, own), value in zip(figures.items(), values.tolist(), strict=True)
    }
