"""The compiled path for one character alone, which a game runs.

:mod:`controller.model.fast.kernels` has the arithmetic. This module decides when it may be used,
and passes it tensors as arrays that share their memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from controller.core import checks
from controller.core.errors import ActionError, CheckpointError
from controller.model.mixture import Decoder, MotionVAE
from controller.motion.pose import PoseLayout


def fits(*tensors: Tensor, cuda: bool = False) -> bool:
    """Whether each tensor is one float32 row on the CPU, or on a GPU with ``cuda``, and none needs
    a gradient."""
    graph = torch.is_grad_enabled()
    for tensor in tensors:
        on_device = tensor.is_cuda if cuda else tensor.is_cpu
        if (
            not on_device
            or not tensor.dim()
            or tensor.shape[0] != 1
            or tensor.dtype != torch.float32
        ):
            return False
        if graph and tensor.requires_grad:
            return False
    return True


def _array(tensor: Tensor) -> Any:
    """The values of a tensor that needs no gradient, in its own memory if that is contiguous."""
    return (tensor if tensor.is_contiguous() else tensor.contiguous()).numpy()


def _arrays(weight: Tensor, bias: Tensor) -> tuple[Any, Any]:
    return _array(weight.detach()), _array(bias.detach())


def _layers(network: nn.Module) -> list[tuple[Any, Any]]:
    """(weight, bias) of the network's linear layers, in order."""
    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [_arrays(linear.weight, linear.bias) for linear in linears]


def _decoder_shapes(weights: list[Any], controls: int, layout: PoseLayout) -> list[tuple[int, ...]]:
    """The shapes that :func:`controller.model.fast.kernels.step` relies on, in the order of its
    parameters, for layers of the widths that their biases have."""
    gate_first, gate_second, experts, first, second = (
        weights[i].shape[-1] for i in (1, 3, 5, 7, 9)
    )
    body = layout.body.stop
    return [
        (gate_first, controls + body), (gate_first,),
        (gate_second, gate_first), (gate_second,),
        (experts, gate_second), (experts,),
        (experts, controls + body, first), (experts, first),
        (experts, controls + first, second), (experts, second),
        (experts, controls + second, body), (experts, body),
        *[(layout.size,)] * 4,  # low, high, mean, std
    ]  # fmt: skip


def _require(arrays: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise CheckpointError unless arrays have these shapes and are as compiled code reads them.

    It is called once for each object; compiled code itself checks no index.
    """
    for array, shape in zip(arrays, shapes, strict=True):
        if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
            raise CheckpointError(
                f"a layer has weights of shape {array.shape} and dtype {array.dtype}; allowed: "
                f"{shape} and float32"
            )


class SoloCharacter:
    """The dynamics of :class:`controller.dynamics.character.Character` for a batch of one and a
    model that ``has_kernels``."""

    def __init__(
        self, model: MotionVAE, layout: PoseLayout, low: Tensor, high: Tensor, seconds: float
    ) -> None:
        # Numba is loaded when a character is first alone, not for training or data.
        from controller.model.fast import kernels

        self._kernels: Any = kernels
        decoder = cast(Decoder, model.decoder)
        expert_layers = (decoder.first, decoder.second, decoder.output)
        experts = [_arrays(layer.weight, layer.bias) for layer in expert_layers]
        self._weights = [array for layer in _layers(decoder.gate) + experts for array in layer]
        self._weights += [_array(low), _array(high)]
        self._statistics = _array(model.normalizer.mean), _array(model.normalizer.std)
        self._columns = layout.hip_height, layout.orientations.start
        self._seconds = seconds
        arrays = (*self._weights, *self._statistics)
        _require(arrays, _decoder_shapes(self._weights, model.config.controls, layout))
        self._latent_shape = (1, model.config.latent)
        self._pose_shape = (1, layout.size)
        self._body = layout.body.stop
        self._styled = bool(layout.styles)

    def step(
        self, latent: Tensor, pose: Tensor, position: Tensor, yaw: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The next pose (1, D), position (1, 2) and yaw (1,)."""
        arrays = _array(latent), _array(pose), _array(position), _array(yaw)
        self._check_state(arrays[1:], pose, position, yaw)
        if arrays[0].shape != self._latent_shape or not self._kernels.is_finite(arrays[0]):
            checks.check_rows("latent", latent, 1, self._latent_shape[1], torch.float32)
        following, moved, turned = self._kernels.step(
            *self._weights, *self._statistics, self._seconds, *self._inputs(*arrays)
        )
        if self._styled:
            following = np.concatenate((following, arrays[1][:, self._body :]), axis=1)
        return torch.from_numpy(following), torch.from_numpy(moved), torch.from_numpy(turned)

    def joints(self, pose: Tensor, position: Tensor, yaw: Tensor) -> tuple[Tensor, Tensor]:
        """World root position (1, 3) and joint rotations (1, J, 3, 3)."""
        arrays = _array(pose), _array(position), _array(yaw)
        self._check_state(arrays, pose, position, yaw)
        arrays = (arrays[0][:, : self._body], *arrays[1:]) if self._styled else arrays
        root, rotations = self._kernels.joints(*self._statistics, *self._columns, *arrays)
        return torch.from_numpy(root), torch.from_numpy(rotations)

    def _inputs(self, latent: Any, pose: Any, position: Any, yaw: Any) -> tuple[Any, ...]:
        """What the compiled step takes: the weights of styles follow z, as in
        :meth:`controller.model.mixture.MotionVAE.inputs`."""
        if self._styled:
            latent = np.concatenate((latent, pose[:, self._body :]), axis=1)
            pose = pose[:, : self._body]
        return latent, pose, position, yaw

    def _check_state(self, arrays: tuple[Any, ...], *state: Tensor) -> None:
        """Raise ActionError unless the arrays of a state have the shapes that the compiled code
        expects."""
        pose, position, yaw = arrays
        if pose.shape != self._pose_shape or position.shape != (1, 2) or yaw.shape != (1,):
            checks.check_state(self._pose_shape[1], *state)


class SoloActor:
    """:class:`controller.control.policy.Actor` for a batch of one."""

    def __init__(self, actor: nn.Module, limit: float) -> None:
        from controller.model.fast import kernels

        self._kernels: Any = kernels
        self._layers = tuple(_layers(actor))
        self._limit = limit
        width = self._layers[0][0].shape[1]
        self._shape = (1, width)
        for weight, bias in self._layers:
            _require((weight, bias), ((len(bias), width), (len(bias),)))
            width = len(bias)

    def __call__(self, observation: Tensor) -> Tensor:
        """(1, latent) for an observation (1, O); ActionError if its shape is wrong or it is not
        finite."""
        array = _array(observation)
        if array.shape != self._shape or not self._kernels.is_finite(array):
            checks.check_rows("observation", observation, 1, self._shape[1], torch.float32)
        return torch.from_numpy(self._kernels.act(self._layers, self._limit, array))


def see_wish(velocity: Tensor, facing: Tensor, yaw: Tensor) -> Tensor:
    """:func:`controller.tasks.tracking.observe_wish` for a batch of one. Raises ActionError if a
    shape is wrong."""
    from controller.model.fast import kernels

    observe: Any = kernels.see_wish
    if velocity.shape != (1, 2) or facing.shape != (1,) or yaw.shape != (1,):
        shapes = ", ".join(str(tuple(part.shape)) for part in (velocity, facing, yaw))
        raise ActionError(f"the wish has shapes {shapes}; allowed: (1, 2), (1,), (1,)")
    return torch.from_numpy(observe(_array(velocity), _array(facing), _array(yaw)))
