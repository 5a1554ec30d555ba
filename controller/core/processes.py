"""Training that is shared among processes, which meet in a group of torch.distributed.

There are two ways to start them. ``torchrun`` starts those that train a motion VAE, each on its
share of every batch: they call :func:`joined`. A policy's training starts its own helper processes,
each with its own characters: see :class:`Workers`. In both, ``rank`` is a process's number, from 0,
and ``count`` is how many there are. A process that is alone belongs to no group: then the
functions below leave values as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from controller.core.errors import ConfigError

WORKER = "POLICY_WORKER"
"""The environment variable that tells a process that it is a helper: "RANK MEETING-FILE"."""


@contextmanager
def _group(backend: str, one_machine: bool, **place: Any) -> Iterator[None]:
    """Join a process group, and leave it when the block ends.

    ``place`` says where the group meets, unless the environment does.
    """
    if one_machine and sys.platform == "linux":
        # Processes on one machine need no network, and must not depend on resolving its host name.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")

    distributed.init_process_group(backend, **place)
    try:
        yield
    finally:
        distributed.destroy_process_group()


# -- started by torchrun ---------------------------------------------------------------------------


def _environment(name: str, default: int) -> int:
    """A number that torchrun has put into the environment."""
    return int(os.environ.get(name, default))


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun has started, if any, and leave them when the block ends."""
    size = _environment("WORLD_SIZE", 1)
    if size == 1:
        yield
        return

    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    with _group(backend, one_machine=_environment("LOCAL_WORLD_SIZE", 0) == size):
        yield


def own_device(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda". Each process of a machine has a GPU of its own.

    Raises ConfigError if there is no GPU for this process.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not gpus):
        return torch.device("cpu")
    if not gpus:
        raise ConfigError("device is 'cuda', but torch finds no CUDA GPU; allowed here: auto, cpu")

    local_rank = _environment("LOCAL_RANK", 0)
    if local_rank >= gpus:
        size = _environment("LOCAL_WORLD_SIZE", 1)
        raise ConfigError(
            f"--nproc-per-node is {size}; allowed: 1 to {gpus}, as many as there are GPUs"
        )
    return torch.device("cuda", local_rank)


def speaks() -> bool:
    """Whether this process is the one that saves, logs and prints for all that torchrun started."""
    return _environment("RANK", 0) == 0


def restarted() -> bool:
    """Whether torchrun has begun this process again, after one of the group was lost."""
    return _environment("TORCHELASTIC_RESTART_COUNT", 0) > 0


# -- in a group ------------------------------------------------------------------------------------


def _in_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if _in_group() else 0


def count() -> int:
    """The number of processes."""
    return distributed.get_world_size() if _in_group() else 1


def meet() -> None:
    """Wait until every process has called this."""
    if count() > 1:
        distributed.barrier()


def share(rows: Tensor, dim: int = 0) -> Tensor:
    """This process's equal share of a tensor that all processes have drawn alike.

    The size along ``dim`` must be divisible by the number of processes.
    """
    return rows.chunk(count(), dim)[rank()]


def gathered(rows: Tensor) -> Tensor:
    """The rows ``(B, …)`` of all N processes, by rank: ``(N·B, …)``.

    Gradients flow to this process's rows only.
    """
    if count() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(count())]
    distributed.all_gather(parts, rows.detach().contiguous())
    parts[rank()] = rows
    return torch.cat(parts)


def mean(values: Tensor) -> Tensor:
    """The mean of a tensor over the processes, detached from the graph."""
    if count() == 1:
        return values.detach()
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total / count()


def average(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor, in place, by its mean over the processes.

    Every process must call this with tensors of the same shapes. They are sent in one message.
    """
    if count() == 1:
        return
    own = list(tensors)
    flat = mean(torch.cat([tensor.flatten() for tensor in own]))
    means = flat.split([tensor.numel() for tensor in own])
    for tensor, values in zip(own, means, strict=True):
        tensor.copy_(values.view_as(tensor))


def collected(content: bytes) -> list[bytes]:
    """In process 0, what every process has given, by rank; in the others nothing."""
    if count() == 1:
        return [content]
    lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(count())]
    distributed.all_gather(lengths, torch.tensor([len(content)]))
    longest = max(map(int, lengths))
    own = torch.zeros(longest, dtype=torch.uint8)
    own[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    parts = [torch.empty_like(own) for _ in range(count())] if rank() == 0 else None
    distributed.gather(own, parts, dst=0)
    pairs = zip(parts or (), lengths, strict=False)
    return [part[: int(length)].numpy().tobytes() for part, length in pairs]


def agreed(holds: bool, device: torch.device) -> bool:
    """Whether ``holds`` is true in every process."""
    if count() == 1:
        return holds
    return float(mean(torch.tensor(float(holds), device=device))) == 1.0


def of_first(figures: Mapping[str, float], device: torch.device) -> dict[str, float]:
    """The figures of process 0, under the same names, so that all processes decide alike."""
    if count() == 1:
        return dict(figures)
    values = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
    distributed.broadcast(values, 0)
    pairs = zip(figures.items(), values.tolist(), strict=True)
    return {name: type(own)(value) for (name, own), value in pairs}


# -- started by a policy's training ----------------------------------------------------------------


class Workers:
    """The ``count`` processes that train one policy; this one has number ``rank``.

    Process 0 starts the others, evaluates, saves and prints; the others only train. ``rank`` and
    ``count`` are known before the processes meet.
    """

    def __init__(self, count: int = 1) -> None:
        number, _, self._meeting = os.environ.get(WORKER, "").partition(" ")
        self.count = count
        self.rank = int(number or 0) if count > 1 else 0

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Run this command in ``count`` processes and join them in a group.

        In process 0 this starts the helpers, and ends them when the block ends.
        """
        if self.count == 1:
            yield
        elif self.rank > 0:
            with self._group(Path(self._meeting)):
                yield
        else:
            with tempfile.TemporaryDirectory() as folder:
                meeting = Path(folder) / "meeting"
                with self._helpers(meeting), self._group(meeting):
                    yield

    def average(self, tensors: Iterable[Tensor]) -> None:
        """:func:`average` over these processes."""
        average(tensors)

    @contextmanager
    def _group(self, meeting: Path) -> Iterator[None]:
        """The group of these processes, which meet by a file."""
        place = {"init_method": meeting.as_uri(), "rank": self.rank, "world_size": self.count}
        with _group("gloo", one_machine=True, **place):
            yield

    @contextmanager
    def _helpers(self, meeting: Path) -> Iterator[None]:
        """The other processes: each runs this process's own command line."""
        command = [sys.executable, *sys.orig_argv[1:]]
        helpers = []
        for number in range(1, self.count):
            environment = {**os.environ, WORKER: f"{number} {meeting}"}
            helpers.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        try:
            yield
        finally:
            for helper in helpers:
                helper.terminate()
                helper.wait()
