"""Show training runs on one HTML page: ``python -m controller report RUN… --data FILE``.

The page shows runs side by side and one by one. It contains its pictures and loads nothing from the
network. A run is a folder of ``python -m controller train``, finished or not.

Needs matplotlib: ``pip install -e ".[plots]"``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from controller.core import command_line, files
from controller.core.errors import require
from controller.data.dataset import MotionDataset
from controller.evaluation import charts
from controller.evaluation.diagnosis import held_out, verdict
from controller.evaluation.extractor import Extractor
from controller.studies import markup, traversals
from controller.studies.markup import escape
from controller.studies.runs import Run, differing, read

MAIN = (
    ("epoch", "epochs", "g"),
    ("kl_nats", "KL, nats", ".2f"),
    ("active_units", "active units", "g"),
    ("one_step_mm", "1 step, mm", ".2f"),
    ("eight_step_mm", "8 steps, mm", ".2f"),
    ("free_running_mm.60", "60 steps, mm", ".1f"),
    ("free_running_mm.630", "630 steps, mm", ".1f"),
    ("teacher_forced_mm", "teacher-forced, mm", ".2f"),
    ("free_skate_cm_per_frame", "foot skate, cm/frame", ".3f"),
    ("spread_m", "spread, m", ".2f"),
    ("sane_fraction", "sane", ".0%"),
    ("frechet_distance", "Fréchet distance", ".3g"),
)
"""Figures of the table of runs: name, column, format."""
FRAMES = (1, *held_out.WINDOWS)
"""Frames at which the free-running error is marked."""
LOSS = "Terms of the loss without their weights, and the schedules."
HELD_OUT = (
    "Held-out windows over training: errors after one step (dotted) and after a whole rollout, and "
    "the KL."
)
UNITS = "What each latent unit says about a held-out step; grey units say nothing."
ERRORS = "Error of a rollout that feeds itself, over its frames; dashed: steps from captured poses."
"""Captions."""


@dataclass(frozen=True)
class Options:
    """Which runs, and the motion that they learned."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders that `python -m controller train` wrote."""
    data: Path | None = None
    """The data set they were trained on, for all figures that need captured motion."""
    out: Path = Path("report.html")
    """The page."""

    def __post_init__(self) -> None:
        require(len(self.runs) > 0, "runs", self.runs, "one folder or more")


# -- all runs --------------------------------------------------------------------------------------


def page(runs: Sequence[Run]) -> str:
    """The whole page, which is XML as well as HTML."""
    parts = [side_by_side(runs)]
    if len(runs) > 1:
        parts.append(comparison(runs))
    parts += [chapter(run) for run in runs]
    title = "Motion VAE training: " + ", ".join(run.name for run in runs)
    return markup.document("Motion VAE training", title, "\n".join(parts))


def side_by_side(runs: Sequence[Run]) -> str:
    """A table with a line for each run: verdict, main figures, and the settings in which the runs
    differ."""
    settings = differing(runs)
    head = ["run", "verdict", *(title for _, title, _ in MAIN), *settings]
    lines = []
    for index, run in enumerate(runs):
        figures = [markup.number(run.figure(name), form) for name, _, form in MAIN]
        values = [markup.setting(of_runs[index]) for of_runs in settings.values()]
        lines.append([escape(run.name), badge(run), *figures, *values])
    return (
        "<section id='runs'><h2>Runs side by side</h2>"
        f"<div class='scroll'>{markup.table(head, lines)}</div>"
        "<p class='soft'>Errors are mean joint distances on held-out clips. A model that runs free "
        "for so many frames gets no captured pose, but its z is encoded from the next captured "
        "one. Skate, spread and sanity are those of rollouts with z ~ N(0, I). "
        f"{captured_note(runs)}</p></section>"
    )


def captured_note(runs: Sequence[Run]) -> str:
    """The figures of captured motion itself, if they were measured."""
    for run in runs:
        distance = run.report.get("captured_frechet_distance")
        if distance is not None:
            skate = run.report["captured_skate_cm_per_frame"]
            return (
                f"Captured motion itself: foot skate {skate:.3f} cm/frame; held-out clips lie at a "
                f"Fréchet distance of {distance:.3g}."
            )
    return ""


def comparison(runs: Sequence[Run]) -> str:
    """All runs in the same charts."""
    histories = {run.name: run.history for run in runs}
    pictures = [markup.picture(charts.held_out(histories), HELD_OUT)]
    measured = [run for run in runs if run.errors]
    if measured:
        pictures.append(error_picture(measured))
    return (
        "<section id='comparison'><h2>Runs in one picture</h2>"
        f"{markup.pictures_block(pictures)}</section>"
    )


# -- one run ---------------------------------------------------------------------------------------


def chapter(run: Run) -> str:
    """One run: its verdict, its charts, its latent, all its figures."""
    header = f"<header><h2>{escape(run.name)}</h2>{badge(run)}</header>"
    strips = ""
    if run.character is not None:
        strips = traversals.section(run.character, run.report.get("kl_per_unit") or [])
    return (
        f"<section class='run'>{header}{findings(run)}"
        f"{markup.pictures_block(pictures(run))}{strips}{everything(run)}</section>"
    )


def pictures(run: Run) -> list[str]:
    """The charts of one run."""
    result = [
        markup.picture(charts.loss(run.history), LOSS),
        markup.picture(charts.held_out({run.name: run.history}), HELD_OUT),
    ]
    if run.report.get("kl_per_unit"):
        units = charts.units(run.report["kl_per_unit"], run.report["posterior_mean_variance"])
        result.append(markup.picture(units, UNITS))
    if run.errors:
        result.append(error_picture([run]))
    return result


def error_picture(runs: Sequence[Run]) -> str:
    """The free-running errors of runs."""
    errors = {run.name: run.errors for run in runs}
    forced = {run.name: run.report["teacher_forced_mm"] for run in runs}
    return markup.picture(charts.free_running(errors, forced, FRAMES), ERRORS)


def badge(run: Run) -> str:
    """The verdict in its colour."""
    name = run.report.get("verdict", "no model yet")
    kind = "unknown" if not run.report else "healthy" if name == verdict.HEALTHY else "ill"
    return f"<span class='verdict {kind}'>{escape(name)}</span>"


def findings(run: Run) -> str:
    """The sentences of the verdict, or the reason why there is none."""
    if run.character is None:
        return (
            "<p>There is no model in this folder yet: only the history of its training is shown."
            "</p>"
        )
    sentences = [
        f"<p><b>{escape(finding['name'].capitalize())}.</b> {escape(finding['reason'])} "
        f"{escape(finding['advice'])}</p>"
        for finding in run.report["findings"]
    ]
    if not sentences:
        sentences.append("<p>No measurement shows a fault of this model.</p>")
    if run.report["not_judged"]:
        names = escape(", ".join(run.report["not_judged"]))
        sentences.append(
            f"<p class='soft'>Not judged, because figures are missing (use --data): {names}.</p>"
        )
    return "".join(sentences)


def everything(run: Run) -> str:
    """All settings and figures, folded away."""
    if not run.settings and not run.report:
        return ""
    text = escape(json.dumps({"settings": run.settings, "figures": run.report}, indent=1))
    return f"<details><summary>All settings and figures</summary><pre>{text}</pre></details>"


# -- the command -----------------------------------------------------------------------------------


def report(options: Options) -> Path:
    """Measure the runs and write the page; returns its path."""
    data = MotionDataset.load(options.data) if options.data else None
    extractor = Extractor.of()
    runs = [read(folder, data, extractor) for folder in options.runs]
    files.write(options.out, page(runs))
    return options.out


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    torch.set_num_threads(1)
    print(f"report: {report(options)}")
