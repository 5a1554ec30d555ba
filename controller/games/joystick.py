"""Joystick: the user steers."""

from __future__ import annotations

from typing import Self

import torch

from controller.control.policy import Policy
from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.registry import game
from controller.games.settings import Settings
from controller.tasks.joystick import JoystickConfig, JoystickGoal, JoystickTask
from controller.viewer.input.steering import Controls, Paces, Steering, Wish


@game
class JoystickGame(Game[JoystickGoal]):
    """The character goes as the stick says, but no faster than the policy was trained to."""

    task_type = JoystickTask
    does = "steers, and may lock the way it faces"

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        self.steering = Steering(paces=Paces.up_to(character.limits.forward_speed))
        self.stick = JoystickConfig()

    def use_policy(self, policy: Policy) -> None:
        super().use_policy(policy)
        self.stick = JoystickConfig(**policy.header["settings"])

    def enter(self, state: CharacterState) -> CharacterState:
        self.steering.reset(float(state.yaw))
        self.set_wish(self.steering.wish())
        return state

    def enter_after(self, other: Self, state: CharacterState) -> CharacterState:
        self.steering = other.steering  # the wish goes on, and so does the lock
        self.set_wish(self.steering.wish())
        return state

    def steer(self, controls: Controls, azimuth: float) -> None:
        self.set_wish(self.steering.step(controls, azimuth, 1 / self.character.fps))

    def set_wish(self, wish: Wish) -> None:
        """Make the wish the goal, slowed to what the policy was trained for in that direction, and
        by ground that is steep where the character is."""
        velocity = torch.tensor(wish.velocity, dtype=torch.float32)[None]
        facing = torch.tensor([wish.facing])
        angle = torch.atan2(velocity[:, 0], velocity[:, 1]) - facing

        slowing = self.stick.slowing(velocity.norm(dim=-1), angle)
        if not self.ground.flat:
            slowing = slowing * self.ground.pace(*self.here, velocity[0].numpy())
        self.goal = JoystickGoal(velocity * slowing[:, None], facing)
        self.wish = Wish(self.goal.velocity[0].numpy(), wish.facing)

    @property
    def status(self) -> str:  # type: ignore[override]
        return "facing locked" if self.steering.locked else "facing free"
