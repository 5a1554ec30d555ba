"""Write a character for other programs: ``python -m controller export onnx|c``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import tyro

from controller.core.errors import ControllerError


class Export(Protocol):
    """What a subcommand is: a dataclass of its options that can run itself."""

    def run(self) -> None: ...


@dataclass(frozen=True)
class Onnx:
    """The whole controller as one ONNX graph: from a state and a wish to the next state."""

    out: Path
    """The .onnx to write."""

    def run(self) -> None:
        raise ControllerError("export onnx is not written yet")


@dataclass(frozen=True)
class C:
    """The whole controller as one C file without dependencies, and its weights as a binary file."""

    out: Path
    """The folder to write into."""

    def run(self) -> None:
        raise ControllerError("export c is not written yet")


SUBCOMMANDS: dict[str, type[Export]] = {"onnx": Onnx, "c": C}
"""What ``export`` can write, by the word on the command line."""


def main() -> None:
    """Run one of the subcommands."""
    command = tyro.extras.subcommand_cli_from_dict(SUBCOMMANDS, description=__doc__)
    command.run()
