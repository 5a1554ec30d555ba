"""How teacher forcing and KL annealing change a video network.

``python -m controller study video --data FILE --out DIR``

Trains {1.0, 0.8, 0.5} × {none, monotonic, cyclical, linear-then-cyclical} with each seed: where
teacher forcing starts, and how the weight of the KL rises. Each run has a folder of its own,
OUT/NAME. An interrupted study goes on from there, and what is finished is not run again. Writes
OUT/table.json, OUT/table.md and, with --draw, the curves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, get_args

from controller.core import command_line, files, markdown
from controller.core.errors import ControllerError, require
from controller.evaluation import charts
from controller.studies.cases import STARTS
from controller.training.schedules import KlKind, KlWeight, TeacherForcing
from controller.video import measuring, verdicts
from controller.video.config import NetworkConfig, VideoConfig
from controller.video.film import Film
from controller.video.network import Painter
from controller.video.train_command import TrainCommand, VideoRunFolder, train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES = "figures.json"
LINES = {1.0: "-", 0.8: "--", 0.5: ":"}
"""How a start of teacher forcing is drawn."""
EVERY = 10
"""Pictures over which the curve of PSNR over a rollout is averaged."""

Row = dict[str, Any]


@dataclass(frozen=True)
class VideoStudy:
    """What to compare."""

    data: Path
    """The film that `python -m controller video film` wrote; 32x32 pixels save most of the time."""
    out: Path
    """Folder of the study."""
    quick: bool = False
    """Runs of a tenth of the length, which show that the study works and little more."""
    seeds: tuple[int, ...] = (1,)
    """Seeds of each training."""
    write: Path | None = None
    """The page whose block <!-- video study --> gets the table."""
    draw: Path | None = None
    """A picture of the runs, an SVG file. Needs matplotlib."""

    def __post_init__(self) -> None:
        require(len(self.seeds) > 0, "seeds", self.seeds, "one seed or more")


def settings(start: float, kind: KlKind, seed: int, quick: bool) -> VideoConfig:
    """The settings of a run. Everything but start, kind and seed is equal."""
    epochs = 10 if quick else 20
    return VideoConfig(
        NetworkConfig(widths=(8, 16, 32) if quick else (16, 32, 64)),
        epochs=epochs,
        rollouts_per_epoch=6 if quick else 60,
        batch=4,
        teacher=TeacherForcing(
            start=start, hold_epochs=epochs // 5, ramp_epochs=epochs // 3, floor=0.0
        ),
        kl=KlWeight(kind, ramp_epochs=epochs // 5, cycles=2),
        milestones=(epochs * 6 // 10, epochs * 8 // 10),
        seed=seed,
    )


def name_of(start: float, kind: str, seed: int) -> str:
    """The name of a run's folder."""
    return f"{kind}-{start:.1f}-{seed}"


def run(start: float, kind: KlKind, seed: int, options: VideoStudy, film: Film) -> Row:
    """Train and measure a run, unless that is done. ControllerError if it had other settings."""
    folder = options.out / name_of(start, kind, seed)
    path = folder / FIGURES
    config = settings(start, kind, seed, options.quick)
    known = {"config": json.loads(json.dumps(config.flat())), "data": film.fingerprint()}
    if path.exists():
        row: Row = json.loads(path.read_text())
        if {key: row[key] for key in known} != known:
            raise ControllerError(f"{path}: a run with other settings; choose another --out")
        return row
    resume = VideoRunFolder(folder).state_path.exists()
    model = train(TrainCommand(options.data, folder, resume=resume, config=config))
    painter = Painter.load(model)
    clip = measuring.clips(film, "test")[0]
    mean_picture = painter.network.generator.mean
    quality = measuring.quality_figures(*measuring.long_rollout(painter, clip, 0), mean_picture)
    history = json.loads(VideoRunFolder(folder).history_path.read_text())
    figures = measuring.measure(painter, film, "test")
    figures |= {key: history[-1][key] for key in ("kl_nats", "active_units", "latent_units")}
    found = verdicts.findings(figures)
    row = {
        **known, "start": start, "kind": kind, "seed": seed, **figures, "history": history,
        "psnr_db": quality["psnr_db"], "verdict": [each.name for each in found],
    }  # fmt: skip
    files.write(path, json.dumps(row, indent=1))
    return row


def table(rows: Sequence[Row]) -> str:
    """A line for each setting: means over seeds, with the range if there are several."""
    head = [
        "KL weight", "teacher forcing from", "PSNR, dB", "worst picture, dB", "from real, dB",
        "drift, dB", "SSIM", "KL, nats", "verdict",
    ]  # fmt: skip
    keys = ("psnr_mean_db", "psnr_worst_db", "psnr_forced_db", "drift_db", "ssim_mean", "kl_nats")
    lines = []
    for kind, start in product(get_args(KlKind), STARTS):
        group = [row for row in rows if (row["kind"], row["start"]) == (kind, start)]
        if not group:
            continue
        cells = [spread([row[key] for row in group if key in row]) for key in keys]
        names = sorted({name for row in group for name in row["verdict"]})
        lines.append([kind, f"{start:.1f}", *cells, ", ".join(names) or "healthy"])
    return markdown.table(head, lines)


def spread(values: Sequence[float]) -> str:
    """A mean, and the least and the largest value of several."""
    if not values:
        return markdown.NONE
    text = f"{mean(values):.2f}"
    return f"{text} ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else text


def picture(rows: Sequence[Row]) -> bytes:
    """Loss with its schedules, validation PSNR and KL over epochs, and PSNR over a rollout: a
    colour for each KL weight, a line for each start."""
    first = [row for row in rows if row["seed"] == rows[0]["seed"]]
    colours = dict(zip(get_args(KlKind), charts.COLOURS, strict=False))

    def curve(axis: Axes, row: Row, values: Sequence[float], **how: Any) -> None:
        axis.plot(
            range(1, len(values) + 1), values, color=colours[row["kind"]],
            linestyle=LINES[row["start"]], **how,
        )  # fmt: skip

    def draw(figure: Figure) -> None:
        axes = figure.subplots(2, 3)
        panels = (
            (axes[0, 0], "reconstruction", "reconstruction loss"),
            (axes[0, 1], "teacher_forcing", "teacher forcing"),
            (axes[0, 2], "beta", "β"),
            (axes[1, 0], "validation_psnr_db", "validation PSNR, dB"),
            (axes[1, 1], "kl_nats", "KL, nats"),
        )
        for axis, key, title in panels:
            for row in first:
                label = f"{row['kind']}, {row['start']:.1f}"
                curve(axis, row, [epoch[key] for epoch in row["history"]], label=label)
            axis.set(xlabel="epoch", ylabel=title)
        axes[0, 0].set_yscale("log")
        for row in first:
            values = row["psnr_db"]
            usable = len(values) // EVERY * EVERY
            means = [mean(values[at : at + EVERY]) for at in range(0, usable, EVERY)]
            curve(axes[1, 2], row, means)
        axes[1, 2].set(xlabel=f"pictures of a free rollout / {EVERY}", ylabel="PSNR, dB")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)

    return charts.chart(draw, (11, 7.5))


def study(options: VideoStudy) -> str:
    """Run all, and write the tables; returns them."""
    film = Film(options.data)
    files.make_folder(options.out)
    cells = list(product(get_args(KlKind), STARTS, options.seeds))
    rows = []
    for number, (kind, start, seed) in enumerate(cells, start=1):
        rows.append(run(start, kind, seed, options, film))
        quality = rows[-1]["psnr_mean_db"]
        print(f"{number}/{len(cells)} {name_of(start, kind, seed)}: {quality:.2f} dB", flush=True)
    files.write(options.out / "table.json", json.dumps(rows, indent=1))
    text = table(rows)
    files.write(options.out / "table.md", text + "\n")
    if options.write is not None:
        files.fill(options.write, "video study", text)
    if options.draw is not None:
        files.write(options.draw, picture(rows))
    return text


def main() -> None:
    print(study(command_line.read(VideoStudy, description=__doc__)))
