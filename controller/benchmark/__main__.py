"""Time everything on this machine: ``python -m controller.benchmark --json``. See ``docs/performance.md``."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from controller import assets, devices, files
from controller.benchmark import machine, programs, report, steps, training
from controller.benchmark.limits import Limits, Work
from controller.character import Character
from controller.errors import require, run_command
from controller.policy import Policy
from controller.simulation import Simulation
from controller.tasks.joystick import JoystickTask


@dataclass(frozen=True)
class Options:
    """What to measure, with the shipped weights. `docs/performance.md` explains every figure."""

    json: bool = False
    """Print one JSON object in place of tables."""
    quick: bool = False
    """Half a minute in place of some: fewer repeats, and no batch of 10,000."""
    threads: int = 1
    """Threads of torch. One character's step uses one, the crowd of 500 two, whatever is given here."""
    device: str = "cpu"
    """cpu or cuda: where the characters are. The viewer, memory and start of a program are the CPU's on any."""
    write: Path | None = None
    """Also put the tables between the marks <!-- figures --> and <!-- end figures --> of this Markdown file."""

    def check(self) -> None:
        """Raise :class:`ConfigError` about the first option that makes no sense, before anything is measured."""
        devices.find(self.device)
        most = machine.cores()
        require(1 <= self.threads <= most, "--threads", self.threads, f"1 to {most}, as many as there are cores")
        if self.write:
            files.marked(self.write, "figures")


def measured(options: Options) -> dict[str, Any]:
    """All figures, by their keys; None for what this machine cannot do."""
    began = time.perf_counter()
    plan, device = steps.QUICK if options.quick else steps.FULL, devices.find(options.device)
    torch.set_num_threads(options.threads)
    character = Character.load(assets.MVAE, device)
    simulation = Simulation(character, JoystickTask(character))
    policy = Policy.load(assets.policy_path("joystick"), character, "joystick")
    weights = Work.of(character.model.decoder, policy.actor).weight_bytes
    limits = Limits.measured(weights, device, plan.seconds)
    found = steps.timings(simulation, policy, plan)
    limits = limits.best(Limits.measured(weights, device, plan.seconds))
    figures = machine.described(device) | vars(limits) | {"weight_bytes": weights, "quick": options.quick}
    figures |= steps.figures(found, limits, simulation, policy)
    figures |= steps.crowd(simulation, policy, machine.cores(), 2 * plan.seconds)
    figures |= training.figures(character, 2 * plan.seconds)
    words = ("--threads", str(options.threads), "--device", options.device)
    figures |= programs.environment_figures(*words, *(("--quick",) if options.quick else ()))
    figures |= programs.process_figures(options.quick)
    return figures | {"seconds_taken": time.perf_counter() - began}


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    options.check()
    figures = measured(options)
    if options.write:
        files.fill(options.write, "figures", report.tables(figures))
    print(json.dumps(figures, allow_nan=False) if options.json else report.tables(figures))


if __name__ == "__main__":
    run_command(main)
