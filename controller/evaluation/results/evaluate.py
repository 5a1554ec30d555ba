"""Measure a character: ``python -m controller evaluate --task joystick
--characters 64 --seconds 20 --json``, or everything: ``python -m
controller evaluate --all --data data/motion.npz --out results/``."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from controller.control import shipped
from controller.control.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.control.policy import Policy
from controller.core.errors import ConfigError, require
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation.figures import Control, evaluate
from controller.evaluation.results import suite, write
from controller.evaluation.results.suite import SuiteConfig
from controller.tasks import task_type
from controller.tasks.simulation import Simulation


@dataclass(frozen=True)
class Options:
    """What to measure. `controller/evaluation/figures.py` defines every figure."""

    task: str = "joystick"
    """The task, by its name in `controller.tasks`, or MODULE:NAME for one that the module
    registers. random: free-running rollouts with z drawn at random and no policy. With --all,
    MODULE:NAME joins the others."""
    characters: int = 64
    """Characters measured at once."""
    seconds: float = 20.0
    """Seconds of each recording."""
    seed: int = 1
    """Seed of starting poses and goals; with --all, the first of several."""
    json: bool = False
    """Print one JSON object in place of a table."""
    mvae: Path = shipped.MVAE
    """The motion VAE."""
    policy: Path | None = None
    """The policy; the shipped one of the task, or else of the task that it extends, unless given. A
    joystick policy does most tasks, untrained for them."""
    control: Literal["policy", "monte_carlo"] = "policy"
    """Who acts. monte_carlo: nothing trained; the best of many tries, a few frames deep; slow."""
    monte_carlo: MonteCarloConfig = field(default_factory=MonteCarloConfig)
    """Settings of Monte Carlo control."""
    data: Path | None = None
    """Captured motion, for the distance to the nearest captured pose and the captured motion's own
    figures."""
    threads: int = 1
    """Threads of torch."""
    all: bool = False
    """Every task, by all shipped policies and by Monte Carlo control, and the captured motion, with
    intervals."""
    out: Path | None = None
    """With --all: the folder for results.json, results.md and pictures."""
    quick: bool = False
    """With --all: so little that it only shows that everything runs."""
    suite: SuiteConfig = field(default_factory=SuiteConfig)
    """With --all: how much is measured; its own numbers of characters and seconds."""
    write: Path | None = None
    """With --all: the page whose block <!-- results --> gets the tables, with the pictures beside
    it."""
    readme: Path | None = None
    """With --all: the page whose block <!-- tasks --> gets a line a task."""

    def __post_init__(self) -> None:
        require(1 <= self.characters <= 100_000, "characters", self.characters, "1 to 100000")
        require(1 <= self.seconds <= 3600, "seconds", self.seconds, "1 to 3600 s")
        require(self.threads >= 1, "threads", self.threads, "1 or more")

    def check(self) -> None:
        """Raise :class:`ConfigError` about options that do not go together. Not done on
        construction: there tyro would say it in a box of many lines."""
        for name in ("out", "quick", "write", "readme"):
            if getattr(self, name) and not self.all:
                raise ConfigError(f"--{name} is for --all alone")
        if self.all and self.out is None:
            raise ConfigError("--all needs --out, the folder for its files")
        if self.all and (self.policy or self.control != "policy"):
            raise ConfigError(
                "--all measures all policies of --suite.policies, and Monte Carlo control beside "
                "them"
            )
        for name in ("write", "readme"):
            if getattr(self, name) and (self.data is None or self.quick):
                raise ConfigError(
                    f"--{name} states figures beside those of captured motion: give --data, not "
                    "--quick"
                )


def measure(options: Options) -> dict[str, Any]:
    """The figures of the options' character, policy and task."""
    kind = task_type(options.task)
    data = MotionDataset.load(options.data) if options.data else None
    character = Character.load(options.mvae)
    simulation = Simulation(character, kind(character))
    control: Control | None = None
    if options.control == "monte_carlo":
        control = MonteCarlo(simulation, options.monte_carlo)
    elif kind.goal_size:
        path = options.policy or shipped.policy_path(kind.name)
        control, simulation = Policy.load_at_task(path, character, kind)
    return evaluate(simulation, control, options.characters, options.seconds, options.seed, data)


def measure_all(options: Options) -> dict[str, Any]:
    """Every task's results, written where the options say. Progress goes to standard error."""
    assert options.out is not None
    task_type(options.task)  # which registers one of a module's
    data = MotionDataset.load(options.data) if options.data else None
    character = Character.load(options.mvae)
    config = options.suite
    tries = options.monte_carlo
    if options.quick:
        config = config.quick()
        tries = MonteCarloConfig(samples=4, horizon=2)
    results = suite.measure_all(
        character,
        config,
        tries,
        options.seed,
        data,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    write.write(results, options.out)
    if options.write:
        write.fill_page(results, options.write)
    if options.readme:
        write.fill_readme(results, options.readme)
    return results


def table(figures: dict[str, Any]) -> str:
    """The figures, one a line; nested ones indented by their group's name."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [
                f"{name}.{inner:<{34 - len(name) - 1}} {number:.4g}"
                for inner, number in value.items()
            ]
        else:
            lines.append(
                f"{name:<34} {value:.4g}" if isinstance(value, float) else f"{name:<34} {value}"
            )
    return "\n".join(lines)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    options.check()
    torch.set_num_threads(options.threads)
    if options.all:
        results = measure_all(options)
        print(json.dumps(results) if options.json else f"{options.out}")
        return
    figures = measure(options)
    print(json.dumps(figures) if options.json else table(figures))
