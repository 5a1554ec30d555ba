"""A training step of the mixture of experts as one function, with its derivative written out.

Autograd goes back through such a step by forty small functions, and its way from one to the next
takes a tenth of a training's time. The formulas are those of :mod:`controller.model.mixture` and
:mod:`controller.model.kl`, which serve wherever this does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from controller.model import gemm
from controller.model.kl import LOG_VARIANCE_RANGE, kl_per_unit


class Layers(NamedTuple):
    """Weight and bias of each layer, in the order in which encoder and decoder name them."""

    first: tuple[Tensor, Tensor]
    second: tuple[Tensor, Tensor]
    mean: tuple[Tensor, Tensor]
    log_variance: tuple[Tensor, Tensor]
    gate_first: tuple[Tensor, Tensor]
    gate_second: tuple[Tensor, Tensor]
    gate_output: tuple[Tensor, Tensor]
    expert_first: tuple[Tensor, Tensor]
    expert_second: tuple[Tensor, Tensor]
    expert_output: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, parameters: tuple[Tensor, ...]) -> Layers:
        return cls(*zip(parameters[::2], parameters[1::2], strict=True))


class Made(NamedTuple):
    """What a step makes on its way and its derivative needs again: what each layer sees, (B, …),
    and what it gives."""

    both: Tensor
    hidden: Tensor
    beside_hidden: Tensor
    code: Tensor
    beside_code: Tensor
    mean: Tensor
    deviation: Tensor
    shown: Tensor
    gate_hidden: Tensor
    gate_code: Tensor
    blend: Tensor
    outputs: Tensor
    """(B, E, O) of each expert's first layer, where the previous pose wants no gradient; else
    empty."""
    expert_hidden: Tensor
    beside_expert_hidden: Tensor
    expert_code: Tensor
    beside_expert_code: Tensor
    off: Tensor
    """The predicted less the captured next pose."""


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        previous: Tensor,
        following: Tensor,
        seen: Tensor,
        noise: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        layers = Layers.of(parameters)
        both = torch.cat((seen, previous), dim=1)
        hidden = _elu(gemm.linear(both, *layers.first))
        beside_hidden = torch.cat((seen, hidden), dim=1)
        code = _elu(gemm.linear(beside_hidden, *layers.second))
        beside_code = torch.cat((seen, code), dim=1)
        mean = gemm.linear(beside_code, *layers.mean)
        log_variance = gemm.linear(beside_code, *layers.log_variance).clamp_(*LOG_VARIANCE_RANGE)
        deviation = torch.exp(0.5 * log_variance)
        latent = torch.addcmul(mean, deviation, noise)

        shown = torch.cat((latent, previous), dim=1)
        gate_hidden = _elu(gemm.linear(shown, *layers.gate_first))
        gate_code = _elu(gemm.linear(gate_hidden, *layers.gate_second))
        blend = torch.softmax(gemm.linear(gate_code, *layers.gate_output), dim=1)
        if ctx.needs_input_grad[0]:
            expert_hidden = gemm.blend_inputs(shown, blend, *layers.expert_first)
            outputs = shown.new_empty(0)
        else:
            expert_hidden, outputs = gemm.blend_outputs(shown, blend, *layers.expert_first)
        beside_expert_hidden = torch.cat((latent, _elu(expert_hidden)), dim=1)
        expert_code = _elu(gemm.blend_inputs(beside_expert_hidden, blend, *layers.expert_second))
        beside_expert_code = torch.cat((latent, expert_code), dim=1)
        predicted = gemm.blend_inputs(beside_expert_code, blend, *layers.expert_output)
        off = predicted - following

        made = Made(
            both, hidden, beside_hidden, code, beside_code, mean, deviation, shown, gate_hidden,
            gate_code, blend, outputs, expert_hidden, beside_expert_hidden, expert_code,
            beside_expert_code, off,
        )  # fmt: skip
        ctx.save_for_backward(noise, *made, *parameters)
        return predicted, off.square().mean(), kl_per_unit(mean, log_variance).mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        noise, *saved = ctx.saved_tensors
        made = Made(*saved[: len(Made._fields)])
        layers = Layers.of(tuple(saved[len(Made._fields) :]))
        to_predicted, to_reconstruction, to_kl = gradients
        gradient = torch.addcmul(to_predicted, made.off, to_reconstruction * (2 / made.off.numel()))
        to_decoder, to_latent, to_previous = _back_through_decoder(made, layers, gradient)
        share = to_kl / made.mean.numel()
        to_mean = torch.addcmul(to_latent, made.mean, share)
        # Twice that to the log-variance, as if that had not been held within its range: see
        # `kl.held`.
        doubled = (to_latent * noise * made.deviation).add_((made.deviation.square() - 1) * share)
        to_encoder, to_both = _back_through_encoder(
            made, layers, to_mean, 0.5 * doubled, to_previous is not None
        )
        if to_previous is not None and to_both is not None:
            to_previous = to_previous + to_both[:, -to_previous.shape[1] :]
        return to_previous, None, None, None, *to_encoder, *to_decoder


def _back_through_decoder(
    made: Made, layers: Layers, gradient: Tensor
) -> tuple[list[Tensor], Tensor, Tensor | None]:
    """From the gradient to the predicted poses (B, D) those to the decoder's weights, in their
    order, to the latents (B, Z) and, if it is wanted, to the previous poses (B, D)."""
    blend = made.blend
    latents = made.mean.shape[1]
    output, into, to_blend = gemm.blended_back(
        gradient, made.beside_expert_code, blend, *layers.expert_output
    )
    to_latent = into[:, :latents]
    gradient = _elu_back(into[:, latents:], made.expert_code)
    second, into, more = gemm.blended_back(
        gradient, made.beside_expert_hidden, blend, *layers.expert_second
    )
    to_latent = to_latent + into[:, :latents]
    to_blend = to_blend.add_(more)
    gradient = _elu_back(into[:, latents:], made.expert_hidden)
    through_outputs = len(made.outputs) > 0
    if through_outputs:
        weight, bias = layers.expert_first
        first = gemm.blended_to_parameters(gradient, made.shown, blend)
        into, _ = gemm.blended_to_inputs(gradient, blend, weight[:, :latents])
        more = (made.outputs * gradient[:, None]).sum(dim=2).addmm_(gradient, bias.t())
    else:
        first, into, more = gemm.blended_back(gradient, made.shown, blend, *layers.expert_first)

    gradient = torch.ops.aten._softmax_backward_data(to_blend.add_(more), blend, 1, blend.dtype)
    gate_output, gradient = gemm.linear_back(gradient, made.gate_code, layers.gate_output[0])
    gate_second, gradient = gemm.linear_back(
        _elu_back(gradient, made.gate_code), made.gate_hidden, layers.gate_second[0]
    )
    gate_first, gradient = gemm.linear_back(
        _elu_back(gradient, made.gate_hidden), made.shown, layers.gate_first[0]
    )
    to_latent = to_latent.add_(gradient[:, :latents]).add_(into[:, :latents])
    to_previous = None if through_outputs else into[:, latents:] + gradient[:, latents:]
    weights = [*gate_first, *gate_second, *gate_output, *first, *second, *output]
    return weights, to_latent, to_previous


def _back_through_encoder(
    made: Made, layers: Layers, to_mean: Tensor, to_log_variance: Tensor, wanted: bool
) -> tuple[list[Tensor], Tensor | None]:
    """From the gradients to mean and log-variance (B, Z) those to the encoder's weights, in their
    order, and, if it is wanted, to what its first layer sees."""
    pose = made.off.shape[1]
    mean, into = gemm.linear_back(to_mean, made.beside_code, layers.mean[0])
    log_variance, more = gemm.linear_back(to_log_variance, made.beside_code, layers.log_variance[0])
    gradient = _elu_back(into.add_(more)[:, pose:], made.code)
    second, into = gemm.linear_back(gradient, made.beside_hidden, layers.second[0])
    gradient = _elu_back(into[:, pose:], made.hidden)
    first = gemm.linear_to_parameters(gradient, made.both)
    to_both = gemm.product(gradient, layers.first[0]) if wanted else None
    return [*first, *second, *mean, *log_variance], to_both


def _elu(inputs: Tensor) -> Tensor:
    return functional.elu(inputs, inplace=True)


def _elu_back(gradient: Tensor, outputs: Tensor) -> Tensor:
    back: Tensor = torch.ops.aten.elu_backward(gradient, 1, 1, 1, True, outputs)
    return back


def mixture_step(
    parameters: Sequence[Tensor], previous: Tensor, following: Tensor, seen: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """A step from z-scored poses ``previous`` towards ``following`` (B, D) with z = mean + σ·noise
    of what is ``seen`` (B, D), for the parameters of encoder and decoder in their order: the
    predicted poses (B, D), their mean squared error, and the mean over latent units of the KL
    divergence. Differentiable in parameters and ``previous``."""
    outcome: tuple[Tensor, Tensor, Tensor] = _Step.apply(
        previous, following, seen, noise, *parameters
    )
    return outcome
