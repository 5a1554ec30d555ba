"""The registry of games, and the key that chooses each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from controller.core.registry import Registry
from controller.games.base import Game
from controller.games.default import default_game
from controller.tasks import TASKS

Kind = TypeVar("Kind", bound=type[Game[Any]])

KEYS = "123456789"
"""The keys that choose games, in the order of registration. Any further game has no key."""


class Games(Registry[type[Game[Any]]]):
    """Every game by name: the registered ones, then the default game of each task that has none.

    To a person, games are tasks; so messages call them that.
    """

    def __init__(self) -> None:
        super().__init__("task")

    def entries(self) -> Mapping[str, type[Game[Any]]]:
        defaults = {
            name: default_game(kind) for name, kind in TASKS.items() if name not in self._entries
        }
        return self._entries | defaults

    def aliases(self, entry: type[Game[Any]]) -> set[str]:
        """Also the class names of the task, for the game that bears the task's name."""
        own = {entry.__name__, entry.__name__.removesuffix("Game")}
        kind = entry.task_type
        return own | TASKS.aliases(kind) if entry.name == kind.name else own

    def key(self, name: str) -> str:
        """The key that chooses a game; empty if there are too many before it."""
        place = list(self).index(name)
        return KEYS[place] if place < len(KEYS) else ""

    def at_key(self, key: str) -> str | None:
        """The name of the game that a key chooses; None if there is none."""
        names = list(self)
        place = KEYS.find(key)
        return names[place] if 0 <= place < len(names) else None

    def last_key(self) -> str:
        """The last key that chooses a game."""
        return KEYS[min(len(self), len(KEYS)) - 1]


GAMES = Games()


def game(kind: Kind) -> Kind:
    """Register a game class under its ``name``. Used as a decorator."""
    GAMES.add(kind.name, kind)
    return kind
