"""Draw learning curves of policies over wall time.

``python -m controller curves SHAC=runs/joystick PPO=runs/ppo --out curves.svg``

With --write it also puts a table of the last figures into the block ``<!-- runs -->`` …
``<!-- end runs -->`` of a Markdown page.

Needs matplotlib: ``pip install -e ".[plots]"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from controller.core import command_line, documents, files, headers, markdown
from controller.core.errors import ControllerError, require

PANELS = (
    ("response_s", "response to a new heading, s"),
    ("heading_error_deg", "heading error, °"),
    ("speed_error_m_s", "speed error, m/s"),
    ("foot_skate_cm_per_frame", "foot skate, cm/frame"),
    ("glide_cm_per_frame", "slower foot, cm/frame"),
    ("strafe_speed_error_m_s", "speed error sideways and backward, m/s"),
)
"""The figures, a panel each, with their labels."""
Run = tuple[str, list[dict[str, Any]]]
"""A name and the evaluations of a run, oldest first."""


@dataclass(frozen=True)
class Options:
    """Which runs to draw, and where."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """NAME=FOLDER of each run of `python -m envs.train_policy`."""
    out: Path = Path("curves.svg")
    """The picture. Its suffix decides the format."""
    write: Path | None = None
    """The page whose table is to be replaced."""


def history(run: str) -> Run:
    """Name and evaluations of a run NAME=FOLDER. Raises DataError if there is no history in the
    folder."""
    name, equals, folder = run.partition("=")
    require(bool(name and equals and folder), "run", run, "NAME=FOLDER")
    path = Path(folder) / "history.json"
    needed = ("frames", "wall_s", *(key for key, _ in PANELS))
    with documents.loaded(path, "history of a policy's training") as rows:
        for number, row in enumerate(headers.items("its evaluations", rows, 1, 2**20)):
            for key in needed:
                headers.number(f"{key} of evaluation {number + 1}", row[key])
        return name, rows


def table(runs: list[Run]) -> str:
    """The last figures of each run, as a Markdown table."""
    head = ["run", "frames", "minutes", *(label for _, label in PANELS)]
    lines = []
    for name, rows in runs:
        last = rows[-1]
        frames = f"{last['frames'] / 1e6:.1f} M"
        minutes = f"{last['wall_s'] / 60:.1f}"
        figures = [f"{last[key]:.3f}" for key, _ in PANELS]
        lines.append([name, frames, minutes, *figures])
    return markdown.table(head, lines)


def draw(runs: list[Run], out: Path) -> None:
    """Draw a panel for each figure with a line for each run, over minutes of training on a
    logarithmic scale."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise ControllerError('drawing needs matplotlib: pip install -e ".[plots]"') from error
    # With a fixed salt the same runs give the same file.
    matplotlib.rcParams |= {"svg.hashsalt": "curves", "svg.fonttype": "none"}
    figure, axes = pyplot.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for axis, (key, label) in zip(axes.flat, PANELS, strict=True):
        for name, rows in runs:
            minutes = [row["wall_s"] / 60 for row in rows]
            axis.plot(minutes, [row[key] for row in rows], marker=".", label=name)
        axis.set(xlabel="minutes of training", ylabel=label, xscale="log")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    handles = axes.flat[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(runs))
    metadata = {"Date": None} if out.suffix == ".svg" else {}
    with files.atomic(out) as temporary:
        figure.savefig(temporary, format=out.suffix[1:] or "svg", metadata=metadata)
    pyplot.close(figure)


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    runs = [history(run) for run in options.runs]
    draw(runs, options.out)
    if options.write is not None:
        files.fill(options.write, "runs", table(runs))
    print(f"curves: {options.out}")
