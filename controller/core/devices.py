"""The device that torch computes on."""

from __future__ import annotations

import torch

from controller.core.errors import require


def find(name: str | torch.device) -> torch.device:
    """The device with this name: "cpu", "cuda" or "cuda:N".

    Raises ConfigError if this machine does not have it.
    """
    names = ["cpu"]
    if torch.cuda.is_available() and torch.cuda.device_count():
        names.append("cuda")
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]

    require(str(name) in names, "device", str(name), ", ".join(names))
    return torch.device(name)
