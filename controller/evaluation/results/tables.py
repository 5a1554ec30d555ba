"""The results as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controller.core import markdown
from controller.evaluation.results.published import FOOT_SKATE, MINUTES, RESPONSE
from controller.evaluation.results.suite import MONTE_CARLO, RANDOM
from controller.evaluation.results.symmetry import JUDGED

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A figure of a table: its ``key``, a ``title`` with its unit, how many ``digits`` follow the
    point, by which ``factor`` it is multiplied."""

    key: str
    title: str
    digits: int = 2
    factor: float = 1.0


MOTION = (
    Column("foot_skate_cm_per_frame", "foot skate, cm/frame", 3),
    Column("glide_cm_per_frame", "slower foot, cm/frame", 3),
    Column("skating_ratio", "skating, %", 1, 100),
    Column("float_cm_p5", "lower foot 5 %, cm", 1),
    Column("float_cm_median", "lower foot 50 %, cm", 1),
    Column("float_cm_p95", "lower foot 95 %, cm", 1),
    Column("sink_fraction", "sunk, %", 2, 100),
    Column("nearest_pose_cm_median", "nearest captured pose, cm", 1),
    Column("jerk_m_s3", "jerk, m/s³", 0),
    Column("bone_length_error_mm", "bones off by, mm", 2),
    Column("frechet_distance", "Fréchet distance", 1),
    Column("speed_coverage", "speeds covered, %", 0, 100),
    Column("turn_coverage", "turns covered, %", 0, 100),
    Column("alive_fraction", "sane, %", 1, 100),
)
"""What is measured of any motion."""
TASKS: dict[str, tuple[Column, ...]] = {
    "joystick": (
        Column("response_s", "response, s"),
        Column("response_left_s", "to the left"),
        Column("response_right_s", "to the right"),
        Column("heading_error_deg", "heading error, °", 1),
        Column("speed_error_m_s", "speed error, m/s", 3),
        Column("backward_travel_error_deg", "backward, °", 1),
        Column("sideways_travel_error_deg", "sideways, °", 1),
        Column("stop_s", "stop, s"),
        Column("idle_drift_m_per_min", "drift, m/min"),
    ),
    "target": (
        Column("reach_fraction", "reached, %", 1, 100),
        Column("reach_time_s", "time, s"),
        Column("reach_time_ideal_s", "ideal time, s"),
        Column("reach_lost_left_s", "lost to the left, s"),
        Column("reach_lost_right_s", "to the right"),
        Column("stay_fraction", "stays, %", 1, 100),
        Column("idle_drift_m_per_min", "drift, m/min"),
    ),
    "timed_target": (
        Column("on_time_fraction", "on time, %", 1, 100),
        Column("arrival_error_s", "off by, s", 3),
        Column("arrival_bias_s", "late by, s", 3),
        Column("miss_m", "distance at the time, m"),
    ),
    "path": (
        Column("cross_track_error_m", "cross-track error, m", 3),
        Column("cross_track_zigzag_m", "on the zigzag", 3),
        Column("finish_fraction", "finished, %", 1, 100),
        Column("path_speed_m_s", "speed, m/s"),
    ),
    "maze": (
        Column("solved_fraction", "solved, %", 1, 100),
        Column("touch_fraction", "touched a wall, %", 1, 100),
    ),
    "crowd": (
        Column("overlap_fraction", "overlap, %", 2, 100),
        Column("targets_per_min", "targets a minute", 1),
        Column("progress_m_s", "progress, m/s"),
        Column("circle_overlap_fraction", "on the circle: overlap, %", 2, 100),
        Column("circle_reach_fraction", "reached, %", 1, 100),
    ),
    "random": (
        Column("apd_cm", "APD, cm", 1),
        Column("ade_cm", "ADE of ten, cm", 1),
        Column("fde_cm", "FDE of ten, cm", 1),
        Column("speed_m_s_p5", "speed 5 %, m/s"),
        Column("speed_m_s_p50", "50 %"),
        Column("speed_m_s_p95", "95 %"),
        Column("turn_deg_s_p5", "turning 5 %, °/s", 0),
        Column("turn_deg_s_p50", "50 %", 0),
        Column("turn_deg_s_p95", "95 %", 0),
    ),
}
"""What each task's trial measures. A task that is not here shows the first figures of its trial by
their keys."""
WHO = {MONTE_CARLO: "Monte Carlo control", RANDOM: "z at random"}

CAPTURED_NOTE = (
    "Of the captured motion, the distance to the nearest captured pose and the Fréchet distance "
    "are those of clips "
    "that were held out from the others: nothing need be nearer."
)


def who(row: Row) -> str:
    """Whose row it is, in words."""
    if row["who"] in WHO:
        return WHO[row["who"]]
    trainer = f", {row['trainer'].upper()}" if row["trainer"] else ""
    trained = "" if row["trained_for"] == row["task"] else ", not trained for it"
    return f"`{row['who']}`{trainer}{trained}"


def figure(value: dict[str, Any] | float | None, column: Column) -> str:
    """A figure with half its interval, where it has one: 0.77 ± 0.02. The larger half, if they are
    not alike."""
    if value is None:
        return markdown.NONE
    estimate: dict[str, Any] = value if isinstance(value, dict) else {"mean": value, "low": None}
    if estimate["mean"] is None:
        return markdown.NONE
    text = f"{column.factor * estimate['mean']:.{column.digits}f}"
    if estimate["low"] is None:
        return text
    half = max(estimate["mean"] - estimate["low"], estimate["high"] - estimate["mean"])
    return f"{text} ± {column.factor * half:.{column.digits}f}"


def columns_of(task: str, rows: Sequence[Row]) -> tuple[Column, ...]:
    """A task's columns; of one that :data:`TASKS` does not know, figures that are not of any
    motion."""
    if task in TASKS:
        return TASKS[task]
    known = {column.key for column in MOTION} | {column.key for column in TASKS["random"]}
    return tuple(Column(key, f"`{key}`", 3) for key in rows[0]["figures"] if key not in known)[:8]


def task_table(task: str, rows: Sequence[Row]) -> str:
    """Everybody who acts at one task."""
    columns = columns_of(task, rows)
    lines = [
        [who(row), *(figure(row["figures"].get(column.key), column) for column in columns)]
        for row in rows
    ]
    return markdown.table(["", *(column.title for column in columns)], lines)


def motion_table(results: dict[str, Any]) -> str:
    """The motion of everybody at every task, under the captured motion's own."""
    captured = results["captured"]
    lines = [["captured", "", *(figure(captured.get(column.key), column) for column in MOTION)]]
    for row in results["rows"]:
        cells = (figure(row["figures"].get(column.key), column) for column in MOTION)
        lines.append([row["task"].replace("_", " "), who(row), *cells])
    return markdown.table(["task", "", *(column.title for column in MOTION)], lines)


def symmetry_table(results: dict[str, Any]) -> str:
    """What every policy does to the left over what it does to the right, of the same trials in a
    mirror."""
    ratio = Column("left_right_ratio", "to the left / to the right", 3)
    lines = [
        [
            row["task"].replace("_", " "),
            who(row),
            f"`{JUDGED[row['task']]}`",
            figure(row["figures"][ratio.key], ratio),
        ]
        for row in results["rows"]
        if ratio.key in row["figures"]
    ]
    return markdown.table(["task", "", "figure", ratio.title], lines)


def best(results: dict[str, Any], task: str) -> Row | None:
    """The row of a task's best policy, or of z at random; None if there is none."""
    return next(
        (row for row in results["rows"] if row["task"] == task and row["who"] != MONTE_CARLO), None
    )


def paper_table(results: dict[str, Any]) -> str:
    """The paper's figures beside ours."""
    skate = MOTION[0]
    lines = []
    for task, theirs in FOOT_SKATE.items():
        row = best(results, task)
        ours = (
            results["captured"].get(skate.key)
            if task == "captured"
            else row and row["figures"].get(skate.key)
        )
        lines.append([f"foot skate, {task}, cm/frame", f"{theirs:.3f}", figure(ours, skate)])
    row = best(results, "joystick")
    for column in TASKS["joystick"][:3]:
        ours = row and row["figures"].get(column.key)
        lines.append([column.title, f"{RESPONSE[column.key]:.2f}", figure(ours, column)])
    return markdown.table(["", "paper", "here"], lines)


def data_note(results: dict[str, Any]) -> str:
    """In what the paper's motion and ours differ."""
    data = results["data"]
    ours = (
        f"{data['minutes']:.0f} minutes of {data['source']}"
        if data
        else "the motion this model was trained on"
    )
    return (
        f"The two columns are of different motion, and so no ranking: the paper's {MINUTES} "
        "minutes have running and "
        f"joystick speeds up to 7.3 m/s, {ours} have none and go up to 2 m/s here; a foot is "
        "another point on another "
        "skeleton; and the captured motion itself skates differently, which is why it has a row."
    )


def page(results: dict[str, Any]) -> str:
    """All tables with a line under each heading: the block of docs/results.md, and the whole of
    results.md."""
    parts = []
    for task in dict.fromkeys(row["task"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["task"] == task]
        parts += [f"### {task.replace('_', ' ').capitalize()}", task_table(task, rows)]
    parts += ["### The motion itself", motion_table(results), CAPTURED_NOTE]
    parts += ["### Left and right", symmetry_table(results)]
    parts += ["### Beside the paper", paper_table(results), data_note(results)]
    if results["left_out"]:
        left = "; ".join(
            f"{item['task']}, {item['who']}: {item['why']}" for item in results["left_out"]
        )
        parts.append(f"Not measured: {left}.")
    return "\n\n".join([*parts, measured_by(results)])


def measured_by(results: dict[str, Any]) -> str:
    """With which settings it was measured."""
    settings = results["settings"]
    tries = settings["monte_carlo"]
    return (
        f"{settings['seeds']} seeds × {settings['characters']} characters, {settings['seconds']:g} "
        "s and the tasks' "
        f"own trials (a crowd: {settings['crowd_seeds']} × {settings['crowd']}; Monte Carlo "
        "control, "
        f"{tries['samples']} tries, {tries['horizon']} frames deep: {settings['tries_seeds']} × "
        f"{settings['tries_characters']}). ± is the larger half of the "
        f"{100 * settings['level']:.0f} % bootstrap "
        f"interval over seeds. {results['seconds_taken'] / 60:.0f} minutes on one core."
    )
