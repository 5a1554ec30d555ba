"""Registries: things that can be added from outside the tree, by name.

A registry holds the entries of every module that has been imported. Installed packages join in by
naming their modules in the entry-point group ``motion_vae``: those modules are imported when an
unknown name is looked up, and register their entries then.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import metadata
from typing import TypeVar

from controller.core.errors import ConfigError

GROUP = "motion_vae"
"""The entry-point group in which packages name the modules that register something."""

Entry = TypeVar("Entry")


@cache
def load_plugins() -> None:
    """Import the modules that installed packages name in :data:`GROUP`, once per process.

    Raises ConfigError if one of them cannot be imported.
    """
    for point in metadata.entry_points(group=GROUP):
        try:
            point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"the plugin {point.name} ({point.value}): {error}") from error


class Registry(Mapping[str, Entry]):
    """Entries of one ``kind`` ("task", "game", …) by name, in the order in which they were
    added."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self._listeners: list[Callable[[Entry], object]] = []

    def entries(self) -> Mapping[str, Entry]:
        """All entries by name. A subclass may add some."""
        return self._entries

    def add(self, name: str, entry: Entry) -> Entry:
        """Add an entry and return it.

        An entry of the same name is replaced if it comes from the same module, as when a module is
        reloaded. Raises ConfigError if it comes from another module.
        """
        known = self._entries.get(name)
        if known is not None and _module(known) != _module(entry):
            raise ConfigError(
                f"two modules register the {self.kind} {name!r}: {_module(known)} and "
                f"{_module(entry)}; rename one of them"
            )
        self._entries[name] = entry
        for listener in self._listeners:
            listener(entry)
        return entry

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Return a decorator that adds what it decorates under this name."""
        return lambda entry: self.add(name, entry)

    def listen(self, listener: Callable[[Entry], object]) -> None:
        """Call ``listener`` with every entry: now with those present, later with each new one."""
        for entry in self._entries.values():
            listener(entry)
        self._listeners.append(listener)

    def find(self, name: str) -> Entry:
        """Look up an entry by its name or by the name of its class.

        ``MODULE:NAME`` imports the module first, which registers NAME. An unknown name is also
        looked for in installed packages. Raises ConfigError if there is no such module or entry.
        """
        module, _, short = name.rpartition(":")
        if module:
            self._import(module, name)
        if self._key(short) is None:
            load_plugins()
        key = self._key(short)
        if key is None:
            raise ConfigError(f"{self.kind} is {name!r}; allowed: {', '.join(self)}")
        return self[key]

    def address(self, name: str) -> str:
        """The name under which :meth:`find` knows an entry in a new process: ``MODULE:NAME`` for an
        entry from outside this project."""
        module = _module(self[name])
        return name if module.startswith("controller.") else f"{module}:{name}"

    def aliases(self, entry: Entry) -> set[str]:
        """Further names of an entry: that of its class, in full or without the kind at its end
        (``CompanionTask``, ``Companion``)."""
        name = getattr(entry, "__name__", "")
        return {name, name.removesuffix(self.kind.capitalize())}

    def _key(self, name: str) -> str | None:
        if name in self:
            return name
        return next((key for key, entry in self.items() if name in self.aliases(entry)), None)

    def _import(self, module: str, name: str) -> None:
        if not all(part.isidentifier() for part in module.split(".")):
            raise ConfigError(f"{self.kind} is {name!r}: {module!r} is not the name of a module")
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigError(f"{self.kind} is {name!r}: {error}") from error

    def __getitem__(self, name: str) -> Entry:
        return self.entries()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries())

    def __len__(self) -> int:
        return len(self.entries())


def _module(entry: object) -> str:
    return getattr(entry, "__module__", "")
