"""Measure a character: ``python -m controller.evaluate --task joystick --characters 64 --seconds 20 --json``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from controller import assets
from controller.character import Character
from controller.dataset import MotionDataset
from controller.errors import require, run_command
from controller.evaluation import Control, evaluate
from controller.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.policy import Policy
from controller.simulation import Simulation
from controller.tasks import task_type
from controller.tasks.random_walk import RandomWalkTask


@dataclass(frozen=True)
class Options:
    """What to measure. `controller/evaluation.py` defines every figure."""

    task: str = "joystick"
    """The task, by its name in `controller.tasks`, or MODULE:NAME for one that the module registers. random:
    free-running rollouts with z drawn at random and no policy."""
    characters: int = 64
    """Characters measured at once."""
    seconds: float = 20.0
    """Seconds of each recording."""
    seed: int = 1
    """Seed of starting poses and goals."""
    json: bool = False
    """Print one JSON object in place of a table."""
    mvae: Path = assets.MVAE
    """The motion VAE."""
    policy: Path | None = None
    """The policy; the shipped one of the task unless given. A joystick policy does most tasks, untrained for them."""
    control: Literal["policy", "monte_carlo"] = "policy"
    """Who acts. monte_carlo: nothing trained; the best of many tries, a few frames deep; slow."""
    monte_carlo: MonteCarloConfig = field(default_factory=MonteCarloConfig)
    """Settings of Monte Carlo control."""
    data: Path | None = None
    """Captured motion, for the distance to the nearest captured pose and the captured motion's own figures."""
    threads: int = 1
    """Threads of torch."""

    def __post_init__(self) -> None:
        require(1 <= self.characters <= 100_000, "characters", self.characters, "1 to 100000")
        require(1 <= self.seconds <= 3600, "seconds", self.seconds, "1 to 3600 s")
        require(self.threads >= 1, "threads", self.threads, "1 or more")


def measure(options: Options) -> dict[str, Any]:
    """The figures of the options' character, policy and task."""
    torch.set_num_threads(options.threads)
    kind = task_type(options.task)
    data = MotionDataset.load(options.data) if options.data else None
    character = Character.load(options.mvae)
    simulation = Simulation(character, kind(character))
    policy: Control | None = None
    if options.control == "monte_carlo":
        policy = MonteCarlo(simulation, options.monte_carlo)
    elif kind.name != RandomWalkTask.name:
        policy = Policy.load_for(options.policy or assets.policy_path(kind.name), simulation)
    return evaluate(simulation, policy, options.characters, options.seconds, options.seed, data)


def table(figures: dict[str, Any]) -> str:
    """The figures, one a line; nested ones indented by their group's name."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [f"{name}.{inner:<{34 - len(name) - 1}} {number:.4g}" for inner, number in value.items()]
        else:
            lines.append(f"{name:<34} {value:.4g}" if isinstance(value, float) else f"{name:<34} {value}")
    return "\n".join(lines)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    figures = measure(options)
    print(json.dumps(figures) if options.json else table(figures))


if __name__ == "__main__":
    run_command(main)
