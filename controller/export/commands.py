"""Write a character for other programs: ``python -m controller export glb|onnx|c|web``.

See docs/own-body.md, docs/engine.md and docs/web.md.
"""

from __future__ import annotations

from typing import Any

from controller.core import command_line
from controller.export.engine import C, Onnx
from controller.export.glb import Glb
from controller.export.web import Web

SUBCOMMANDS: dict[str, Any] = {"glb": Glb, "onnx": Onnx, "c": C, "web": Web}
"""What ``export`` can write, by the word on the command line: dataclasses of options that can
``run``."""


def main() -> None:
    """Run one of the subcommands."""
    command = command_line.read_command(SUBCOMMANDS, description=__doc__)
    command.run()
