"""Train a policy in the latent space: ``python -m envs.train_policy --task joystick``.

Writes OUT/TASK.safetensors (the policy, ready for play.py), OUT/training.safetensors (to resume
from), OUT/history.json and OUT/tensorboard.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from controller.control import shipped
from controller.control.policy import Policy, model_fingerprint
from controller.core import checkpoint, files
from controller.core.errors import ControllerError, require, run_command
from controller.core.workers import Workers
from controller.evaluation.figures import evaluate
from controller.tasks.joystick import JoystickTask
from envs.curriculum import Curriculum
from envs.episodes import Episodes
from envs.ppo import PpoConfig, PpoTrainer
from envs.shac import ShacConfig, ShacTrainer

STATE_KIND = "policy-training"


@dataclass(frozen=True)
class PolicyConfig:
    """Settings of a policy's training."""

    task: str = "joystick"
    """The task, by its name in `controller.tasks`, or MODULE:NAME for one that the module
    registers."""
    algorithm: Literal["shac", "ppo"] = "shac"
    """shac: differentiates the reward through the decoder. ppo: stable-baselines3's, learns from
    what actions happened to do, and may choose codes, too."""
    out: Path = Path("runs/policy")
    """Folder for checkpoints, TensorBoard logs and the policy."""
    mvae: Path | None = None
    """The motion VAE to steer; the shipped one unless given."""
    start: Path | None = None
    """A policy to start from, in place of random weights: for the same task, or for the one that it
    extends, as most extend the joystick."""
    pilot: Path | None = None
    """With shac: a joystick policy that walks as it is, while a network learns what to wish of it.
    For the maze the shipped one unless given; other tasks are learned without."""
    steps: int = 9_000_000
    """Frames of experience, over all characters."""
    characters: int = 128
    """Characters that practise at once."""
    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the actor's and of the critic's hidden layers."""
    episode_frames: int = 600
    """Frames of an episode."""
    seed: int = 1
    """Seed of everything random."""
    workers: int = 2
    """With shac: processes that share the characters among them. Another number gives another
    policy, as good."""
    threads: int = 1
    """Threads of torch in each process. Two are slower than one as soon as anything else runs."""
    device: str = "cpu"
    """Where torch computes: cpu, or cuda for a graphics card, which wants --workers 1 and thousands
    of characters."""
    evaluate_every: int = 1_500_000
    """Frames between evaluations, which also save."""
    resume: bool = False
    """Go on from the training state in `out`."""
    curriculum: Curriculum = field(default_factory=Curriculum)
    """When the penalties on the feet set in. A run with `start` has all of them from its start."""
    ppo: PpoConfig = field(default_factory=PpoConfig)
    """Settings of PPO."""
    shac: ShacConfig = field(default_factory=ShacConfig)
    """Settings of the differentiable trainer."""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "characters",
            "episode_frames",
            "workers",
            "threads",
            "evaluate_every",
        ):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        if self.algorithm == "shac":
            allowed = f"a divisor of characters = {self.characters}"
            require(self.characters % self.workers == 0, "workers", self.workers, allowed)
        else:
            frames = self.characters * self.ppo.rollout_frames
            allowed = f"up to characters × ppo.rollout_frames = {frames}"
            require(self.ppo.minibatch <= frames, "ppo.minibatch", self.ppo.minibatch, allowed)
        require(
            len(self.hidden) >= 1 and min(self.hidden) >= 1,
            "hidden",
            self.hidden,
            "one or more widths above 0",
        )


class PolicyTraining:
    """One run: characters, a trainer for the actor, and what is written about it."""

    def __init__(self, config: PolicyConfig, workers: Workers | None = None) -> None:
        self.config = config
        self.workers = workers or Workers()
        torch.set_num_threads(config.threads)
        mvae = None if config.mvae is None else str(config.mvae)
        own = config.characters // self.workers.count
        self.episodes = Episodes.make(config.task, own, config.episode_frames, mvae, config.device)
        self.judge = self.episodes.simulation
        if config.device != "cpu":  # figures are taken where everybody has them
            self.judge = Episodes.make(config.task, 1, None, mvae).simulation
        files.make_folder(config.out)
        self.frames = 0
        self.seconds = 0.0
        self.header: dict[str, Any] = {}
        self.trainer = self.make_trainer()
        self.history: list[dict[str, Any]] = []
        if config.start is not None:
            started = Policy.load_for(config.start, self.episodes.simulation)
            self.trainer.start_from(started.actor)
            self.header["started_from"] = started.header
        if config.resume:
            self.resume()
        elif self.state_path.exists():
            raise ControllerError(
                f"{self.state_path} is there already: go on with --resume, or choose another --out"
            )

    def make_trainer(self) -> PpoTrainer | ShacTrainer:
        config = self.config
        if config.algorithm == "ppo":
            return PpoTrainer(self.episodes, config.ppo, config.hidden, config.seed, config.out)
        return ShacTrainer(
            self.episodes, config.shac, config.hidden, config.seed, self.workers, self.load_pilot()
        )

    def load_pilot(self) -> Policy | None:
        """The joystick policy to steer by, if there is to be one."""
        path = self.config.pilot
        simulation = self.episodes.simulation
        if path is None and simulation.task.steered:
            path = shipped.policy_path(JoystickTask.name)
        if path is None:
            return None
        pilot = Policy.load(path, simulation.character, JoystickTask.name)
        self.header["pilot"] = pilot.header
        return pilot

    def iterate(self) -> dict[str, float]:
        """One iteration of the trainer, told how far the run has come."""
        began = time.perf_counter()
        progress = self.frames / self.config.steps
        if self.config.start is None:
            self.config.curriculum.apply(self.episodes.simulation.task.penalties, progress)
        figures = self.trainer.iterate(progress)
        self.seconds += time.perf_counter() - began
        self.frames += self.trainer.frames_per_iteration
        return figures

    @property
    def task(self) -> str:
        """The task's own name."""
        return self.judge.task.name

    @property
    def state_path(self) -> Path:
        return self.config.out / "training.safetensors"

    @property
    def policy_path(self) -> Path:
        return self.config.out / f"{self.task}.safetensors"

    def policy(self) -> Policy:
        """The actor as it stands, ready to be saved."""
        simulation = self.judge
        settings = dataclasses.asdict(self.config)
        untold = ("out", "mvae", "start", "pilot", "resume", "ppo", "shac")
        kept = {name: value for name, value in settings.items() if name not in untold}
        kept[self.config.algorithm] = settings[self.config.algorithm]
        return Policy.of(
            self.trainer.actor().cpu(), simulation.character, simulation.task.name,
            simulation.task.settings(), training=kept, frames=self.frames,
            seconds=round(self.seconds), **self.header,
        )  # fmt: skip

    def evaluate(self) -> dict[str, Any]:
        """Figures of the deterministic policy as it stands, kept in ``history``."""
        figures = evaluate(self.judge, self.policy(), characters=32, seconds=20, seed=1)
        self.history.append({**figures, "frames": self.frames, "wall_s": round(self.seconds)})
        return figures

    def save(self) -> None:
        """Write policy, history and training state, each atomically."""
        self.policy().save(self.policy_path)
        files.write(self.config.out / "history.json", json.dumps(self.history, indent=1))
        header = {
            "frames": self.frames,
            "seconds": self.seconds,
            "history": self.history,
            **self.identity(),
            "header": self.header,
        }
        checkpoint.save(self.state_path, STATE_KIND, header, self.trainer.tensors())

    def identity(self) -> dict[str, Any]:
        """What a training state and the run that takes it up must have in common."""
        return {
            "task": self.task,
            "algorithm": self.config.algorithm,
            "hidden": list(self.config.hidden),
            "mvae": model_fingerprint(self.episodes.simulation.character),
        }

    def resume(self) -> None:
        """Take up weights, optimiser and clock from the training state. The characters begin new
        episodes."""
        header, tensors = checkpoint.load(self.state_path, STATE_KIND)
        for name, here in self.identity().items():
            if header[name] != here:
                found = "another" if name == "mvae" else f"{header[name]!r}, not {here!r}"
                raise ControllerError(
                    f"{self.state_path}: its {name} is {found}; choose another --out"
                )
        self.frames = header["frames"]
        self.seconds = header["seconds"]
        self.history = header["history"]
        self.header = header["header"]
        self.trainer.load(tensors, self.frames)

    def run(self) -> Path:
        """Train to the end; returns the policy's path. The first worker evaluates and saves; the
        others just train."""
        if self.workers.rank > 0:
            while self.frames < self.config.steps:
                self.iterate()
            return self.policy_path
        config = self.config
        writer = SummaryWriter(str(self.config.out / "tensorboard"))
        due = self.frames + config.evaluate_every
        with tqdm(
            total=config.steps, initial=self.frames, unit="frame", unit_scale=True, desc=self.task
        ) as bar:
            while self.frames < config.steps:
                figures = self.iterate()
                for name, value in figures.items():
                    writer.add_scalar(f"training/{name}", value, self.frames)
                bar.update(self.trainer.frames_per_iteration)
                bar.set_postfix(reward=f"{figures['reward']:.3f}")
                if self.frames >= due or self.frames >= config.steps:
                    due += config.evaluate_every
                    for name, value in self.evaluate().items():
                        if isinstance(value, float):
                            writer.add_scalar(f"evaluation/{name}", value, self.frames)
                    self.save()
        writer.close()
        return self.policy_path


def main() -> None:
    config = tyro.cli(PolicyConfig, description=__doc__)
    workers = Workers(config.workers if config.algorithm == "shac" else 1)
    training = PolicyTraining(config, workers)
    with workers.joined():
        path = training.run()
    print(f"policy: {path}")


if __name__ == "__main__":
    run_command(main)
