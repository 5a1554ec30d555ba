"""Everything measured: each task, whoever acts in it, and the captured motion, over several
seeds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller.control import shipped
from controller.control.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.control.policy import Policy
from controller.core.errors import CheckpointError, require
from controller.core.registry import load_plugins
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.dynamics.rollout import Rollout
from controller.evaluation import frechet
from controller.evaluation.diagnosis import diagnose
from controller.evaluation.diagnostics import bone_length_error
from controller.evaluation.extractor import Extractor
from controller.evaluation.figures import (
    PERCENTILES,
    Control,
    acting,
    captured_figures,
    measure,
    nearest_pose_cm,
    world_joints,
)
from controller.evaluation.frechet import Gaussian
from controller.evaluation.results.bootstrap import LEVEL, Estimate, estimate
from controller.evaluation.results.diversity import diversity_figures
from controller.evaluation.results.symmetry import judged_figure, symmetry_figures
from controller.motion import metrics
from controller.motion.pose import FPS, root_trajectory
from controller.tasks import TASKS
from controller.tasks.base import Task
from controller.tasks.simulation import Simulation

MONTE_CARLO = "monte_carlo"
RANDOM = "random"
"""Who acts without a policy: the best of many tries, and chance."""
NEAREST_SAMPLE = 500
"""Poses of each run whose nearest captured pose is looked for."""


@dataclass(frozen=True)
class SuiteConfig:
    """How much is measured. By default so much that it takes some minutes on one core."""

    seeds: int = 10
    """Runs of each row, with seeds of their own: each gives one value of each figure."""
    characters: int = 10
    """Characters of a run."""
    crowd: int = 100
    """Characters of a crowd, which is run half as often."""
    seconds: float = 20.0
    """Seconds of each recording; trials may take longer."""
    tries_seeds: int = 4
    """Runs under Monte Carlo control, which costs more than all else."""
    tries_characters: int = 1
    """Characters of each of them."""
    tries_tasks: tuple[str, ...] = ("joystick", "target", "path")
    """Tasks at which Monte Carlo control is measured: those of the paper."""
    policies: Path = shipped.FOLDER
    """Folder of the policies, TASK.safetensors and TASK_NAME.safetensors. A task without one gets
    that of the task that it extends."""

    def __post_init__(self) -> None:
        for name in ("seeds", "characters", "crowd", "tries_seeds", "tries_characters"):
            require(
                1 <= getattr(self, name) <= 1000, f"suite.{name}", getattr(self, name), "1 to 1000"
            )
        require(1 <= self.seconds <= 3600, "suite.seconds", self.seconds, "1 to 3600 s")

    @property
    def crowd_seeds(self) -> int:
        """Runs of a crowd."""
        return max(2, self.seeds // 2)

    def quick(self) -> SuiteConfig:
        """As little as shows that everything runs; no figure of it means anything."""
        return replace(
            self, seeds=2, characters=2, crowd=4, seconds=1.0, tries_seeds=1, tries_characters=1
        )


@dataclass
class Entry:
    """One who acts at a task: ``who`` it is (a policy's file without its ending, or one of the
    constants above), the simulation it acts in, its control, None for z at random; how many
    ``characters`` in how many runs, ``seeds``."""

    task: str
    who: str
    simulation: Simulation
    control: Control | None
    characters: int
    seeds: int


@dataclass
class Captured:
    """What figures beside captured motion need of it, computed once; all None or empty without
    data."""

    data: MotionDataset | None = None
    extractor: Extractor | None = None
    gaussian: Gaussian | None = None
    rates: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, data: MotionDataset | None, character: Character) -> Captured:
        """DataError if the data are of another skeleton than the character. No Fréchet distance
        without the shipped extractor, or for another skeleton than its own."""
        if data is None:
            return cls()
        data.require_skeleton(character.skeleton, "the character")
        captured = cls(data, rates=diagnose.captured_rates(data))
        extractor = Extractor.shipped()
        if extractor and extractor.layout.skeleton.to_dict() == data.layout.skeleton.to_dict():
            captured.extractor = extractor
            captured.gaussian = frechet.captured_gaussian(extractor, data)
        return captured


# -- who acts --------------------------------------------------------------------------------------


def entries(
    character: Character,
    config: SuiteConfig,
    tries: MonteCarloConfig,
    left_out: list[dict[str, str]],
) -> Iterator[Entry]:
    """Everybody to be measured at every registered task. Who cannot be is written to ``left_out``,
    with the reason."""
    for kind in TASKS.values():
        size = (config.characters, config.seeds)
        if kind.multi_agent:
            size = (config.crowd, config.crowd_seeds)
        if not kind.goal_size:
            yield Entry(kind.name, RANDOM, Simulation(character, kind(character)), None, *size)
            continue
        try:
            paths = policies(kind, config.policies)
        except CheckpointError:
            left_out.append({"task": kind.name, "who": "policy", "why": "there is none for it"})
            paths = []
        for path in paths:
            policy, simulation = Policy.load_at_task(path, character, kind)
            yield Entry(kind.name, path.stem, simulation, policy, *size)
        if kind.name in config.tries_tasks:
            simulation = Simulation(character, kind(character))
            control = MonteCarlo(simulation, tries)
            yield Entry(
                kind.name,
                MONTE_CARLO,
                simulation,
                control,
                config.tries_characters,
                config.tries_seeds,
            )


def policies(kind: type[Task[Any, Any]], folder: Path) -> list[Path]:
    """All policies for a task, or the best one for the task that it extends."""
    return shipped.own_policies(kind.name, folder) or shipped.policy_paths(kind.name, folder)[:1]


# -- measuring -------------------------------------------------------------------------------------


def run_seed(
    entry: Entry, config: SuiteConfig, seed: int, data: MotionDataset | None
) -> tuple[dict[str, float], Rollout]:
    """All figures of one run that mean something of a run alone, and its recording."""
    simulation = entry.simulation
    control = entry.control
    figure = judged_figure(entry.task)
    figures, run = measure(simulation, control, entry.characters, config.seconds, seed)
    if data is not None:
        normalizer = simulation.character.model.normalizer
        figures["nearest_pose_cm_median"] = nearest_pose_cm(
            data, normalizer, run.pose, NEAREST_SAMPLE
        )
    if control is None:
        figures |= diversity_figures(simulation.character, data, seed)
    elif not isinstance(control, MonteCarlo) and figure is not None:
        act = acting(simulation, control)
        judged = figures[figure]
        figures |= symmetry_figures(simulation, act, entry.characters, config.seconds, seed, judged)
    return figures, run


def pooled_figures(entry: Entry, runs: list[Rollout], captured: Captured) -> dict[str, float]:
    """Figures of all runs together, which have no interval: distances between distributions are the
    larger the less motion there is, so that those of single runs would be of something else. The
    Fréchet distance of z at random is of rollouts that have been by themselves for a minute, as the
    diagnosis has it."""
    if captured.data is None:
        return {}
    character = entry.simulation.character
    poses = torch.cat([character.model.normalizer.denormalize(run.pose) for run in runs], dim=1)
    root = poses[..., captured.data.layout.root_velocity].flatten(0, -2)
    figures = diagnose.agreement(captured.rates, diagnose.rates(root))
    if captured.extractor and captured.gaussian and len(poses) >= captured.extractor.config.window:
        poses = diagnose.settled_poses(character) if entry.control is None else poses
        ours = frechet.rollouts_gaussian(captured.extractor, captured.data.layout, poses)
        figures["frechet_distance"] = frechet.distance(captured.gaussian, ours)
    return figures


def row(entry: Entry, config: SuiteConfig, seed: int, captured: Captured) -> dict[str, Any]:
    """Who acted where, and an :class:`Estimate` of every figure, as JSON."""
    results = [
        run_seed(entry, config, seed + number, captured.data) for number in range(entry.seeds)
    ]
    figures = {
        name: estimate([figures.get(name) for figures, _ in results]) for name in results[0][0]
    }
    judged = judged_figure(entry.task)
    if judged is not None and "left_right_ratio" in figures:
        figures["left_right_ratio"] = overall_ratio([figures for figures, _ in results], judged)
    pooled = pooled_figures(entry, [run for _, run in results], captured)
    figures |= {
        name: Estimate(value, None, None, 1)
        for name, value in pooled.items()
        if math.isfinite(value)
    }
    header = entry.control.header if isinstance(entry.control, Policy) else {}
    return {
        "task": entry.task,
        "who": entry.who,
        "trained_for": header.get("task"),
        "trainer": header.get("training", {}).get("algorithm"),
        "characters": entry.characters,
        "seeds": entry.seeds,
        "figures": {name: value.plain() for name, value in figures.items()},
    }


def overall_ratio(figures: list[dict[str, float]], judged: str) -> Estimate:
    """The mean of a figure over its mean in the mirror. The interval is that of the mean of what it
    is more than in the mirror, a difference within a seed, which no seed's own difficulty enters,
    over the same mean."""
    pairs = [
        (f[judged], f["mirrored"])
        for f in figures
        if math.isfinite(f["mirrored"]) and math.isfinite(f[judged])
    ]
    more = estimate([one - other for one, other in pairs])
    base = estimate([other for _, other in pairs])
    if more.mean is None or not base.mean:
        return Estimate(None, None, None, 0)
    low, high = (None if end is None else 1 + end / base.mean for end in (more.low, more.high))
    return Estimate(1 + more.mean / base.mean, low, high, len(pairs))


def captured_row(character: Character, captured: Captured) -> dict[str, Any]:
    """The captured motion's own figures: all of it with data, else what the motion VAE's file tells
    of it.

    ``nearest_pose_cm_median`` and ``frechet_distance`` are of clips that were held out from the
    training clips.
    """
    data = captured.data
    if data is None:
        return dict(character.header.get("captured") or {})
    figures: dict[str, Any] = captured_figures(data)
    jerks = []
    for clip in data.clips:
        poses = data.poses[clip.rows]
        joints = world_joints(data.layout, poses, *root_trajectory(poses))
        jerks.append(metrics.jerk(joints, FPS).mean(dim=-1))
    held_out = data.split(held_out=True)[0]
    normalizer = character.model.normalizer
    figures |= {
        "jerk_m_s3": float(torch.cat(jerks).mean()),
        "bone_length_error_mm": bone_length_error(data.layout, data.poses),
        "nearest_pose_cm_median": nearest_pose_cm(data, normalizer, normalizer.normalize(held_out)),
    }
    speed, turns = (metrics.quantiles(value, PERCENTILES) for value in captured.rates.values())
    for name, values in (("forward_m_s", speed), ("turn_deg_s", turns)):
        figures |= {
            f"{name}_p{number}": value for number, value in zip((5, 50, 95), values, strict=True)
        }
    if captured.extractor:
        figures["frechet_distance"] = frechet.floor(captured.extractor, data)
    return figures


def measure_all(
    character: Character,
    config: SuiteConfig,
    tries: MonteCarloConfig,
    seed: int = 1,
    data: MotionDataset | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Everything, as one JSON-able dictionary: ``settings``, ``data``, ``captured``, ``rows`` and
    ``left_out``.

    ``tell`` is given a line after each row. Raises CheckpointError about a policy that is of
    another motion VAE or not whole, DataError about data of another skeleton.
    """
    load_plugins()
    captured = Captured.of(data, character)
    left_out: list[dict[str, str]] = []
    rows = []
    began = time.monotonic()
    for entry in entries(character, config, tries, left_out):
        rows.append(row(entry, config, seed, captured))
        tell(f"{time.monotonic() - began:4.0f} s  {entry.task}: {entry.who}")
    settings = asdict(config) | {"crowd_seeds": config.crowd_seeds, "seed": seed, "level": LEVEL}
    del settings["policies"]  # a path, which is nobody's business
    return {
        "settings": settings | {"monte_carlo": asdict(tries)},
        "data": data
        and {
            "source": data.source,
            "minutes": len(data.poses) / FPS / 60,
            "clips": len(data.clips),
        },
        "captured": captured_row(character, captured),
        "rows": rows,
        "left_out": left_out,
        "seconds_taken": time.monotonic() - began,
    }
