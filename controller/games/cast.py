"""The characters that take turns before the same keys."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path

from controller.control import folder
from controller.control.folder import CharacterFolder, CharacterInfo
from controller.core.errors import CheckpointError, ControllerError
from controller.dynamics.character import Character
from controller.games.player import Player
from controller.games.settings import Settings

SWITCH = "tab"
"""The key that gives the next character its turn."""
KEPT = 4
"""Characters that stay loaded, so that it takes no time to come back to them. The first one is
always among them: its policies may have been named one by one."""


class Cast:
    """The character that plays, and the others, which are loaded when their turn comes.

    player   the character that plays
    info     what the folder of its motion VAE says about it; None if that says nothing
    paths    the folders of all characters, in the order of their turns; None for one without folder
    chosen   the index of the one that plays
    refusal  why the key changes nothing; empty if it does
    dressed  whether what it wears is drawn
    strict   whether a turn that fails is an error. Otherwise it is the player's complaint.
    """

    def __init__(
        self,
        player: Player,
        info: CharacterInfo | None = None,
        path: Path | None = None,
        *,
        refusal: str = "",
        strict: bool = False,
    ) -> None:
        self.player = player
        self.info = info
        self.refusal = refusal
        self.strict = strict
        self.dressed = True
        self.paths = turns(path)
        self.chosen = next(i for i, each in enumerate(self.paths) if same(each, path))
        self._tried = self.chosen
        self._keys: Set[str] = frozenset()
        self._first = self.paths[self.chosen]
        self._loaded = {self._first: (player, info)}

    @classmethod
    def open(
        cls,
        character: str | Path = folder.DEFAULT,
        mvae: Path | None = None,
        policies: Sequence[Path] = (),
        seed: int = 0,
        task: str = "joystick",
        settings: Settings | None = None,
    ) -> Cast:
        """Load the first character: the named one, or its folder's policies with another motion
        VAE. Named policies come before those of the folder.

        Raises CheckpointError if a folder or a checkpoint is missing or wrong.
        """
        own = CharacterFolder.open(character)
        player = Player.load(mvae or own.mvae, policies, seed, task, settings, own)
        if mvae is None:
            return cls(player, own.info, own.path)
        file = mvae.parent / folder.INFO  # its licence holds however the motion VAE is named
        return cls(player, CharacterInfo.load(file) if file.is_file() else None)

    @property
    def name(self) -> str:
        """What the window calls the one that plays; empty if it has no name."""
        return self.info.name if self.info else ""

    def step(
        self, keys: Set[str], azimuth: float = 0.0, move: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Take one step, as :meth:`Player.step` does. The key :data:`SWITCH` first gives the next
        character its turn."""
        pressed = keys - self._keys
        self._keys = keys
        if SWITCH in pressed:
            self.next()
        self.player.step(keys - {SWITCH}, azimuth, move)

    def next(self) -> None:
        """Let the next character take over where this one stands.

        If it cannot be loaded, this one plays on and complains, and the next call tries the one
        after it. With ``strict`` a ControllerError is raised instead, as it is if the next one
        cannot play the task.
        """
        try:
            self._take_turn()
        except ControllerError as error:
            self.player.complaint = str(error)
        if self.strict and self.player.complaint:
            raise ControllerError(self.player.complaint)

    def _take_turn(self) -> None:
        if self.refusal:
            raise ControllerError(self.refusal)
        others = [place for place in range(len(self.paths)) if place != self.chosen]
        if not others:
            raise ControllerError(
                f"there is no other character: put its folder into {folder.OWN}/, or name a folder "
                f"of characters in {folder.VARIABLE}"
            )
        self._tried = next((place for place in others if place > self._tried), others[0])
        path = self.paths[self._tried]
        player, info = self._loaded.get(path) or self._load(path)
        if self.dressed:
            _ = player.skin  # a body that cannot be worn must not end the program later
        player.take_over(self.player, info.name if info else "this character")

        self._loaded.pop(path, None)
        self._loaded[path] = player, info  # the newest is the last
        spare = [each for each in self._loaded if each != self._first]
        for each in spare[: max(len(self._loaded) - KEPT, 0)]:
            del self._loaded[each]
        self.player = player
        self.info = info
        self.chosen = self._tried

    def _load(self, path: Path | None) -> tuple[Player, CharacterInfo | None]:
        """A character from its folder, at the task that is played or else at the joystick."""
        assert path is not None  # only the first may have no folder, and it stays loaded
        own = CharacterFolder.open(path)
        character = Character.load(own.mvae)
        settings = self.player.settings
        try:
            player = Player(character, (), 0, self.player.game.name, settings, own)
        except CheckpointError:
            player = Player(character, settings=settings, folder=own)
        return player, own.info


def turns(first: Path | None) -> list[Path | None]:
    """The folders of all characters. One that is in none of the usual places has the first turn."""
    known: list[Path | None] = [*folder.folders()]
    return known if any(same(path, first) for path in known) else [first, *known]


def same(one: Path | None, other: Path | None) -> bool:
    """Whether two paths, or two missing ones, are of the same folder."""
    if one is None or other is None:
        return one is other
    return one.resolve() == other.resolve()
