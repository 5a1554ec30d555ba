"""Matrix products that take oneDNN's kernel where torch would take MKL's.

On AMD's AVX-512 processors MKL's float32 product runs at less than half of oneDNN's speed (110 against 250
GFLOP/s on one core of an EPYC, torch 2.13). torch exposes oneDNN's through an operator meant for its compiler;
where that is missing, and for anything but float32 on a CPU, torch's own product serves.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

MIN_ROWS = 24
"""Below this a product is bound by reading the weights and by the operator's overhead, and MKL's is as fast."""


def _has_onednn() -> bool:
    try:
        one = torch.ones(16, 16)
        return bool(torch.equal(_onednn(one, one, None), one @ one))
    except (AttributeError, RuntimeError):
        return False


def _onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


ONEDNN = torch.backends.mkldnn.is_available() and _has_onednn()


def _suits(left: Tensor) -> bool:
    return (
        ONEDNN
        and left.dim() == 2
        and left.shape[0] >= MIN_ROWS
        and left.dtype == torch.float32
        and left.device.type == "cpu"
    )


def product(left: Tensor, right: Tensor) -> Tensor:
    """``left @ right`` of two matrices, by the faster kernel. Not differentiable by itself."""
    return _onednn(left, right.t(), None) if _suits(left) else left @ right


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor) -> Tensor:
        ctx.save_for_backward(left, right)
        return product(left, right)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        left, right = ctx.saved_tensors
        (gradient,) = gradients
        to_left = product(gradient, right.t()) if ctx.needs_input_grad[0] else None
        to_right = product(left.t(), gradient) if ctx.needs_input_grad[1] else None
        return to_left, to_right


def addmm(bias: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """``bias + left @ right``, differentiable: ``(B, O)`` or ``(O,)``, ``(B, I)`` and ``(I, O)`` → ``(B, O)``."""
    if not _suits(left):
        return torch.addmm(bias, left, right)
    return bias + _Product.apply(left, right)


class _LinearProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _onednn(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        (gradient,) = gradients
        to_inputs = product(gradient, weight) if ctx.needs_input_grad[0] else None
        to_weight = product(gradient.t(), inputs) if ctx.needs_input_grad[1] else None
        to_bias = gradient.sum(dim=0) if ctx.needs_input_grad[2] else None
        return to_inputs, to_weight, to_bias


class Linear(nn.Linear):
    """``nn.Linear`` with the faster product; the same parameters under the same names."""

    def forward(self, input: Tensor) -> Tensor:
        return _LinearProduct.apply(input, self.weight, self.bias) if _suits(input) else super().forward(input)
