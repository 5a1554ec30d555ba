"""What to make a character from, and the commands that make it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from controller.control.folder import INFO, CharacterInfo
from controller.core import documents
from controller.core.errors import require
from controller.evaluation.diagnosis import verdict
from controller.tasks import task_type
from controller.tasks.joystick import JoystickTask
from envs.stages import RECORD, Stage

WORK = "work"
TOLERATED = (verdict.NEARLY_COLLAPSED, verdict.EXPOSURE_BIAS)
"""Verdicts on a motion VAE that a policy can live with. The card repeats them."""
UNSTATED = "not stated: that of the motion applies"


@dataclass(frozen=True)
class Effort:
    """How much is trained, and how many minutes it takes on two cores, about.

    rollouts   rollouts of the motion VAE
    encoder    rollouts of its encoder by itself; 0: none
    extractor  steps of the feature extractor for the Fréchet distance; 0: none
    frames     frames of experience of each policy
    """

    rollouts: int
    encoder: int
    extractor: int
    frames: int
    train_minutes: float
    encoder_minutes: float
    extractor_minutes: float
    policy_minutes: float


QUICK = Effort(2_100, 600, 0, 1_200_000, 7, 1, 0, 5)
FULL = Effort(9_000, 3_000, 1_500, 3_000_000, 29, 3, 3, 10)
EPOCHS = 60
"""Epochs of both trainings of the motion VAE: :class:`controller.training.config.TrainConfig`'s."""


@dataclass(frozen=True)
class Options:
    """What to make a character from, and what to call it."""

    source: tyro.conf.Positional[tuple[Path, ...]]
    """Motion files, folders with such files at any depth, or .zip archives of them."""
    out: Path
    """The character's folder, such as characters/mine."""
    quick: bool = False
    """Train for a quarter of an hour in all: something that walks. Otherwise up to an hour."""
    task: tuple[str, ...] = ("joystick",)
    """Tasks to train policies for. A joystick policy can do most of the others, too."""
    title: str = ""
    """What the character is, in one line. By default the names of the sources."""
    licence: str = UNSTATED
    """Licence of the weights: an SPDX identifier or a short sentence."""
    attribution: str = ""
    """Whom to name, and for what."""
    non_commercial: bool = False
    """Whether the licence forbids commercial use."""
    build: Annotated[str, tyro.conf.arg(metavar="OPTIONS")] = ""
    """Options of `python -m controller data build` in quotes, such as "--up +Z --fps 60"."""
    seed: int = 1
    """Seed of everything random."""

    def check(self) -> None:
        """Raise ConfigError about the first option that makes no sense, before anything is done."""
        require(bool(self.source), "SOURCE", self.source, "one or more files or folders")
        for source in self.source:
            require(source.exists(), "SOURCE", str(source), "a file or a folder that exists")
        require(bool(self.task), "task", self.task, "one or more tasks")
        for task in self.task:
            kind = task_type(task)
            allowed = "joystick, or a task that extends it and walks by itself"
            walks = JoystickTask.name in (kind.name, kind.extends) and not kind.steered
            require(walks, "task", task, allowed)
        foreign = (self.out / INFO).exists() and not (self.out / WORK / RECORD).exists()
        require(not foreign, "out", str(self.out), "a folder that is not yet a finished character")
        require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2^31 - 1")
        self.info()

    def info(self) -> CharacterInfo:
        """What the folder's character.toml will say. Raises ConfigError about a field."""
        sources = tuple(source.resolve().name for source in self.source)
        title = self.title or f"made from {', '.join(sources)}"
        return CharacterInfo(
            name=self.out.resolve().name,
            title=title,
            licence=self.licence,
            attribution=self.attribution,
            non_commercial=self.non_commercial,
            sources=sources,
        )


@dataclass(frozen=True)
class Recipe:
    """The stages for some options."""

    options: Options

    @property
    def effort(self) -> Effort:
        """How much is trained."""
        return QUICK if self.options.quick else FULL

    @property
    def work(self) -> Path:
        """Where everything is that is not part of the character."""
        return self.options.out / WORK

    @property
    def data(self) -> Path:
        """The data set."""
        return self.work / "motion.npz"

    @property
    def mvae(self) -> Path:
        """The finished motion VAE."""
        last = "encoder" if self.effort.encoder else "mvae"
        return self.work / last / "mvae.safetensors"

    @property
    def extractor(self) -> Path | None:
        """The feature extractor; None if none is trained."""
        return self.work / "extractor.safetensors" if self.effort.extractor else None

    @property
    def diagnosed(self) -> Path:
        """What was found out about the motion VAE."""
        return self.work / "diagnosis.json"

    def policy(self, task: str) -> Path:
        """The policy for a task."""
        name = task_type(task).name
        return self.work / f"policy-{name}" / f"{name}.safetensors"

    def figures(self, task: str) -> Path:
        """What was measured of the policy for a task."""
        return self.work / f"{task_type(task).name}.json"

    def stages(self) -> Iterator[Stage]:
        """All stages, in order."""
        yield self.building()
        yield self.training()
        if self.effort.encoder:
            yield self.encoder()
        if self.effort.extractor:
            yield self.features()
        yield self.diagnosis()
        for task in self.options.task:
            yield self.steering(task)
        for task in self.options.task:
            yield self.measuring(task)

    def building(self) -> Stage:
        options = self.options
        return Stage(
            "build",
            "building the data set",
            _controller(
                "data", "build", "--source", *options.source, "--out", self.data,
                *shlex.split(options.build),
            ),
            self.data,
            0.5,
        )  # fmt: skip

    def training(self) -> Stage:
        folder = self.work / "mvae"
        return Stage(
            "train",
            "training the motion VAE",
            _controller(
                "train", "--data", self.data, "--out", folder,
                "--rollouts-per-epoch", self.effort.rollouts // EPOCHS, "--seed", self.options.seed,
            ),
            folder / "mvae.safetensors",
            self.effort.train_minutes,
            folder / "training.safetensors",
        )  # fmt: skip

    def encoder(self) -> Stage:
        folder = self.work / "encoder"
        return Stage(
            "encoder",
            "training its encoder",
            _controller(
                "train-encoder", "--data", self.data, "--out", folder,
                "--start", self.work / "mvae" / "mvae.safetensors",
                "--rollouts-per-epoch", self.effort.encoder // EPOCHS, "--seed", self.options.seed,
            ),
            folder / "mvae.safetensors",
            self.effort.encoder_minutes,
            folder / "training.safetensors",
        )  # fmt: skip

    def features(self) -> Stage:
        assert self.extractor is not None
        return Stage(
            "extractor",
            "training the feature extractor of the Fréchet distance",
            _controller(
                "train-extractor", "--data", self.data, "--out", self.extractor,
                "--steps", self.effort.extractor, "--seed", self.options.seed,
            ),
            self.extractor,
            self.effort.extractor_minutes,
        )  # fmt: skip

    def diagnosis(self) -> Stage:
        extractor = ("--extractor", self.extractor or "None")
        path = self.diagnosed
        return Stage(
            "diagnose",
            "diagnosing the motion VAE",
            _controller("diagnose", self.mvae, "--data", self.data, *extractor, "--json"),
            path,
            0.7,
            printed=path,
            statuses=(0, 1),
            fault=unusable,
        )

    def steering(self, task: str) -> Stage:
        path = self.policy(task)
        return Stage(
            f"policy-{path.stem}",
            f"training a policy for the task {path.stem}",
            module_arguments(
                "envs.train_policy", "--task", task, "--mvae", self.mvae, "--data", self.data,
                "--out", path.parent, "--steps", self.effort.frames, "--seed", self.options.seed,
            ),
            path,
            self.effort.policy_minutes,
            path.parent / "training.safetensors",
        )  # fmt: skip

    def measuring(self, task: str) -> Stage:
        path = self.figures(task)
        return Stage(
            f"evaluate-{path.stem}",
            f"measuring the policy for the task {path.stem}",
            _controller(
                "evaluate", "--task", task, "--mvae", self.mvae, "--policy", self.policy(task),
                "--data", self.data, "--json",
            ),
            path,
            0.5,
            printed=path,
        )  # fmt: skip


def unusable(path: Path) -> str:
    """Why a motion VAE with this diagnosis is not worth a policy; empty if it is."""
    with documents.loaded(path, "diagnosis of a motion VAE") as diagnosis:
        for finding in diagnosis["findings"]:
            if finding["name"] not in TOLERATED:
                return f"the motion VAE is not usable: {finding['name']}: {finding['reason']}"
    return ""


def module_arguments(module: str, *arguments: object) -> tuple[str, ...]:
    """The arguments after ``python`` that run a module."""
    return ("-m", module, *map(str, arguments))


def _controller(*arguments: object) -> tuple[str, ...]:
    return module_arguments("controller", *arguments)
