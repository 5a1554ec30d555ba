"""Processes that train one policy together: each has characters of its own, and what they learn is
averaged."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, distributed

PLACE = "POLICY_WORKER"
"""The environment variable that makes a process a helper of another: "RANK MEETING-FILE"."""


class Workers:
    """This process's place among ``count``: ``rank`` 0 evaluates, saves and speaks, the others
    help."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        rank, _, self._meeting = os.environ.get(PLACE, "").partition(" ")
        self.rank = int(rank or 0) if count > 1 else 0

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Run this very command in ``count`` processes, this one included, and meet them; they end
        with this one."""
        if self.count == 1:
            yield
        elif self.rank > 0:
            with self._group(Path(self._meeting)):
                yield
        else:
            with tempfile.TemporaryDirectory() as folder:
                meeting = Path(folder) / "meeting"
                helpers = [self._helper(rank, meeting) for rank in range(1, self.count)]
                try:
                    with self._group(meeting):
                        yield
                finally:
                    for helper in helpers:
                        helper.terminate()
                        helper.wait()

    @staticmethod
    def _helper(rank: int, meeting: Path) -> subprocess.Popen[bytes]:
        place = {**os.environ, PLACE: f"{rank} {meeting}"}
        return subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]], env=place, stdout=subprocess.DEVNULL
        )

    @contextmanager
    def _group(self, meeting: Path) -> Iterator[None]:
        if (
            sys.platform == "linux"
        ):  # one machine's processes need no network, nor a name that it knows them by
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        distributed.init_process_group(
            "gloo", meeting.as_uri(), rank=self.rank, world_size=self.count
        )
        try:
            yield
        finally:
            distributed.destroy_process_group()

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each of these by its mean over the workers. All must call this, with the same
        shapes."""
        if self.count == 1:
            return
        held = list(tensors)
        flat = torch.cat([tensor.flatten() for tensor in held])
        distributed.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(held, flat.split([tensor.numel() for tensor in held]), strict=True):
            tensor.copy_(mean.view_as(tensor))
