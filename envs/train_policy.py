"""Train a policy in the latent space: ``python -m envs.train_policy --task joystick``."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.logger import configure
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn
from tqdm import tqdm

from controller import checkpoint, files
from controller.errors import ControllerError, require, run_command
from controller.evaluation import evaluate
from controller.mvae.schedules import linear_decay, linear_warm_up
from controller.policy import Actor, Policy
from controller.simulation import LATENT_LIMIT
from envs.episodes import Episodes
from envs.sb3 import CharacterVecEnv

STATE_KIND = "policy-training"


@dataclass(frozen=True)
class PolicyConfig:
    """Settings of a policy's training. The defaults are those of the shipped policy."""

    task: str = "joystick"
    """The task, by its name in ``controller.tasks``."""
    out: Path = Path("runs/policy")
    """Folder for checkpoints, TensorBoard logs and the exported policy."""
    mvae: Path | None = None
    """The motion VAE to steer; the shipped one unless given."""
    steps: int = 12_000_000
    """Frames of experience, over all characters."""
    characters: int = 128
    """Characters that practise at once."""
    rollout_frames: int = 48
    """Frames of each character between two updates."""
    minibatch: int = 512
    """Frames in a gradient step."""
    epochs: int = 3
    """Passes over each update's frames. Few, since on a CPU they cost more than new experience."""
    learning_rate: float = 3e-4
    """Adam's rate at the start; it falls linearly."""
    final_learning_rate: float = 3e-5
    """Adam's rate at the end."""
    gamma: float = 0.97
    """Discount a frame: a horizon of about a second."""
    ground_warm_up: float = 0.4
    """Share of the training over which the penalties on the feet rise to their full weight: with all of it from the
    start, standing still pays better than learning to walk."""
    reward_scale: float = 0.1
    """Factor on rewards, which keeps the critic's targets near 1."""
    gae_lambda: float = 0.95
    """λ of generalised advantage estimation."""
    clip_range: float = 0.2
    """PPO's clip."""
    target_kl: float | None = None
    """Stop an update's passes when the policy has moved this far (×1.5); never unless given."""
    entropy: float = 0.0
    """Weight of the entropy bonus."""
    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the actor's and of the critic's hidden layers."""
    log_std: float = -0.7
    """Log of the exploration noise at the start, in units of the action's bound; it is learned."""
    episode_frames: int = 600
    """Frames of an episode."""
    seed: int = 1
    """Seed of everything random."""
    threads: int = 1
    """Threads of torch. Two are slower than one as soon as anything else runs."""
    evaluate_every: int = 1_000_000
    """Frames between evaluations, which also save."""
    resume: bool = False
    """Go on from the training state in ``out``."""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "characters",
            "rollout_frames",
            "minibatch",
            "epochs",
            "episode_frames",
            "threads",
            "evaluate_every",
        ):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(
            self.minibatch <= self.characters * self.rollout_frames, "minibatch", self.minibatch,
            f"up to characters × rollout_frames = {self.characters * self.rollout_frames}",
        )  # fmt: skip
        require(0 < self.gamma < 1, "gamma", self.gamma, "above 0 and below 1")
        require(0 <= self.gae_lambda <= 1, "gae_lambda", self.gae_lambda, "0 to 1")
        require(0 < self.learning_rate < 1, "learning_rate", self.learning_rate, "above 0 and below 1")
        require(len(self.hidden) >= 1, "hidden", self.hidden, "at least one layer")


class BoundedMean(nn.Module):
    """tanh of a linear layer: the head of :class:`controller.policy.Actor` in units of its limit."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.linear(features))


class LatentPolicy(ActorCriticPolicy):
    """stable-baselines3's actor-critic with a bounded mean. The action is clipped for the environment; the unclipped
    one is scored, as the library does."""

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        super()._build(lr_schedule)
        assert isinstance(self.action_dist, DiagGaussianDistribution)
        head = cast(nn.Linear, self.action_net)
        with torch.no_grad():
            head.weight.mul_(0.1)
        self.action_net = BoundedMean(head)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def actor(self) -> Actor:
        """A copy of the deterministic actor, free of stable-baselines3."""
        body = self.mlp_extractor.policy_net
        linears = [layer for layer in body.children() if isinstance(layer, nn.Linear)]
        head = cast(BoundedMean, self.action_net).linear
        actor = Actor(
            linears[0].in_features, head.out_features, tuple(layer.out_features for layer in linears), LATENT_LIMIT
        )
        actor.body.load_state_dict(body.state_dict())
        actor.head.load_state_dict(head.state_dict())
        return actor


class Progress(BaseCallback):
    """Progress bar, evaluation, checkpoints."""

    def __init__(self, training: PolicyTraining) -> None:
        super().__init__()
        self.training = training
        self.next_evaluation = 0

    def _on_training_start(self) -> None:
        config = self.training.config
        self.bar = tqdm(total=config.steps, initial=self.num_timesteps, unit="frame", unit_scale=True, desc=config.task)
        self.next_evaluation = self.num_timesteps + config.evaluate_every

    def _on_rollout_start(self) -> None:
        config = self.training.config
        done = self.num_timesteps / config.steps
        self.training.episodes.simulation.task.quality.ground = linear_warm_up(done, config.ground_warm_up)

    def _on_rollout_end(self) -> None:
        self.bar.update(self.num_timesteps - self.bar.n)
        rewards = self.training.ppo.rollout_buffer.rewards
        self.bar.set_postfix(reward=f"{rewards.mean() / self.training.config.reward_scale:.3f}")
        self.logger.record("rollout/reward_per_frame", float(rewards.mean()) / self.training.config.reward_scale)
        if self.num_timesteps >= self.next_evaluation:
            self.next_evaluation += self.training.config.evaluate_every
            self.training.evaluate_and_save()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self.bar.close()
        self.training.evaluate_and_save()


class PolicyTraining:
    """One PPO run over a :class:`CharacterVecEnv`; ``run`` trains it to its end and exports the actor."""

    def __init__(self, config: PolicyConfig) -> None:
        self.config = config
        torch.set_num_threads(config.threads)
        config.out.mkdir(parents=True, exist_ok=True)
        mvae = None if config.mvae is None else str(config.mvae)
        self.episodes = Episodes.make(config.task, config.characters, config.episode_frames, mvae)
        self.env = CharacterVecEnv(self.episodes, config.reward_scale)
        self.env.seed(config.seed)
        self.ppo = PPO(
            LatentPolicy,
            self.env,
            learning_rate=self.learning_rate,
            n_steps=config.rollout_frames,
            batch_size=config.minibatch,
            n_epochs=config.epochs,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
            clip_range=config.clip_range,
            ent_coef=config.entropy,
            target_kl=config.target_kl,
            max_grad_norm=1.0,
            policy_kwargs={
                "net_arch": {"pi": list(config.hidden), "vf": list(config.hidden)},
                "activation_fn": nn.ReLU,
                "log_std_init": config.log_std,
            },
            seed=config.seed,
            device="cpu",
        )
        self.ppo.set_logger(configure(str(config.out / "tensorboard"), ["tensorboard"]))
        self.history: list[dict[str, Any]] = []
        self.seconds = 0.0
        self.started = time.perf_counter()
        if config.resume:
            self.resume()

    def learning_rate(self, remaining: float) -> float:
        """The rate when ``remaining`` (1 to 0) of the training is left."""
        return linear_decay(
            1000 - round(1000 * remaining), 1000, self.config.learning_rate, self.config.final_learning_rate
        )

    @property
    def state_path(self) -> Path:
        return self.config.out / "training.safetensors"

    def policy(self) -> Policy:
        """The actor as it stands, ready to be saved."""
        task = self.episodes.simulation.task
        config = {k: v for k, v in dataclasses.asdict(self.config).items() if k not in ("out", "mvae", "resume")}
        return Policy.of(
            self.ppo.policy.actor(), self.episodes.simulation.character, task.name, task.settings(),  # type: ignore[operator]
            algorithm="ppo", training=config, frames=self.ppo.num_timesteps, seconds=round(self.elapsed),
        )  # fmt: skip

    @property
    def elapsed(self) -> float:
        return self.seconds + time.perf_counter() - self.started

    def evaluate_and_save(self) -> None:
        """Measure the deterministic policy, log it, and write policy, history and training state, each atomically."""
        policy = self.policy()
        figures = evaluate(self.episodes.simulation, policy, characters=32, seconds=20, seed=1)
        self.history.append({**figures, "frames": self.ppo.num_timesteps, "wall_s": round(self.elapsed)})
        for name, value in figures.items():
            if isinstance(value, float):
                self.ppo.logger.record(f"evaluation/{name}", value)
        policy.save(self.config.out / f"{self.config.task}.safetensors")
        with files.atomic(self.config.out / "history.json") as temporary:
            temporary.write_text(json.dumps(self.history, indent=1))
        tensors = {f"policy.{name}": value for name, value in self.ppo.policy.state_dict().items()}
        for index, state in self.ppo.policy.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
        header = {
            "frames": self.ppo.num_timesteps,
            "history": self.history,
            "seconds": self.elapsed,
            "task": self.config.task,
        }
        checkpoint.save(self.state_path, STATE_KIND, header, tensors)

    def resume(self) -> None:
        """Take up weights, optimiser and clock from the training state. The characters begin new episodes."""
        header, tensors = checkpoint.load(self.state_path, STATE_KIND)
        if header["task"] != self.config.task:
            raise ControllerError(
                f"{self.state_path}: trained on {header['task']!r}, not {self.config.task!r}; choose another --out"
            )
        self.ppo.policy.load_state_dict({n[7:]: v for n, v in tensors.items() if n.startswith("policy.")})
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                states.setdefault(int(index), {})[key] = value
        optimizer = self.ppo.policy.optimizer
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
        self.ppo.num_timesteps = header["frames"]
        self.history, self.seconds = header["history"], header["seconds"]

    def run(self) -> Path:
        """Train to the end; returns the exported policy's path."""
        left = self.config.steps - self.ppo.num_timesteps
        if left > 0:
            self.ppo.learn(left, callback=Progress(self), reset_num_timesteps=False)
        return self.config.out / f"{self.config.task}.safetensors"


def main() -> None:
    config = tyro.cli(PolicyConfig, description=__doc__)
    print(f"policy: {PolicyTraining(config).run()}")


if __name__ == "__main__":
    run_command(main)
