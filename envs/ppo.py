"""Proximal policy optimisation in the latent space, by stable-baselines3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.logger import configure
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn

from controller.control.actors import Actor, CodeActor, Network, new_actor
from controller.core.errors import require
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.dynamics.character import Character
from controller.tasks.simulation import LATENT_LIMIT
from controller.training.schedules import linear_decay
from envs.episodes import Episodes
from envs.sb3 import CharacterVecEnv


@dataclass(frozen=True)
class PpoConfig:
    """Settings of PPO."""

    rollout_frames: int = 48
    """Frames of each character between two updates."""
    minibatch: int = 1024
    """Frames in a gradient step."""
    epochs: int = 3
    """Passes over each update's frames. Few, since on a CPU they cost more than new experience."""
    learning_rate: float = 3e-6
    """Adam's rate at the start; it falls linearly. This low, and with noise this small, since PPO
    goes on from an actor that is near its best: at 3e-5 and a log_std of -3.7 a standing
    character's drift rose from 0.09 to 0.5 m/min."""
    final_learning_rate: float = 3e-7
    """Adam's rate at the end."""
    gamma: float = 0.97
    """Discount a frame: a horizon of about a second."""
    gae_lambda: float = 0.95
    """λ of generalised advantage estimation."""
    clip_range: float = 0.2
    """PPO's clip."""
    target_kl: float | None = None
    """Stop an update's passes when the policy has moved this far (×1.5); never unless given."""
    entropy: float = 0.0
    """Weight of the entropy bonus."""
    log_std: float = -5.0
    """Log of the exploration noise at the start, in units of the action's bound; it is learned.
    Codes have none."""
    reward_scale: float = 0.1
    """Factor on rewards, which keeps the critic's targets near 1."""
    critic_frames: int = 250_000
    """PPO's first frames, in which only the critic learns: a trained actor is not to be spoilt by a
    new critic."""
    critic_rate: float = 1e-3
    """Adam's rate in those frames."""

    def __post_init__(self) -> None:
        for name in ("rollout_frames", "minibatch", "epochs"):
            require(getattr(self, name) >= 1, f"ppo.{name}", getattr(self, name), "1 or more")
        require(0 <= self.gae_lambda <= 1, "ppo.gae_lambda", self.gae_lambda, "0 to 1")
        require(0 < self.gamma < 1, "ppo.gamma", self.gamma, "above 0 and below 1")
        for name in ("learning_rate", "critic_rate"):
            require(
                0 < getattr(self, name) < 1,
                f"ppo.{name}",
                getattr(self, name),
                "above 0 and below 1",
            )
        for name in ("final_learning_rate", "critic_frames", "entropy"):
            require(getattr(self, name) >= 0, f"ppo.{name}", getattr(self, name), "0 or more")
        require(0 < self.clip_range < 1, "ppo.clip_range", self.clip_range, "above 0 and below 1")
        require(-5 <= self.log_std <= 1, "ppo.log_std", self.log_std, "-5 to 1")
        require(
            self.target_kl is None or self.target_kl > 0,
            "ppo.target_kl",
            self.target_kl,
            "above 0, or None",
        )
        require(self.reward_scale > 0, "ppo.reward_scale", self.reward_scale, "above 0")


class BoundedMean(nn.Module):
    """tanh of a linear layer: the head of :class:`controller.control.policy.Actor` in units of its
    limit."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.linear(features))


class LatentPolicy(ActorCriticPolicy):
    """stable-baselines3's actor-critic with a bounded mean. The action is clipped for the
    environment; the unclipped one is scored, as the library does. Codes are drawn by the softmax of
    the head's logits."""

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        super()._build(lr_schedule)
        head = cast(nn.Linear, self.action_net)
        with torch.no_grad():
            head.weight.mul_(0.1)
        if isinstance(self.action_dist, DiagGaussianDistribution):
            self.action_net = BoundedMean(head)
        self.optimizer = self.optimizer_class(
            self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
        )  # type: ignore[call-arg]

    @property
    def head(self) -> nn.Linear:
        return (
            self.action_net.linear
            if isinstance(self.action_net, BoundedMean)
            else cast(nn.Linear, self.action_net)
        )

    def acting(self) -> list[nn.Parameter]:
        """All that only the actor has."""
        own = ("mlp_extractor.policy_net.", "action_net.", "log_std")
        return [parameter for name, parameter in self.named_parameters() if name.startswith(own)]

    def actor(self, character: Character) -> Actor | CodeActor:
        """A copy of the deterministic actor, free of stable-baselines3."""
        body = self.mlp_extractor.policy_net
        linears = [layer for layer in body.children() if isinstance(layer, nn.Linear)]
        hidden = [layer.out_features for layer in linears]
        actor = new_actor(character, linears[0].in_features, hidden, LATENT_LIMIT)
        actor.body.load_state_dict(body.state_dict())
        actor.head.load_state_dict(self.head.state_dict())
        return actor

    def take(self, actor: Network) -> None:
        """Act as ``actor`` does from now on."""
        self.mlp_extractor.policy_net.load_state_dict(actor.body.state_dict())
        self.head.load_state_dict(actor.head.state_dict())


class PpoTrainer:
    """PPO over a :class:`CharacterVecEnv`; :meth:`iterate` is one rollout with its update."""

    def __init__(
        self, episodes: Episodes, config: PpoConfig, hidden: tuple[int, ...], seed: int, out: Path
    ) -> None:
        self.episodes = episodes
        self.config = config
        self.frames_per_iteration = episodes.count * config.rollout_frames
        self.rate = config.learning_rate
        self.critic_only = 0
        env = CharacterVecEnv(episodes, config.reward_scale)
        env.seed(seed)
        self.ppo = PPO(
            LatentPolicy,
            env,
            learning_rate=lambda _: self.rate,
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
                "net_arch": {"pi": list(hidden), "vf": list(hidden)},
                "activation_fn": nn.ReLU,
                "log_std_init": config.log_std,
            },
            seed=seed,
            device=episodes.device,
        )
        self.ppo.set_logger(configure(str(out / "tensorboard"), ["tensorboard"]))

    @property
    def policy(self) -> LatentPolicy:
        return cast(LatentPolicy, self.ppo.policy)

    def actor(self) -> Actor | CodeActor:
        return self.policy.actor(self.episodes.simulation.character)

    def start_from(self, actor: Network) -> None:
        """Begin with a trained actor's weights, which wait until the critic, which is new, has
        learned a little."""
        self.policy.take(actor)
        self.critic_only = self.config.critic_frames

    def iterate(self, progress: float) -> dict[str, float]:
        """One rollout and its update. ``progress`` in [0, 1] sets the learning rate."""
        config = self.config
        self.rate = linear_decay(
            round(1000 * progress), 1000, config.learning_rate, config.final_learning_rate
        )
        learning = self.critic_only <= 0
        if not learning:
            self.rate = config.critic_rate
        for parameter in self.policy.acting():
            parameter.requires_grad_(learning)
        self.critic_only -= self.frames_per_iteration
        self.ppo.learn(self.frames_per_iteration, reset_num_timesteps=False)
        buffer = self.ppo.rollout_buffer
        return {
            "reward": float(buffer.rewards.mean()) / config.reward_scale,
            "entropy": -float(buffer.log_probs.mean()),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Weights and optimiser, to resume from."""
        weights = {f"policy.{name}": value for name, value in self.policy.state_dict().items()}
        weights["critic_only"] = torch.tensor(self.critic_only)
        return weights | optimizer_tensors("optimizer", self.policy.optimizer)

    def load(self, tensors: dict[str, Tensor], frames: int) -> None:
        """Take up :meth:`tensors` after ``frames`` frames. The characters begin new episodes."""
        self.policy.load_state_dict(
            {n[7:]: v for n, v in tensors.items() if n.startswith("policy.")}
        )
        load_optimizer("optimizer", self.policy.optimizer, tensors)
        self.critic_only = int(tensors["critic_only"])
        self.ppo.num_timesteps = frames
