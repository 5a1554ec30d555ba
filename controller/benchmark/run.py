"""Time everything on this machine: ``python -m controller benchmark --json``. See
``docs/performance.md``."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from controller.benchmark import machine, options, programs, report, steps, training
from controller.benchmark.limits import Limits, Work
from controller.control import shipped
from controller.control.policy import Policy
from controller.core import devices, files
from controller.dynamics.character import Character
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation


@dataclass(frozen=True)
class Options(options.Options):
    """What to measure, with the shipped weights. `docs/performance.md` explains every figure."""

    write: Path | None = None
    """Also put the tables between the marks <!-- figures --> and <!-- end figures --> of this
    Markdown file."""

    def check(self) -> None:
        super().check()
        if self.write:
            files.split_block(self.write, "figures")


def measured(given: Options) -> dict[str, Any]:
    """All figures, by their keys; None for what this machine cannot do."""
    began = time.perf_counter()
    plan = steps.QUICK if given.quick else steps.FULL
    device = devices.find(given.device)
    torch.set_num_threads(given.threads)
    character = Character.load(shipped.MVAE, device)
    simulation = Simulation(character, JoystickTask(character))
    policy = Policy.load(shipped.policy_path("joystick"), character, "joystick")
    weights = Work.of(character.model.decoder, policy.actor).weight_bytes
    limits = Limits.measured(weights, device, plan.seconds)
    found = steps.timings(simulation, policy, plan)
    limits = limits.best(Limits.measured(weights, device, plan.seconds))
    figures = (
        machine.described(device) | vars(limits) | {"weight_bytes": weights, "quick": given.quick}
    )
    figures |= steps.figures(found, limits, simulation, policy)
    figures |= steps.crowd(simulation, policy, machine.cores(), 2 * plan.seconds)
    figures |= training.figures(character, 2 * plan.seconds)
    words = ("--threads", str(given.threads), "--device", given.device)
    figures |= programs.environment_figures(*words, *(("--quick",) if given.quick else ()))
    figures |= programs.process_figures(given.quick)
    return figures | {"seconds_taken": time.perf_counter() - began}


def main() -> None:
    given = tyro.cli(Options, description=__doc__)
    given.check()
    figures = measured(given)
    if given.write:
        files.fill(given.write, "figures", report.tables(figures))
    print(json.dumps(figures, allow_nan=False) if given.json else report.tables(figures))
