"""The results as pictures. Needs matplotlib: ``pip install -e ".[plots]"``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controller.evaluation.charts import COLOURS, chart
from controller.evaluation.results.suite import MONTE_CARLO, RANDOM
from controller.evaluation.results.tables import MOTION, Row, metrics_of
from controller.evaluation.trials import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = (
    "foot_skate_cm_per_frame",
    "float_cm_median",
    "nearest_pose_cm_median",
    "jerk_m_s3",
    "frechet_distance",
)
"""Figures of any motion that are drawn: each can be had cheaply at another's cost."""


def label(row: Row) -> str:
    """A row's name beside its bar."""
    task = row["task"].replace("_", " ")
    return task if row["who"] == RANDOM else f"{task}: {row['who'].replace('_', ' ')}"


def bars(axis: Axes, rows: Sequence[Row], metric: Metric, captured: float | None = None) -> None:
    """One figure of rows, empty where one has it not, with its interval, and a line where the
    captured motion lies."""
    for place, row in enumerate(rows):
        value = row["figures"].get(metric.key) or {"mean": None}
        if value["mean"] is None:
            continue
        mean = metric.factor * value["mean"]
        ends = (
            [] if value["low"] is None else [metric.factor * value[end] for end in ("low", "high")]
        )
        error = [[abs(end - mean)] for end in ends] or None
        colour = COLOURS[1] if row["who"] == MONTE_CARLO else COLOURS[0]
        axis.barh(place, mean, xerr=error, color=colour, ecolor="#333333", height=0.7)
    if captured is not None:
        axis.axvline(metric.factor * captured, color="#333333", linestyle="--", linewidth=1)
    axis.set_yticks(range(len(rows)), [label(row) for row in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlim(left=min(0.0, axis.get_xlim()[0]) if axis.dataLim.x0 < 0 else 0.0)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(metric.heading)


def fixed(figure: Figure, left: float, bottom: float, **spaces: float) -> None:
    """Places for the panels that depend on nothing: those that matplotlib solves for differ in the
    last digits from one time to the next. ``left`` is a share of the width, ``bottom`` inches."""
    figure.set_layout_engine(None)
    height = float(figure.get_size_inches()[1])
    figure.subplots_adjust(
        left=left, right=0.98, bottom=bottom / height, top=1 - 0.1 / height, **spaces
    )


def motion(results: dict[str, Any]) -> bytes:
    """Figures of everybody's motion beside the captured motion's (dashed): an SVG file."""
    columns = [column for column in MOTION if column.key in SHOWN]
    rows = results["rows"]
    captured = results["captured"]

    def draw(figure: Figure) -> None:
        fixed(figure, left=0.17, bottom=0.5, wspace=0.12)
        for axis, column in zip(
            figure.subplots(1, len(columns), sharey=False), columns, strict=True
        ):
            bars(axis, rows, column, captured.get(column.key))
            if axis is not figure.axes[0]:
                axis.set_yticklabels([])

    return chart(draw, (11.0, 0.6 + 0.24 * len(rows)))


def tasks(results: dict[str, Any]) -> bytes:
    """The first figure of each task's trial, whoever acts: an SVG file."""
    names = dict.fromkeys(row["task"] for row in results["rows"])
    groups = {name: [row for row in results["rows"] if row["task"] == name] for name in names}
    first = {name: metrics_of(name, rows)[:1] for name, rows in groups.items()}
    groups = {
        name: rows for name, rows in groups.items() if first[name]
    }  # a task of one's own may measure nothing

    def draw(figure: Figure) -> None:
        fixed(figure, left=0.3, bottom=0.4, hspace=1.0)
        axes = figure.subplots(
            len(groups), 1, height_ratios=[len(rows) + 1 for rows in groups.values()], squeeze=False
        )
        for axis, (name, rows) in zip(axes[:, 0], groups.items(), strict=True):
            bars(axis, rows, first[name][0])

    return chart(draw, (6.0, 0.6 * len(groups) + 0.3 * sum(len(rows) for rows in groups.values())))
