"""A character in someone's hands: keys in, scenes out."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path

import torch

from controller.control import shipped
from controller.core import batch
from controller.core.errors import CheckpointError
from controller.dynamics.character import Character, CharacterState
from controller.games import GAMES, KEYS, Game
from controller.games.pilot import Pilot
from controller.games.settings import Settings
from controller.viewer.input.steering import Controls
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.spring import Spring

SHOWN_HALF_LIFE = (
    0.1  # s; hips sway with every step, and an arrow that sways with them is hard to read
)


class Player:
    """A character in a game, stepped at 30 Hz by whoever holds the keys: a person, a script, a
    test.

    Attributes: ``state``, all that play; ``before`` and ``now``, the scenes of the two newest
    states; ``root`` (3,) and ``rotations`` (J, 3, 3), root position and global joint rotations of
    the character that is followed; ``game``, what is played; ``pilots``, whose policies are able to
    play it, and ``chosen``, the index of the one that acts; ``complaint``, why the game chosen last
    is not played, empty if it is.
    """

    def __init__(
        self,
        character: Character,
        pilots: Sequence[Pilot] = (),
        seed: int = 0,
        task: str = "joystick",
        settings: Settings | None = None,
    ) -> None:
        self.character = character
        self._named = list(pilots)
        self._settings = settings or Settings()
        self.seconds = 1 / character.fps
        self._shown = Spring((0.0, 0.0), SHOWN_HALF_LIFE)
        self._random = torch.Generator().manual_seed(seed)
        self._games: dict[str, Game] = {}
        self._crews: dict[str, list[Pilot]] = {}
        self._held: Set[str] = frozenset()
        self.chosen = 0
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
        task: str = "joystick",
        settings: Settings | None = None,
    ) -> Player:
        """From checkpoints; where none of the named policies plays a task, the shipped ones for it
        do.

        CheckpointError says what is wrong with them.
        """
        character = Character.load(mvae)
        return cls(
            character, [Pilot.load(path, character) for path in policies], seed, task, settings
        )

    @torch.inference_mode()
    def _warm_up(self) -> None:
        """Act once for each policy and forget it: what is compiled or loaded on first use is not to
        delay a step."""
        for _ in self.pilots:
            self.next_policy()
            self.game.step(self.state)
        self._begin(self._own())

    @property
    def pilots(self) -> list[Pilot]:
        """Whose policies are able to play this game, those first that were trained for it; none
        where nobody acts."""
        return self._crews[self.game.name]

    @property
    def pilot(self) -> Pilot | None:
        """The one that acts."""
        return self.pilots[self.chosen] if self.pilots else None

    def next_policy(self) -> None:
        """Let the next policy act from here on; after the last comes the first. The character moves
        on as it is."""
        self._board(self.chosen + 1)

    def _board(self, chosen: int) -> None:
        if self.pilots:
            self.chosen = chosen % len(self.pilots)
            self.game.board(self.pilots[self.chosen].policy)

    def _crew(self, game: Game) -> list[Pilot]:
        """Who is able to play a game. Policies that nobody named are loaded when their game is
        first chosen."""
        if not game.piloted:
            return []
        able = [pilot for pilot in self._named if pilot.plays(game.task)]
        if not able:
            able = [
                Pilot.load(path, self.character) for path in shipped.policy_paths(game.task.name)
            ]
        return sorted(able, key=lambda pilot: pilot.policy.task != game.task.name)

    def _play(self, task: str) -> None:
        """Make that game the one that is played; CheckpointError if there is no policy for it."""
        if task not in self._games:
            game = GAMES[task](self.character, self._random, self._settings)
            self._crews[task] = self._crew(game)
            self._games[task] = game
        self.game = self._games[task]
        self._board(0)

    @torch.inference_mode()
    def choose(self, task: str) -> None:
        """Play a game of ``controller.games.GAMES`` from here on; the same once more begins anew.

        The character moves on as it is. Without a policy for it, all stays, and ``complaint`` says
        so.
        """
        own = self._own()
        before = self.game
        self.complaint = ""
        if task == before.name:
            before.another()
        else:
            try:
                self._play(task)
            except CheckpointError as error:
                self.complaint = str(error)
                return
        self.state = self.game.enter(own)

    @torch.inference_mode()
    def point(self, x: float, z: float, *, overlooking: bool = False) -> None:
        """Point at the ground there, in metres; ``overlooking`` all that play, perhaps."""
        (self.game.gather if overlooking else self.game.point)(self.state, x, z)

    @torch.inference_mode()
    def trace(self, line: Sequence[tuple[float, float]], done: bool) -> None:
        """Draw a line over the ground, points (x, z) in metres."""
        self.game.trace(self.state, line, done)

    @torch.inference_mode()
    def reset(self) -> None:
        """Stand at the origin again, under the same policy, in the same game."""
        self._begin(self.character.reset(1, self._random))

    def _begin(self, state: CharacterState) -> None:
        self.state = self.game.enter(state)
        self._shown.reset((0.0, 0.0))
        self._look()
        self.before = self.now  # nothing lies between there and here

    def _own(self) -> CharacterState:
        """The state (1) of the character that is followed."""
        return batch.select(self.state, slice(self.game.followed, self.game.followed + 1))

    @torch.inference_mode()
    def step(
        self, held: Set[str], azimuth: float = 0.0, move: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """1/30 s with these keys held and this stick (right, forward), before a camera that looks
        along ``azimuth``."""
        pressed = held - self._held
        self._held = held
        game = self.game
        followed = self.game.followed
        if "p" in pressed:
            self.next_policy()
        if "r" in pressed:
            return self.reset()
        for task in GAMES:
            if KEYS[task] in pressed:
                self.choose(task)
        self.game.press(pressed)
        self.game.steer(Controls.of(held, move), azimuth)
        self.state = self.game.step(self.state)
        if not bool(self.character.alive(self._own())):
            return self.reset()
        self.before = self.now
        self._look()
        if self.game is not game or self.game.followed != followed:
            self.before = self.now  # nothing lies between two people
        return None

    def _look(self) -> None:
        """Make the newest state's scene."""
        root, rotations = self.character.joints(self.state)
        row = self.game.followed
        game = self.game
        self.root = root[row]
        self.rotations = rotations[row]
        velocity = self._shown.step(
            self.character.world_velocity(self.state)[row].numpy(), self.seconds
        ).copy()
        poses = Pose.from_matrices(root, rotations)
        yaw = float(self.state.yaw[row])
        wish = game.wish
        scene = Scene(poses[row], yaw, velocity, stage=game.stage(), others=poses.without(row))
        self.now = scene if wish is None else replace(scene, wish=wish.velocity, facing=wish.facing)
