"""Matrix products that take oneDNN's kernel where torch would take MKL's.

On AMD's AVX-512 processors MKL's float32 product runs at less than half of oneDNN's speed (110
against 250 GFLOP/s on one core of an EPYC, torch 2.13). torch exposes oneDNN's through an operator
meant for its compiler; where that is missing, and for anything but float32 on a CPU, torch's own
product serves.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WORTH = 1_500_000
"""Multiply-adds below which MKL's product is as fast: oneDNN's operator takes some ten microseconds
to begin, and where a gradient is wanted a function in Python as many again."""


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
    """Whether oneDNN's is the product for (B, I) ``left`` and so many outputs. For one row reading
    the weights is all the work, and MKL's matrix-vector product does it best. Torch's compiler
    chooses for itself."""
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
    """``left @ right`` of two matrices, by the faster kernel. Not differentiable by itself."""
    return _onednn(left, right.t(), None) if _suits(left, right.shape[1]) else left @ right


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor) -> Tensor:
        ctx.save_for_backward(left, right)
        return product(left, right)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        left, right = ctx.saved_tensors
        gradient = gradients[
            0
        ].contiguous()  # oneDNN takes a thousand times as long for rows that lie apart
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
    """:func:`blended`, which keeps only what it is given: the scaled inputs are made again for the
    weights' gradient, already turned as its product wants them."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, blend, weight, bias)
        return blend_inputs(inputs, blend, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, blend, weight, bias = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        if ctx.needs_input_grad[2]:
            to_parameters, to_inputs, to_blend = blended_back(gradient, inputs, blend, weight, bias)
            return to_inputs, to_blend, *to_parameters
        return *_blended_to_given(gradient, inputs, blend, weight, bias), None, None


def blend_inputs(inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """:func:`blended` by one product, of the inputs scaled by each expert's share. Not
    differentiable by itself."""
    return product(_scaled(inputs, blend), weight.flatten(0, 1)).addmm_(blend, bias)


def blend_outputs(
    inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """:func:`blended` by a product for each expert, and what each makes of the inputs ``(B, E,
    O)``, of which the gradient to the shares is easily made."""
    outputs = torch.stack([product(inputs, expert) for expert in weight], dim=1)
    return torch.baddbmm((blend @ bias)[:, None], blend[:, None], outputs).squeeze_(1), outputs


def blended_back(
    gradient: Tensor, inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """From the gradient to blended outputs ``(B, O)`` those to weight and bias, to the inputs and
    to the shares."""
    return blended_to_parameters(gradient, inputs, blend), *_blended_to_given(
        gradient, inputs, blend, weight, bias
    )


def _blended_to_given(
    gradient: Tensor, inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    to_inputs, to_scaled = blended_to_inputs(gradient, blend, weight)
    return to_inputs, (to_scaled * inputs[:, None]).sum(dim=2).addmm_(gradient, bias.t())


def blended_to_inputs(gradient: Tensor, blend: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """From the gradient to blended outputs ``(B, O)`` those to the inputs ``(B, I)`` and, before
    they are blended, to each expert's ``(B, E, I)``."""
    to_scaled = product(gradient, weight.flatten(0, 1).t()).unflatten(1, weight.shape[:2])
    return torch.bmm(blend[:, None], to_scaled)[:, 0], to_scaled


def blended_to_parameters(gradient: Tensor, inputs: Tensor, blend: Tensor) -> tuple[Tensor, Tensor]:
    """From the gradient to blended outputs ``(B, O)`` those to the weights ``(E, I, O)`` and biases
    ``(E, O)``."""
    turned = blend.t().contiguous()
    scaled = turned[:, None] * inputs.t().contiguous()  # (E, I, B)
    return product(scaled.flatten(0, 1), gradient).unflatten(0, scaled.shape[:2]), turned @ gradient


def _scaled(inputs: Tensor, blend: Tensor) -> Tensor:
    """``(B, E·I)``: the inputs times each expert's share, side by side."""
    return (blend[:, :, None] * inputs[:, None]).flatten(1)


def blended(inputs: Tensor, blend: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Linear layers of E experts, their outputs blended, differentiable: ``(B, I)``, shares ``(B,
    E)``, ``(E, I, O)`` and ``(E, O)`` → ``(B, O)``.

    Blending the experts' *outputs* equals blending their weights, and is one matrix product for the
    whole batch: the inputs, scaled by each expert's share and laid side by side, times all experts'
    weights stacked.
    """
    if inputs.dtype != weight.dtype or not _suits(inputs, weight.shape[0] * weight.shape[2]):
        return torch.addmm(blend @ bias, _scaled(inputs, blend), weight.flatten(0, 1))
    outcome: Tensor = _Blended.apply(inputs, blend, weight, bias)
    return outcome


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``nn.Linear`` of ``(B, I)`` by the faster product. Not differentiable by itself."""
    return (
        _onednn(inputs, weight, bias)
        if _suits(inputs, len(weight))
        else functional.linear(inputs, weight, bias)
    )


def linear_back(
    gradient: Tensor, inputs: Tensor, weight: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """From the gradient to a linear layer's outputs ``(B, O)`` those to weight and bias, and to the
    inputs."""
    return linear_to_parameters(gradient, inputs), product(gradient, weight)


def linear_to_parameters(gradient: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """From the gradient to a linear layer's outputs ``(B, O)`` those to weight and bias."""
    return product(gradient.t(), inputs), gradient.sum(dim=0)


class _LinearProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return linear(inputs, weight, bias)

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_inputs = product(gradient, weight) if ctx.needs_input_grad[0] else None
        to_weight, to_bias = (
            linear_to_parameters(gradient, inputs) if ctx.needs_input_grad[1] else (None, None)
        )
        return to_inputs, to_weight, to_bias


class Linear(nn.Linear):
    """``nn.Linear`` with the faster product; the same parameters under the same names."""

    def forward(self, input: Tensor) -> Tensor:
        if not _suits(input, self.out_features):
            return super().forward(input)
        return _LinearProduct.apply(input, self.weight, self.bias)
