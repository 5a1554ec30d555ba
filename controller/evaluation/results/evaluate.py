"""Measure a character at one task, or at all tasks.

``python -m controller evaluate --task joystick --characters 64 --seconds 20 --json``

``python -m controller evaluate --all --data data/motion.npz --out results/``

``python -m controller evaluate --task joystick --judge --data data/motion.npz``
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from controller.control.folder import DEFAULT, CharacterFolder
from controller.control.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.control.policy import Policy
from controller.core import command_line, files
from controller.core.errors import ConfigError, require
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation.extractor import Extractor
from controller.evaluation.figures import Control, acting, evaluate
from controller.evaluation.judge import pairs, report
from controller.evaluation.judge.judging import Judge, check_task
from controller.evaluation.judge.settings import JudgeConfig
from controller.evaluation.results import suite, write
from controller.evaluation.results.suite import SuiteConfig
from controller.tasks import task_type
from controller.tasks.simulation import Simulation


@dataclass(frozen=True)
class Options:
    """What to measure. `controller/evaluation/figures.py` defines the figures."""

    task: str = "joystick"
    """The task: its name in `controller.tasks`, or MODULE:NAME for a task that the module
    registers. random: free rollouts with z drawn at random and no policy. With --all, a task
    MODULE:NAME is added to the others."""
    characters: int = 64
    """Characters measured at once."""
    seconds: float = 20.0
    """Seconds of each recording."""
    seed: int = 1
    """Seed of starting poses and goals; with --all, the first of several."""
    json: bool = False
    """Print one JSON object instead of a table."""
    character: str = DEFAULT
    """The character: its name, or its folder."""
    mvae: Path | None = None
    """The motion VAE; by default the character's."""
    policy: Path | None = None
    """The policy; by default the character's best one for the task, or else for the task that it
    extends. A joystick policy can do most tasks without training for them."""
    control: Literal["policy", "monte_carlo"] = "policy"
    """What controls the characters. monte_carlo needs no training: it takes the best of many tries,
    a few frames deep. It is slow."""
    monte_carlo: MonteCarloConfig = field(default_factory=MonteCarloConfig)
    """Settings of Monte Carlo control."""
    data: Path | None = None
    """Captured motion, for its own figures and for the distance to the nearest captured pose."""
    threads: int = 1
    """Threads of torch."""
    all: bool = False
    """Measure every task, with all policies of the character and with Monte Carlo control, and the
    captured motion, with intervals."""
    out: Path | None = None
    """With --all: the folder for results.json, results.md and pictures."""
    quick: bool = False
    """With --all: measure very little, only to show that everything runs."""
    judge: bool = False
    """Judge how natural a joystick policy moves: whether a small network can tell its motion along
    captured clips from the captured motion."""
    pairs: Path | None = None
    """Draw captured and generated motion along the same clips, side by side, into this folder.
    key.json there says which is which."""
    judging: JudgeConfig = field(default_factory=JudgeConfig)
    """With --judge or --pairs: how much is judged, and how."""
    suite: SuiteConfig = field(default_factory=SuiteConfig)
    """With --all: how much to measure, with numbers of characters and seconds of its own."""
    write: Path | None = None
    """With --all: the page whose block <!-- results --> gets the tables. The pictures are written
    beside it. With --judge: the page whose block <!-- judge --> gets the tables."""
    readme: Path | None = None
    """With --all: the page whose block <!-- tasks --> gets a line for each task."""

    def __post_init__(self) -> None:
        require(1 <= self.characters <= 100_000, "characters", self.characters, "1 to 100000")
        require(1 <= self.seconds <= 3600, "seconds", self.seconds, "1 to 3600 s")
        require(self.threads >= 1, "threads", self.threads, "1 or more")

    def check(self) -> None:
        """Raise :class:`ConfigError` about options that contradict each other. This is not done on
        construction because tyro would print such an error as a box of many lines."""
        for name in ("out", "quick", "write", "readme"):
            if getattr(self, name) and not self.all and not (self.judge and name == "write"):
                raise ConfigError(f"--{name} needs --all")
        for name in ("judge", "pairs"):
            if getattr(self, name) and (self.all or self.control != "policy" or not self.data):
                raise ConfigError(
                    f"--{name} needs --data, for the captured clips, and a policy, and cannot go "
                    "with --all"
                )
        if self.all and self.out is None:
            raise ConfigError("--all needs --out, the folder for its files")
        if self.all and (self.policy or self.control != "policy"):
            raise ConfigError(
                "--all measures all policies in --suite.policies and Monte Carlo control; leave "
                "--policy and --control out"
            )
        for name in ("write", "readme"):
            if getattr(self, name) and (self.data is None or self.quick):
                raise ConfigError(
                    f"--{name} needs --data, for the figures of captured motion, and cannot go "
                    "with --quick"
                )


def measure(options: Options) -> dict[str, Any]:
    """The figures of the options' character, policy and task."""
    kind = task_type(options.task)
    data = MotionDataset.load(options.data) if options.data else None
    folder = CharacterFolder.open(options.character)
    character = Character.load(options.mvae or folder.mvae)
    simulation = Simulation(character, kind(character))
    control: Control | None = None
    if options.control == "monte_carlo":
        control = MonteCarlo(simulation, options.monte_carlo)
    elif kind.goal_size:
        path = options.policy or folder.policy(kind.name)
        control, simulation = Policy.load_at_task(path, character, kind)
    return evaluate(simulation, control, options.characters, options.seconds, options.seed, data)


def judge(options: Options) -> dict[str, Any]:
    """The judgement of the options' policy, if it is asked for, and the key of the pairs."""
    assert options.data is not None
    kind = task_type(options.task)
    check_task(kind)
    if options.pairs:
        pairs.check_folder(options.pairs)
    if options.write:
        files.split_block(options.write, report.BLOCK)
    folder = CharacterFolder.open(options.character)
    character = Character.load(options.mvae or folder.mvae)
    path = options.policy or folder.policy(kind.name)
    policy, simulation = Policy.load_at_task(path, character, kind)
    data = MotionDataset.load(options.data)
    bench = Judge(character, data, options.judging, options.seed)
    act = acting(simulation, policy)
    results: dict[str, Any] = {}
    if options.judge:
        results = {"task": kind.name, "policy": str(path), **bench.judge(act)}
    if options.pairs:
        results["pairs"] = pairs.draw_pairs(bench, act, options.pairs)
    if options.write:
        report.fill_page(results, options.write)
    return results


def measure_all(options: Options) -> dict[str, Any]:
    """Measure every task and write the results where the options say. Progress goes to standard
    error."""
    assert options.out is not None
    task_type(options.task)  # registers a task MODULE:NAME
    pages = {options.write: write.NAME, options.readme: write.README_BLOCK}
    write.check(options.out, {page: name for page, name in pages.items() if page is not None})
    data = MotionDataset.load(options.data) if options.data else None
    folder = CharacterFolder.open(options.character)
    character = Character.load(options.mvae or folder.mvae)
    config = replace(options.suite, policies=options.suite.policies or folder.path)
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
        Extractor.of(folder),
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    write.write(results, options.out)
    if options.write:
        write.fill_page(results, options.write)
    if options.readme:
        write.fill_readme(results, options.readme)
    return results


def table(figures: dict[str, Any]) -> str:
    """The figures, one a line; those of a group begin with the group's name and a dot."""
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": number for inner, number in value.items()}
        else:
            flat[name] = value
    return "\n".join(f"{name:<34} {_short(value)}" for name, value in flat.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    options.check()
    torch.set_num_threads(options.threads)
    if options.all:
        assert options.out is not None
        with files.own_folder(options.out):
            results = measure_all(options)
        print(json.dumps(results) if options.json else f"{options.out}")
        return
    if options.judge or options.pairs:
        results = judge(options)
        said = report.text(results) if options.judge else f"{options.pairs}"
        print(json.dumps(results, allow_nan=False) if options.json else said)
        return
    figures = measure(options)
    print(json.dumps(figures) if options.json else table(figures))
