"""Joystick: walk with a wished velocity while facing a wished way (Ling et al. 2020, 6.3, with facing apart)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from controller import batch, geometry, solo
from controller.character import Character, CharacterState
from controller.errors import require
from controller.tasks.base import Task

STANDING_SPEED = 0.01
"""m/s: a wish slower than this is a wish to stand."""


@dataclass(frozen=True)
class JoystickGoal:
    """Wishes of B characters.

    velocity  (B, 2) m/s over the ground, in the world, as (x, z)
    facing    (B,) radians, the yaw to face
    """

    velocity: Tensor
    facing: Tensor


@dataclass(frozen=True)
class JoystickConfig:
    """How goals are drawn in training."""

    forward_speed: float = 2.0
    """m/s: the fastest wish straight ahead (the fastest second of the captured walking is 2.1)."""
    sideways_speed: float = 0.6
    """m/s: the fastest wish sideways."""
    backward_speed: float = 0.75
    """m/s: the fastest wish backward."""
    redraw_frames: float = 120.0
    """A goal lasts this many frames on average."""
    stand: float = 0.2
    """Share of goals that wish to stand."""
    strafe: float = 0.6
    """Share of goals whose facing is not the direction of travel."""

    def __post_init__(self) -> None:
        for name in ("forward_speed", "sideways_speed", "backward_speed"):
            require(0 < getattr(self, name) <= 10, name, getattr(self, name), "above 0, up to 10 m/s")
        require(self.redraw_frames >= 1, "redraw_frames", self.redraw_frames, "1 or more frames")
        for name in ("stand", "strafe"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share from 0 to 1")


class JoystickTask(Task[JoystickGoal]):
    """Track a wished velocity and a wished facing.

    What is seen of the goal, in the character's facing frame:

    | column | what                                                      |
    |--------|-----------------------------------------------------------|
    | 0, 1   | wished velocity forward and to the left, m/s              |
    | 2, 3   | cosine and sine of the angle from the facing to the wish  |
    """

    name: ClassVar[str] = "joystick"
    goal_size: ClassVar[int] = 4

    def __init__(self, character: Character, config: JoystickConfig | None = None) -> None:
        super().__init__(character)
        self.config = config or JoystickConfig()

    def speed_limit(self, angle: Tensor) -> Tensor:
        """The fastest wish in m/s in a direction ``angle`` (radians) away from the facing: half an ellipse each way."""
        config, cos, sin = self.config, torch.cos(angle), torch.sin(angle)
        ahead = torch.where(cos >= 0, config.forward_speed, config.backward_speed)
        return ((cos / ahead).square() + (sin / config.sideways_speed).square()).rsqrt()

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> JoystickGoal:
        """Any direction, any speed up to the limit that way; some stand, some face another way than they go."""
        drawn = torch.rand(5, len(state), generator=generator, device=generator.device)
        direction, offset, pace, stand, strafe = drawn.to(state.yaw.device)
        direction = (2 * direction - 1) * math.pi
        offset = torch.where(strafe < self.config.strafe, (2 * offset - 1) * math.pi, torch.zeros_like(offset))
        speed = torch.where(stand < self.config.stand, torch.zeros_like(pace), pace * self.speed_limit(offset))
        velocity = torch.stack((torch.sin(direction), torch.cos(direction)), dim=-1) * speed[:, None]
        return JoystickGoal(velocity, geometry.wrap_angle(direction + offset))

    def next_goal(self, state: CharacterState, goal: JoystickGoal, generator: torch.Generator) -> JoystickGoal:
        """Each character's goal is redrawn with probability 1 / ``redraw_frames``."""
        drawn = torch.rand(len(state), generator=generator, device=generator.device)
        redraw = drawn.to(state.yaw.device) < 1 / self.config.redraw_frames
        if redraw.device.type == "cpu" and not bool(redraw.any()):  # elsewhere, asking costs more than drawing
            return goal
        return batch.where(redraw, self.draw_goal(state, generator), goal)

    def observe_goal(self, state: CharacterState, goal: JoystickGoal) -> Tensor:
        if solo.fits(goal.velocity, goal.facing, state.yaw):
            return solo.see_wish(goal.velocity, goal.facing, state.yaw)
        local = geometry.turn(goal.velocity, -state.yaw)
        angle = goal.facing - state.yaw
        return torch.stack((local[:, 1], local[:, 0], torch.cos(angle), torch.sin(angle)), dim=-1)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: JoystickGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """0.55·exp(−2·‖v − v*‖) + 0.3·(1 − |Δ|/π) + 0.25·exp(−4·|2 sin Δ/2|), Δ the angle from facing to wish,
        less the penalties of :class:`Quality`.

        The paper's exp(cos Δ − 1) is flat at both ends: 10° cost nothing, and who faces the opposite way is not told
        which way to turn. The straight line pulls alike from everywhere, the last term most where it matters. With
        less weight on the facing, the character walks sideways and backward facing the way it goes.
        A wish to stand is met to the millimetre, or a standing character creeps: its velocity term is
        0.3·exp(−2·‖v‖) + 0.15·exp(−40·‖v‖) + 0.1·exp(−200·‖v‖). The hips of a walking one sway by ±0.1 m/s.
        """
        off = ((self.character.world_velocity(after) - goal.velocity).square().sum(dim=-1) + 1e-8).sqrt()
        angle = geometry.wrap_angle(goal.facing - after.yaw)
        standing = goal.velocity.square().sum(dim=-1) < STANDING_SPEED**2
        sharp, sharper = (torch.where(standing, -rate, -2.0) for rate in (40.0, 200.0))
        terms = {
            "velocity": 0.3 * torch.exp(-2 * off) + 0.15 * torch.exp(sharp * off) + 0.1 * torch.exp(sharper * off),
            "facing": 0.3 * (1 - angle.abs() / math.pi) + 0.25 * torch.exp(-8 * torch.sin(angle / 2).abs()),
        }
        penalties = self.quality.penalties(before, latent, after)
        reward = terms["velocity"] + terms["facing"] - sum(penalties.values())
        return reward, terms | penalties

    def goal_bounds(self) -> list[float]:
        fastest = max(self.config.forward_speed, self.config.sideways_speed, self.config.backward_speed)
        return [fastest, fastest, 1.0, 1.0]

    def settings(self) -> dict[str, Any]:
        return asdict(self.config)
