"""The compiled path for one character alone: what a game runs. :mod:`controller.kernels` has the arithmetic; here is
decided when it may be used, and tensors become the arrays of numbers that share their memory."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from controller.features import PoseLayout
from controller.mvae.model import Decoder, MotionVAE


def fits(*tensors: Tensor, cuda: bool = False) -> bool:
    """Whether each of these is one float32 row, on the CPU or else on a graphics card, and none wants a gradient."""
    graph = torch.is_grad_enabled()
    for tensor in tensors:
        there = tensor.is_cuda if cuda else tensor.is_cpu
        if not there or tensor.shape[0] != 1 or tensor.dtype != torch.float32 or (graph and tensor.requires_grad):
            return False
    return True


def _array(tensor: Tensor) -> Any:
    """The numbers of a tensor that wants no gradient, in its own memory if they lie there in a row."""
    return (tensor if tensor.is_contiguous() else tensor.contiguous()).numpy()


def _numbers(weight: Tensor, bias: Tensor) -> tuple[Any, Any]:
    return _array(weight.detach()), _array(bias.detach())


def _layers(network: nn.Module) -> list[tuple[Any, Any]]:
    """(weight, bias) of the network's linear layers, in their order."""
    return [_numbers(m.weight, m.bias) for m in network.modules() if isinstance(m, nn.Linear)]


class SoloCharacter:
    """The dynamics of :class:`controller.character.Character` for a batch of one, of a model that ``has_kernels``."""

    def __init__(self, model: MotionVAE, layout: PoseLayout, low: Tensor, high: Tensor, seconds: float) -> None:
        from controller import kernels  # Numba is loaded when a character is first alone, not for training or data

        self._kernels: Any = kernels
        decoder = cast(Decoder, model.decoder)
        experts = [_numbers(e.weight, e.bias) for e in (decoder.first, decoder.second, decoder.output)]
        self._weights = [array for layer in _layers(decoder.gate) + experts for array in layer]
        self._weights += [_array(low), _array(high)]
        self._statistics = _array(model.normalizer.mean), _array(model.normalizer.std)
        self._columns = layout.hip_height, layout.orientations.start
        self._seconds = seconds

    def step(self, latent: Tensor, pose: Tensor, position: Tensor, yaw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The next pose (1, D), position (1, 2) and yaw (1,)."""
        arrays = _array(latent), _array(pose), _array(position), _array(yaw)
        following, place, facing = self._kernels.step(*self._weights, *self._statistics, self._seconds, *arrays)
        return torch.from_numpy(following), torch.from_numpy(place), torch.from_numpy(facing)

    def joints(self, pose: Tensor, position: Tensor, yaw: Tensor) -> tuple[Tensor, Tensor]:
        """World root position (1, 3) and joint rotations (1, J, 3, 3)."""
        root, rotations = self._kernels.joints(
            *self._statistics, *self._columns, _array(pose), _array(position), _array(yaw)
        )
        return torch.from_numpy(root), torch.from_numpy(rotations)


class SoloActor:
    """:class:`controller.policy.Actor` for a batch of one."""

    def __init__(self, actor: nn.Module, limit: float) -> None:
        from controller import kernels

        self._kernels: Any = kernels
        self._layers = tuple(_layers(actor))
        self._limit = limit

    def __call__(self, observation: Tensor) -> Tensor:
        return torch.from_numpy(self._kernels.act(self._layers, self._limit, _array(observation)))


def see_wish(velocity: Tensor, facing: Tensor, yaw: Tensor) -> Tensor:
    """What :func:`controller.tasks.tracking.see_wish` shows of one wish."""
    from controller import kernels

    seen: Any = kernels.see_wish
    return torch.from_numpy(seen(_array(velocity), _array(facing), _array(yaw)))
