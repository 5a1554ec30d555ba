"""A fixed computation recorded once and replayed: on a GPU, one character's step is fifty kernels
of a few microseconds, and launching them one by one costs more than they do. A CUDA graph launches
them together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[..., tuple[Tensor, ...]]
WARM_UP = 3  # runs before recording, so that libraries have set up what they set up on first use


class Replay:
    """``function`` of tensors of fixed shapes, without randomness and without looking at its values
    on the host.

    On a CUDA device calls replay the graph recorded from ``example``; elsewhere they call the
    function. Either way the results are the caller's own.
    """

    def __init__(self, function: Function, *example: Tensor) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        if example[0].device.type == "cuda":
            self._record(example)

    @torch.no_grad()
    def _record(self, example: tuple[Tensor, ...]) -> None:
        self._inputs = tuple(tensor.clone() for tensor in example)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._function(*self._inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = self._function(*self._inputs)

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self._graph is None:
            return self._function(*inputs)
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        self._graph.replay()
        return tuple(tensor.clone() for tensor in self._outputs)
