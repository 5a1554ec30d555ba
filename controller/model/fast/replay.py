"""A fixed computation, recorded once and replayed.

On a GPU, one character's step is fifty kernels of a few microseconds each, and launching them one
by one takes longer than running them. A CUDA graph launches them together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[..., tuple[Tensor, ...]]
WARM_UP = 3  # runs before recording, in which libraries do their set-up of the first use


class Replay:
    """``function`` of tensors of fixed shapes, which may not draw random numbers or read values on
    the host.

    On a CUDA device, calls replay the graph recorded from ``example``; elsewhere they call the
    function. The caller owns the results in both cases.
    """

    def __init__(self, function: Function, *example: Tensor) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        if example[0].device.type == "cuda":
            self._record(example)

    @torch.no_grad()
    def _record(self, example: tuple[Tensor, ...]) -> None:
        self._inputs = tuple(tensor.clone() for tensor in example)
        side_stream = torch.cuda.Stream()
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):
            for _ in range(WARM_UP):
                self._function(*self._inputs)
        torch.cuda.current_stream().wait_stream(side_stream)

        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = self._function(*self._inputs)

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self._graph is None:
            return self._function(*inputs)
        for recorded, current in zip(self._inputs, inputs, strict=True):
            recorded.copy_(current)
        self._graph.replay()
        return tuple(tensor.clone() for tensor in self._outputs)
