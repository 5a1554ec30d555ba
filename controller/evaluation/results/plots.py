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

PLOTTED = (
    "foot_skate_cm_per_frame",
    "float_cm_median",
    "nearest_pose_cm_median",
    "jerk_m_s3",
    "frechet_distance",
)
"""The plotted figures of motion. Each is easy to improve at the cost of another."""


def label(row: Row) -> str:
    """The label of a row's bar."""
    task = row["task"].replace("_", " ")
    return task if row["who"] == RANDOM else f"{task}: {row['who'].replace('_', ' ')}"


def bars(axis: Axes, rows: Sequence[Row], metric: Metric, captured: float | None = None) -> None:
    """Draw a bar with its interval for one figure of each row, none for a row without that figure,
    and a line at the captured motion's value."""
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
    """Put the panels at fixed places: the layout that matplotlib computes differs in its last
    digits from run to run. ``left`` is a share of the width, ``bottom`` is in inches."""
    figure.set_layout_engine(None)
    height = float(figure.get_size_inches()[1])
    figure.subplots_adjust(
        left=left, right=0.98, bottom=bottom / height, top=1 - 0.1 / height, **spaces
    )


def motion(results: dict[str, Any]) -> bytes:
    """Figures of all motion beside those of the captured motion (dashed): an SVG file."""
    columns = [column for column in MOTION if column.key in PLOTTED]
    rows = results["rows"]
    captured = results["captured"]

    def draw(figure: Figure) -> None:
        fixed(figure, left=0.17, bottom=0.5, wspace=0.12)
        axes = figure.subplots(1, len(columns), sharey=False)
        for axis, column in zip(axes, columns, strict=True):
            bars(axis, rows, column, captured.get(column.key))
            if axis is not figure.axes[0]:
                axis.set_yticklabels([])

    return chart(draw, (11.0, 0.6 + 0.24 * len(rows)))


def tasks(results: dict[str, Any]) -> bytes:
    """The first figure of each task's trial, for all controls: an SVG file."""
    names = dict.fromkeys(row["task"] for row in results["rows"])
    groups = {name: [row for row in results["rows"] if row["task"] == name] for name in names}
    first = {name: metrics_of(name, rows)[:1] for name, rows in groups.items()}
    # A user's own task may have no trial, and so no figure.
    groups = {name: rows for name, rows in groups.items() if first[name]}
    height = 0.6 * len(groups) + 0.3 * sum(map(len, groups.values()))

    def draw(figure: Figure) -> None:
        fixed(figure, left=0.3, bottom=0.4, hspace=1.0)
        ratios = [len(rows) + 1 for rows in groups.values()]
        axes = figure.subplots(len(groups), 1, height_ratios=ratios, squeeze=False)
        for axis, (name, rows) in zip(axes[:, 0], groups.items(), strict=True):
            bars(axis, rows, first[name][0])

    return chart(draw, (6.0, height))
