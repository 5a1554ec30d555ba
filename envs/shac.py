"""Short-horizon actor-critic (Xu et al., ICLR 2022): the task's reward is differentiated through the frozen decoder.

PPO learns from which actions happened to do well. The decoder is a network, so here the gradient of the reward over a
short horizon is had exactly, and a learned value stands in for what follows the horizon.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from controller import batch
from controller.errors import require
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
        layers += [nn.Linear(inputs, size), nn.ELU()]
        inputs = size
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


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
        return {"reward": float(record["reward"].mean()), "critic_loss": critic_loss, "gradient_norm": float(norm)}

    def rollout(self, noise: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Act for one horizon, with ``noise`` on the latents. Returns the actor's differentiable loss and a record."""
        episodes, simulation, config = self.episodes, self.episodes.simulation, self.config
        total = torch.zeros(episodes.count)
        discount = torch.ones(episodes.count)
        record: dict[str, list[Tensor]] = {name: [] for name in ("observation", "reward", "next_value", "ended")}
        for _ in range(config.horizon):
            observation = simulation.observe(episodes.state, episodes.goal)
            latent = self.network(observation)
            latent = latent + noise * torch.randn(latent.shape, generator=episodes.generator)
            moved, truncated = episodes.move(latent)
            value = self.target(simulation.observe(episodes.state, episodes.goal))[:, 0]
            value = torch.where(moved.terminated, torch.zeros_like(value), value)
            ended = moved.terminated | truncated
            total = total + discount * moved.reward
            total = torch.where(ended, total + discount * config.gamma * value, total)
            # An ended row's horizon is over: what the fresh episode earns is not this action's doing, but counts anew.
            discount = torch.where(ended, torch.ones_like(discount), discount * config.gamma)
            for name, item in (
                ("observation", observation),
                ("reward", moved.reward),
                ("next_value", value),
                ("ended", ended),
            ):
                record[name].append(torch.nan_to_num(item.detach()))
            if bool(ended.any()):
                episodes.reset(rows=ended)
        total = total + torch.where(ended, torch.zeros_like(value), discount * value)
        episodes.state = batch.detach(episodes.state)
        return -total.mean() / config.horizon, {name: torch.stack(items) for name, items in record.items()}

    def improve_critic(self, record: dict[str, Tensor]) -> float:
        """Regress the critic on TD(λ) targets of the horizon, then let the target critic follow."""
        config = self.config
        with torch.no_grad():
            target = torch.empty_like(record["reward"])
            following = record["next_value"][-1]
            for t in reversed(range(config.horizon)):
                value = record["next_value"][t]
                after = torch.where(
                    record["ended"][t], value, (1 - config.td_lambda) * value + config.td_lambda * following
                )
                following = target[t] = record["reward"][t] + config.gamma * after
        observations, targets = record["observation"].flatten(0, 1), target.flatten()
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
