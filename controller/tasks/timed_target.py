"""Timed target: be at a point on the ground at a set time (Ling et al. 2020, 6.2), and then stand
there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from controller.core.errors import require
from controller.dynamics.character import CharacterState
from controller.tasks.arrival import (
    approach_reward,
    around,
    braking_speed,
    distance_to,
    facing_weight,
    observe_approach,
)
from controller.tasks.base import Task
from controller.tasks.goals import PLACE
from controller.tasks.registry import task

ARRIVED = 0.4
"""m: the first moment nearer than this is the arrival."""
AIM = 0.35
"""m: the distance to aim for at the set time. It is just inside ARRIVED, so that even a character
that strolls arrives then and not before."""
START_S = 1.5
"""s granted for turning round and getting going."""


@dataclass(frozen=True)
class TimedTargetGoal:
    """Where B characters have to go, and when.

    position  (B, 2) metres over the ground, in the world, as (x, z)
    seconds   (B,) s until the set time; below 0 after it
    """

    position: Tensor = field(metadata=PLACE)
    seconds: Tensor


@dataclass(frozen=True)
class TimedTargetConfig:
    """How fast a character may have to go, and how goals are drawn in training.

    The time of a feasible goal is 1.5 s, for getting going, plus what its distance takes at a pace
    from ``slowest`` to ``fastest``.
    """

    slowest: float = 0.3
    """m/s: the slowest pace required. With more time than that it would be better to wait."""
    fastest: float = 1.6
    """m/s: the fastest pace required."""
    limit: float = 2.0
    """m/s: the fastest desired speed. A late character may hurry, as fast as the captured people
    walk."""
    nearest: float = 1.0
    """m: the nearest that a target is drawn."""
    farthest: float = 10.0
    """m: the farthest that a target is drawn."""
    hold_frames: float = 60.0
    """After its time, a target stays for this many frames on average."""

    def __post_init__(self) -> None:
        speeds = (self.slowest, self.fastest, self.limit)
        ordered = 0 < self.slowest <= self.fastest <= self.limit <= 10
        allowed = "0 < slowest ≤ fastest ≤ limit ≤ 10 m/s"
        require(ordered, "slowest, fastest, limit", speeds, allowed)

        distances = (self.nearest, self.farthest)
        ordered = ARRIVED < self.nearest <= self.farthest
        require(ordered, "nearest, farthest", distances, f"above {ARRIVED} m, in order")

        require(self.hold_frames >= 1, "hold_frames", self.hold_frames, "1 or more frames")


@task
class TimedTargetTask(Task[TimedTargetGoal, TimedTargetConfig]):
    """Walk to a point, facing it, so as to arrive when the time is up; then stand there.

    The observation of the goal, in the character's facing frame:

    | column | what                                                                            |
    |--------|---------------------------------------------------------------------------------|
    | 0, 1   | velocity towards the target at :meth:`desired_speed`, forward and to the left,  |
    |        | m/s                                                                             |
    | 2, 3   | cosine and sine of the angle from the facing to the target, 120° at most,       |
    |        | fading within 1 m                                                               |
    | 4      | distance d to it, as d/(1 + d)                                                  |
    | 5      | seconds t until the set time, as t/(1 + abs(t))                                 |
    """

    name: ClassVar[str] = "timed_target"
    goal_size: ClassVar[int] = 6
    extends: ClassVar[str | None] = "joystick"
    config_type = TimedTargetConfig

    def default_config(self) -> TimedTargetConfig:
        """The settings if none are passed, with paces that the character can keep."""
        config = TimedTargetConfig()
        limit = min(config.limit, self.character.limits.forward_speed)
        fastest = min(config.fastest, 0.8 * limit)
        return replace(config, limit=limit, fastest=fastest, slowest=min(config.slowest, fastest))

    @staticmethod
    def goal_at(x: float, z: float, seconds: float) -> TimedTargetGoal:
        """One character's goal: a point that the user picks, in metres, and the seconds until the
        set time."""
        return TimedTargetGoal(torch.tensor([[x, z]]), torch.tensor([seconds]))

    def feasible_seconds(self, distance: Tensor, pace: Tensor) -> Tensor:
        """The time in s for a distance in metres at a pace in m/s, including START_S."""
        return START_S + distance / pace

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> TimedTargetGoal:
        """Draw feasible goals, with all distances, directions and paces equally likely."""
        config = self.config
        shares = torch.rand(3, len(state), generator=generator, device=generator.device)
        far, fast, direction = shares.to(state.yaw.device)
        distance = config.nearest + (config.farthest - config.nearest) * far
        pace = config.slowest + (config.fastest - config.slowest) * fast
        point = around(state.position, distance, direction)
        return TimedTargetGoal(point, self.feasible_seconds(distance, pace))

    def follow_goal(self, state: CharacterState, goal: TimedTargetGoal) -> TimedTargetGoal:
        """The clock ticks."""
        return TimedTargetGoal(goal.position, goal.seconds - 1 / self.character.fps)

    def renewal(self, state: CharacterState, goal: TimedTargetGoal) -> Tensor:
        """Redraw when the time is up, after ``hold_frames`` on average."""
        return (goal.seconds < 0) / self.config.hold_frames

    def desired_speed(self, distance: Tensor, seconds: Tensor) -> Tensor:
        """(B,) m/s: the speed that covers ``distance`` up to the last 0.35 m in exactly the
        remaining ``seconds``, but at most ``limit`` and slow enough to stop there. When the time is
        up, only these two bounds count."""
        fastest = braking_speed(distance).clamp(max=self.config.limit)
        just_in_time = (distance - AIM).clamp(min=0) / seconds.clamp(min=0.1)
        return torch.where(seconds > 0, torch.minimum(just_in_time, fastest), fastest)

    def observe_goal(self, state: CharacterState, goal: TimedTargetGoal) -> Tensor:
        distance = distance_to(state, goal.position)
        speed = self.desired_speed(distance, goal.seconds)
        wish = observe_approach(state, goal.position, speed, facing_weight(distance))
        clock = goal.seconds / (1 + goal.seconds.abs())
        further = torch.stack((distance / (1 + distance), clock), dim=-1)
        return torch.cat((wish, further), dim=-1)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: TimedTargetGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:func:`approach_reward` at :meth:`desired_speed`, minus the :class:`Penalties`."""
        seconds = goal.seconds - 1 / self.character.fps  # the goal is that before the step
        distance = distance_to(after, goal.position)
        speed = self.desired_speed(distance, seconds)
        facing = facing_weight(distance)
        terms = approach_reward(self.character, after, goal.position, speed, facing, self.tolerance)
        return self.with_penalties(terms, before, latent, after)

    def goal_bounds(self) -> list[float]:
        return [self.config.limit, self.config.limit, 1.0, 1.0, 1.0, 1.0]
