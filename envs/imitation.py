"""Imitation in closed loop: characters that follow captured clips, and what they would have had to
do.

A policy that only saw captured poses does not know what to do in its own, which differ a little
more in every frame. Here the policy acts itself, and the motion VAE's encoder says which latent its
own pose would need to come nearer to the captured next pose (as DAgger asks an expert: Ross, Gordon
and Bagnell, AISTATS 2011).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from controller.control.sway import Sway, SwayConfig
from controller.core import batch
from controller.core.errors import DataError, require
from controller.data.dataset import MotionDataset
from controller.data.hindsight import FASTEST, Reference, command, gait, reference
from controller.data.windows import rarity
from controller.dynamics.character import Character, CharacterState
from controller.motion import geometry
from controller.tasks.base import Task
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.tracking import Tolerance, observe_wish
from envs.episodes import Episodes

TARGET_LIMIT = 2.5
"""Latents to imitate are clamped to ±2.5. The encoder knows steps between captured poses, and far
from these it answers with latents of ten deviations."""
TOLERANCE = Tolerance(walking=0.2, standing=0.03, facing=0.04)
"""The sway of captured hips costs nothing."""


@dataclass(frozen=True)
class ImitationConfig:
    """How policies learn from captured clips."""

    alone: float = 0.15
    """Share of the training, at its start, in which nothing is rewarded and only followers of clips
    act; none in a run with `start`."""
    share: float = 0.33
    """Share of the characters that follow clips; the others have drawn goals."""
    weight: float = 0.3
    """Weight of the imitation's gradient after the start. The reward's gradient has weight 1, and
    both are scaled to one norm before. The higher, the more natural; the lower, the quicker."""
    frames: int = 60
    """A character begins at another moment of another clip after this many frames."""
    balance: float = 0.5
    """How much more often followers begin where clips move in rare ways: the weight of a row is
    (count of such rows)^−balance. Most captured seconds walk ahead, and goals ask for backward,
    sideways and the fastest as often."""
    rows: int = 256
    """Steps that are imitated in one gradient step, over all workers."""
    memory: int = 50_000
    """The characters' own steps that are remembered. What the encoder says about a step does not
    depend on the policy, so old steps teach as well as new ones."""
    correction: float = 0.2
    """Share of its distance from the captured pose that a character should make up in each frame.
    To make up all of it at once needs latents far larger than those of captured motion."""
    ahead: tuple[int, int] = (4, 10)
    """The first and the last number of frames by which a command in hindsight may look ahead."""
    smoothing: float = 6.0
    """Standard deviation in frames of the Gaussian over the captured velocity: commands have no
    sway of the hips."""
    pull: float = 0.5
    """m/s by which the command leads back to the clip's place, for each metre away from it."""
    captured: float = 0.33
    """Share of captured steps, beside the characters' own, in what is imitated."""
    seated: float = 0.0
    """Share of the episodes with drawn goals that begin in captured poses, with what a joystick
    must have asked for there as their goal. Who already walks backward learns that this pays; from
    other poses it is hardly ever found. It helped on one motion VAE and not on another."""
    noisy: float = 0.5
    """Share of the followers whose latents have the noise of what the policy cannot know."""
    sway: SwayConfig = field(default_factory=SwayConfig)
    """Slow noise on the latents of all who are to stand, which the policy keeps."""
    near: float = 0.5
    """Characters that are farther than this from the captured pose, in mean square deviations, have
    lost their clip and begin again."""
    latent: float = 0.2
    """Scale of the penalty on large latents, in place of 1, for drawn goals."""

    def __post_init__(self) -> None:
        for name in ("alone", "balance", "captured", "correction", "noisy", "seated"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"imitation.{name}", value, "a share from 0 to 1")
        require(0 < self.share < 1, "imitation.share", self.share, "above 0 and below 1")
        for name in ("frames", "rows", "memory"):
            value = getattr(self, name)
            require(value >= 1, f"imitation.{name}", value, "1 or more")
        first, last = self.ahead
        allowed = "1 ≤ first ≤ last frames"
        require(1 <= first <= last, "imitation.ahead", self.ahead, allowed)
        for name in ("smoothing", "near"):
            require(getattr(self, name) > 0, f"imitation.{name}", getattr(self, name), "above 0")
        for name in ("weight", "pull", "latent"):
            value = getattr(self, name)
            require(value >= 0, f"imitation.{name}", value, "0 or more")

    def followers(self, characters: int) -> int:
        """How many of a number of characters follow clips."""
        return round(self.share * characters)

    def apply(self, task: Task[Any, Any]) -> None:
        """Set the scale of the penalty on latents and the tolerances on drawn goals."""
        task.tolerance = TOLERANCE
        penalties = task.penalties
        penalties.latent_cost = self.latent * penalties.weights.latent


def training_clips(data: MotionDataset, character: Character, smoothing: float) -> Reference:
    """The training clips of ``data`` and their mirror images, with velocities smoothed over
    ``smoothing`` frames. Raises DataError if the data are of another skeleton."""
    data.require_layout(character.layout, "the motion VAE")
    return reference(*data.split(held_out=False), character.model.normalizer, smoothing)


SEATED_FRAMES = 150
"""Frames at most after which an episode that began in a captured pose ends."""


class Commands:
    """What captured clips say a joystick must have asked for, and what the encoder makes of it.

    starts      (S,) the rows from which a character can begin to follow its clip
    weights     (S,) how often each is drawn, and ``cumulative`` their sums
    beyond      frames of a clip that are seen beyond a row
    """

    def __init__(self, reference: Reference, character: Character, config: ImitationConfig) -> None:
        self.reference = reference
        self.character = character
        self.config = config
        self.fastest = FASTEST * character.limits.forward_speed
        model = character.model
        rows = torch.arange(len(reference.pose), device=reference.pose.device)
        self.beyond = max(model.future, config.ahead[1])
        later = rows + self.beyond <= reference.last
        fits = later & (rows - model.past >= reference.first)
        self.starts = rows[fits]
        if len(self.starts) == 0:
            raise DataError(
                f"no clip is long enough to imitate: commands look {config.ahead[1]} frames ahead"
            )
        self.weights = rarity(gait(reference, self.starts), config.balance)
        self.cumulative = self.weights.cumsum(0)

    def state(self, rows: Tensor) -> CharacterState:
        """Characters in these captured poses (B,), where and as the clips have them."""
        captured = self.reference
        return CharacterState(captured.pose[rows], captured.position[rows], captured.yaw[rows])

    def observe(self, state: CharacterState, rows: Tensor, ahead: Tensor) -> Tensor:
        """(B, 4): the joystick's columns for characters that should be where the clips are at
        ``rows`` (B,), in hindsight of ``ahead`` (B,) frames.

        The velocity is the clip's, plus a pull towards its place; the facing is the clip's.
        """
        velocity, facing = self.ask(state.position, rows, ahead)
        return observe_wish(velocity, facing, state.yaw)

    def ask(self, position: Tensor, rows: Tensor, ahead: Tensor) -> tuple[Tensor, Tensor]:
        """Desired velocities (B, 2) and facings (B,) in the clips' world, of characters at
        ``position`` (B, 2)."""
        pull = self.config.pull
        return command(self.reference, rows, ahead, position, pull, self.fastest)

    def targets(self, pose: Tensor, rows: Tensor) -> Tensor:
        """(B, latent): the latents that lead from ``pose`` (B, D) towards the captured poses after
        ``rows`` (B,), by the encoder, at most ``TARGET_LIMIT``.

        What remains of the distance to the clip after its ``correction`` is added to the captured
        next pose before the encoder sees it.
        """
        model = self.character.model
        offsets = torch.arange(-model.past, model.future + 1, device=rows.device)
        windows = self.reference.pose[rows[:, None] + offsets]
        away = pose - windows[:, model.past]
        windows = windows + (1 - self.config.correction) * away[:, None]
        mean, _ = model.encode(pose, model.encoder_input(windows, model.past))
        return mean.clamp(-TARGET_LIMIT, TARGET_LIMIT)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """``count`` rows to start from, drawn at random, rare gaits more often."""
        sums = self.cumulative
        share = torch.rand(count, generator=generator, dtype=sums.dtype, device=sums.device)
        chosen = torch.searchsorted(sums, share * sums[-1])
        return self.starts[chosen.clamp(max=len(self.starts) - 1)]

    def draw_ahead(self, count: int, generator: torch.Generator) -> Tensor:
        """``count`` numbers of frames to look ahead, drawn at random."""
        first, last = self.config.ahead
        device = self.starts.device
        return torch.randint(first, last + 1, (count,), generator=generator, device=device)


@dataclass(frozen=True)
class Chase:
    """B characters that follow clips: where each should be, by row of the reference; how many
    frames its commands look ahead; and for how many frames it has followed."""

    rows: Tensor
    ahead: Tensor
    frames: Tensor


class Stretch(NamedTuple):
    """T frames of B characters.

    pose     (T, B, D) z-scored, after each frame
    command  (T, B, 4) the joystick's columns before it
    broken   (T, B) whether the character began anew before it
    """

    pose: Tensor
    command: Tensor
    broken: Tensor


class Memory:
    """The newest N steps of characters, each an observation and the latent to imitate, in no
    particular order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.steps = 0
        self.columns: tuple[Tensor, ...] = ()

    def add(self, *rows: Tensor) -> None:
        """Remember steps (B, ...) in place of the oldest ones."""
        if not self.columns:
            self.columns = tuple(part.new_zeros(self.size, *part.shape[1:]) for part in rows)
        count = len(rows[0])
        place = torch.arange(self.steps, self.steps + count, device=rows[0].device) % self.size
        for column, part in zip(self.columns, rows, strict=True):
            column[place] = part
        self.steps += count

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """``count`` steps, drawn with replacement."""
        known = min(self.steps, self.size)
        device = self.columns[0].device
        rows = torch.randint(known, (count,), generator=generator, device=device)
        return tuple(column[rows] for column in self.columns)


class Imitation:
    """Characters that follow clips by a policy, and the policy's loss on the way.

    The observation of a task that extends the joystick's has further columns. Followers see there
    what some of the characters of ``episodes`` see, so that nothing tells them apart.
    """

    def __init__(
        self,
        commands: Commands,
        episodes: Episodes[Any],
        count: int,
        generator: torch.Generator,
    ) -> None:
        task = episodes.simulation.task
        require(expresses(task), "task", task.name, "the joystick, or a task that extends it")
        self.commands = commands
        self.config = commands.config
        self.character = commands.character
        self.episodes = episodes
        self.generator = generator
        self.sway = Sway(self.config.sway, generator)
        self.drawn_sway = Sway(self.config.sway, episodes.generator)
        self.spread = torch.ones(self.character.latent, device=commands.starts.device)
        self.memory = Memory(self.config.memory)
        self.count = count
        chase = self._begin()
        clocks = torch.randint(self.config.frames, (count,), generator=generator)
        self.chase = replace(chase, frames=clocks.to(chase.rows.device))
        self.state = commands.state(chase.rows)

    def _begin(self) -> Chase:
        rows = self.commands.draw(self.count, self.generator)
        ahead = self.commands.draw_ahead(self.count, self.generator)
        return Chase(rows, ahead, torch.zeros_like(rows))

    @property
    def wish(self) -> slice:
        """The columns of an observation that have the desired velocity."""
        size = self.character.layout.size
        return slice(size, size + 2)

    @property
    def asked(self) -> slice:
        """All of an observation's columns of the joystick."""
        return slice(self.wish.start, self.wish.start + JoystickTask.goal_size)

    @property
    def noisy(self) -> int:
        """How many of the characters, the first ones, have noise."""
        return round(self.config.noisy * self.count)

    def practise(self, network: nn.Module, frames: int, differentiable: bool = False) -> Stretch:
        """Let all characters act for some ``frames``, and remember what the encoder says about
        them. Returns the motion of those without noise, with its graph if it is to be
        ``differentiable``."""
        poses, asked = [], []
        over = torch.zeros(self.count, dtype=torch.bool, device=self.spread.device)
        broken = []
        self.state = batch.detach(self.state)
        with torch.set_grad_enabled(differentiable):
            for _ in range(frames):
                observation = self.observe(self.state, self.chase.rows, self.chase.ahead)
                with torch.no_grad():
                    targets = self.commands.targets(self.state.pose, self.chase.rows)
                self.memory.add(observation.detach(), targets)
                asked.append(observation[:, self.asked].detach())
                broken.append(over)
                latent = self.sway(network(observation), observation[:, self.wish])
                pose, over = self.advance(latent)
                poses.append(pose)
        self.state = batch.detach(self.state)
        columns = (torch.stack(each)[:, self.noisy :] for each in (poses, asked, broken))
        return Stretch(*columns)

    def loss(self, network: nn.Module) -> Tensor:
        """The mean square difference between the policy's latents and the encoder's, in steps that
        are remembered and in captured ones."""
        known = round(self.config.rows * (1 - self.config.captured))
        own, captured = self.memory.draw(known, self.generator), self.captured()
        observation, target = (torch.cat(pair) for pair in zip(own, captured, strict=True))
        error = network(observation) - target
        with torch.no_grad():
            self.spread.lerp_(error.square().mean(dim=0).sqrt(), 0.01)
        return error.square().mean()

    @torch.no_grad()
    def seat(self, who: Tensor) -> bool:
        """Let a share of the episodes that begin now, those of ``who`` (B,), begin in captured
        poses. Returns whether any may."""
        if self.config.seated == 0:
            return False
        episodes = self.episodes
        captured = self.commands.reference
        state = episodes.state
        share = torch.rand(len(state), generator=self.generator, device=who.device)
        who = who & (share < self.config.seated)
        rows = self.commands.draw(len(state), self.generator)
        seated = CharacterState(captured.pose[rows], state.position, state.yaw)
        episodes.state = batch.where(who, seated, state)
        left = torch.randint(1, SEATED_FRAMES + 1, who.shape, generator=self.generator)
        clocks = (episodes.max_episode_steps - left.to(who.device)).clamp(min=0)
        episodes.frames = torch.where(who, clocks, episodes.frames)
        if isinstance(episodes.goal, JoystickGoal):
            ahead = self.commands.draw_ahead(len(state), self.generator)
            velocity, facing = self.commands.ask(captured.position[rows], rows, ahead)
            turn = state.yaw - captured.yaw[rows]
            facing = geometry.wrap_angle(facing + turn)
            goal = JoystickGoal(geometry.turn(velocity, turn), facing)
            episodes.goal = batch.where(who, goal, episodes.goal)
        return True

    @torch.no_grad()
    def captured(self) -> tuple[Tensor, Tensor]:
        """Observations and latents of captured steps."""
        rows = self.commands.draw(round(self.config.rows * self.config.captured), self.generator)
        state = self.commands.state(rows)
        ahead = self.commands.draw_ahead(len(rows), self.generator)
        return self.observe(state, rows, ahead), self.commands.targets(state.pose, rows)

    def observe(self, state: CharacterState, rows: Tensor, ahead: Tensor) -> Tensor:
        """(B, O): the pose, then the goal in hindsight."""
        goal = self.commands.observe(state, rows, ahead)
        episodes = self.episodes
        task = episodes.simulation.task
        if task.goal_size == JoystickTask.goal_size:
            return torch.cat((state.pose, goal), dim=-1)
        others = task.observe_goal(episodes.state, episodes.goal)[:, JoystickTask.goal_size :]
        chosen = torch.randint(len(others), (len(goal),), generator=self.generator)
        return torch.cat((state.pose, goal, others.detach()[chosen.to(others.device)]), dim=-1)

    def advance(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """One step of all characters. Those at an end, and those that are lost, begin anew.
        Returns the poses (B, D) before that, and who did (B,)."""
        config = self.config
        noise = torch.randn(latent.shape, generator=self.generator, device=latent.device)
        noisy = torch.arange(self.count, device=latent.device) < self.noisy
        latent = latent + noise * self.spread * noisy[:, None]
        latent = latent.clamp(-TARGET_LIMIT, TARGET_LIMIT)
        self.state = self.character.step(self.state, latent)
        pose = self.state.pose
        chase = self.chase
        chase = Chase(chase.rows + 1, chase.ahead, chase.frames + 1)

        model = self.character.model
        finished = chase.rows + max(model.future, 1) > self.commands.reference.last[chase.rows]
        finished |= chase.frames >= config.frames
        away = self.state.pose - self.commands.reference.pose[chase.rows]
        lost = ~(away.square().mean(dim=-1) < config.near)  # a NaN is lost, too
        over = finished | lost
        if bool(over.any()):
            chase = batch.where(over, self._begin(), chase)
            self.state = batch.where(over, self.commands.state(chase.rows), self.state)
        self.chase = chase
        return pose, over


def expresses(task: Task[Any, Any]) -> bool:
    """Whether a task's goals begin with the joystick's columns, so that clips can give goals."""
    return JoystickTask.name in (task.name, task.extends)
