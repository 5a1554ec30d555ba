"""Train a policy in the latent space: ``python -m envs.train_policy --task joystick``.

It writes OUT/TASK.safetensors (the policy, ready for play.py), OUT/training.safetensors (to resume
from), OUT/history.json and OUT/tensorboard. It ends with a verdict: the exit status is 1 if the
policy falls, does not move, does not follow the wish, or slides.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from controller.control.actors import Actor
from controller.control.folder import DEFAULT, CharacterFolder
from controller.control.policy import Policy, model_fingerprint
from controller.core import checkpoint, files
from controller.core.errors import ControllerError, require, run_command
from controller.core.processes import Workers
from controller.data.dataset import MotionDataset
from controller.evaluation.figures import evaluate
from controller.evaluation.trials.verdict import GOOD, judge_policy
from controller.tasks.joystick import JoystickTask
from envs.curriculum import Curriculum
from envs.discriminator import Discriminator, DiscriminatorConfig
from envs.episodes import Episodes
from envs.imitation import Commands, Imitation, ImitationConfig, expresses, training_clips
from envs.ppo import PpoConfig, PpoTrainer
from envs.shac import ShacConfig, ShacTrainer

STATE_KIND = "policy-training"
UNRECORDED = ("out", "character", "mvae", "data", "start", "pilot", "resume", "ppo", "shac")
"""Settings that a policy's header does not record; those of the algorithm in use are added."""


@dataclass(frozen=True)
class PolicyConfig:
    """Settings of a policy's training."""

    task: str = "joystick"
    """The task, by its name in `controller.tasks`, or MODULE:NAME for one that the module
    registers."""
    algorithm: Literal["shac", "ppo"] = "shac"
    """shac differentiates the reward through the decoder. ppo, from stable-baselines3, learns from
    which actions happened to do well; it can also choose codes."""
    out: Path = Path("runs/policy")
    """Folder for checkpoints, TensorBoard logs and the policy."""
    character: str = DEFAULT
    """The character to steer: its name, or its folder."""
    mvae: Path | None = None
    """The motion VAE to steer; by default the character's."""
    data: Path | None = None
    """With shac: the data set (.npz) from which the motion VAE was trained. The policy then learns
    to move as the clips do while it learns its task. Without it, penalties on the feet stand in for
    them."""
    start: Path | None = None
    """A policy to start from, in place of random weights: one for the same task, or for the task
    that this one extends. Most tasks extend the joystick's."""
    pilot: Path | None = None
    """With shac: a joystick policy that does the walking and stays as it is, while a network learns
    to steer it. By default the maze uses the character's and other tasks use none."""
    steps: int = 9_000_000
    """Frames of experience, summed over all characters."""
    characters: int = 128
    """Characters that practise at the same time."""
    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the hidden layers of the actor and of the critic."""
    episode_frames: int = 600
    """Frames of an episode."""
    seed: int = 1
    """Seed of everything random."""
    workers: int = 2
    """With shac: processes that share the characters. Another number gives another policy, which is
    equally good."""
    threads: int = 1
    """Threads of torch in each process. Two are slower than one as soon as anything else runs."""
    device: str = "cpu"
    """Where torch computes: cpu, or cuda for a graphics card, which needs --workers 1 and thousands
    of characters to be worth it."""
    evaluate_every: int = 1_500_000
    """Frames between evaluations; each also saves."""
    resume: bool = False
    """Continue from the training state in `out`."""
    curriculum: Curriculum = field(default_factory=Curriculum)
    """When the penalties on the feet set in. A run with `start` has all of them from its start."""
    ppo: PpoConfig = field(default_factory=PpoConfig)
    """Settings of PPO."""
    shac: ShacConfig = field(default_factory=ShacConfig)
    """Settings of the differentiable trainer."""
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    """Settings of how clips are imitated, with `data`."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Settings of the network that learns to tell the policy's motion from clips, with `data`."""

    def __post_init__(self) -> None:
        counts = ("steps", "characters", "episode_frames", "workers", "threads", "evaluate_every")
        for name in counts:
            value = getattr(self, name)
            require(value >= 1, name, value, "1 or more")
        widths = len(self.hidden) >= 1 and min(self.hidden) >= 1
        require(widths, "hidden", self.hidden, "one or more widths above 0")

        allowed = "no data with ppo, which does not imitate"
        imitates = self.data is None or self.algorithm == "shac"
        require(imitates, "data", str(self.data), allowed)
        own = self.characters // self.workers
        if self.data is not None:
            allowed = f"a share that leaves both sides some of {own} characters in each worker"
            both = 0 < self.imitation.followers(own) < own
            require(both, "imitation.share", self.imitation.share, allowed)
        if self.algorithm == "shac":
            allowed = f"a divisor of characters = {self.characters}"
            require(self.characters % self.workers == 0, "workers", self.workers, allowed)
        else:
            frames = self.characters * self.ppo.rollout_frames
            allowed = f"up to characters × ppo.rollout_frames = {frames}"
            require(self.ppo.minibatch <= frames, "ppo.minibatch", self.ppo.minibatch, allowed)


UNFIT = 1
"""Exit status of a training that is done but whose policy does not do its task."""


class PolicyTraining:
    """One run: its characters, its trainer, and the files that it writes."""

    def __init__(self, config: PolicyConfig, workers: Workers | None = None) -> None:
        self.config = config
        self.workers = workers or Workers()
        torch.set_num_threads(config.threads)
        mvae = config.mvae or CharacterFolder.open(config.character).mvae
        own = config.characters // self.workers.count
        self.followers = 0 if config.data is None else config.imitation.followers(own)
        drawn = own - self.followers
        self.episodes = Episodes.make(
            config.task, drawn, config.episode_frames, mvae, config.device
        )
        self.judge = self.episodes.simulation
        if config.device != "cpu":  # evaluate on the CPU, so that figures can be compared
            self.judge = Episodes.make(config.task, 1, None, mvae).simulation

        files.make_folder(config.out)
        self.frames = 0
        self.seconds = 0.0
        self.header: dict[str, Any] = {}
        self.fingerprint: str | None = None
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
                f"{self.state_path} already exists: continue with --resume, or choose another --out"
            )

    def make_trainer(self) -> PpoTrainer | ShacTrainer:
        """The trainer for the algorithm."""
        config = self.config
        if config.algorithm == "ppo":
            return PpoTrainer(self.episodes, config.ppo, config.hidden, config.seed, config.out)
        walker = self.load_walker()
        imitation = self.make_imitation()
        allowed = "no data for a network that steers a pilot, whose motion stays as it is"
        require(walker is None or config.data is None, "data", str(config.data), allowed)
        return ShacTrainer(
            self.episodes,
            config.shac,
            config.hidden,
            config.seed,
            self.workers,
            walker,
            imitation,
            self.make_discriminator(imitation),
        )

    def make_imitation(self) -> Imitation | None:
        """The characters that follow clips, if there are any."""
        config = self.config
        if config.data is None:
            return None
        character = self.episodes.simulation.character
        settings = config.imitation
        alone = settings.alone if config.start is None else 0.0
        share = math.ceil(settings.rows / self.workers.count)
        settings = dataclasses.replace(settings, alone=alone, rows=share)
        data = MotionDataset.load(config.data)
        self.fingerprint = data.fingerprint()
        captured = training_clips(data, character, settings.smoothing)
        commands = Commands(captured, character, settings)
        rows = commands.starts
        self.episodes.simulation.task.penalties.allow(captured.pose[rows], captured.pose[rows + 1])
        generator = torch.Generator().manual_seed(config.seed + 1_000_003 * self.workers.rank)
        return Imitation(commands, self.episodes, self.followers, generator)

    def make_discriminator(self, imitation: Imitation | None) -> Discriminator | None:
        """What compares the policy's motion with clips, if there is such a network."""
        config = self.config.discriminator
        if imitation is None or config.weight == 0:
            return None
        torch.manual_seed(self.config.seed)
        generator = imitation.generator
        return Discriminator(config, imitation.commands, generator, self.workers)

    @property
    def lacks_data(self) -> bool:
        """Whether the policy could learn from clips, and there are none."""
        trainer = self.trainer
        can_imitate = isinstance(trainer, ShacTrainer) and isinstance(trainer.network, Actor)
        return can_imitate and self.config.data is None and expresses(self.judge.task)

    def load_walker(self) -> Policy | None:
        """The joystick policy that the trained network steers, if it steers one."""
        path = self.config.pilot
        simulation = self.episodes.simulation
        if path is None and simulation.task.steered:
            path = CharacterFolder.open(self.config.character).policy(JoystickTask.name)
        if path is None:
            return None
        walker = Policy.load(path, simulation.character, JoystickTask.name)
        self.header["pilot"] = walker.header
        return walker

    def iterate(self) -> dict[str, float]:
        """One iteration of the trainer, at the run's present progress."""
        start = time.perf_counter()
        progress = self.frames / self.config.steps
        task = self.episodes.simulation.task
        if self.config.data is not None:
            self.config.imitation.apply(task)
        elif self.config.start is None:
            self.config.curriculum.apply(task.penalties, progress)
        figures = self.trainer.iterate(progress)
        self.seconds += time.perf_counter() - start
        self.frames += self.trainer.frames_per_iteration
        return figures

    @property
    def task(self) -> str:
        """The task's own name."""
        return self.judge.task.name

    @property
    def state_path(self) -> Path:
        """Where the training state is saved."""
        return self.config.out / "training.safetensors"

    @property
    def policy_path(self) -> Path:
        """Where the policy is saved."""
        return self.config.out / f"{self.task}.safetensors"

    def policy(self) -> Policy:
        """The actor in its present state, ready to be saved."""
        settings = dataclasses.asdict(self.config)
        training = {name: value for name, value in settings.items() if name not in UNRECORDED}
        training[self.config.algorithm] = settings[self.config.algorithm]
        task = self.judge.task
        return Policy.of(
            self.trainer.actor().cpu(),
            self.judge.character,
            task.name,
            task.settings(),
            training=training,
            frames=self.frames,
            seconds=round(self.seconds),
            **self.header,
            **self.sway,
        )

    @property
    def sway(self) -> dict[str, Any]:
        """The field of the policy's header that says how it sways, if it does."""
        if self.config.data is None or self.config.imitation.sway.deviation == 0:
            return {}
        return {"sway": dataclasses.asdict(self.config.imitation.sway)}

    def evaluate(self) -> dict[str, Any]:
        """The figures of the deterministic policy in its present state, which ``history`` keeps."""
        figures = evaluate(self.judge, self.policy(), characters=32, seconds=20, seed=1)
        verdict = judge_policy(self.task, figures, self.judge.character.limits.forward_speed)
        self.header["verdict"] = str(verdict)
        self.history.append({**figures, "frames": self.frames, "wall_s": round(self.seconds)})
        return figures

    def verdict(self) -> str:
        """The verdict of the newest evaluation, which is made if there was none."""
        if "verdict" not in self.header:
            self.evaluate()
        return str(self.header["verdict"])

    def save(self) -> None:
        """Write the policy, the history and the training state, each atomically."""
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
        """What a training state and a run that resumes from it must have in common."""
        return {
            "task": self.task,
            "algorithm": self.config.algorithm,
            "hidden": list(self.config.hidden),
            "mvae": model_fingerprint(self.episodes.simulation.character),
            "data": self.fingerprint,
        }

    def resume(self) -> None:
        """Load weights, optimiser and counts from the training state. The characters begin new
        episodes."""
        header, tensors = checkpoint.load(self.state_path, STATE_KIND)
        for name, own in self.identity().items():
            found = header.get(name)  # older states had no data
            if found == own:
                continue
            unnamed = name in ("mvae", "data")
            difference = "another" if unnamed else f"{found!r}, not {own!r}"
            raise ControllerError(
                f"{self.state_path}: its {name} is {difference}; choose another --out"
            )
        self.frames = header["frames"]
        self.seconds = header["seconds"]
        self.history = header["history"]
        self.header = header["header"]
        self.trainer.load(tensors, self.frames)

    def run(self) -> Path:
        """Train to the end and return the policy's path. The first worker evaluates and saves; the
        others only train."""
        if self.workers.rank > 0:
            while self.frames < self.config.steps:
                self.iterate()
            return self.policy_path

        with (
            SummaryWriter(str(self.config.out / "tensorboard")) as writer,
            tqdm(
                total=self.config.steps,
                initial=self.frames,
                unit="frame",
                unit_scale=True,
                desc=self.task,
            ) as bar,
        ):
            self.train(writer, bar)
        return self.policy_path

    def train(self, writer: SummaryWriter, bar: tqdm[Any]) -> None:
        """Iterate, log, evaluate and save until all frames are done."""
        config = self.config
        due = self.frames + config.evaluate_every
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


def main() -> int:
    config = tyro.cli(PolicyConfig, description=__doc__)
    workers = Workers(config.workers if config.algorithm == "shac" else 1)
    training = PolicyTraining(config, workers)
    if training.lacks_data and workers.rank == 0:
        print("no --data: no clips are imitated, and penalties on the feet stand in for them")
    with workers.joined():
        path = training.run()
    print(f"policy: {path}")
    if workers.rank > 0:
        return 0
    verdict = training.verdict()
    print(f"verdict: {verdict}")
    return 0 if verdict == GOOD else UNFIT


if __name__ == "__main__":
    run_command(main)
