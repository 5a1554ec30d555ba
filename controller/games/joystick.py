"""Joystick: somebody holds the stick."""

from __future__ import annotations

import torch

from controller.control.policy import Policy
from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.settings import Settings
from controller.tasks.joystick import JoystickConfig, JoystickGoal, JoystickTask
from controller.viewer.input.steering import Controls, Steering, Wish


class JoystickGame(Game):
    """The character goes as the stick says, no faster than the policy was ever asked to."""

    task_type = JoystickTask

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        self.steering = Steering()
        self.stick = JoystickConfig()

    def board(self, policy: Policy) -> None:
        super().board(policy)
        self.stick = JoystickConfig(**policy.header["settings"])

    def enter(self, state: CharacterState) -> CharacterState:
        self.steering.reset(float(state.yaw))
        self.hold(self.steering.wish())
        return state

    def steer(self, controls: Controls, azimuth: float) -> None:
        self.hold(self.steering.step(controls, azimuth, 1 / self.character.fps))

    def hold(self, wish: Wish) -> None:
        """Make the wish the goal, but no faster than the policy was ever asked to go in that
        direction."""
        velocity = torch.tensor(wish.velocity, dtype=torch.float32)[None]
        facing = torch.tensor([wish.facing])
        angle = torch.atan2(velocity[:, 0], velocity[:, 1]) - facing
        slower = self.stick.slowing(velocity.norm(dim=-1), angle)
        self.goal = JoystickGoal(velocity * slower[:, None], facing)
        self.wish = Wish(self.goal.velocity[0].numpy(), wish.facing)

    @property
    def status(self) -> str:  # type: ignore[override]
        return "facing locked" if self.steering.locked else "facing free"
