"""An optimizer's state as named tensors, for checkpoints without pickles."""

from __future__ import annotations

import torch
from torch import Tensor


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
    """Restore what :func:`optimizer_tensors` returned. Learning rates and other settings stay."""
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{prefix}."):
            index, key = name[len(prefix) + 1 :].split(".")
            states.setdefault(int(index), {})[key] = value

    settings = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": settings})
