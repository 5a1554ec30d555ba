"""The results as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.core import markdown
from controller.evaluation.results.published import FOOT_SKATE, MINUTES, RESPONSE
from controller.evaluation.results.suite import MONTE_CARLO, RANDOM
from controller.evaluation.results.symmetry import judged_figure
from controller.evaluation.trials import TRIALS, Metric
from controller.evaluation.trials.base import share

Row = dict[str, Any]

MOTION = (
    Metric("foot_skate_cm_per_frame", "foot skate", "cm/frame", 3),
    Metric("glide_cm_per_frame", "slower foot", "cm/frame", 3),
    Metric("skating_ratio", "skating", "%", 1, 100),
    Metric("float_cm_p5", "lower foot 5 %", "cm", 1),
    Metric("float_cm_median", "lower foot 50 %", "cm", 1),
    Metric("float_cm_p95", "lower foot 95 %", "cm", 1),
    Metric("sink_fraction", "sunk", "%", 2, 100),
    Metric("nearest_pose_cm_median", "nearest captured pose", "cm", 1),
    Metric("jerk_m_s3", "jerk", "m/s³", 0),
    Metric("bone_length_error_mm", "bones off by", "mm", better="lower"),
    Metric("frechet_distance", "Fréchet distance", "", 1, better="lower"),
    share("speed_coverage", "speeds covered", "higher", digits=0),
    share("turn_coverage", "turns covered", "higher", digits=0),
    share("alive_fraction", "sane", "higher"),
)
"""What is measured of any motion. Where no direction is better, the captured motion is the
standard."""
RANDOM_WALK = (
    Metric("apd_cm", "APD", "cm", 1),
    Metric("ade_cm", "ADE of ten", "cm", 1, better="lower"),
    Metric("fde_cm", "FDE of ten", "cm", 1, better="lower"),
    Metric("speed_m_s_p5", "speed 5 %", "m/s"),
    Metric("speed_m_s_p50", "speed 50 %", "m/s"),
    Metric("speed_m_s_p95", "speed 95 %", "m/s"),
    Metric("turn_deg_s_p5", "turning 5 %", "°/s", 0),
    Metric("turn_deg_s_p50", "turning 50 %", "°/s", 0),
    Metric("turn_deg_s_p95", "turning 95 %", "°/s", 0),
)
"""What is measured of z at random, which has no trial."""
UNKNOWN_MOST = 8
"""The largest number of figures in the table of a task whose trial declares no metrics."""
WHO = {MONTE_CARLO: "Monte Carlo control", RANDOM: "z at random"}

CAPTURED_NOTE = (
    "Of the captured motion, the distance to the nearest captured pose and the Fréchet distance "
    "are those of clips that were held out from the others: nothing need be nearer."
)


def who(row: Row) -> str:
    """Who acts in a row, in words."""
    if row["who"] in WHO:
        return WHO[row["who"]]
    trainer = f", {row['trainer'].upper()}" if row["trainer"] else ""
    trained = "" if row["trained_for"] == row["task"] else ", not trained for it"
    return f"`{row['who']}`{trainer}{trained}"


def figure(value: dict[str, Any] | float | None, metric: Metric) -> str:
    """Write a figure with half its interval, where it has one: 0.77 ± 0.02. If the halves differ,
    the larger one."""
    if value is None:
        return markdown.NONE
    estimate: dict[str, Any] = value if isinstance(value, dict) else {"mean": value, "low": None}
    if estimate["mean"] is None:
        return markdown.NONE
    text = f"{metric.factor * estimate['mean']:.{metric.digits}f}"
    if estimate["low"] is None:
        return text
    half = max(estimate["mean"] - estimate["low"], estimate["high"] - estimate["mean"])
    return f"{text} ± {metric.factor * half:.{metric.digits}f}"


def declared(task: str) -> tuple[Metric, ...]:
    """The metrics that a task's trial declares; empty if there are none."""
    if task in TRIALS:
        return TRIALS[task].metrics
    return RANDOM_WALK if task == RANDOM else ()


def metrics_of(task: str, rows: Sequence[Row]) -> tuple[Metric, ...]:
    """The metrics that a task's table shows. If none are declared, the first figures that are not
    those of any motion, by their keys."""
    metrics = declared(task)
    if metrics:
        return metrics
    known = {metric.key for metric in (*MOTION, *RANDOM_WALK)}
    keys = [key for key in rows[0]["figures"] if key not in known]
    return tuple(Metric(key, f"`{key}`", "", 3) for key in keys[:UNKNOWN_MOST])


def task_table(task: str, rows: Sequence[Row]) -> str:
    """The table of everybody who acts at one task."""
    metrics = metrics_of(task, rows)
    lines = []
    for row in rows:
        cells = [figure(row["figures"].get(metric.key), metric) for metric in metrics]
        lines.append([who(row), *cells])
    return markdown.table(["", *(metric.column for metric in metrics)], lines)


def motion_table(results: dict[str, Any]) -> str:
    """The table of everybody's motion at every task, below the captured motion's own."""
    captured = results["captured"]
    lines = [["captured", "", *(figure(captured.get(metric.key), metric) for metric in MOTION)]]
    for row in results["rows"]:
        cells = [figure(row["figures"].get(metric.key), metric) for metric in MOTION]
        lines.append([row["task"].replace("_", " "), who(row), *cells])
    return markdown.table(["task", "", *(metric.column for metric in MOTION)], lines)


def symmetry_table(results: dict[str, Any]) -> str:
    """The table of what every policy does to the left over what it does to the right: the trials as
    they are over the same ones in a mirror."""
    ratio = Metric("left_right_ratio", "to the left / to the right", "", 3)
    lines = []
    for row in results["rows"]:
        if ratio.key not in row["figures"]:
            continue
        value = figure(row["figures"][ratio.key], ratio)
        judged = f"`{judged_figure(row['task'])}`"
        lines.append([row["task"].replace("_", " "), who(row), judged, value])
    return markdown.table(["task", "", "figure", ratio.column], lines)


def best(results: dict[str, Any], task: str) -> Row | None:
    """The row of a task's best policy, or of z at random; None if there is none."""
    rows = (row for row in results["rows"] if row["task"] == task and row["who"] != MONTE_CARLO)
    return next(rows, None)


def paper_table(results: dict[str, Any]) -> str:
    """The table of the paper's figures beside ours."""
    skate = MOTION[0]
    lines = []
    for task, published in FOOT_SKATE.items():
        if task == "captured":
            ours = results["captured"].get(skate.key)
        else:
            row = best(results, task)
            ours = row and row["figures"].get(skate.key)
        lines.append([f"foot skate, {task}, cm/frame", f"{published:.3f}", figure(ours, skate)])
    row = best(results, "joystick")
    for metric in declared("joystick"):
        if metric.key in RESPONSE:
            ours = row and row["figures"].get(metric.key)
            lines.append([metric.heading, f"{RESPONSE[metric.key]:.2f}", figure(ours, metric)])
    return markdown.table(["", "paper", "here"], lines)


def data_note(results: dict[str, Any]) -> str:
    """How the paper's motion differs from ours."""
    data = results["data"]
    ours = (
        f"{data['minutes']:.0f} minutes of {data['source']}"
        if data
        else "the motion this model was trained on"
    )
    return (
        f"The two columns are of different motion, and so no ranking: the paper's {MINUTES} "
        f"minutes have running and joystick speeds up to 7.3 m/s, {ours} have none and go up to "
        "2 m/s here; a foot is another point on another skeleton; and the captured motion itself "
        "skates differently, which is why it has a row."
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
        reasons = [f"{item['task']}, {item['who']}: {item['why']}" for item in results["left_out"]]
        parts.append(f"Not measured: {'; '.join(reasons)}.")
    return "\n\n".join([*parts, measured_by(results)])


def measured_by(results: dict[str, Any]) -> str:
    """The settings of the measurement, in a sentence."""
    settings = results["settings"]
    tries = settings["monte_carlo"]
    return (
        f"{settings['seeds']} seeds × {settings['characters']} characters, {settings['seconds']:g} "
        f"s and the tasks' own trials (a crowd: {settings['crowd_seeds']} × {settings['crowd']}; "
        f"Monte Carlo control, {tries['samples']} tries, {tries['horizon']} frames deep: "
        f"{settings['tries_seeds']} × {settings['tries_characters']}). ± is the larger half of the "
        f"{100 * settings['level']:.0f} % bootstrap interval over seeds. An arrow shows whether "
        "higher or lower values are better. "
        f"{results['seconds_taken'] / 60:.0f} minutes on one core."
    )
