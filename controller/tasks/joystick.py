"""Joystick: walk with a desired velocity while facing a desired way (Ling et al. 2020, 6.3, but
with a separate facing)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from controller.core.errors import require
from controller.dynamics.character import CharacterState
from controller.motion import geometry
from controller.tasks.base import Task
from controller.tasks.goals import VELOCITY, YAW
from controller.tasks.registry import task
from controller.tasks.tracking import facing_reward, observe_wish, velocity_reward


@dataclass(frozen=True)
class JoystickGoal:
    """The desired motion of B characters.

    velocity  (B, 2) m/s over the ground, in the world, as (x, z)
    facing    (B,) radians, the yaw to face
    """

    velocity: Tensor = field(metadata=VELOCITY)
    facing: Tensor = field(metadata=YAW)


@dataclass(frozen=True)
class JoystickConfig:
    """How goals are drawn in training."""

    forward_speed: float = 2.0
    """m/s: the fastest goal straight ahead (the fastest second of the captured walking is 2.1)."""
    sideways_speed: float = 0.6
    """m/s: the fastest goal sideways."""
    backward_speed: float = 0.75
    """m/s: the fastest goal backward."""
    redraw_frames: float = 120.0
    """A goal lasts this many frames on average."""
    stand: float = 0.2
    """Share of goals that are to stand."""
    strafe: float = 0.6
    """Share of goals whose facing is not the direction of travel."""

    def __post_init__(self) -> None:
        for name in ("forward_speed", "sideways_speed", "backward_speed"):
            speed = getattr(self, name)
            require(0 < speed <= 10, name, speed, "above 0, up to 10 m/s")
        require(self.redraw_frames >= 1, "redraw_frames", self.redraw_frames, "1 or more frames")
        for name in ("stand", "strafe"):
            share = getattr(self, name)
            require(0 <= share <= 1, name, share, "a share from 0 to 1")

    def speed_limit(self, angle: Tensor) -> Tensor:
        """The fastest goal in m/s in a direction ``angle`` (radians) away from the facing: half an
        ellipse ahead, half a smaller one backward."""
        cos = torch.cos(angle)
        sin = torch.sin(angle)
        ahead = torch.where(cos >= 0, self.forward_speed, self.backward_speed)
        return ((cos / ahead).square() + (sin / self.sideways_speed).square()).rsqrt()

    def slowing(self, speed: Tensor, angle: Tensor) -> Tensor:
        """The factor, up to 1, that brings a speed (m/s) in that direction down to the limit."""
        return (self.speed_limit(angle) / speed.clamp(min=1e-6)).clamp(max=1)


@task
class JoystickTask(Task[JoystickGoal, JoystickConfig]):
    """Track a desired velocity and a desired facing.

    The observation of the goal, in the character's facing frame:

    | column | what                                                            |
    |--------|-----------------------------------------------------------------|
    | 0, 1   | desired velocity, forward and to the left, m/s                  |
    | 2, 3   | cosine and sine of the angle from the facing to the desired one |
    """

    name: ClassVar[str] = "joystick"
    goal_size: ClassVar[int] = 4
    config_type = JoystickConfig

    def default_config(self) -> JoystickConfig:
        """The settings if none are passed: as fast each way as the character's captured motion."""
        limits = self.character.limits
        return JoystickConfig(
            forward_speed=limits.forward_speed,
            sideways_speed=limits.sideways_speed,
            backward_speed=limits.backward_speed,
        )

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> JoystickGoal:
        """Draw any direction and any speed up to the limit in that direction. Some goals are to
        stand, some face another way than they go."""
        config = self.config
        shares = torch.rand(5, len(state), generator=generator, device=generator.device)
        direction, offset, pace, stand, strafe = shares.to(state.yaw.device)
        direction = (2 * direction - 1) * math.pi
        offset = torch.where(
            strafe < config.strafe, (2 * offset - 1) * math.pi, torch.zeros_like(offset)
        )
        limited = pace * config.speed_limit(offset)
        speed = torch.where(stand < config.stand, torch.zeros_like(pace), limited)
        towards = torch.stack((torch.sin(direction), torch.cos(direction)), dim=-1)
        return JoystickGoal(towards * speed[:, None], geometry.wrap_angle(direction + offset))

    def renewal(self, state: CharacterState, goal: JoystickGoal) -> float:
        """Redraw at any time, once in ``redraw_frames`` on average."""
        return 1 / self.config.redraw_frames

    def observe_goal(self, state: CharacterState, goal: JoystickGoal) -> Tensor:
        return observe_wish(goal.velocity, goal.facing, state.yaw)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: JoystickGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:func:`velocity_reward` and :func:`facing_reward`, minus the :class:`Penalties`."""
        velocity = self.character.world_velocity(after)
        angle = geometry.wrap_angle(goal.facing - after.yaw)
        terms = {
            "velocity": velocity_reward(velocity, goal.velocity, self.tolerance),
            "facing": facing_reward(angle, self.tolerance),
        }
        return self.with_penalties(terms, before, latent, after)

    def goal_bounds(self) -> list[float]:
        config = self.config
        fastest = max(config.forward_speed, config.sideways_speed, config.backward_speed)
        return [fastest, fastest, 1.0, 1.0]
