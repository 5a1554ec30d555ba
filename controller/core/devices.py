"""Where torch computes."""

from __future__ import annotations

import torch

from controller.core.errors import require


def find(name: str | torch.device) -> torch.device:
    """The device of that name, "cpu", "cuda" or "cuda:N"; ConfigError if this machine has none
    such."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cpu", *(["cuda"] if count else []), *(f"cuda:{index}" for index in range(count))]
    require(str(name) in there, "device", str(name), ", ".join(there))
    return torch.device(name)
