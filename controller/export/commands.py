"""Write a character for other programs: ``python -m controller export glb|onnx|c``.

See docs/own-body.md and docs/engine.md.
"""

from __future__ import annotations

from typing import Any

import tyro

from controller.export.engine import C, Onnx
from controller.export.glb import Glb

SUBCOMMANDS: dict[str, Any] = {"glb": Glb, "onnx": Onnx, "c": C}
"""What ``export`` can write, by the word on the command line: dataclasses of options that can
``run``."""


def main() -> None:
    """Run one of the subcommands."""
    command = tyro.extras.subcommand_cli_from_dict(SUBCOMMANDS, description=__doc__)
    command.run()
