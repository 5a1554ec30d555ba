"""Proximal policy optimisation in the latent space, with stable-baselines3."""

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
from envs import practice
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
    """Adam's rate at the start; it falls linearly. Both the rate and the noise are this small
    because PPO refines an actor that is already near its best: at 3e-5 and a log_std of -3.7 a
    standing character's drift rose from 0.09 to 0.5 m/min."""
    final_learning_rate: float = 3e-7
    """Adam's rate at the end."""
    gamma: float = 0.97
    """Discount a frame: a horizon of about a second."""
    gae_lambda: float = 0.95
    """λ of generalised advantage estimation."""
    clip_range: float = 0.2
    """PPO's clip."""
    target_kl: float | None = None
    """Stop an update's passes once the policy has moved 1.5 times this far; by default never."""
    entropy: float = 0.0
    """Weight of the entropy bonus."""
    log_std: float = -5.0
    """Logarithm of the exploration noise's standard deviation at the start, in units of the
    action's bound; it is learned. Codes have none."""
    reward_scale: float = 0.1
    """Factor on rewards; it keeps the critic's targets near 1."""
    critic_frames: int = 250_000
    """Number of frames at the start in which only the critic learns, so that a new critic does not
    spoil a trained actor."""
    critic_rate: float = 1e-3
    """Adam's rate in those frames."""

    def __post_init__(self) -> None:
        for name in ("rollout_frames", "minibatch", "epochs"):
            value = getattr(self, name)
            require(value >= 1, f"ppo.{name}", value, "1 or more")
        for name in ("gamma", "learning_rate", "critic_rate"):
            value = getattr(self, name)
            require(0 < value < 1, f"ppo.{name}", value, "above 0 and below 1")
        for name in ("final_learning_rate", "critic_frames", "entropy"):
            value = getattr(self, name)
            require(value >= 0, f"ppo.{name}", value, "0 or more")
        require(0 <= self.gae_lambda <= 1, "ppo.gae_lambda", self.gae_lambda, "0 to 1")
        require(0 < self.clip_range < 1, "ppo.clip_range", self.clip_range, "above 0 and below 1")
        require(-5 <= self.log_std <= 1, "ppo.log_std", self.log_std, "-5 to 1")
        positive = self.target_kl is None or self.target_kl > 0
        require(positive, "ppo.target_kl", self.target_kl, "above 0, or None")
        require(self.reward_scale > 0, "ppo.reward_scale", self.reward_scale, "above 0")


class BoundedMean(nn.Module):
    """tanh of a linear layer: the head of :class:`controller.control.actors.Actor`, in units of its
    limit."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.linear(features))


class LatentPolicy(ActorCriticPolicy):
    """The actor-critic of stable-baselines3 with a bounded mean.

    The environment gets the clipped action, the loss the unclipped one, as is usual in the library.
    Codes are drawn from the softmax of the head's logits.
    """

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
        """The actor's last linear layer."""
        if isinstance(self.action_net, BoundedMean):
            return self.action_net.linear
        return cast(nn.Linear, self.action_net)

    def actor_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the actor alone."""
        own = ("mlp_extractor.policy_net.", "action_net.", "log_std")
        return [parameter for name, parameter in self.named_parameters() if name.startswith(own)]

    def actor(self, character: Character) -> Actor | CodeActor:
        """A copy of the deterministic actor that does not need stable-baselines3."""
        body = self.mlp_extractor.policy_net
        linears = [layer for layer in body.children() if isinstance(layer, nn.Linear)]
        hidden = [layer.out_features for layer in linears]
        actor = new_actor(character, linears[0].in_features, hidden, LATENT_LIMIT)
        actor.body.load_state_dict(body.state_dict())
        actor.head.load_state_dict(self.head.state_dict())
        return actor

    def load_actor(self, actor: Network) -> None:
        """Copy the weights of ``actor``."""
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
        network = {
            "net_arch": {"pi": list(hidden), "vf": list(hidden)},
            "activation_fn": nn.ReLU,
            "log_std_init": config.log_std,
        }
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
            policy_kwargs=network,
            seed=seed,
            device=episodes.device,
        )
        self.ppo.set_logger(configure(str(out / "tensorboard"), ["tensorboard"]))

    @property
    def policy(self) -> LatentPolicy:
        """The actor-critic that is trained."""
        return cast(LatentPolicy, self.ppo.policy)

    def actor(self) -> Actor | CodeActor:
        """A copy of the actor in its present state."""
        return self.policy.actor(self.episodes.simulation.character)

    def start_from(self, actor: Network) -> None:
        """Begin with a trained actor's weights. They do not change until the new critic has learned
        a little."""
        self.policy.load_actor(actor)
        self.critic_only = self.config.critic_frames

    def iterate(self, progress: float) -> dict[str, float]:
        """Make one rollout and its update; ``progress`` in [0, 1] sets the learning rate. Returns
        the mean reward of a frame and the entropy."""
        config = self.config
        actor_learns = self.critic_only <= 0
        if actor_learns:
            thousandths = round(1000 * progress)
            begin = config.learning_rate
            self.rate = linear_decay(thousandths, 1000, begin, config.final_learning_rate)
        else:
            self.rate = config.critic_rate
        for parameter in self.policy.actor_parameters():
            parameter.requires_grad_(actor_learns)

        self.critic_only -= self.frames_per_iteration
        self.ppo.learn(self.frames_per_iteration, reset_num_timesteps=False)
        buffer = self.ppo.rollout_buffer
        return {
            "reward": float(buffer.rewards.mean()) / config.reward_scale,
            "entropy": -float(buffer.log_probs.mean()),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The weights and the optimiser's state, to resume from."""
        weights = {f"policy.{name}": value for name, value in self.policy.state_dict().items()}
        weights["critic_only"] = torch.tensor(self.critic_only)
        return weights | optimizer_tensors("optimizer", self.policy.optimizer)

    def load(self, tensors: dict[str, Tensor], frames: int) -> None:
        """Resume from :meth:`tensors` after ``frames`` frames. The characters begin new episodes,
        unless :meth:`go_on` follows."""
        prefix = "policy."
        weights = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        self.policy.load_state_dict(weights)
        load_optimizer("optimizer", self.policy.optimizer, tensors)
        self.critic_only = int(tensors["critic_only"])
        self.ppo.num_timesteps = frames

    def practice(self) -> dict[str, Tensor]:
        """What the characters are doing, and the generators: with :meth:`tensors`, all that the
        next iteration depends on."""
        tensors = practice.of_episodes(self.episodes) | practice.of_process()
        if self.ppo._last_obs is not None:
            tensors["last_observation"] = torch.tensor(self.ppo._last_obs)
            tensors["starts"] = torch.tensor(self.ppo._last_episode_starts)
        return tensors

    def go_on(self, tensors: dict[str, Tensor]) -> None:
        """Go on from :meth:`practice`, after :meth:`load`. Raises KeyError or ValueError if that
        was of other characters."""
        practice.resume_episodes(self.episodes, tensors)
        practice.resume_process(tensors)
        self.ppo._last_obs = tensors["last_observation"].numpy()
        self.ppo._last_episode_starts = tensors["starts"].numpy()
