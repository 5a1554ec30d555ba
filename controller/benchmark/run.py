"""Time everything on this machine: ``python -m controller benchmark --json``.

``docs/performance.md`` explains every figure.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from controller.benchmark import machine, programs, report, steps, training
from controller.benchmark.limits import Limits, Work
from controller.benchmark.options import Options as CommonOptions
from controller.benchmark.plan import FULL, QUICK, Plan
from controller.control.folder import CharacterFolder
from controller.control.policy import Policy
from controller.core import command_line, devices, files
from controller.dynamics.character import Character
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation


@dataclass(frozen=True)
class Options(CommonOptions):
    """What to measure. `docs/performance.md` explains every figure."""

    write: Path | None = None
    """Also put the tables between the marks <!-- figures --> and <!-- end figures --> of this
    Markdown file."""

    @property
    def plan(self) -> Plan:
        """How much is measured."""
        return QUICK if self.quick else FULL

    def check(self) -> None:
        super().check()
        if self.write:
            files.split_block(self.write, "figures")


def figures(options: Options) -> dict[str, Any]:
    """All figures, by their keys; None for what this machine cannot do."""
    start = time.perf_counter()
    keys = own_figures(options)
    keys |= other_figures(options)
    return keys | {"seconds_taken": time.perf_counter() - start}


def own_figures(options: Options) -> dict[str, Any]:
    """What is measured in this process: the machine, the steps and the motion VAE's training."""
    plan = options.plan
    device = devices.find(options.device)
    torch.set_num_threads(options.threads)
    folder = CharacterFolder.open(options.character)
    character = Character.load(folder.mvae, device)
    simulation = Simulation(character, JoystickTask(character))
    policy = Policy.load(folder.policy("joystick"), character, "joystick")
    weight_bytes = Work.of(character.model.decoder, policy.actor).weight_bytes

    # The limits are measured before and after the steps: another program may disturb one of them.
    limits = Limits.measure(weight_bytes, device, plan.seconds, plan.square)
    timings = steps.timings(simulation, policy, plan)
    limits = limits.best(Limits.measure(weight_bytes, device, plan.seconds, plan.square))

    keys = machine.description(device) | vars(limits)
    keys |= {"weight_bytes": weight_bytes, "quick": options.quick}
    keys |= steps.figures(timings, limits, simulation, policy)
    keys |= steps.crowd(simulation, policy, machine.cores(), 2 * plan.seconds, plan.samples)
    return keys | training.figures(character, 2 * plan.seconds, plan.samples)


def other_figures(options: Options) -> dict[str, Any]:
    """What is measured in other processes: environments, memory, viewer, and the start of
    ``play.py``."""
    plan = options.plan
    words = ["--threads", str(options.threads), "--device", options.device]
    if options.quick:
        words.append("--quick")

    character = ["--character", options.folder]
    keys = programs.ENVIRONMENTS.figures(*words, *character)
    keys |= programs.MEMORY.figures("--steps", str(plan.memory_steps), *character)
    keys |= programs.VIEWER.figures("--frames", str(plan.frames), *character)
    return keys | {"cold_start_s": programs.cold_start_s(plan.starts, *character)}


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    options.check()
    keys = figures(options)
    if options.write:
        files.fill(options.write, "figures", report.tables(keys))
    print(json.dumps(keys, allow_nan=False) if options.json else report.tables(keys))
