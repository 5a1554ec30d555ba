"""Everything measured: each task, everyone who acts in it, and the captured motion, over several
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

from controller.control import folder
from controller.control.folder import CharacterFolder
from controller.control.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.control.policy import Policy
from controller.core.errors import CheckpointError, require
from controller.core.registry import load_plugins
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.dynamics.rollout import Rollout
from controller.evaluation import frechet
from controller.evaluation.diagnosis import free_running, rates
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
"""Acts without a policy: the best of many random tries."""
RANDOM = "random"
"""Acts without a policy: z at random."""
NEAREST_SAMPLE = 500
"""Poses of each run whose nearest captured pose is searched."""


@dataclass(frozen=True)
class SuiteConfig:
    """How much is measured. The defaults take some minutes on one core."""

    seeds: int = 10
    """Runs of each row, each with its own seed. Each run gives one value of each figure."""
    characters: int = 10
    """Characters of a run."""
    crowd: int = 100
    """Characters of a crowd, which is run half as often."""
    seconds: float = 20.0
    """Seconds of each recording; trials may take longer."""
    tries_seeds: int = 4
    """Runs under Monte Carlo control, which costs more than everything else."""
    tries_characters: int = 1
    """Characters of each of them."""
    tries_tasks: tuple[str, ...] = ("joystick", "target", "path")
    """Tasks at which Monte Carlo control is measured: those of the paper."""
    policies: Path | None = None
    """Folder of the policies, TASK.safetensors and TASK_NAME.safetensors; by default that of the
    character. A task without a policy of its own gets that of the task which it extends."""

    def __post_init__(self) -> None:
        for name in ("seeds", "characters", "crowd", "tries_seeds", "tries_characters"):
            count = getattr(self, name)
            require(1 <= count <= 1000, f"suite.{name}", count, "1 to 1000")
        require(1 <= self.seconds <= 3600, "suite.seconds", self.seconds, "1 to 3600 s")

    @property
    def crowd_seeds(self) -> int:
        """Runs of a crowd."""
        return max(2, self.seeds // 2)

    def quick(self) -> SuiteConfig:
        """As little as shows that everything runs. Its figures mean nothing."""
        return replace(
            self, seeds=2, characters=2, crowd=4, seconds=1.0, tries_seeds=1, tries_characters=1
        )


@dataclass
class Entry:
    """One who acts at a task.

    task        the task's name
    who         a policy's file without its ending, or one of the constants above
    simulation  what it acts in
    control     how it acts; None for z at random
    characters  how many characters a run has
    seeds       how many runs there are
    """

    task: str
    who: str
    simulation: Simulation[Any]
    control: Control | None
    characters: int
    seeds: int


@dataclass
class Reference:
    """What the comparison with captured motion needs, computed once. All None or empty without
    data."""

    data: MotionDataset | None = None
    extractor: Extractor | None = None
    gaussian: Gaussian | None = None
    rates: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: MotionDataset | None,
        character: Character,
        extractor: Extractor | None = None,
    ) -> Reference:
        """Prepare the comparison with ``data``. Without an extractor, or with another skeleton than
        its own, there will be no Fréchet distance.

        Raises DataError if the data have another skeleton or other styles than the character.
        """
        if data is None:
            return cls()
        data.require_layout(character.layout, "the character")
        reference = cls(data, rates=rates.captured_rates(data))
        if extractor and extractor.layout.skeleton.to_dict() == data.layout.skeleton.to_dict():
            reference.extractor = extractor
            reference.gaussian = frechet.captured_gaussian(extractor, data)
        return reference


# -- who acts --------------------------------------------------------------------------------------


def entries(
    character: Character,
    config: SuiteConfig,
    tries: MonteCarloConfig,
    left_out: list[dict[str, str]],
) -> Iterator[Entry]:
    """Yield everyone who acts at every registered task. What cannot be measured is added to
    ``left_out``, with the reason."""
    place = config.policies or CharacterFolder.open().path
    for kind in TASKS.values():
        size = (config.characters, config.seeds)
        if kind.multi_agent:
            size = (config.crowd, config.crowd_seeds)
        if not kind.goal_size:
            yield Entry(kind.name, RANDOM, Simulation(character, kind(character)), None, *size)
            continue
        try:
            paths = policies(kind, place)
        except CheckpointError:
            left_out.append({"task": kind.name, "who": "policy", "why": "there is none for it"})
            paths = []
        for path in paths:
            policy, simulation = Policy.load_at_task(path, character, kind)
            yield Entry(kind.name, path.stem, simulation, policy, *size)
        if kind.name in config.tries_tasks:
            simulation = Simulation(character, kind(character))
            control = MonteCarlo(simulation, tries)
            size = (config.tries_characters, config.tries_seeds)
            yield Entry(kind.name, MONTE_CARLO, simulation, control, *size)


def policies(kind: type[Task[Any, Any]], place: Path) -> list[Path]:
    """Return all policies in a folder for a task, or else the best one for the task that it
    extends."""
    return folder.own_policies(place, kind.name) or folder.policies(place, kind.name)[:1]


# -- measuring -------------------------------------------------------------------------------------


def run_seed(
    entry: Entry, config: SuiteConfig, seed: int, data: MotionDataset | None
) -> tuple[dict[str, float], Rollout]:
    """Return the figures that one run has by itself, and its recording."""
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


def pooled_figures(entry: Entry, runs: list[Rollout], reference: Reference) -> dict[str, float]:
    """Return the figures of all runs together, which have no interval.

    They are distances between distributions, which grow as there is less motion, so those of single
    runs would mean something else. The Fréchet distance of z at random is that of rollouts which
    have run freely for a minute, as in the diagnosis.
    """
    if reference.data is None:
        return {}
    character = entry.simulation.character
    poses = torch.cat([character.model.normalizer.denormalize(run.pose) for run in runs], dim=1)
    root = poses[..., reference.data.layout.root_velocity].flatten(0, -2)
    figures = rates.agreement(reference.rates, rates.rates(root))
    if (
        reference.extractor
        and reference.gaussian
        and len(poses) >= reference.extractor.config.window
    ):
        poses = free_running.settled_poses(character) if entry.control is None else poses
        ours = frechet.rollouts_gaussian(reference.extractor, reference.data.layout, poses)
        figures["frechet_distance"] = frechet.distance(reference.gaussian, ours)
    return figures


def row(entry: Entry, config: SuiteConfig, seed: int, reference: Reference) -> dict[str, Any]:
    """Return who acted where, and an :class:`Estimate` of every figure, JSON-able."""
    results = [
        run_seed(entry, config, seed + number, reference.data) for number in range(entry.seeds)
    ]
    figures = {
        name: estimate([figures.get(name) for figures, _ in results]) for name in results[0][0]
    }
    judged = judged_figure(entry.task)
    if judged is not None and "left_right_ratio" in figures:
        figures["left_right_ratio"] = overall_ratio([figures for figures, _ in results], judged)
    pooled = pooled_figures(entry, [run for _, run in results], reference)
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
    """Return the mean of a figure over its mean in the mirror.

    The interval comes from the differences between the two within each seed, which do not depend on
    how difficult the seed is, over the same mean.
    """
    both = [(run[judged], run["mirrored"]) for run in figures]
    pairs = [pair for pair in both if all(map(math.isfinite, pair))]
    difference = estimate([one - other for one, other in pairs])
    base = estimate([other for _, other in pairs])
    if difference.mean is None or not base.mean:
        return Estimate(None, None, None, 0)
    ends = (difference.low, difference.high)
    low, high = (None if end is None else 1 + end / base.mean for end in ends)
    return Estimate(1 + difference.mean / base.mean, low, high, len(pairs))


def captured_row(character: Character, reference: Reference) -> dict[str, Any]:
    """Return the captured motion's own figures: all of them with data, else those that the motion
    VAE's file contains.

    ``nearest_pose_cm_median`` and ``frechet_distance`` are those of the held-out clips.
    """
    data = reference.data
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
    speed, turns = (metrics.quantiles(value, PERCENTILES) for value in reference.rates.values())
    for name, values in (("forward_m_s", speed), ("turn_deg_s", turns)):
        figures |= {
            f"{name}_p{number}": value for number, value in zip((5, 50, 95), values, strict=True)
        }
    if reference.extractor:
        figures["frechet_distance"] = frechet.floor(reference.extractor, data)
    return figures


def measure_all(
    character: Character,
    config: SuiteConfig,
    tries: MonteCarloConfig,
    seed: int = 1,
    data: MotionDataset | None = None,
    extractor: Extractor | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure everything. Returns one JSON-able dictionary: ``settings``, ``data``, ``captured``,
    ``rows`` and ``left_out``.

    ``tell`` is called with a line after each row. Raises CheckpointError about a policy for another
    motion VAE or an incomplete one, and DataError about data of another skeleton.
    """
    load_plugins()
    reference = Reference.of(data, character, extractor)
    left_out: list[dict[str, str]] = []
    rows = []
    began = time.monotonic()
    for entry in entries(character, config, tries, left_out):
        rows.append(row(entry, config, seed, reference))
        tell(f"{time.monotonic() - began:4.0f} s  {entry.task}: {entry.who}")
    settings = asdict(config) | {"crowd_seeds": config.crowd_seeds, "seed": seed, "level": LEVEL}
    del settings["policies"]  # a path on this machine, which is of no interest elsewhere
    return {
        "settings": settings | {"monte_carlo": asdict(tries)},
        "data": data
        and {
            "source": data.source,
            "minutes": len(data.poses) / FPS / 60,
            "clips": len(data.clips),
        },
        "captured": captured_row(character, reference),
        "rows": rows,
        "left_out": left_out,
        "seconds_taken": time.monotonic() - began,
    }
