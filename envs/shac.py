"""Short-horizon actor-critic (Xu et al., ICLR 2022): the task's reward is differentiated through
the frozen decoder.

PPO learns from which actions happened to do well. The decoder is a network, so here the gradient of
the reward over a short horizon is had exactly, and a learned value stands in for what follows the
horizon.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from controller.control.actors import Actor, Network
from controller.control.navigator import Navigator
from controller.control.policy import Policy
from controller.core import batch, processes
from controller.core.errors import require
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.core.processes import Workers
from controller.model.gemm import Linear
from controller.tasks.simulation import LATENT_LIMIT
from envs.episodes import Episodes, Move

PARTS = ("network", "critic", "target")
LAST = 0.002
"""Share of their first values to which the rates and the noise fall. The optimiser's last steps are
to be so small that they do not set a standing character creeping: at a tenth it crept by half a
metre a minute."""


@dataclass(frozen=True)
class ShacConfig:
    """Settings of the differentiable trainer."""

    horizon: int = 24
    """Frames through which the reward is differentiated."""
    gamma: float = 0.97
    """Discount a frame."""
    td_lambda: float = 0.95
    """λ of the critic's targets."""
    noise: float = 0.1
    """Deviation of the noise on the latent at the start; it falls linearly to nearly none: under
    noise, a standing character's slow creep cannot be told from its trembling."""
    actor_rate: float = 1e-3
    """Adam's rate of the actor at the start; it falls linearly to nearly none."""
    critic_rate: float = 1e-3
    """Adam's rate of the critic at the start; it falls linearly to nearly none."""
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
            require(
                0 < getattr(self, name) < 1,
                f"shac.{name}",
                getattr(self, name),
                "above 0 and below 1",
            )
        require(0 <= self.td_lambda <= 1, "shac.td_lambda", self.td_lambda, "0 to 1")
        require(self.noise >= 0, "shac.noise", self.noise, "0 or more")
        require(
            0 <= self.target_decay < 1, "shac.target_decay", self.target_decay, "0 up to but not 1"
        )
        require(self.gradient_norm > 0, "shac.gradient_norm", self.gradient_norm, "above 0")


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [Linear(inputs, size), nn.ELU()]
        inputs = size
    return nn.Sequential(*layers, Linear(inputs, outputs))


class Horizon(NamedTuple):
    """What was seen in T frames of B characters, without its graph: ``observation`` and
    ``following`` (T, B, O), the observations before and after each step; ``reward``, ``terminated``
    and ``ended`` (T, B)."""

    observation: Tensor
    following: Tensor
    reward: Tensor
    terminated: Tensor
    ended: Tensor


def _kept(values: Tensor) -> Tensor:
    return torch.nan_to_num(values.detach())


class ShacTrainer:
    """Actor, critic and the characters they practise on; :meth:`iterate` is one horizon of all of
    them."""

    def __init__(
        self,
        episodes: Episodes,
        config: ShacConfig,
        hidden: tuple[int, ...],
        seed: int,
        workers: Workers | None = None,
        pilot: Policy | None = None,
    ) -> None:
        torch.manual_seed(
            seed
        )  # all workers begin with the same weights, and, with gradients shared, keep them so
        self.workers = workers or Workers()
        self.frames_per_iteration = episodes.count * config.horizon * self.workers.count
        self.critic_only = 0
        self.episodes = episodes
        self.config = config
        simulation = episodes.simulation
        allowed = "ppo, for this motion VAE's actions are codes, and no gradient goes through the choice of one"
        require(simulation.character.codes is None, "algorithm", "shac", allowed)
        self.network = self.new_network(hidden, pilot).to(episodes.device)
        self.learning = [
            parameter for parameter in self.network.parameters() if parameter.requires_grad
        ]
        with torch.no_grad():
            self.network.head.weight.mul_(0.1)
        self.critic = mlp(simulation.observation_size, hidden, 1).to(episodes.device)
        self.target = mlp(simulation.observation_size, hidden, 1).to(episodes.device)
        self.target.load_state_dict(self.critic.state_dict())
        self.target.requires_grad_(False)
        self.actor_optimizer = torch.optim.Adam(
            self.learning, config.actor_rate, betas=(0.9, 0.999), fused=True
        )
        self.critic_optimizer = torch.optim.Adam(
            self.critic.parameters(), config.critic_rate, betas=(0.7, 0.95), fused=True
        )
        episodes.reset(seed + 1_000_003 * self.workers.rank)
        episodes.spread_clocks()

    def new_network(self, hidden: tuple[int, ...], pilot: Policy | None) -> Actor | Navigator:
        """An actor of its own, or one that steers the ``pilot``, whose weights stay as they are."""
        simulation = self.episodes.simulation
        if pilot is None:
            return Actor(
                simulation.observation_size, simulation.character.latent, hidden, LATENT_LIMIT
            )
        navigator = Navigator(
            simulation.observation_size, hidden, pilot.actor.sizes, pilot.header["settings"]
        )
        navigator.pilot.load_state_dict(pilot.actor.state_dict())
        return navigator

    def iterate(self, progress: float) -> dict[str, float]:
        """One horizon: act, differentiate, improve actor and critic. ``progress`` in [0, 1] sets
        the rates."""
        left = max(1 - progress, LAST)
        for optimizer, rate in (
            (self.actor_optimizer, self.config.actor_rate),
            (self.critic_optimizer, self.config.critic_rate),
        ):
            optimizer.param_groups[0]["lr"] = rate * left
        loss, record = self.rollout(self.config.noise * left)
        self.actor_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        processes.average(p.grad for p in self.learning if p.grad is not None)
        norm = torch.nn.utils.clip_grad_norm_(self.learning, self.config.gradient_norm)
        self.critic_only -= self.frames_per_iteration
        if torch.isfinite(norm) and self.critic_only <= 0:
            self.actor_optimizer.step()
        critic_loss = self.improve_critic(record)
        return {
            "reward": float(record.reward.mean()),
            "critic_loss": critic_loss,
            "gradient_norm": float(norm),
        }

    def rollout(self, noise: float) -> tuple[Tensor, Horizon]:
        """Act for one horizon, with ``noise`` on the latents. Returns the actor's differentiable
        loss and a record."""
        episodes = self.episodes
        simulation = self.episodes.simulation
        moves: list[Move] = []
        seen: list[tuple[Tensor, ...]] = []
        observation = simulation.observe(episodes.state, episodes.goal)
        for _ in range(self.config.horizon):
            latent = self.network(observation)
            latent = latent + noise * torch.randn(
                latent.shape, generator=episodes.generator, device=episodes.device
            )
            moved, terminated, truncated = episodes.move(latent)
            following = simulation.observe(episodes.state, episodes.goal)
            moves.append(moved)
            seen.append((observation, following, terminated, terminated | truncated))
            observation = (
                episodes.reset(rows=seen[-1][-1]) if bool(seen[-1][-1].any()) else following
            )
        episodes.state = batch.detach(episodes.state)
        before, latents, after, goals = zip(*moves, strict=True)
        # All frames are judged at once: a frame's small operators cost more by their number than by
        # their size.
        reward, _ = simulation.judge(
            batch.cat(before), torch.cat(latents), batch.cat(after), batch.cat(goals)
        )
        rewards = reward.unflatten(0, (len(moves), -1))
        observations, followings, terminated, ended = (
            torch.stack(items) for items in zip(*seen, strict=True)
        )
        record = Horizon(_kept(observations), _kept(followings), _kept(rewards), terminated, ended)
        return self.loss(rewards, followings, terminated, ended), record

    def loss(self, reward: Tensor, following: Tensor, terminated: Tensor, ended: Tensor) -> Tensor:
        """Minus the mean discounted reward a frame, all ``(T, B)``, and the target critic's value
        of what ``following`` (T, B, O) shows where a row's horizon ends: at the last frame or with
        an episode."""
        weight = torch.full_like(reward[0], self.config.gamma)
        closes = ended.clone()
        closes[-1] = True
        weights = torch.empty_like(reward)
        values = torch.zeros_like(reward)
        for t in range(len(reward)):
            weights[t] = weight / self.config.gamma
            # What the fresh episode earns is not the old one's doing, but counts anew.
            values[t] = torch.where(closes[t] & ~terminated[t], weight, 0.0)
            weight = torch.where(closes[t], self.config.gamma, self.config.gamma * weight)
        rows = values > 0
        value = self.target(following[rows])[:, 0] * values[rows]
        return -((weights * reward).sum() + value.sum()) / reward.numel()

    @torch.no_grad()
    def targets(self, record: Horizon) -> Tensor:
        """TD(λ) targets of the critic, ``(T, B)`` (Sutton and Barto 2018, section 12)."""
        gamma = self.config.gamma
        trace = self.config.td_lambda
        value = self.target(record.following.flatten(0, 1))[:, 0].unflatten(0, record.reward.shape)
        value = value.masked_fill(record.terminated, 0.0)
        targets = torch.empty_like(value)
        later = value[-1]
        for t in reversed(range(len(value))):
            after = torch.where(record.ended[t], value[t], (1 - trace) * value[t] + trace * later)
            later = targets[t] = record.reward[t] + gamma * after
        return targets

    def improve_critic(self, record: Horizon) -> float:
        """Regress the critic on TD(λ) targets of the horizon, then let the target critic follow."""
        config = self.config
        observations = record.observation.flatten(0, 1)
        targets = self.targets(record).flatten()
        order = torch.randperm(
            len(targets), generator=self.episodes.generator, device=self.episodes.device
        )
        total = 0.0
        for rows in order.chunk(config.critic_steps):
            loss = (self.critic(observations[rows])[:, 0] - targets[rows]).square().mean()
            self.critic_optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.critic.parameters(), config.gradient_norm)
            self.critic_optimizer.step()
            total += float(loss.detach()) / config.critic_steps
        with torch.no_grad():
            processes.average(
                self.critic.parameters()
            )  # its steps are too small to be shared one by one
            for mine, theirs in zip(
                self.target.parameters(), self.critic.parameters(), strict=True
            ):
                mine.lerp_(theirs, 1 - config.target_decay)
        return total

    def actor(self) -> Actor | Navigator:
        """A copy of the actor as it stands."""
        return copy.deepcopy(self.network)

    def start_from(self, actor: Network) -> None:
        """Begin with a trained actor's weights, which wait until the critic, which is new, has
        learned a little."""
        kind = type(self.network).__name__.lower()
        found = type(actor).__name__.lower()
        require(kind == found, "start", found, f"a policy that is of the same kind, {kind}")
        self.network.load_state_dict(actor.state_dict())
        self.critic_only = self.config.critic_frames

    def tensors(self) -> dict[str, Tensor]:
        """Weights and optimisers, to resume from."""
        weights = {
            f"{part}.{n}": v for part in PARTS for n, v in getattr(self, part).state_dict().items()
        }
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
