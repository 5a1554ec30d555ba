"""Pose to video: ``python -m controller video film|train|evaluate``.

film      film the character with the renderer, and label every picture
train     train a network that paints the next picture from the last one and a label
evaluate  measure it on episodes that it has not seen, and let it paint a film
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.core import command_line
from controller.video.evaluate_command import EvaluateCommand
from controller.video.film_command import FilmCommand
from controller.video.train_command import TrainCommand


def main() -> int:
    """The exit status is 1 if a network is of no use."""
    commands: dict[str, Callable[..., Any]] = {
        "film": FilmCommand,
        "train": TrainCommand,
        "evaluate": EvaluateCommand,
    }
    return int(command_line.read_command(commands, description=__doc__).run() or 0)
