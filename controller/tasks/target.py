"""Target: walk to a point on the ground and stand there (Ling et al. 2020, 6.1)."""

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

ARENA = (37.0, 24.0)
"""m: extent along x and z, about the origin, of the ground on which targets lie (the paper's 120 by
80 feet)."""
REACHED = 0.3
"""m: nearer than this, the target is reached."""


@dataclass(frozen=True)
class TargetGoal:
    """Where B characters are to go.

    position  (B, 2) metres over the ground, in the world, as (x, z)
    """

    position: Tensor = field(metadata=PLACE)


@dataclass(frozen=True)
class TargetConfig:
    """How far and how fast to go, and how targets are drawn in training."""

    speed: float = 1.4
    """m/s at which to walk until it is time to brake."""
    hold_frames: float = 60.0
    """After it is reached, a target stays for this many frames on average, so that there is time to
    learn to stand."""
    near: float = 0.5
    """Share of targets drawn near the character. The others lie anywhere in the arena, most of them
    far away."""
    near_distance: float = 4.0
    """m: the farthest that a near target may be."""

    def __post_init__(self) -> None:
        require(0 < self.speed <= 10, "speed", self.speed, "above 0, up to 10 m/s")
        require(self.hold_frames >= 1, "hold_frames", self.hold_frames, "1 or more frames")
        require(0 <= self.near <= 1, "near", self.near, "a share from 0 to 1")
        require(self.near_distance > 0, "near_distance", self.near_distance, "above 0 m")


@task
class TargetTask(Task[TargetGoal, TargetConfig]):
    """Walk to a point, facing it, and stand there until the next one comes.

    The observation of the goal, in the character's facing frame:

    | column | what                                                                            |
    |--------|---------------------------------------------------------------------------------|
    | 0, 1   | velocity towards the target at :meth:`desired_speed`, forward and to the left,  |
    |        | m/s                                                                             |
    | 2, 3   | cosine and sine of the angle from the facing to the target, 120° at most,       |
    |        | fading within 1 m                                                               |
    | 4      | distance d to it, as d/(1 + d)                                                  |
    """

    name: ClassVar[str] = "target"
    goal_size: ClassVar[int] = 5
    extends: ClassVar[str | None] = "joystick"
    config_type = TargetConfig

    @staticmethod
    def goal_at(x: float, z: float) -> TargetGoal:
        """One character's goal: a point that the user picks, in metres."""
        return TargetGoal(torch.tensor([[x, z]]))

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> TargetGoal:
        """Draw points anywhere in the arena, or near the character, where turning and stopping are
        learned."""
        shares = torch.rand(5, len(state), generator=generator, device=generator.device)
        x, z, distance, angle, near = shares.to(state.yaw.device)
        anywhere = torch.stack(((x - 0.5) * ARENA[0], (z - 0.5) * ARENA[1]), dim=-1)
        close_by = around(state.position, self.config.near_distance * distance, angle)
        return TargetGoal(torch.where((near < self.config.near)[:, None], close_by, anywhere))

    def renewal(self, state: CharacterState, goal: TargetGoal) -> Tensor:
        """Redraw once the target is reached, after ``hold_frames`` on average."""
        return (distance_to(state, goal.position) < REACHED) / self.config.hold_frames

    def desired_speed(self, distance: Tensor) -> Tensor:
        """(B,) m/s: ``speed``, or as slow as needed to stop at the target."""
        return braking_speed(distance).clamp(max=self.config.speed)

    def observe_goal(self, state: CharacterState, goal: TargetGoal) -> Tensor:
        distance = distance_to(state, goal.position)
        speed = self.desired_speed(distance)
        wish = observe_approach(state, goal.position, speed, facing_weight(distance))
        return torch.cat((wish, (distance / (1 + distance))[:, None]), dim=-1)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: TargetGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:func:`approach_reward` at :meth:`desired_speed`, minus the :class:`Penalties`.

        The paper pays for progress, plus a bonus within 0.61 m. A desired velocity says at every
        moment what to do, which can be differentiated over a horizon of a second. It also says how
        fast to walk, and to stand at the end.
        """
        distance = distance_to(after, goal.position)
        speed = self.desired_speed(distance)
        facing = facing_weight(distance)
        terms = approach_reward(self.character, after, goal.position, speed, facing, self.tolerance)
        return self.with_penalties(terms, before, latent, after)

    def goal_bounds(self) -> list[float]:
        return [self.config.speed, self.config.speed, 1.0, 1.0, 1.0]
