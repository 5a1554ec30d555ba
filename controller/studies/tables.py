"""The runs of a study as Markdown tables, the best first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from controller.core import markdown

Row = dict[str, Any]
"""A run: ``name``, ``differs`` (what sets it apart: column → value), ``rollouts``, ``updates``,
``stopped`` (the sentence with which it ended early, or None), and the figures of its diagnosis, if
it has one."""
Columns = tuple[tuple[str, str, str], ...]
"""Figures of a table: name, column, format."""

FIGURES: Columns = (
    ("kl_nats", "KL, nats", ".2f"),
    ("active_units", "active units", "d"),
    ("one_step_mm", "1 step, mm", ".2f"),
    ("eight_step_mm", "8 steps, mm", ".2f"),
    ("free_running_mm.60", "60 steps, mm", ".1f"),
    ("frechet_distance", "Fréchet distance", ".3g"),
    ("free_skate_cm_per_frame", "foot skate, cm/frame", ".3f"),
    ("sane_fraction", "sane", ".0%"),
)
"""The usual figures."""
AGGREGATE: Columns = (("aggregate_kl_nats", "aggregate KL, nats", ".2f"),)
"""How far the latents of all steps together lie from the prior."""
JUDGED = ("eight_step_mm", "frechet_distance")
"""The figures by which runs are ranked, smaller is better: how well a model follows captured motion
from its own poses, and how similar its motion is when it follows nothing."""


def figure(row: Row, name: str) -> Any:
    """A figure by its name, ``name.key`` for one of a group; None if it was not measured."""
    name, _, key = name.partition(".")
    value = row.get(name)
    return value.get(key) if key and value is not None else value


def mean_ranks(rows: list[Row]) -> dict[str, float]:
    """The mean rank of each run, by name, in those figures of :data:`JUDGED` that any run has. A
    run without a figure comes last in it."""
    judged = [name for name in JUDGED if any(row.get(name) is not None for row in rows)]
    ranks = dict.fromkeys((row["name"] for row in rows), 0.0)
    for name in judged:
        values = {row["name"]: _or_infinite(row.get(name)) for row in rows}
        for run, value in values.items():
            better = sum(other < value for other in values.values())
            ranks[run] += (1 + better) / len(judged)
    return ranks


def ranked(rows: list[Row]) -> list[Row]:
    """The runs, the best first; runs of equal rank keep their order."""
    ranks = mean_ranks(rows)
    return sorted(rows, key=lambda row: ranks[row["name"]])


def tables(rows: list[Row], more: Columns = ()) -> str:
    """A table of all runs and, if several settings were varied, one with the mean figures of each
    value of each setting."""
    return "\n\n".join(part for part in (runs_table(rows, more), effects_table(rows)) if part)


def runs_table(rows: list[Row], more: Columns = ()) -> str:
    """A line for each run, the best first, with the figures of :data:`FIGURES` and ``more``."""
    columns = (*FIGURES, *more)
    head = [
        *rows[0]["differs"],
        "mean rank",
        *(title for _, title, _ in columns),
        "verdict",
        "rollouts",
        "updates",
    ]
    ranks = mean_ranks(rows)
    lines = [
        [
            *row["differs"].values(),
            f"{ranks[row['name']]:.1f}",
            *(_formatted(figure(row, name), form) for name, _, form in columns),
            row["stopped"] or row["verdict"],
            f"{row['rollouts']:,}",
            f"{row['updates']:,}",
        ]
        for row in ranked(rows)
    ]
    return markdown.table(head, lines)


def effects_table(rows: list[Row]) -> str:
    """A line for each value of each setting: means over the runs that have it. A run that lacks a
    figure does not count in that figure's mean.

    Empty unless the runs form a grid of two or more settings: only in a grid do the runs with one
    value differ on average from those with another in nothing else.
    """
    values = varied_settings(rows)
    if len(values) < 2 or math.prod(map(len, values.values())) != len(rows):
        return ""
    ranks = mean_ranks(rows)
    lines = []
    for name in values:
        for value in values[name]:
            group = [row for row in rows if row["differs"][name] == value]
            rank = sum(ranks[row["name"]] for row in group) / len(group)
            means = [_formatted(*_mean(group, key, form)) for key, _, form in FIGURES]
            lines.append([f"{name}: {value}", str(len(group)), f"{rank:.1f}", *means])
    titles = [title for _, title, _ in FIGURES]
    return markdown.table(["setting", "runs", "mean rank", *titles], lines)


def varied_settings(rows: list[Row]) -> dict[str, list[str]]:
    """The values of each setting that has more than one, in the order of the runs."""
    values = {
        name: list(dict.fromkeys(row["differs"][name] for row in rows))
        for name in rows[0]["differs"]
    }
    return {name: several for name, several in values.items() if len(several) > 1}


def summary(row: Row) -> str:
    """How a run ended, in one line."""
    if row["stopped"]:
        return str(row["stopped"])
    figures: Iterable[str] = (
        f"{title} {_formatted(figure(row, name), form)}" for name, title, form in FIGURES
    )
    return f"{row['verdict']}; " + ", ".join(figures)


def _mean(rows: list[Row], name: str, form: str) -> tuple[float | None, str]:
    """The mean of a figure over the runs that have it, None if there is none, and its format."""
    values = [value for row in rows if (value := figure(row, name)) is not None]
    mean = sum(values) / len(values) if values else None
    return mean, ".1f" if form == "d" else form


def _formatted(value: Any, form: str) -> str:
    return markdown.NONE if value is None else format(value, form)


def _or_infinite(value: float | None) -> float:
    return float("inf") if value is None else value
