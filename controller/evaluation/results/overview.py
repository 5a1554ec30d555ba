"""The tasks in a table for docs/playing.md: what a person does, and the measured result."""

from __future__ import annotations

from typing import Any

from controller.core import markdown
from controller.evaluation.results.suite import RANDOM
from controller.evaluation.results.tables import MOTION, Row, best, declared, figure
from controller.evaluation.trials import TRIALS
from controller.games import GAMES
from controller.games.base import Game

RANDOM_SUMMARY = "{alive_fraction} % sane; futures {apd_cm} cm apart (APD)"
"""The summary of z at random, which has no trial."""


def table(results: dict[str, Any]) -> str:
    """A line for each task that was measured or left out, with a picture of it."""
    known = {entry["task"] for entry in (*results["rows"], *results["left_out"])}
    lines = [
        [
            GAMES.key(name),
            f"`{name}`",
            game.does,
            measured(game, results),
            f"![{name}]({name}.gif)",
        ]
        for name, game in GAMES.items()
        if game.task_type.name in known
    ]
    return markdown.table(["key", "task", "what a person does", "measured", ""], lines)


def measured(game: type[Game[Any]], results: dict[str, Any]) -> str:
    """The summary of a game's task, as whoever acts in the game was measured; a dash if there is
    none."""
    task = game.task_type.name
    row = row_of(results, task, game.who)
    text = summary(task)
    if row is None or not text:
        return markdown.NONE
    figures = {}
    for metric in (*MOTION, *declared(task)):
        value = figure(row["figures"].get(metric.key), metric)
        figures[metric.key] = value.partition(" ±")[0]
    return text.format_map(figures)


def summary(task: str) -> str:
    """The phrase that a task's trial declares; empty if there is none."""
    if task in TRIALS:
        return TRIALS[task].summary
    return RANDOM_SUMMARY if task == RANDOM else ""


def row_of(results: dict[str, Any], task: str, who: str | None) -> Row | None:
    """The row of one who acts at a task, or of the best policy if ``who`` is None; None if there is
    no such row."""
    if who is None:
        return best(results, task)
    rows = (row for row in results["rows"] if (row["task"], row["who"]) == (task, who))
    return next(rows, None)
