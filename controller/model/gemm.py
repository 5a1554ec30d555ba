"""Matrix products by oneDNN's kernel where torch would use MKL's.

On AMD's AVX-512 processors MKL's float32 product runs at less than half of oneDNN's speed (110
against 250 GFLOP/s on one core of an EPYC, torch 2.13). torch exposes oneDNN's kernel through an
operator meant for its compiler. Where that operator is missing, and for anything but float32 on a
CPU, torch's own product is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WORTH = 1_500_000
"""Multiply-adds below which MKL's product is as fast. oneDNN's operator takes some ten microseconds
to start, and a function in Python that provides the gradient takes as many again."""


def _has_onednn() -> bool:
    try:
        one = torch.ones(16, 16)
        return bool(torch.equal(_onednn(one, one, None), one @ one))
    except (AttributeError, RuntimeError):
        return False


def _onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


ONEDNN = torch.backends.mkldnn.is_available() and _has_onednn()


def _suits(left: Tensor, outputs: int) -> bool:
    """Whether to use oneDNN for (B, I) ``left`` and this many outputs.

    With one row, reading the weights is all the work, and MKL's matrix-vector product is best at
    that. Torch's compiler chooses its kernels itself.
    """
    return (
        ONEDNN
        and not torch.compiler.is_compiling()
        and left.dtype == torch.float32
        and left.device.type == "cpu"
        and left.dim() == 2
        and left.shape[0] > 1
        and left.shape[0] * left.shape[1] * outputs >= WORTH
    )


def product(left: Tensor, right: Tensor) -> Tensor:
    """``left @ right`` of two matrices, by the faster kernel. Has no gradient of its own."""
    if _suits(left, right.shape[1]):
        return _onednn(left, right.t(), None)
    return left @ right


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor) -> Tensor:
        ctx.save_for_backward(left, right)
        return product(left, right)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        left, right = ctx.saved_tensors
        # oneDNN takes a thousand times as long for rows that are not contiguous.
        gradient = gradients[0].contiguous()
        to_left = product(gradient, right.t()) if ctx.needs_input_grad[0] else None
        to_right = product(left.t(), gradient) if ctx.needs_input_grad[1] else None
        return to_left, to_right


def addmm(bias: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """``bias + left @ right``, differentiable: ``(B, O)`` or ``(O,)``, ``(B, I)`` and ``(I, O)`` →
    ``(B, O)``."""
    if not _suits(left, right.shape[1]):
        return torch.addmm(bias, left, right)
    return _Product.apply(left, right).add_(bias)


class _Blended(torch.autograd.Function):
    """:func:`blended`, saving nothing but its arguments.

    The scaled inputs, many times as large, are computed again for the gradient of the weights, in
    the transposed layout that this product needs.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, blend, weight, bias)
        return product(_scaled(inputs, blend), weight.flatten(0, 1)).addmm_(blend, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, blend, weight, bias = ctx.saved_tensors
        gradient = gradients[0].contiguous()

        to_scaled = product(gradient, weight.flatten(0, 1).t())
        to_scaled = to_scaled.unflatten(1, weight.shape[:2])  # (B, E, I)
        to_inputs = torch.bmm(blend[:, None], to_scaled)[:, 0]
        to_blend = (to_scaled * inputs[:, None]).sum(dim=2).addmm_(gradient, bias.t())
        if not ctx.needs_input_grad[2]:
            return to_inputs, to_blend, None, None

        shares = blend.t().contiguous()
        scaled = shares[:, None] * inputs.t().contiguous()  # (E, I, B)
        to_weight = product(scaled.flatten(0, 1), gradient).unflatten(0, weight.shape[:2])
        return to_inputs, to_blend, to_weight, shares @ gradient


def _scaled(inputs: Tensor, blend: Tensor) -> Tensor:
    """``(B, E·I)``: the inputs times each expert's share, side by side."""
    return (blend[:, :, None] * inputs[:, None]).flatten(1)


def blended(inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Blend the outputs of E linear layers; differentiable. Inputs ``(B, I)``, shares ``(B, E)``,
    weights ``(E, I, O)`` and biases ``(E, O)`` → ``(B, O)``.

    Blending the experts' *outputs* equals blending their weights, and is one matrix product for the
    whole batch: the inputs, scaled by each expert's share and laid side by side, times all experts'
    weights stacked.
    """
    if inputs.dtype != weight.dtype or not _suits(inputs, weight.shape[0] * weight.shape[2]):
        return torch.addmm(blend @ bias, _scaled(inputs, blend), weight.flatten(0, 1))
    outputs: Tensor = _Blended.apply(inputs, blend, weight, bias)
    return outputs


class _LinearProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        if _suits(inputs, len(weight)):
            return _onednn(inputs, weight, bias)
        return functional.linear(inputs, weight, bias)

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_inputs = product(gradient, weight) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return to_inputs, None, None
        return to_inputs, product(gradient.t(), inputs), gradient.sum(dim=0)


class Linear(nn.Linear):
    """``nn.Linear`` with the faster product; the same parameters under the same names."""

    def forward(self, input: Tensor) -> Tensor:
        if not _suits(input, self.out_features):
            return super().forward(input)
        return _LinearProduct.apply(input, self.weight, self.bias)
