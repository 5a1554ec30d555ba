"""Write the results to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from controller.core import files
from controller.evaluation.results import overview, plots, tables

NAME = "results"
PICTURES = {"motion": plots.motion, "tasks": plots.tasks}


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write results.json, results.md, motion.svg and tasks.svg, each whole or not at all; returns
    their paths. Raises ControllerError if the folder cannot be written to, or if matplotlib is not
    installed."""
    files.make_folder(folder)
    texts: dict[str, str | bytes] = {
        f"{NAME}.json": json.dumps(results, indent=1, allow_nan=False) + "\n",
        f"{NAME}.md": f"# Results\n\n{tables.page(results)}\n",
        **{f"{name}.svg": draw(results) for name, draw in PICTURES.items()},
    }
    for name, text in texts.items():
        files.write(folder / name, text)
    return [folder / name for name in texts]


def fill_page(results: dict[str, Any], page: Path) -> None:
    """Fill the block <!-- results --> of a page, and write the pictures of that block beside the
    page: PAGE-motion.svg and so on."""
    files.fill(page, NAME, tables.page(results))
    for name, draw in PICTURES.items():
        files.write(page.with_name(f"{page.stem}-{name}.svg"), draw(results))


def fill_readme(results: dict[str, Any], readme: Path) -> None:
    """Fill the block <!-- tasks --> of docs/playing.md: a line a task."""
    files.fill(readme, "tasks", overview.table(results))
