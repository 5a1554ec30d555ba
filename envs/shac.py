"""Short-horizon actor-critic (Xu et al., ICLR 2022): the task's reward is differentiated through
the frozen decoder.

PPO learns from which actions happened to do well. The decoder is a network, so the gradient of the
reward over a short horizon can be computed exactly; a learned value stands in for the rewards after
the horizon.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from controller.control.actors import Actor, Network
from controller.control.navigator import Navigator
from controller.control.policy import Policy
from controller.core import batch
from controller.core.errors import require
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.core.processes import Workers
from controller.model.gemm import Linear
from controller.tasks.simulation import LATENT_LIMIT
from envs import practice
from envs.discriminator import Discriminator
from envs.episodes import Episodes, Move
from envs.imitation import Imitation, Stretch

PARTS = ("network", "critic", "target")
"""The trainer's networks, by which its training state names their weights."""
LAST = 0.002
"""Share of their first values to which the rates and the noise fall. The optimiser's last steps
must be so small that they do not make a standing character creep: at a tenth it crept by half a
metre a minute."""
PRACTICE_ONE_IN = 3
"""Followers of clips act in one of this many frames of a horizon: their old steps teach, too."""


@dataclass(frozen=True)
class ShacConfig:
    """Settings of the differentiable trainer."""

    horizon: int = 24
    """Frames through which the reward is differentiated."""
    gamma: float = 0.97
    """Discount of each frame."""
    td_lambda: float = 0.95
    """λ of the critic's targets."""
    noise: float = 0.1
    """Standard deviation of the noise on the latent at the start; it falls linearly to nearly none:
    with noise, a standing character's slow creep cannot be distinguished from its trembling."""
    actor_rate: float = 1e-3
    """Adam's rate of the actor at the start; it falls linearly to nearly none."""
    critic_rate: float = 1e-3
    """Adam's rate of the critic at the start; it falls linearly to nearly none."""
    critic_steps: int = 8
    """Gradient steps of the critic after each horizon."""
    critic_frames: int = 250_000
    """Number of frames at the start in which only the critic learns, in a run that starts from a
    trained actor."""
    target_decay: float = 0.995
    """Share of its weights that the target critic keeps at each horizon."""
    gradient_norm: float = 1.0
    """Gradients are clipped to this norm."""

    def __post_init__(self) -> None:
        require(self.critic_frames >= 0, "shac.critic_frames", self.critic_frames, "0 or more")
        for name in ("horizon", "critic_steps"):
            value = getattr(self, name)
            require(value >= 1, f"shac.{name}", value, "1 or more")
        for name in ("gamma", "actor_rate", "critic_rate"):
            value = getattr(self, name)
            require(0 < value < 1, f"shac.{name}", value, "above 0 and below 1")
        require(0 <= self.td_lambda <= 1, "shac.td_lambda", self.td_lambda, "0 to 1")
        require(self.noise >= 0, "shac.noise", self.noise, "0 or more")
        decay = self.target_decay
        require(0 <= decay < 1, "shac.target_decay", decay, "0 or more and below 1")
        require(self.gradient_norm > 0, "shac.gradient_norm", self.gradient_norm, "above 0")


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """An ELU network with hidden layers of these widths."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [Linear(inputs, size), nn.ELU()]
        inputs = size
    return nn.Sequential(*layers, Linear(inputs, outputs))


class Horizon(NamedTuple):
    """T frames of B characters, without their graph.

    observation  (T, B, O) before each step
    following    (T, B, O) after each step
    reward       (T, B)
    terminated   (T, B) booleans: the character fell or failed
    ended        (T, B) booleans: the episode ended, for whatever reason
    """

    observation: Tensor
    following: Tensor
    reward: Tensor
    terminated: Tensor
    ended: Tensor


def begun(ended: Tensor) -> Tensor:
    """Whether a new episode began just before each of T frames (T, B), if episodes ``ended`` after
    these frames (T, B)."""
    return torch.cat((torch.zeros_like(ended[:1]), ended[:-1]))


def _detach(values: Tensor) -> Tensor:
    """Values without their graph, with 0 in place of NaN."""
    return torch.nan_to_num(values.detach())


class ShacTrainer:
    """An actor, a critic and the characters on which they practise; :meth:`iterate` is one horizon
    of all characters."""

    def __init__(
        self,
        episodes: Episodes,
        config: ShacConfig,
        hidden: tuple[int, ...],
        seed: int,
        workers: Workers | None = None,
        walker: Policy | None = None,
        imitation: Imitation | None = None,
        discriminator: Discriminator | None = None,
    ) -> None:
        """``walker``: a joystick policy that the actor is to steer; ``imitation``: characters that
        follow clips, beside those of ``episodes``; ``discriminator``: what compares them with
        clips. With ``workers`` each process has its own of all."""
        # All workers begin with the same weights and share their gradients, so weights stay equal.
        torch.manual_seed(seed)
        self.workers = workers or Workers()
        followers = 0 if imitation is None else imitation.count
        self.characters = episodes.count + followers
        self.frames_per_iteration = self.characters * config.horizon * self.workers.count
        self.critic_only = 0
        self.episodes = episodes
        self.imitation = imitation
        self.discriminator = discriminator
        self.config = config
        simulation = episodes.simulation
        allowed = "ppo, since this motion VAE's actions are codes, whose choice has no gradient"
        require(simulation.character.codes is None, "algorithm", "shac", allowed)

        self.network = self.new_network(hidden, walker).to(episodes.device)
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
        if imitation is not None:
            imitation.seat(torch.ones_like(episodes.frames, dtype=torch.bool))

    def new_network(self, hidden: tuple[int, ...], walker: Policy | None) -> Actor | Navigator:
        """An actor that walks by itself, or one that steers the ``walker``, whose weights stay as
        they are."""
        simulation = self.episodes.simulation
        size = simulation.observation_size
        if walker is None:
            return Actor(size, simulation.character.latent, hidden, LATENT_LIMIT)
        navigator = Navigator(size, hidden, walker.actor.sizes, walker.header["settings"])
        navigator.pilot.load_state_dict(walker.actor.state_dict())
        return navigator

    def iterate(self, progress: float) -> dict[str, float]:
        """One horizon: act, differentiate, improve actor and critic. ``progress`` in [0, 1] sets
        the rates and the noise."""
        config = self.config
        scale = max(1 - progress, LAST)
        self.actor_optimizer.param_groups[0]["lr"] = scale * config.actor_rate
        self.critic_optimizer.param_groups[0]["lr"] = scale * config.critic_rate

        imitation = self.imitation
        if imitation is not None and progress < imitation.config.alone:
            return self.imitate(imitation)

        judged = self.discriminator is not None
        loss, record, poses = self.rollout(scale * config.noise)
        gradients, norm = self.gradients(loss, equalize=imitation is not None, keep=judged)
        figures = {"reward": float(record.reward.mean()), "gradient_norm": norm}
        if imitation is not None:
            command = record.observation[..., imitation.asked]
            drawn = Stretch(poses, command, begun(record.ended))
            norm += self.follow_clips(imitation, gradients, drawn, figures)

        self.critic_only -= self.frames_per_iteration
        if math.isfinite(norm) and self.critic_only <= 0:
            self.descend(gradients)
        figures["critic_loss"] = self.improve_critic(record)
        return figures

    def follow_clips(
        self,
        imitation: Imitation,
        gradients: list[Tensor],
        drawn: Stretch,
        figures: dict[str, float],
    ) -> float:
        """Let followers act, and add the gradients of what clips say to those of the reward: of the
        imitation's loss, and of the discriminator's about the followers and about the motion on the
        way to ``drawn`` goals. Returns the norms of the gradients, and adds to the ``figures``."""
        critic = self.discriminator
        frames = self.config.horizon // PRACTICE_ONE_IN if critic is None else critic.config.frames
        followed = imitation.practise(self.network, max(1, frames), critic is not None)
        loss = imitation.loss(self.network)
        figures["imitation_loss"] = float(loss.detach())
        norm = self.add(gradients, loss, imitation.config.weight)
        if critic is not None:
            windows = critic.windows.cut(followed), critic.windows.cut(drawn)
            norm += self.add(gradients, critic.policy_loss(*windows), critic.config.weight)
            figures["discriminator_right"] = critic.improve(*windows)
        return norm

    def imitate(self, imitation: Imitation) -> dict[str, float]:
        """As many frames as :meth:`iterate` has, by followers alone, with a gradient step after
        each of their frames."""
        steps = max(1, self.characters * self.config.horizon // imitation.count)
        total = 0.0
        for _ in range(steps):
            imitation.practise(self.network, 1)
            loss = imitation.loss(self.network)
            self.descend(self.gradients(loss)[0])
            total += float(loss.detach()) / steps
        return {"reward": 0.0, "imitation_loss": total}

    def gradients(
        self, loss: Tensor, equalize: bool = False, keep: bool = False
    ) -> tuple[list[Tensor], float]:
        """The gradients of a loss over the learning weights, averaged over the workers, and their
        norm. Then they are clipped to the norm of the settings, or scaled to it if ``equalize``:
        how large a reward's gradient is depends on the motion VAE, and a weight must mean the same
        for all. ``keep`` the graph for a further loss."""
        gradients = list(torch.autograd.grad(loss, self.learning, retain_graph=keep))
        self.workers.average(gradients)
        norm = torch.nn.utils.get_total_norm(gradients)
        scale = self.config.gradient_norm / (norm + 1e-6)
        scale = scale if equalize else scale.clamp(max=1)
        torch._foreach_mul_(gradients, scale)
        return gradients, float(norm)

    def add(self, gradients: list[Tensor], loss: Tensor, weight: float) -> float:
        """Add the gradients of a further loss, scaled to the norm of the settings times a
        ``weight``. Returns their norm before."""
        own, norm = self.gradients(loss, equalize=True)
        torch._foreach_add_(gradients, own, alpha=weight)
        return norm

    def descend(self, gradients: list[Tensor]) -> None:
        """One step of the actor."""
        for parameter, gradient in zip(self.learning, gradients, strict=True):
            parameter.grad = gradient
        self.actor_optimizer.step()

    def rollout(self, noise: float) -> tuple[Tensor, Horizon, Tensor]:
        """Act for one horizon, with ``noise`` on the latents. Returns the actor's differentiable
        loss, a record, and the poses (T, B, D) with their graph."""
        episodes = self.episodes
        simulation = episodes.simulation
        moves: list[Move] = []
        frames: list[tuple[Tensor, ...]] = []
        observation = simulation.observe(episodes.state, episodes.goal)
        for _ in range(self.config.horizon):
            latent = self.network(observation)
            random = torch.randn(latent.shape, generator=episodes.generator, device=episodes.device)
            latent = latent + noise * random
            if self.imitation is not None:
                latent = self.imitation.drawn_sway(latent, observation[:, self.imitation.wish])
            move, terminated, truncated = episodes.move(latent)
            following = simulation.observe(episodes.state, episodes.goal)
            ended = terminated | truncated
            moves.append(move)
            frames.append((observation, following, terminated, ended))
            observation = self.begin(ended) if bool(ended.any()) else following

        episodes.state = batch.detach(episodes.state)
        rewards = self.rewards(moves)
        observations, followings, terminations, ends = map(torch.stack, zip(*frames, strict=True))
        record = Horizon(
            _detach(observations), _detach(followings), _detach(rewards), terminations, ends
        )
        poses = torch.stack([move.after.pose for move in moves])
        return self.loss(rewards, followings, terminations, ends), record, poses

    def begin(self, ended: Tensor) -> Tensor:
        """New episodes in the rows that have ``ended`` (B,). Returns all observations."""
        observation = self.episodes.reset(rows=ended)
        if self.imitation is None or not self.imitation.seat(ended):
            return observation
        return self.episodes.simulation.observe(self.episodes.state, self.episodes.goal)

    def rewards(self, moves: list[Move]) -> Tensor:
        """The rewards (T, B) of T frames.

        All are computed at once: the operators of one frame are so small that their number costs
        more than their size.
        """
        before, latents, after, goals = zip(*moves, strict=True)
        reward, _ = self.episodes.simulation.judge(
            batch.cat(before), torch.cat(latents), batch.cat(after), batch.cat(goals)
        )
        return reward.unflatten(0, (len(moves), -1))

    def loss(self, reward: Tensor, following: Tensor, terminated: Tensor, ended: Tensor) -> Tensor:
        """Minus the discounted return, divided by the number of frames.

        Where a row's horizon ends, at the last frame or at an episode's end, the target critic's
        value stands for the rewards that follow, unless the character fell or failed.
        ``reward``, ``terminated`` and ``ended`` are (T, B), ``following`` is (T, B, O).
        """
        weight = torch.full_like(reward[0], self.config.gamma)
        closes = ended.clone()
        closes[-1] = True
        weights = torch.empty_like(reward)
        values = torch.zeros_like(reward)
        for t in range(len(reward)):
            weights[t] = weight / self.config.gamma
            # The old episode did not cause the rewards of the next, which count from their start.
            values[t] = torch.where(closes[t] & ~terminated[t], weight, 0.0)
            weight = torch.where(closes[t], self.config.gamma, self.config.gamma * weight)
        rows = values > 0
        value = self.target(following[rows])[:, 0] * values[rows]
        return -((weights * reward).sum() + value.sum()) / reward.numel()

    @torch.no_grad()
    def targets(self, record: Horizon) -> Tensor:
        """The critic's TD(λ) targets, ``(T, B)`` (Sutton and Barto 2018, section 12)."""
        gamma = self.config.gamma
        trace = self.config.td_lambda
        value = self.target(record.following.flatten(0, 1))[:, 0].unflatten(0, record.reward.shape)
        value = value.masked_fill(record.terminated, 0.0)
        targets = torch.empty_like(value)
        later = value[-1]
        for t in reversed(range(len(value))):
            after = torch.where(record.ended[t], value[t], (1 - trace) * value[t] + trace * later)
            later = record.reward[t] + gamma * after
            targets[t] = later
        return targets

    def improve_critic(self, record: Horizon) -> float:
        """Regress the critic on the horizon's TD(λ) targets, then let the target critic follow.
        Returns the critic's mean loss."""
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
            # The critic's steps are too small to be worth sharing one by one.
            self.workers.average(self.critic.parameters())
            pairs = zip(self.target.parameters(), self.critic.parameters(), strict=True)
            for target, weights in pairs:
                target.lerp_(weights, 1 - config.target_decay)
        return total

    def actor(self) -> Actor | Navigator:
        """A copy of the actor in its present state."""
        return copy.deepcopy(self.network)

    def start_from(self, actor: Network) -> None:
        """Begin with a trained actor's weights. They do not change until the new critic has learned
        a little."""
        kind = type(self.network).__name__.lower()
        other = type(actor).__name__.lower()
        require(kind == other, "start", other, f"a policy of the same kind, {kind}")
        self.network.load_state_dict(actor.state_dict())
        self.critic_only = self.config.critic_frames

    def tensors(self) -> dict[str, Tensor]:
        """The weights and the optimisers' states, to resume from."""
        tensors = {
            f"{part}.{name}": value
            for part in PARTS
            for name, value in getattr(self, part).state_dict().items()
        }
        tensors |= optimizer_tensors("actor_optimizer", self.actor_optimizer)
        tensors |= optimizer_tensors("critic_optimizer", self.critic_optimizer)
        tensors["critic_only"] = torch.tensor(self.critic_only)
        if self.imitation is not None:
            tensors["spread"] = self.imitation.spread
        if self.discriminator is not None:
            tensors |= self.discriminator.tensors()
        return tensors

    def load(self, tensors: dict[str, Tensor], frames: int) -> None:
        """Resume from :meth:`tensors` after ``frames`` frames. The characters begin new episodes,
        unless :meth:`go_on` follows."""
        for part in PARTS:
            prefix = f"{part}."
            weights = {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
            getattr(self, part).load_state_dict(weights)
        load_optimizer("actor_optimizer", self.actor_optimizer, tensors)
        load_optimizer("critic_optimizer", self.critic_optimizer, tensors)
        self.critic_only = int(tensors["critic_only"])
        if self.imitation is not None:
            self.imitation.spread = tensors["spread"].to(self.imitation.spread)
        if self.discriminator is not None:
            self.discriminator.load(tensors)

    def practice(self) -> dict[str, Tensor]:
        """What this process's characters are doing, and its generators: with :meth:`tensors`, all
        that the next iteration depends on."""
        tensors = practice.of_episodes(self.episodes)
        if self.imitation is not None:
            tensors |= practice.of_imitation(self.imitation)
        return tensors

    def go_on(self, tensors: dict[str, Tensor]) -> None:
        """Go on from :meth:`practice`, after :meth:`load`. Raises KeyError or ValueError if that
        was of other characters."""
        if self.imitation is not None:
            practice.resume_imitation(self.imitation, tensors)
        practice.resume_episodes(self.episodes, tensors)
