"""An optimizer's state as named tensors, for checkpoints without pickles."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.core.errors import CheckpointError
from controller.core.headers import shown

STEP = "step"
MEANS = ("exp_avg", "exp_avg_sq")
"""What Adam keeps of a parameter, beside the number of steps: running means of its gradient, and of
the gradient's square."""


def optimizer_tensors(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of each parameter as ``PREFIX.INDEX.NAME``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}.{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
    }


def load_optimizer(
    prefix: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Restore what :func:`optimizer_tensors` returned. Learning rates and other settings stay.

    Raises CheckpointError unless there is nothing, as before the first step, or for each parameter
    what Adam keeps of it: the number of steps, and two running means of the parameter's shape.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{prefix}."):
            index, _, key = name[len(prefix) + 1 :].partition(".")
            if not index.isascii() or not index.isdecimal() or len(index) > 9:
                raise CheckpointError(f"the tensor {shown(name)} belongs to no parameter")
            states.setdefault(int(index), {})[key] = value
    for number, state in states.items():
        if number >= len(parameters):
            raise CheckpointError(f"{prefix}.{number} belongs to no parameter")
        _check(f"{prefix}.{number}", state, parameters[number])

    settings = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": settings})


def _check(name: str, state: dict[str, Tensor], parameter: Tensor) -> None:
    """Raise CheckpointError unless this is what Adam keeps of a parameter."""
    if set(state) != {STEP, *MEANS}:
        raise CheckpointError(f"{name} has {shown(sorted(state))}; allowed: {STEP}, {MEANS}")
    shapes = {STEP: torch.Size(), **dict.fromkeys(MEANS, parameter.shape)}
    for key, value in state.items():
        if value.shape != shapes[key] or value.dtype != torch.float32:
            raise CheckpointError(
                f"{name}.{key} has shape {tuple(value.shape)} and dtype {value.dtype}; allowed: "
                f"{tuple(shapes[key])} and float32"
            )
        least = -math.inf if key == MEANS[0] else 0.0
        if not bool((torch.isfinite(value) & (value >= least)).all()):
            raise CheckpointError(f"{name}.{key} has values that are negative or not finite")
