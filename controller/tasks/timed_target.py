"""Timed target: be at a point on the ground at a set time (Ling et al. 2020, 6.2), and stand there
afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
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
"""m: how near it is to be at the set time: just inside, so that even who strolls arrives then and
not before."""
START_S = 1.5
"""s: granted for turning round and getting going."""


@dataclass(frozen=True)
class TimedTargetGoal:
    """Where B characters are to go, and when.

    position  (B, 2) metres over the ground, in the world, as (x, z)
    seconds   (B,) left until it is time; below 0 since then
    """

    position: Tensor = field(metadata=PLACE)
    seconds: Tensor


@dataclass(frozen=True)
class TimedTargetConfig:
    """How fast one may have to go, and how goals are drawn in training.

    A goal is feasible if its time is 1.5 s, for getting going, and what its distance takes at a
    pace from ``slowest`` to ``fastest``.
    """

    slowest: float = 0.3
    """m/s: the slowest pace asked for; in the time that is left over one would do better to
    wait."""
    fastest: float = 1.6
    """m/s: the fastest pace asked for."""
    limit: float = 2.0
    """m/s: the fastest wish: who is late may hurry, as fast as the captured people walk."""
    nearest: float = 1.0
    """m: the nearest a target is drawn."""
    farthest: float = 10.0
    """m: the farthest a target is drawn."""
    hold_frames: float = 60.0
    """A target stays for this many frames on average after its time."""

    def __post_init__(self) -> None:
        pace = "0 < slowest ≤ fastest ≤ limit ≤ 10 m/s"
        speeds = (self.slowest, self.fastest, self.limit)
        require(
            0 < self.slowest <= self.fastest <= self.limit <= 10,
            "slowest, fastest, limit",
            speeds,
            pace,
        )
        distances = (self.nearest, self.farthest)
        require(
            ARRIVED < self.nearest <= self.farthest,
            "nearest, farthest",
            distances,
            f"above {ARRIVED} m, in order",
        )
        require(self.hold_frames >= 1, "hold_frames", self.hold_frames, "1 or more frames")


@task
class TimedTargetTask(Task[TimedTargetGoal, TimedTargetConfig]):
    """Walk to a point, facing it, so as to arrive when the time is out; then stand there.

    What is seen of the goal, in the character's facing frame:

    | column | what |
    |--------|-------------------------------------------------------------------------------------------------|
    | 0, 1   | velocity towards the target, forward and to the left, at the speed of :meth:`wished_speed`, m/s |
    | 2, 3   | cosine and sine of the angle from the facing to the target, 120° at most, fading within 1 m |
    | 4      | distance d to it, as d/(1 + d) |
    | 5      | seconds t left, as t/(1 + |t|) |
    """

    name: ClassVar[str] = "timed_target"
    goal_size: ClassVar[int] = 6
    extends: ClassVar[str | None] = "joystick"
    config_type = TimedTargetConfig

    @staticmethod
    def goal_at(x: float, z: float, seconds: float) -> TimedTargetGoal:
        """One character's goal: a point that a person picks, in metres, and the seconds until it is
        to be there."""
        return TimedTargetGoal(torch.tensor([[x, z]]), torch.tensor([seconds]))

    def feasible_seconds(self, distance: Tensor, pace: Tensor) -> Tensor:
        """The time for a distance in metres at a pace in m/s, the start included."""
        return START_S + distance / pace

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> TimedTargetGoal:
        """Any feasible one: all distances, directions and paces alike."""
        config = self.config
        drawn = torch.rand(3, len(state), generator=generator, device=generator.device).to(
            state.yaw.device
        )
        distance = config.nearest + (config.farthest - config.nearest) * drawn[0]
        pace = config.slowest + (config.fastest - config.slowest) * drawn[1]
        return TimedTargetGoal(
            around(state.position, distance, drawn[2]), self.feasible_seconds(distance, pace)
        )

    def follow_goal(self, state: CharacterState, goal: TimedTargetGoal) -> TimedTargetGoal:
        """The clock ticks."""
        return TimedTargetGoal(goal.position, goal.seconds - 1 / self.character.fps)

    def renewal(self, state: CharacterState, goal: TimedTargetGoal) -> Tensor:
        """When its time is out, after ``hold_frames`` on average."""
        return (goal.seconds < 0) / self.config.hold_frames

    def wished_speed(self, distance: Tensor, seconds: Tensor) -> Tensor:
        """(B,) m/s: what brings one from ``distance`` to 0.35 m in the ``seconds`` left exactly, no
        more than ``limit`` and no more than allows to stop there; when the time is out, only these
        two count."""
        fastest = braking_speed(distance).clamp(max=self.config.limit)
        just_in_time = (distance - AIM).clamp(min=0) / seconds.clamp(min=0.1)
        return torch.where(seconds > 0, torch.minimum(just_in_time, fastest), fastest)

    def observe_goal(self, state: CharacterState, goal: TimedTargetGoal) -> Tensor:
        distance = distance_to(state, goal.position)
        speed = self.wished_speed(distance, goal.seconds)
        wish = observe_approach(state, goal.position, speed, facing_weight(distance))
        clock = goal.seconds / (1 + goal.seconds.abs())
        return torch.cat((wish, torch.stack((distance / (1 + distance), clock), dim=-1)), dim=-1)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: TimedTargetGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:func:`approach_reward` at :meth:`wished_speed`, less the penalties of
        :class:`Penalties`."""
        left = goal.seconds - 1 / self.character.fps  # the goal is that of before the step
        distance = distance_to(after, goal.position)
        speed = self.wished_speed(distance, left)
        terms = approach_reward(
            self.character, after, goal.position, speed, facing_weight(distance)
        )
        return self.with_penalties(terms, before, latent, after)

    def goal_bounds(self) -> list[float]:
        return [self.config.limit, self.config.limit, 1.0, 1.0, 1.0, 1.0]
