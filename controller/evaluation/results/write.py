"""Write the results to files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from controller.core import files
from controller.evaluation import charts
from controller.evaluation.results import overview, plots, tables

NAME = "results"
README_BLOCK = "tasks"
PICTURES = {"motion": plots.motion, "tasks": plots.tasks}


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write results.json, results.md, motion.svg and tasks.svg, each whole or not at all; returns
    their paths. Raises ControllerError if the folder cannot be written to, or if matplotlib is not
    installed."""
    files.make_folder(folder)
    texts: dict[str, Callable[[], str | bytes]] = {
        f"{NAME}.json": lambda: json.dumps(results, indent=1, allow_nan=False) + "\n",
        f"{NAME}.md": lambda: f"# Results\n\n{tables.page(results)}\n",
        **{f"{name}.svg": partial(draw, results) for name, draw in PICTURES.items()},
    }
    for name, make in texts.items():
        files.write(folder / name, make())  # the figures first: drawing can fail
    return [folder / name for name in texts]


def check(folder: Path, pages: Mapping[Path, str]) -> None:
    """Raise ControllerError if, after all the measuring, something could not be written: the
    folder, the pictures for lack of matplotlib, or a block of one of the ``pages``."""
    charts.need_matplotlib()
    files.check_folder(folder)
    for name in (f"{NAME}.json", f"{NAME}.md", *(f"{name}.svg" for name in PICTURES)):
        files.check(folder / name)
    for page, block in pages.items():
        files.split_block(page, block)
        files.check(page)


def fill_page(results: dict[str, Any], page: Path) -> None:
    """Fill the block <!-- results --> of a page, and write the pictures of that block beside the
    page: PAGE-motion.svg and so on."""
    files.fill(page, NAME, tables.page(results))
    for name, draw in PICTURES.items():
        files.write(page.with_name(f"{page.stem}-{name}.svg"), draw(results))


def fill_readme(results: dict[str, Any], readme: Path) -> None:
    """Fill the block <!-- tasks --> of docs/playing.md: a line a task."""
    files.fill(readme, README_BLOCK, overview.table(results))
