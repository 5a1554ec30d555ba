"""Short-horizon actor-critic (Xu et al., ICLR 2022): the task's reward is differentiated through the frozen decoder.

PPO learns from which actions happened to do well. The decoder is a network, so here the gradient of the reward over a
short horizon is had exactly, and a learned value stands in for what follows the horizon.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from controller import batch
from controller.errors import require
from controller.gemm import Linear
from controller.mvae.schedules import linear_decay
from controller.optimizer_state import load_optimizer, optimizer_tensors
from controller.policy import Actor
from controller.simulation import LATENT_LIMIT
from envs.episodes import Episodes

PARTS = ("network", "critic", "target")
LAST = 0.02
"""Share of their first values to which the rates and the noise fall. At a tenth, standing characters still crept."""


@dataclass(frozen=True)
class ShacConfig:
    """Settings of the differentiable trainer."""

    horizon: int = 24
    """Frames through which the reward is differentiated."""
    gamma: float = 0.97
    """Discount a frame."""
    td_lambda: float = 0.95
    """λ of the critic's targets."""
    glide_from: float = 0.75
    """Share of the training after which gliding costs, in full. From the start, it makes standing still pay better than
    learning to walk; from a quarter on, turning round pay better than learning to walk backward."""
    noise: float = 0.1
    """Deviation of the noise on the latent at the start; it falls linearly to a fiftieth: under noise, a standing
    character's slow creep cannot be told from its trembling."""
    actor_rate: float = 1e-3
    """Adam's rate of the actor at the start; it falls linearly to a fiftieth."""
    critic_rate: float = 1e-3
    """Adam's rate of the critic at the start; it falls linearly to a fiftieth."""
    critic_steps: int = 8
    """Gradient steps of the critic after each horizon."""
    critic_frames: int = 250_000
    """First frames in which only the critic learns, in a run that starts from a trained actor."""
    target_decay: float = 0.995
    """Share of itself that the target critic keeps at each horizon."""
    gradient_norm: float = 1.0
    """Gradients are clipped to this norm."""

    def __post_init__(self) -> None:
        require(self.critic_frames >= 0, "shac.critic_frames", self.critic_frames, "0 or more")
        for name in ("horizon", "critic_steps"):
            require(getattr(self, name) >= 1, f"shac.{name}", getattr(self, name), "1 or more")
        for name in ("gamma", "actor_rate", "critic_rate"):
            require(0 < getattr(self, name) < 1, f"shac.{name}", getattr(self, name), "above 0 and below 1")
        require(0 <= self.td_lambda <= 1, "shac.td_lambda", self.td_lambda, "0 to 1")
        require(0 <= self.glide_from <= 1, "shac.glide_from", self.glide_from, "0 to 1")
        require(self.noise >= 0, "shac.noise", self.noise, "0 or more")
        require(0 <= self.target_decay < 1, "shac.target_decay", self.target_decay, "0 up to but not 1")
        require(self.gradient_norm > 0, "shac.gradient_norm", self.gradient_norm, "above 0")


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [Linear(inputs, size), nn.ELU()]
        inputs = size
    return nn.Sequential(*layers, Linear(inputs, outputs))


class Horizon(NamedTuple):
    """What was seen in T frames of B characters, without its graph: ``observation`` and ``following`` (T, B, O), the
    observations before and after each step; ``reward``, ``terminated`` and ``ended`` (T, B)."""

    observation: Tensor
    following: Tensor
    reward: Tensor
    terminated: Tensor
    ended: Tensor


class ShacTrainer:
    """Actor, critic and the characters they practise on; :meth:`iterate` is one horizon of all of them."""

    name = "shac"

    def __init__(self, episodes: Episodes, config: ShacConfig, hidden: tuple[int, ...], seed: int) -> None:
        torch.manual_seed(seed)
        self.frames_per_iteration = episodes.count * config.horizon
        self.critic_only = 0
        self.episodes, self.config = episodes, config
        simulation = episodes.simulation
        self.network = Actor(simulation.observation_size, simulation.character.latent, hidden, LATENT_LIMIT)
        with torch.no_grad():
            self.network.head.weight.mul_(0.1)
        self.critic = mlp(simulation.observation_size, hidden, 1)
        self.target = mlp(simulation.observation_size, hidden, 1)
        self.target.load_state_dict(self.critic.state_dict())
        self.target.requires_grad_(False)
        self.actor_optimizer = torch.optim.Adam(
            self.network.parameters(), config.actor_rate, betas=(0.7, 0.95), fused=True
        )
        self.critic_optimizer = torch.optim.Adam(
            self.critic.parameters(), config.critic_rate, betas=(0.7, 0.95), fused=True
        )
        episodes.reset(seed)
        # Clocks apart from the start, so that not all characters begin anew in one frame.
        episodes.frames = torch.randint(episodes.max_episode_steps, (episodes.count,), generator=episodes.generator)

    def iterate(self, progress: float) -> dict[str, float]:
        """One horizon: act, differentiate, improve actor and critic. ``progress`` in [0, 1] sets the rates."""
        for optimizer, rate in (
            (self.actor_optimizer, self.config.actor_rate),
            (self.critic_optimizer, self.config.critic_rate),
        ):
            optimizer.param_groups[0]["lr"] = linear_decay(round(1000 * progress), 1000, rate, LAST * rate)
        self.episodes.simulation.task.quality.gliding = float(progress >= self.config.glide_from)
        loss, record = self.rollout(
            linear_decay(round(1000 * progress), 1000, self.config.noise, LAST * self.config.noise)
        )
        self.actor_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_norm)
        self.critic_only -= self.frames_per_iteration
        if torch.isfinite(norm) and self.critic_only <= 0:
            self.actor_optimizer.step()
        critic_loss = self.improve_critic(record)
        return {"reward": float(record.reward.mean()), "critic_loss": critic_loss, "gradient_norm": float(norm)}

    def rollout(self, noise: float) -> tuple[Tensor, Horizon]:
        """Act for one horizon, with ``noise`` on the latents. Returns the actor's differentiable loss and a record."""
        episodes, simulation, config = self.episodes, self.episodes.simulation, self.config
        total = torch.zeros(episodes.count)
        discount = torch.ones(episodes.count)
        record: list[tuple[Tensor, ...]] = []
        observation = simulation.observe(episodes.state, episodes.goal)
        for frame in range(config.horizon):
            latent = self.network(observation)
            latent = latent + noise * torch.randn(latent.shape, generator=episodes.generator)
            moved, truncated = episodes.move(latent)
            following = simulation.observe(episodes.state, episodes.goal)
            ended = moved.terminated | truncated
            record.append((observation, following, moved.reward, moved.terminated, ended))
            total = total + discount * moved.reward
            discount = config.gamma * discount
            last = frame == config.horizon - 1
            if last or bool(ended.any()):  # a value is only worth its gradient where a row's horizon ends
                closes = ended | last
                value = self.target(following)[:, 0].masked_fill(moved.terminated, 0.0)
                total = torch.where(closes, total + discount * value, total)
                # What the fresh episode earns is not the old one's doing, but counts anew.
                discount = torch.where(closes, 1.0, discount)
            observation = episodes.reset(rows=ended) if bool(ended.any()) else following
        episodes.state = batch.detach(episodes.state)
        return -total.mean() / config.horizon, Horizon(*(self.kept(items) for items in zip(*record, strict=True)))

    @staticmethod
    def kept(items: tuple[Tensor, ...]) -> Tensor:
        return torch.nan_to_num(torch.stack([item.detach() for item in items]))

    @torch.no_grad()
    def targets(self, record: Horizon) -> Tensor:
        """TD(λ) targets of the critic, ``(T, B)`` (Sutton and Barto 2018, section 12)."""
        gamma, trace = self.config.gamma, self.config.td_lambda
        value = self.target(record.following.flatten(0, 1))[:, 0].unflatten(0, record.reward.shape)
        value = value.masked_fill(record.terminated, 0.0)
        targets, later = torch.empty_like(value), value[-1]
        for t in reversed(range(len(value))):
            after = torch.where(record.ended[t], value[t], (1 - trace) * value[t] + trace * later)
            later = targets[t] = record.reward[t] + gamma * after
        return targets

    def improve_critic(self, record: Horizon) -> float:
        """Regress the critic on TD(λ) targets of the horizon, then let the target critic follow."""
        config = self.config
        observations, targets = record.observation.flatten(0, 1), self.targets(record).flatten()
        order = torch.randperm(len(targets), generator=self.episodes.generator)
        total = 0.0
        for rows in order.chunk(config.critic_steps):
            loss = (self.critic(observations[rows])[:, 0] - targets[rows]).square().mean()
            self.critic_optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.critic.parameters(), config.gradient_norm)
            self.critic_optimizer.step()
            total += float(loss.detach()) / config.critic_steps
        with torch.no_grad():
            for mine, theirs in zip(self.target.parameters(), self.critic.parameters(), strict=True):
                mine.lerp_(theirs, 1 - config.target_decay)
        return total

    def actor(self) -> Actor:
        """A copy of the actor as it stands."""
        return copy.deepcopy(self.network)

    def start_from(self, actor: Actor) -> None:
        """Begin with a trained actor's weights, which wait until the critic, which is new, has learned a little."""
        self.network.load_state_dict(actor.state_dict())
        self.critic_only = self.config.critic_frames

    def tensors(self) -> dict[str, Tensor]:
        """Weights and optimisers, to resume from."""
        weights = {f"{part}.{n}": v for part in PARTS for n, v in getattr(self, part).state_dict().items()}
        weights |= optimizer_tensors("actor_optimizer", self.actor_optimizer)
        weights["critic_only"] = torch.tensor(self.critic_only)
        return weights | optimizer_tensors("critic_optimizer", self.critic_optimizer)

    def load(self, tensors: dict[str, Tensor], frames: int) -> None:
        """Take up :meth:`tensors`. The characters begin new episodes."""
        for part in PARTS:
            prefix = f"{part}."
            state = {n[len(prefix) :]: v for n, v in tensors.items() if n.startswith(prefix)}
            getattr(self, part).load_state_dict(state)
        load_optimizer("actor_optimizer", self.actor_optimizer, tensors)
        load_optimizer("critic_optimizer", self.critic_optimizer, tensors)
        self.critic_only = int(tensors["critic_only"])
