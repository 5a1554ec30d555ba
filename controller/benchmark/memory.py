"""The memory that a program with one character needs, as one JSON object.

``python -m controller benchmark-memory`` runs in a process of its own, so that nothing else counts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from controller.benchmark.steps import Control
from controller.control.folder import DEFAULT, CharacterFolder
from controller.control.policy import Policy
from controller.core import command_line
from controller.core.errors import ControllerError
from controller.dynamics.character import Character
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation

WARM_UP = 2000
"""Steps after which everything that is created only once exists."""
KEYS = ("memory_mb", "memory_resident_mb", "growth_kb", "growth_steps", "growth_kb_per_1000_steps")


@dataclass(frozen=True)
class Options:
    """How long to measure."""

    steps: int = 20_000
    """Steps of the character. The first 2,000 do not count as growth."""
    character: str = DEFAULT
    """The character: its name, or its folder."""

    def check(self) -> None:
        """Raise :class:`ControllerError` if there are too few steps to measure growth."""
        if self.steps <= WARM_UP:
            raise ControllerError(f"--steps is {self.steps}; allowed: more than {WARM_UP}")


def kilobytes(file: str, field: str) -> int:
    """A field of one of the tables that Linux keeps about this process, in kB.

    Raises ControllerError on a system that has no such table.
    """
    path = Path("/proc/self") / file
    text = path.read_text() if path.is_file() else ""
    match = re.search(rf"^{field}:\s*(\d+) kB", text, re.MULTILINE)
    if match is None:
        raise ControllerError(f"{path} has no {field}: memory can only be measured on Linux")
    return int(match[1])


def resident() -> int:
    """kB in memory now, counted page by page: the kernel's running count lags by hundreds of kB."""
    return kilobytes("smaps_rollup", "Rss")


@torch.inference_mode()
def figures(steps: int, name: str = DEFAULT) -> dict[str, Any]:
    """The figures named in :data:`KEYS`: the peak and the final memory in MB, and the kB added
    after the first :data:`WARM_UP` steps."""
    folder = CharacterFolder.open(name)
    character = Character.load(folder.mvae)
    simulation = Simulation(character, JoystickTask(character))
    policy = Policy.load(folder.policy("joystick"), character, "joystick")
    control = Control(simulation, policy, 1)

    for _ in range(WARM_UP):
        control()
    before = resident()

    counted = steps - WARM_UP
    for _ in range(counted):
        control()
    after = resident()

    growth = after - before
    peak = kilobytes("status", "VmHWM")
    values = (peak / 1024, after / 1024, growth, counted, 1000 * growth / counted)
    return dict(zip(KEYS, values, strict=True))


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    options.check()
    torch.set_num_threads(1)
    print(json.dumps(figures(options.steps, options.character)))
