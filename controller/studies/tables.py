"""The runs of a study as Markdown tables, the best first."""

from __future__ import annotations

import math
from typing import Any

from controller.core import markdown

Row = dict[str, Any]
"""A run: ``name``, ``differs`` (what sets it apart: column → value), ``rollouts``, ``updates``,
``stopped`` (the sentence with which it ended early, or None), and the figures of its diagnosis, if
it has one."""
Columns = tuple[tuple[str, str, str], ...]

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
"""Figures of the tables: name, column, format."""
MORE: dict[str, Columns] = {"encoder": (("aggregate_kl_nats", "aggregate KL, nats", ".2f"),)}
"""Figures that a set's table of runs has beside those."""
JUDGED = ("eight_step_mm", "frechet_distance")
"""The figures by which runs are ranked, each the better the smaller: how well a model follows
captured motion from its own poses, and how much it moves like it when it follows nothing."""


def figure(row: Row, name: str) -> Any:
    """A figure by its name, ``name.key`` for one of several; None where it was not measured."""
    name, _, key = name.partition(".")
    value = row.get(name)
    return value.get(key) if key and value is not None else value


def mean_ranks(rows: list[Row]) -> dict[str, float]:
    """The mean of each run's ranks in the figures of :data:`JUDGED` that any run has; a run without
    one is last."""
    judged = [name for name in JUDGED if any(row.get(name) is not None for row in rows)]
    ranks = dict.fromkeys((row["name"] for row in rows), 0.0)
    for name in judged:
        values = {row["name"]: _or_infinite(row.get(name)) for row in rows}
        for run, value in values.items():
            ranks[run] += (1 + sum(other < value for other in values.values())) / len(judged)
    return ranks


def ranked(rows: list[Row]) -> list[Row]:
    """The runs, the best first; those that are alike as they were."""
    ranks = mean_ranks(rows)
    return sorted(rows, key=lambda row: ranks[row["name"]])


def tables(rows: list[Row], more: Columns = ()) -> str:
    """All runs and, where several settings were varied, what each of their values came to on
    average."""
    return "\n\n".join(part for part in (runs_table(rows, more), effects_table(rows)) if part)


def runs_table(rows: list[Row], more: Columns = ()) -> str:
    """A line a run, the best first, with :data:`FIGURES` and what ``more`` there is to tell."""
    shown = (*FIGURES, *more)
    head = [
        *rows[0]["differs"],
        "mean rank",
        *(column for _, column, _ in shown),
        "verdict",
        "rollouts",
        "updates",
    ]
    ranks = mean_ranks(rows)
    lines = [
        [
            *row["differs"].values(),
            f"{ranks[row['name']]:.1f}",
            *(_formatted(figure(row, name), form) for name, _, form in shown),
            row["stopped"] or row["verdict"],
            f"{row['rollouts']:,}",
            f"{row['updates']:,}",
        ]
        for row in ranked(rows)
    ]
    return markdown.table(head, lines)


def effects_table(rows: list[Row]) -> str:
    """A line for each value of each setting: means over the runs that have it. A run without a
    figure has no part in that figure's mean.

    Empty unless the runs are a grid, of two settings or more: only there do runs that differ in one
    differ in nothing else on average.
    """
    varied = {
        name: list(dict.fromkeys(row["differs"][name] for row in rows))
        for name in rows[0]["differs"]
    }
    varied = {name: values for name, values in varied.items() if len(values) > 1}
    if len(varied) < 2 or math.prod(len(values) for values in varied.values()) != len(rows):
        return ""
    ranks = mean_ranks(rows)
    lines = []
    for name, values in varied.items():
        for value in values:
            alike = [row for row in rows if row["differs"][name] == value]
            rank = sum(ranks[row["name"]] for row in alike) / len(alike)
            lines.append([f"{name}: {value}", str(len(alike)), f"{rank:.1f}", *_means(alike)])
    return markdown.table(
        ["setting", "runs", "mean rank", *(column for _, column, _ in FIGURES)], lines
    )


def summary(row: Row) -> str:
    """How a run ended, in a line."""
    if row["stopped"]:
        return str(row["stopped"])
    told = (f"{column} {_formatted(figure(row, name), form)}" for name, column, form in FIGURES)
    return f"{row['verdict']}; " + ", ".join(told)


def _means(rows: list[Row]) -> list[str]:
    """The mean of each of :data:`FIGURES` over the runs that have it."""
    means = []
    for name, _, form in FIGURES:
        known = [value for row in rows if (value := figure(row, name)) is not None]
        means.append(
            _formatted(sum(known) / len(known) if known else None, ".1f" if form == "d" else form)
        )
    return means


def _formatted(value: Any, form: str) -> str:
    return markdown.NONE if value is None else format(value, form)


def _or_infinite(value: float | None) -> float:
    return float("inf") if value is None else value
