"""The options that both benchmark programs, this package's and the environments', share."""

from __future__ import annotations

from dataclasses import dataclass

from controller.benchmark import machine
from controller.control.folder import DEFAULT, CharacterFolder
from controller.core import devices
from controller.core.errors import require


@dataclass(frozen=True)
class Options:
    """How to measure. `docs/performance.md` explains every figure."""

    character: str = DEFAULT
    """The character: its name, or its folder."""
    json: bool = False
    """Print one JSON object in place of tables."""
    quick: bool = False
    """Fewer repeats, and no batch of 10,000: about half a minute in all."""
    threads: int = 1
    """Threads of torch. One character's step always uses one, the crowd of 500 two."""
    device: str = "cpu"
    """cpu or cuda: where the characters are. The viewer, the memory and the start of a program are
    always measured on the CPU."""

    @property
    def folder(self) -> str:
        """The path of the character's folder, for a program that runs in another place."""
        return str(CharacterFolder.open(self.character).path.resolve())

    def check(self) -> None:
        """Raise :class:`ConfigError` about the first option that makes no sense, before anything is
        measured."""
        CharacterFolder.open(self.character)
        devices.find(self.device)
        most = machine.cores()
        allowed = f"1 to {most}, as many as there are cores"
        require(1 <= self.threads <= most, "--threads", self.threads, allowed)
