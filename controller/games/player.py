"""A character in the user's hands: keys in, scenes out."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller.body.mesh import SkinnedBody
from controller.body.own import OwnBody
from controller.control import worn
from controller.control.folder import CharacterFolder
from controller.core import batch
from controller.core.errors import CheckpointError
from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.drawn import Drawn
from controller.games.named_policy import NamedPolicy
from controller.games.registry import GAMES
from controller.games.settings import Settings
from controller.games.styles import StyleChooser
from controller.games.tracing import Tracer
from controller.ground.ground import Ground
from controller.ground.kinds import next_ground
from controller.motion import geometry
from controller.motion.skeleton import forward_kinematics
from controller.viewer.input.steering import Controls
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.spring import Spring

JOYSTICK = "joystick"
"""The game of a character that cannot play another one."""
FEET = "i"
"""The key that holds the feet where they stand, or lets them go."""
GROUND = "g"
"""The key that goes through the grounds."""
VELOCITY_HALF_LIFE = 0.1
"""s: smooths the arrow that shows the velocity. Hips sway with every step, and an arrow that sways
with them is hard to read."""


class Player:
    """A character in a game, stepped at 30 Hz by a person, a script or a test.

    state       the states of all characters that play
    before      the scene of the second newest state
    now         the scene of the newest state
    root        (3,) root position of the character that is followed, as it is drawn
    rotations   (J, 3, 3) its global joint rotations, as they are drawn
    drawn       how states become what is drawn: blended at switches, with feet that stand still
    game        what is played
    policies    the policies that can play it
    chosen      the index of the policy that acts
    style       the style of the one that is followed; None for a character without styles
    complaint   why the game or character chosen last does not play; empty if it does
    settings    of the games
    """

    def __init__(
        self,
        character: Character,
        policies: Sequence[NamedPolicy] = (),
        seed: int = 0,
        task: str = JOYSTICK,
        settings: Settings | None = None,
        folder: CharacterFolder | None = None,
    ) -> None:
        self.character = character
        self.settings = settings or Settings()
        self._named = list(policies)
        self._folder = folder
        self.seconds = 1 / character.fps
        self.drawn = Drawn(character, self.settings.foot_lock, self.settings.ground)
        legs = self.drawn.legs
        sides = [character.layout.roles.sides[leg.joints[2]] for leg in legs]
        self._tracer = Tracer(legs, sides, self.seconds)
        self._velocity = Spring((0.0, 0.0), VELOCITY_HALF_LIFE)
        self._random = torch.Generator().manual_seed(seed)
        self._games: dict[str, Game[Any]] = {}
        self._policies: dict[str, list[NamedPolicy]] = {}
        self._keys: Set[str] = frozenset()
        self.chosen = 0
        self.style = StyleChooser(character.styles) if character.styles else None
        self.complaint = ""
        self.state = character.reset(1, self._random)
        self._play(task)
        self._begin(self.state)
        self._warm_up()

    @classmethod
    def load(
        cls,
        mvae: Path,
        policies: Sequence[Path] = (),
        seed: int = 0,
        task: str = JOYSTICK,
        settings: Settings | None = None,
        folder: CharacterFolder | None = None,
    ) -> Player:
        """Load a character and policies from checkpoints. A task that none of these policies can
        play is played by those in ``folder``, by default the default character's.

        Raises CheckpointError if one of the checkpoints is missing or wrong.
        """
        character = Character.load(mvae)
        named = [NamedPolicy.load(path, character) for path in policies]
        return cls(character, named, seed, task, settings, folder)

    @torch.inference_mode()
    def _warm_up(self) -> None:
        """Take one step with each policy and discard it, so that what is compiled or loaded on
        first use does not delay a step later."""
        for _ in self.policies:
            self.next_policy()
            self.game.step(self.state)
        self._begin(self._followed())

    @cached_property
    def skin(self) -> SkinnedBody | OwnBody | None:
        """What it looks like: the rigged mesh in its folder, or else the body that was made for it;
        None without either.

        Raises ControllerError if the mesh cannot be read or driven, or the body is damaged.
        """
        path = self._folder.own_body if self._folder else None
        if self._folder is None or path is None:
            return self.made_skin
        return worn.load(path, self.character.skeleton, self._folder.own_roles)

    @cached_property
    def made_skin(self) -> SkinnedBody | None:
        """The skinned body in its folder that was made; None without one for its skeleton.

        Raises CheckpointError if the file is damaged.
        """
        path = self._folder.body if self._folder else None
        body = SkinnedBody.load(path) if path else None
        return body if body and body.fits(self.character.skeleton) else None

    @property
    def hips_height(self) -> float:
        """m: the mean height of the hips in the reset poses."""
        height = self.character.layout.hip_height
        normalizer = self.character.model.normalizer
        return float(normalizer.denormalize(self.character.reset_poses)[:, height].mean())

    @property
    def ground(self) -> Ground:
        """What is drawn under the characters."""
        return self.drawn.ground

    def stand_on(self, ground: Ground) -> None:
        """Draw the characters on another ground from now on."""
        self.drawn.ground = ground
        self.game.ground = ground

    @property
    def policies(self) -> list[NamedPolicy]:
        """The policies that can play this game, those trained for it first; empty if the game uses
        none."""
        return self._policies[self.game.name]

    @property
    def policy(self) -> NamedPolicy | None:
        """The policy that acts."""
        return self.policies[self.chosen] if self.policies else None

    def next_policy(self) -> None:
        """Let the next policy act from now on; after the last comes the first. The character moves
        on from its current state."""
        self._select_policy(self.chosen + 1)
        self.drawn.switch()

    def _select_policy(self, index: int) -> None:
        if self.policies:
            self.chosen = index % len(self.policies)
            self.game.use_policy(self.policies[self.chosen].policy)

    def _policies_for(self, game: Game[Any]) -> list[NamedPolicy]:
        """Return the policies that can play a game: the named ones, or else those in the folder,
        which are loaded when their game is first chosen.

        Raises CheckpointError if there is none.
        """
        if not game.uses_policy:
            return []
        able = [policy for policy in self._named if policy.plays(game.task)]
        if not able:
            folder = self._folder or CharacterFolder.open()
            paths = folder.policies(game.task.name)
            able = [NamedPolicy.load(path, self.character) for path in paths]
        return sorted(able, key=lambda named: named.policy.task != game.task.name)

    def _play(self, name: str) -> None:
        """Make that game the one that is played. Raises CheckpointError if there is no policy for
        it, ConfigError if there is no such game."""
        kind = GAMES.find(name)
        if kind.name not in self._games:
            game = kind(self.character, self._random, self.settings)
            self._policies[kind.name] = self._policies_for(game)
            self._games[kind.name] = game
        self.game = self._games[kind.name]
        self.game.ground = self.ground
        self._select_policy(0)

    @torch.inference_mode()
    def choose(self, name: str) -> None:
        """Play a game of :data:`GAMES` from now on. Choosing the current one begins its next
        variant.

        The character moves on from its current state. Without a policy for the game nothing
        changes, and ``complaint`` says why.
        """
        followed = self._followed()
        self.complaint = ""
        if name == self.game.name:
            self.game.next_variant()
        else:
            try:
                self._play(name)
            except CheckpointError as error:
                self.complaint = str(error)
                return
        self.state = self.game.enter(followed)
        self.drawn.switch(entered=True)

    @torch.inference_mode()
    def take_over(self, other: Player, name: str) -> None:
        """Go on where another character is: at its place, facing as it does, about as fast, in its
        game and with the keys that are down. ``name`` is what to call this one.

        The pose is the reset pose that fits the speed best, because the other's pose is of another
        skeleton. Without a policy for the game this one plays the joystick, and ``complaint`` says
        why. Raises CheckpointError if it has no policy for that either.
        """
        self.complaint = ""
        try:
            self._play(other.game.name)
        except CheckpointError as error:
            self._play(JOYSTICK)
            self.complaint = f"{name} plays the {JOYSTICK}: {error}"
        self._keys = other._keys
        followed = other._followed()
        velocity = other._velocity.value
        state = moving_state(self.character, torch.from_numpy(velocity).float(), followed)
        if self.complaint:
            self.state = self.game.enter(state)
        else:
            self.state = self.game.enter_after(other.game, state)
        self._velocity.reset(velocity)
        self.drawn.on = other.drawn.on
        self.stand_on(other.ground)
        self.drawn.take_over(other.drawn, float(followed.yaw))
        self._update_scene()
        self._cut()

    @torch.inference_mode()
    def point(self, x: float, z: float, *, overlooking: bool = False) -> None:
        """Point at (x, z) on the ground, in metres; ``overlooking`` if the camera shows all
        characters."""
        point = self.game.point_all if overlooking else self.game.point
        point(self.state, x, z)

    @torch.inference_mode()
    def trace(self, line: Sequence[tuple[float, float]], done: bool) -> None:
        """Draw a line over the ground: points (x, z) in metres."""
        self.game.trace(self.state, line, done)

    @torch.inference_mode()
    def reset(self) -> None:
        """Stand at the origin again, under the same policy, in the same game."""
        self._begin(self.character.reset(1, self._random))

    def _begin(self, state: CharacterState) -> None:
        self.state = self.game.enter(state)
        self._velocity.reset((0.0, 0.0))
        self.drawn.cut()
        self._update_scene()
        self._cut()

    def _cut(self) -> None:
        """Drop the scene before this one, so that the picture does not sweep between the two."""
        self.before = self.now

    def _followed(self) -> CharacterState:
        """The state (1) of the character that is followed."""
        return batch.select(self.state, slice(self.game.followed, self.game.followed + 1))

    @torch.inference_mode()
    def step(
        self, keys: Set[str], azimuth: float = 0.0, move: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Take one step of 1/30 s with these keys down and this stick (right, forward), before a
        camera that looks along ``azimuth``."""
        pressed = keys - self._keys
        self._keys = keys
        game = self.game
        followed = self.game.followed

        if "p" in pressed:
            self.next_policy()
        if "r" in pressed:
            return self.reset()
        if FEET in pressed:
            self.drawn.on ^= True
        if GROUND in pressed:
            self.stand_on(next_ground(self.ground))
        for key in sorted(pressed):
            name = GAMES.at_key(key)
            if name is not None:
                self.choose(name)

        if self.style is not None:
            if self.style.step(pressed, keys, self.seconds):
                self.drawn.switch()
            self.state = self._in_style(self.style)
        self.game.press(pressed)
        x, z = self.state.position[self.game.followed].tolist()
        self.game.here = x, z
        self.game.steer(Controls.of(keys, move), azimuth)
        self.state = self.game.step(self.state)
        if not bool(self.character.alive(self._followed())):
            return self.reset()

        self.before = self.now
        self._update_scene()
        if self.game is not game or self.game.followed != followed or GROUND in pressed:
            self._cut()
        return None

    def _in_style(self, style: StyleChooser) -> CharacterState:
        """The newest states, with the one that is followed asked for the chosen style."""
        weights = self.character.style(self.state).clone()
        weights[self.game.followed] = style.weights
        return self.character.with_style(self.state, weights)

    def _update_scene(self) -> None:
        """Make the scene of the newest state."""
        game = self.game
        row = game.followed
        root, rotations = self.drawn(self.state, row)
        self.root = root[row]
        self.rotations = rotations[row]

        velocity = self.character.world_velocity(self.state)[row].numpy()
        arrow = self._velocity.step(velocity, self.seconds).copy()
        poses = Pose.from_matrices(root, rotations)
        yaw = float(self.state.yaw[row])
        joints = forward_kinematics(self.character.skeleton, self.root, self.rotations)
        traces = self._tracer.step(self.root, joints, self.ground)
        scene = Scene(
            *(poses[row], yaw, arrow),
            stage=game.stage(),
            others=poses.without(row),
            traces=traces,
        )
        if not self.ground.flat:
            scene = replace(scene, ground=self.ground)
        wish = game.wish
        self.now = scene if wish is None else replace(scene, wish=wish.velocity, facing=wish.facing)


def moving_state(character: Character, velocity: Tensor, where: CharacterState) -> CharacterState:
    """The reset pose whose root velocity is nearest to ``velocity`` (2,), m/s in the world as
    (x, z), at the place and with the yaw of ``where`` (1), which may be another character's."""
    local = geometry.turn(velocity[None], -where.yaw)  # left, forward
    speeds = character.root_velocity(character.reset_poses)[:, [1, 0]]
    row = int((speeds - local).norm(dim=-1).argmin())
    return CharacterState(character.reset_poses[row : row + 1], where.position, where.yaw)
