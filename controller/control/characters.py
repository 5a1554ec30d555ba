"""List the characters that can be named: ``python -m controller characters``."""

from __future__ import annotations

from dataclasses import dataclass

from controller.control.folder import CharacterFolder, available, own_policies
from controller.core import command_line, markdown
from controller.tasks import TASKS


@dataclass(frozen=True)
class Options:
    """No options."""


def line(character: CharacterFolder) -> list[str]:
    """What to call a character, what it is, its licence, the tasks that it has policies for, and
    where it is."""
    tasks = [name for name in TASKS if own_policies(character.path, name)]
    info = character.info
    what = f"{info.name}: {info.title}"
    return [character.name, what, info.terms, ", ".join(tasks), str(character.path)]


def main() -> None:
    command_line.read(Options, description=__doc__)
    head = ["--character", "what it is", "licence", "trained for", "folder"]
    print(markdown.table(head, map(line, available())))
