"""Crowd: walk to a point of one's own through many others who do the same. The characters of a
batch are the crowd."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from controller.core.errors import require
from controller.dynamics.character import CharacterState
from controller.motion import geometry
from controller.tasks.arrival import (
    approach,
    braking_speed,
    distance_to,
    facing_weight,
    going_reward,
    observe_approach,
)
from controller.tasks.avoidance import NEAREST, PACES, SIGHT, avoid, neighbours
from controller.tasks.base import Task
from controller.tasks.goals import PLACE, VELOCITY
from controller.tasks.registry import task

TORSO = 0.25
"""m: the radius of a torso. Two people nearer than twice this overlap."""
REACHED = 0.5
"""m: nearer than this, the target is reached."""
ELBOWS = 0.7
"""m between two middles: being nearer than this costs."""


@dataclass(frozen=True)
class CrowdGoal:
    """Where B characters have to go, and who is in the way.

    position  (B, 2) metres over the ground, in the world, as (x, z)
    others    (B, 6, 2) m, the positions of the nearest others, nearest first; absent ones are a
              kilometre away
    paces     (B, 6, 2) m/s, their velocities
    wish      (B, 2) m/s, the velocity that leads there past them
    """

    position: Tensor = field(metadata=PLACE)
    others: Tensor = field(metadata=PLACE)
    paces: Tensor = field(metadata=VELOCITY)
    wish: Tensor = field(metadata=VELOCITY)


@dataclass(frozen=True)
class CrowdConfig:
    """How fast to go, how dense the crowd is, and how long targets stay in training."""

    speed: float = 1.3
    """m/s at which to walk while the way is free."""
    space: float = 6.0
    """m² of ground for each character."""
    hold_frames: float = 15.0
    """After it is reached, a target stays for this many frames on average."""

    def __post_init__(self) -> None:
        require(0 < self.speed <= 10, "speed", self.speed, "above 0, up to 10 m/s")
        require(1 <= self.space <= 1000, "space", self.space, "1 to 1000 m²")
        require(self.hold_frames >= 1, "hold_frames", self.hold_frames, "1 or more frames")


@task
class CrowdTask(Task[CrowdGoal, CrowdConfig]):
    """Walk to a point without walking into anyone, and stand there until the next one comes.

    The observation of the goal, in the character's facing frame:

    | column | what                                                                            |
    |--------|---------------------------------------------------------------------------------|
    | 0, 1   | velocity towards the target past the others, forward and to the left, m/s       |
    | 2, 3   | cosine and sine of the angle from the facing to its direction, 120° at most,    |
    |        | fading as it becomes slow                                                       |
    | 4      | distance d to the target, as d/(1 + d)                                          |
    | 5–28   | for each of the six nearest others: direction, forward and left, times nearness |
    |        | n; velocity relative to this character, forward and left, in units of 4 m/s,    |
    |        | times n; n = 1 − distance/5 m, 0 if farther                                     |
    """

    name: ClassVar[str] = "crowd"
    goal_size: ClassVar[int] = 5 + 4 * NEAREST
    extends: ClassVar[str | None] = "joystick"
    multi_agent: ClassVar[bool] = True
    config_type = CrowdConfig

    def side(self, count: int) -> float:
        """m: the side of the square, about the origin, in which ``count`` characters walk."""
        return math.sqrt(count * self.config.space)

    def begin(self, state: CharacterState, generator: torch.Generator) -> CharacterState:
        """Place each character somewhere in a square of its own, so that none overlap, facing
        anywhere."""
        count = len(state)
        device = generator.device
        cells = math.ceil(math.sqrt(count))
        cell = torch.randperm(cells**2, generator=generator, device=device)[:count]
        jitter = 0.4 * torch.rand(count, 2, generator=generator, device=device)
        yaw = 2 * math.pi * torch.rand(count, generator=generator, device=device)
        corner = torch.stack((cell // cells, cell % cells), dim=-1)
        position = ((corner + 0.3 + jitter) / cells - 0.5) * self.side(count)
        facing = geometry.wrap_angle(yaw)
        return CharacterState(state.pose, position.to(state.position), facing.to(state.yaw))

    def goal_at(self, state: CharacterState, position: Tensor) -> CrowdGoal:
        """Return goals at points (B, 2), with the others as they are now."""
        velocity = self.character.world_velocity(state)
        others, paces = neighbours(state, velocity)
        speed = self.desired_speed(state, position)
        straight, _ = approach(state, position, speed, torch.ones_like(state.yaw))
        wish = avoid(state, velocity, others, paces, straight)
        return CrowdGoal(position, others, paces, wish)

    def desired_speed(self, state: CharacterState, position: Tensor) -> Tensor:
        """(B,) m/s: the speed while the way is free."""
        return braking_speed(distance_to(state, position)).clamp(max=self.config.speed)

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> CrowdGoal:
        """Draw points anywhere on the crowd's ground."""
        return self.goal_at(state, self.draw_points(len(state), generator).to(state.yaw.device))

    def draw_points(self, count: int, generator: torch.Generator) -> Tensor:
        """(B, 2): points on the ground of a crowd of ``count``."""
        share = torch.rand(count, 2, generator=generator, device=generator.device) - 0.5
        return share * self.side(count)

    def follow_goal(self, state: CharacterState, goal: CrowdGoal) -> CrowdGoal:
        """Update where the others are."""
        return self.goal_at(state, goal.position)

    def renewal(self, state: CharacterState, goal: CrowdGoal) -> Tensor:
        """Once it is reached, after ``hold_frames`` on average."""
        return (distance_to(state, goal.position) < REACHED) / self.config.hold_frames

    def waypoint(self, state: CharacterState, goal: CrowdGoal) -> tuple[Tensor, Tensor, Tensor]:
        """What :func:`approach` needs to know: a point one second ahead, the desired speed, and the
        weight of facing the point, which fades near the target and in slow steps aside."""
        speed = (goal.wish.square().sum(dim=-1) + 1e-8).sqrt()
        brisk = ((speed - 0.3) / 0.3).clamp(0, 1)
        facing = facing_weight(distance_to(state, goal.position)) * brisk
        return state.position + goal.wish, speed, facing

    def observe_goal(self, state: CharacterState, goal: CrowdGoal) -> Tensor:
        distance = distance_to(state, goal.position)
        own = self.character.world_velocity(state)[:, None]
        turn = -state.yaw[:, None]
        offset = geometry.turn(goal.others - state.position[:, None], turn).flip(-1)
        apart = (offset.square().sum(dim=-1, keepdim=True) + 1e-8).sqrt()
        near = (1 - apart / SIGHT).clamp(min=0)
        pace = (geometry.turn(goal.paces - own, turn).flip(-1) / 4).clamp(-1, 1)
        others = torch.cat((near * offset / apart, near * pace), dim=-1)
        wish = observe_approach(state, *self.waypoint(state, goal))
        there = (distance / (1 + distance))[:, None]
        return torch.cat((wish, there, others.flatten(1)), dim=-1)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: CrowdGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:func:`going_reward` for the wish, minus a term for crowding and the
        :class:`Penalties`.

        Crowding costs 0.5 for each of the others with whom the character overlaps, and less for one
        nearer than 0.7 m.
        """
        _, speed, facing = self.waypoint(before, goal)
        velocity, angle = approach(after, after.position + goal.wish, speed, facing)
        offset = goal.others + goal.paces / self.character.fps - after.position[:, None]
        apart = (offset.square().sum(dim=-1) + 1e-8).sqrt()
        crowding = ((ELBOWS - apart) / (ELBOWS - 2 * TORSO)).clamp(0, 1).sum(dim=-1)
        terms = going_reward(self.character, after, velocity, angle, facing, self.tolerance)
        terms["crowding"] = -0.5 * crowding
        return self.with_penalties(terms, before, latent, after)

    def goal_bounds(self) -> list[float]:
        fastest = max(self.config.speed, *PACES)
        return [fastest, fastest] + [1.0] * (self.goal_size - 2)
