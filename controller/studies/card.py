"""Measure a policy and fill in its model card: ``python -m controller card --task maze``.

Writes the blocks ``<!-- training -->`` … ``<!-- end training -->`` and ``<!-- figures -->`` …
``<!-- end figures -->`` of ``TASK.md`` in the character's folder and, with --run, the learning
curve in the block ``curve``. ``controller/evaluation/trials/TASK.py`` defines the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from controller.control.folder import DEFAULT, CharacterFolder
from controller.control.policy import KIND, Policy
from controller.core import checkpoint, command_line, files, markdown
from controller.core.errors import require
from controller.dynamics.character import Character
from controller.evaluation.figures import evaluate
from controller.studies.curves import history
from controller.studies.statements import training
from controller.tasks import task_type


@dataclass(frozen=True)
class Options:
    """Which card."""

    task: str
    """The task whose policy to measure."""
    character: str = DEFAULT
    """The character: its name, or its folder."""
    beside: tuple[Path, ...] = ()
    """Other policies for the task, or for the task that it extends, in columns of their own."""
    run: Path | None = None
    """The folder of the policy's training, for its learning curve."""
    curve: tuple[str, ...] = ()
    """Figures of the learning curve."""
    characters: int = 100
    """Characters measured at once."""
    seconds: float = 20.0
    """Seconds of each recording."""
    seed: int = 1
    """Seed of starting poses and goals."""

    def __post_init__(self) -> None:
        require(1 <= self.characters <= 100_000, "characters", self.characters, "1 to 100000")
        require(1 <= self.seconds <= 3600, "seconds", self.seconds, "1 to 3600 s")


def measure(options: Options, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The figures of the policies in files, at the options' task."""
    torch.set_num_threads(1)
    character = Character.load(CharacterFolder.open(options.character).mvae)
    kind = task_type(options.task)
    figures = []
    for path in paths:
        policy, simulation = Policy.load_at_task(path, character, kind)
        figures.append(
            evaluate(simulation, policy, options.characters, options.seconds, options.seed)
        )
    return figures


def table(names: Sequence[str], figures: Sequence[dict[str, Any]]) -> str:
    """A Markdown table: a row for each figure, a column for each policy."""
    rows = []
    for name, value in figures[0].items():
        if isinstance(value, float) and name != "seconds":
            rows.append([name, *(f"{column[name]:.3f}" for column in figures)])
    return markdown.table(["figure", *names], rows)


def curve(run: Path, names: Sequence[str]) -> str:
    """A Markdown table of a training's evaluations: frames and seconds of training, and the named
    figures.

    Raises DataError if ``run`` has no history, ConfigError if the history lacks a figure.
    """
    _, rows = history(f"run={run}")
    columns = ("frames", "wall_s", *names)
    for name in columns:
        known = all(name in row for row in rows)
        require(known, "curve", name, f"a figure of {run / 'history.json'}")
    lines = [
        [f"{row[name]:.4g}" if name in names else f"{row[name]:,}" for name in columns]
        for row in rows
    ]
    return markdown.table(columns, lines)


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    folder = CharacterFolder.open(options.character).path
    paths = [folder / f"{options.task}.safetensors", *options.beside]
    header = checkpoint.load_header(paths[0], KIND)
    text = table([path.stem for path in paths], measure(options, paths))
    card = paths[0].with_suffix(".md")
    files.fill(card, "figures", f"{text}\n\n{options.characters} characters, seed {options.seed}.")
    files.fill(card, "training", training(header))
    if options.run:
        files.fill(card, "curve", curve(options.run, options.curve))
    print(text)
