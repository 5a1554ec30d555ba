"""A character in someone's hands: keys in, scenes out."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np
import torch

from controller import assets
from controller.character import Character
from controller.policy import Policy
from controller.simulation import Simulation
from controller.tasks.joystick import JoystickConfig, JoystickGoal, JoystickTask
from controller.viewer.pose import Pose
from controller.viewer.scene import Scene
from controller.viewer.spring import Spring
from controller.viewer.steering import Controls, Steering, Wish

SHOWN_HALF_LIFE = 0.1  # s; hips sway with every step, and an arrow that sways with them is hard to read


class Player:
    """One character with a joystick policy, stepped at 30 Hz by whoever holds the keys: a person, a script, a test.

    Attributes: ``before`` and ``now``, the scenes of the two newest states; ``root`` (3,) and ``rotations`` (J, 3, 3),
    the newest state's root position and global joint rotations; ``steering``.
    """

    def __init__(self, character: Character, policy: Policy, seed: int = 0) -> None:
        self.character, self.policy = character, policy
        self.task = JoystickTask(character, JoystickConfig(**policy.header["settings"]))
        self.simulation = Simulation(character, self.task)
        self.seconds = 1 / character.fps
        self.steering = Steering()
        self._shown = Spring((0.0, 0.0), SHOWN_HALF_LIFE)
        self._random = torch.Generator().manual_seed(seed)
        self._held: Set[str] = frozenset()
        self.reset()

    @classmethod
    def load(cls, mvae: Path, policy: Path | None, seed: int) -> Player:
        """From checkpoints; the shipped policy if ``policy`` is None. CheckpointError says what is wrong with them."""
        character = Character.load(mvae)
        path = policy or assets.policy_path(JoystickTask.name)
        return cls(character, Policy.load(path, character, JoystickTask.name), seed)

    def reset(self) -> None:
        """Stand at the origin again."""
        self.state = self.character.reset(1, self._random)
        yaw = float(self.state.yaw)
        self.steering.reset(yaw)
        self._shown.reset((0.0, 0.0))
        self._look(Wish(np.zeros(2), yaw))
        self.before = self.now  # nothing lies between there and here

    @torch.inference_mode()
    def step(self, held: Set[str], azimuth: float = 0.0, move: tuple[float, float] = (0.0, 0.0)) -> None:
        """1/30 s with these keys held and this stick (right, forward), before a camera that looks along ``azimuth``."""
        reset = "r" in held and "r" not in self._held
        self._held = held
        if reset:
            return self.reset()
        wish = self.steering.step(Controls.of(held, move), azimuth, self.seconds)
        goal = self._goal(wish)
        latent = self.policy(self.simulation.observe(self.state, goal))
        self.state = self.simulation.move(self.state, latent)
        if not bool(self.character.alive(self.state)):
            return self.reset()
        self.before = self.now
        self._look(Wish(goal.velocity[0].numpy(), wish.facing))
        return None

    def _goal(self, wish: Wish) -> JoystickGoal:
        """The wish as the policy knows it: no faster than it was ever asked to go in that direction."""
        velocity, facing = torch.tensor(wish.velocity, dtype=torch.float32)[None], torch.tensor([wish.facing])
        angle = torch.atan2(velocity[:, 0], velocity[:, 1]) - facing
        speed = velocity.norm(dim=-1).clamp(min=1e-6)
        slower = (self.task.speed_limit(angle) / speed).clamp(max=1)
        return JoystickGoal(velocity * slower[:, None], facing)

    def _look(self, wish: Wish) -> None:
        """Make the newest state's scene."""
        root, rotations = self.character.joints(self.state)
        self.root, self.rotations = root[0], rotations[0]
        velocity = self._shown.step(self.character.world_velocity(self.state)[0].numpy(), self.seconds)
        pose = Pose.from_matrices(self.root, self.rotations)
        self.now = Scene(pose, float(self.state.yaw), velocity.copy(), wish.velocity, wish.facing)
