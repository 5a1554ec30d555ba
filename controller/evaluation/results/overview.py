"""The tasks in a table for docs/playing.md: what a person does, and the measured result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.core import markdown
from controller.evaluation.results.suite import MONTE_CARLO
from controller.evaluation.results.tables import TASKS, Column, Row, best, figure
from controller.games import KEYS


@dataclass(frozen=True)
class Line:
    """A line of the table: the task's ``name`` as ``--task`` has it, what a person ``does`` there,
    and the figures that say how it went, as a pattern of the keys of :data:`TASKS`."""

    name: str
    does: str
    measured: str


LINES = (
    Line(
        "joystick",
        "steers, and may hold the way it faces",
        "within 5° of a new heading in {response_s} s",
    ),
    Line(
        "target",
        "clicks on the ground; the flag moves",
        "{reach_fraction} % within 0.3 m, in {reach_time_s} s (ideal: {reach_time_ideal_s} s)",
    ),
    Line(
        "timed_target",
        "clicks; a clock shows when to be there",
        "{on_time_fraction} % on time, ± 0.3 s",
    ),
    Line(
        "path",
        "draws a path, or picks figure-8, heart, zigzag, spiral",
        "{cross_track_error_m} m off the path, at {path_speed_m_s} m/s",
    ),
    Line(
        "maze",
        "picks a maze, drags the exit",
        "{solved_fraction} % solved, {touch_fraction} % of them touch a wall",
    ),
    Line(
        "crowd",
        "watches many walk through each other",
        "{overlap_fraction} % of character-frames overlap, {targets_per_min} targets a minute each",
    ),
    Line(
        "random",
        "watches; moves sliders for z",
        "{alive_fraction} % sane; futures {apd_cm} cm apart (APD)",
    ),
    Line(
        MONTE_CARLO,
        "clicks, as for the target; nobody is trained: the best of many tries",
        "{reach_fraction} % within 0.3 m, in {reach_time_s} s",
    ),
)
SANE = Column("alive_fraction", "", 1, 100)


def columns(task: str) -> dict[str, Column]:
    """A task's figures by key."""
    return {column.key: column for column in (*TASKS[task], SANE)}


def filled(line: Line, results: dict[str, Any]) -> str:
    """What a line's task came to; a dash if it was not measured."""
    if line.name == MONTE_CARLO:
        task = "target"
        row = tried(results)
    else:
        task = line.name
        row = best(results, line.name)
    if row is None:
        return markdown.NONE
    return line.measured.format_map(
        {
            key: figure(row["figures"].get(key), column).partition(" ±")[0]
            for key, column in columns(task).items()
        }
    )


def tried(results: dict[str, Any]) -> Row | None:
    """Monte Carlo control's row at the target, if there is one."""
    found = (row for row in results["rows"] if (row["task"], row["who"]) == ("target", MONTE_CARLO))
    return next(found, None)


def table(results: dict[str, Any]) -> str:
    """A line a task, with the picture of it."""
    rows = [
        [
            KEYS[line.name],
            f"`{line.name}`",
            line.does,
            filled(line, results),
            f"![{line.name}]({line.name}.gif)",
        ]
        for line in LINES
    ]
    return markdown.table(["key", "task", "what a person does", "measured", ""], rows)
