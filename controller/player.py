"""A character in someone's hands: keys in, scenes out."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np
import torch

from controller import assets
from controller.character import Character, CharacterState
from controller.game import GAMES, KEYS, Game
from controller.policy import Policy
from controller.simulation import Simulation
from controller.tasks.joystick import JoystickConfig, JoystickGoal, JoystickTask
from controller.viewer.pose import Pose
from controller.viewer.scene import Scene
from controller.viewer.spring import Spring
from controller.viewer.steering import Controls, Steering, Wish

SHOWN_HALF_LIFE = 0.1  # s; hips sway with every step, and an arrow that sways with them is hard to read


class Pilot:
    """A joystick policy, with the task in the settings that it was trained with.

    Attributes: ``name``, as the window shows it; ``policy``; ``task``.
    """

    def __init__(self, name: str, policy: Policy, character: Character) -> None:
        self.name, self.policy = name, policy
        self.task = JoystickTask(character, JoystickConfig(**policy.header["settings"]))
        self._simulation = Simulation(character, self.task)

    @classmethod
    def load(cls, path: Path, character: Character) -> Pilot:
        """From a checkpoint, named after the algorithm that trained it, or after the file if that is not known."""
        policy = Policy.load(path, character, JoystickTask.name)
        algorithm = policy.header.get("training", {}).get("algorithm", "")
        return cls(algorithm.upper() or path.stem, policy, character)

    def goal(self, wish: Wish) -> JoystickGoal:
        """The wish as the policy knows it: no faster than it was ever asked to go in that direction."""
        velocity, facing = torch.tensor(wish.velocity, dtype=torch.float32)[None], torch.tensor([wish.facing])
        angle = torch.atan2(velocity[:, 0], velocity[:, 1]) - facing
        speed = velocity.norm(dim=-1).clamp(min=1e-6)
        slower = (self.task.speed_limit(angle) / speed).clamp(max=1)
        return JoystickGoal(velocity * slower[:, None], facing)

    def step(self, state: CharacterState, goal: JoystickGoal) -> CharacterState:
        """The state 1/30 s later, steered towards the goal."""
        return self._simulation.move(state, self.policy(self._simulation.observe(state, goal)))


class Player:
    """One character with joystick policies, stepped at 30 Hz by whoever holds the keys: a person, a script, a test.

    Attributes: ``before`` and ``now``, the scenes of the two newest states; ``root`` (3,) and ``rotations`` (J, 3, 3),
    the newest state's root position and global joint rotations; ``steering``; ``pilots``, one or more, and ``chosen``,
    the index of the one that acts; ``game``, the task that is played, None while somebody steers.
    """

    def __init__(self, character: Character, pilots: Sequence[Pilot], seed: int = 0) -> None:
        self.character, self.pilots, self.chosen = character, pilots, 0
        self.seconds = 1 / character.fps
        self.steering = Steering()
        self._shown = Spring((0.0, 0.0), SHOWN_HALF_LIFE)
        self._random = torch.Generator().manual_seed(seed)
        self._games = {key: game(character, self._random) for key, game in GAMES.items()}
        self.game: Game | None = None
        self._held: Set[str] = frozenset()
        self.reset()
        self._warm_up()

    @classmethod
    def load(cls, mvae: Path, policies: Sequence[Path], seed: int) -> Player:
        """From checkpoints; all shipped policies if none is named. CheckpointError says what is wrong with them."""
        character = Character.load(mvae)
        paths = policies or assets.policy_paths(JoystickTask.name)
        return cls(character, [Pilot.load(path, character) for path in paths], seed)

    @torch.inference_mode()
    def _warm_up(self) -> None:
        """Act once for each policy and forget it: what is compiled or loaded on first use is not to delay a step."""
        for pilot in self.pilots:
            pilot.step(self.state, pilot.goal(Wish(np.zeros(2), 0.0)))

    @property
    def pilot(self) -> Pilot:
        """The one that acts."""
        return self.pilots[self.chosen]

    def next_policy(self) -> None:
        """Let the next policy act from here on; after the last comes the first. The character moves on as it is."""
        self.chosen = (self.chosen + 1) % len(self.pilots)

    @property
    def task(self) -> str:
        """The name of the task that is played."""
        return self.game.name if self.game else JoystickTask.name

    def choose(self, task: str) -> None:
        """Play a task of ``controller.game.KEYS`` from here on; the same once more begins anew.

        The character moves on as it is.
        """
        before, self.game = self.game, self._games.get(KEYS[task])
        if self.game:
            if self.game is before:
                self.game.another()
            self.game.begin(self.state)
        else:
            self.steering.reset(float(self.state.yaw))

    def point(self, x: float, z: float) -> None:
        """Point at the ground there, in metres: where a flag is to be, in a task that has one."""
        if self.game:
            self.game.point(self.state, x, z)

    def reset(self) -> None:
        """Stand at the origin again, under the same policy, in the same task."""
        self.state = self.character.reset(1, self._random)
        yaw = float(self.state.yaw)
        self.steering.reset(yaw)
        if self.game:
            self.game.begin(self.state)
        self._shown.reset((0.0, 0.0))
        self._look(Wish(np.zeros(2), yaw))
        self.before = self.now  # nothing lies between there and here

    @torch.inference_mode()
    def step(self, held: Set[str], azimuth: float = 0.0, move: tuple[float, float] = (0.0, 0.0)) -> None:
        """1/30 s with these keys held and this stick (right, forward), before a camera that looks along ``azimuth``."""
        pressed, self._held = held - self._held, held
        if "p" in pressed:
            self.next_policy()
        if "r" in pressed:
            return self.reset()
        for task, key in KEYS.items():
            if key in pressed:
                self.choose(task)
        wish = self._advance(Controls.of(held, move), azimuth)
        if not bool(self.character.alive(self.state)):
            return self.reset()
        self.before = self.now
        self._look(wish)
        return None

    def _advance(self, controls: Controls, azimuth: float) -> Wish:
        """Make the newest state; returns the wish that the policy followed, no matter whose if a task is played."""
        if self.game:
            self.state = self.game.step(self.state, self.pilot.policy)
            return Wish(np.zeros(2), float(self.state.yaw))
        wish = self.steering.step(controls, azimuth, self.seconds)
        goal = self.pilot.goal(wish)
        self.state = self.pilot.step(self.state, goal)
        return Wish(goal.velocity[0].numpy(), wish.facing)

    def _look(self, wish: Wish) -> None:
        """Make the newest state's scene."""
        root, rotations = self.character.joints(self.state)
        self.root, self.rotations = root[0], rotations[0]
        velocity = self._shown.step(self.character.world_velocity(self.state)[0].numpy(), self.seconds)
        pose = Pose.from_matrices(self.root, self.rotations)
        yaw, game = float(self.state.yaw), self.game
        if game:
            self.now = Scene(pose, yaw, velocity.copy(), flag=game.flag, line=game.line)
        else:
            self.now = Scene(pose, yaw, velocity.copy(), wish.velocity, wish.facing)
