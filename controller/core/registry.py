"""Registries: what can be added to from outside, by name.

A registry knows its own entries, those of any module that was imported, and those of installed
packages: these name their modules in the entry-point group ``motion_vae``, and the modules
register what they have when they are imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import TypeVar

from controller.core.errors import ConfigError

GROUP = "motion_vae"
"""The entry-point group in which packages name the modules that register something."""

Entry = TypeVar("Entry")

_loaded_groups: set[str] = set()


def load_plugins() -> None:
    """Import the modules that installed packages name in :data:`GROUP`, once a process.

    Raises ConfigError if one of them cannot be imported.
    """
    if GROUP in _loaded_groups:
        return
    _loaded_groups.add(GROUP)
    for point in metadata.entry_points(group=GROUP):
        try:
            point.load()
        except ImportError as error:
            raise ConfigError(f"the plugin {point.name} ({point.value}): {error}") from error


class Registry(Mapping[str, Entry]):
    """Entries of one ``kind`` ("task", "game", …) by name, in the order in which they were added."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> Entry:
        """Add an entry, or replace the one of that name. Returns the entry."""
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """A decorator that adds what it decorates under this name."""
        return lambda entry: self.add(name, entry)

    def find(self, name: str) -> Entry:
        """The entry of that name.

        ``MODULE:NAME`` imports the module first, which registers NAME. An unknown name is looked
        for in installed packages, too. Raises ConfigError if there is no such module or entry.
        """
        module, _, short = name.rpartition(":")
        if module:
            self._import(module, name)
        if short not in self._entries:
            load_plugins()
        if short not in self._entries:
            raise ConfigError(f"{self.kind} is {name!r}; allowed: {', '.join(self._entries)}")
        return self._entries[short]

    def _import(self, module: str, name: str) -> None:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigError(f"{self.kind} is {name!r}: {error}") from error

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
