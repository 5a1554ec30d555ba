"""The machine that is measured."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch


def processor() -> str:
    """The processor's name, as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def description(device: torch.device) -> dict[str, Any]:
    """The machine, its device and threads, and the versions of the libraries that compute."""
    return {
        "machine": processor(),
        "cores": cores(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "numba": numba.__version__,
        },
    }
