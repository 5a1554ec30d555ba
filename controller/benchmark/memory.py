"""Memory that one character needs: ``python -m controller.benchmark.memory`` prints it as JSON.

A program of its own, so that nothing else that is measured counts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from controller.benchmark.steps import Control
from controller.control import shipped
from controller.control.policy import Policy
from controller.core.errors import ControllerError
from controller.dynamics.character import Character
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation

BEFORE = 2000
"""Steps after which all that is made once is there."""
KEYS = ("memory_mb", "memory_resident_mb", "growth_kb", "growth_steps", "growth_kb_per_1000_steps")


@dataclass(frozen=True)
class Options:
    """How long to look."""

    steps: int = 20_000
    """Steps of the character, of which the first 2,000 do not count as growth."""

    def check(self) -> None:
        if self.steps <= BEFORE:
            raise ControllerError(f"--steps is {self.steps}; allowed: more than {BEFORE}")


def kilobytes(file: str, field: str) -> int:
    """A field of a table of this process that Linux keeps; ControllerError on a system that keeps
    none."""
    path = Path("/proc/self") / file
    found = (
        re.search(rf"^{field}:\s*(\d+) kB", path.read_text(), re.MULTILINE)
        if path.is_file()
        else None
    )
    if found is None:
        raise ControllerError(f"{path}: no {field} there: memory can only be measured on Linux")
    return int(found[1])


def resident() -> int:
    """kB in memory now, counted page by page: the kernel's running count is late by hundreds of
    kB."""
    return kilobytes("smaps_rollup", "Rss")


@torch.inference_mode()
def measured(steps: int) -> dict[str, Any]:
    """``KEYS``: MB at most and after all, and how many kB were added after the first ``BEFORE``
    steps."""
    character = Character.load(shipped.MVAE)
    simulation = Simulation(character, JoystickTask(character))
    control = Control(
        simulation, Policy.load(shipped.policy_path("joystick"), character, "joystick"), 1
    )
    for _ in range(BEFORE):
        control()
    before = resident()
    counted = steps - BEFORE
    for _ in range(counted):
        control()
    after = resident()
    growth = after - before
    peak = kilobytes("status", "VmHWM")
    return dict(
        zip(
            KEYS, (peak / 1024, after / 1024, growth, counted, 1000 * growth / counted), strict=True
        )
    )


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    options.check()
    torch.set_num_threads(1)
    print(json.dumps(measured(options.steps)))
