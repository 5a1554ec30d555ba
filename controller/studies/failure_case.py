"""A widely read failure of this kind of training, repeated and mended: ``python -m
controller study --set failure --data FILE --out DIR``.

The case: a convolutional VAE over windows of 121 poses (:mod:`controller.model.convolutional`)
learns to reconstruct; with the KL term its latent falls silent; with scheduled sampling its loss
rises from 15 to 975. Here it is trained as it was, with each of its faults mended alone, with all
mended, and with all mended but one, on the same data and at the same number of rollouts. Its 120
epochs are 24 here, with the same phases.

Writes DIR/NAME/history.json, training.safetensors and figures.json of each run, and table.json and
table.md of all. Runs that are finished are not trained again, and one that was interrupted goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro

from controller.core import files, markdown
from controller.core.errors import ControllerError, require
from controller.data.dataset import MotionDataset
from controller.evaluation.diagnosis.diagnose import diagnose
from controller.model.mixture import MotionVAEConfig
from controller.training.config import TrainConfig
from controller.training.run_folder import RunFolder
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.trainer import Trainer

CASE = TrainConfig.of(
    model=MotionVAEConfig(variant="window", window_past=60, window_future=60, latent_once=True, normalise=False),
    epochs=24, kl=KlWeight("monotonic", hold_epochs=6, ramp_epochs=0),
    teacher=TeacherForcing("phases", hold_epochs=12, ramp_epochs=4), rollouts_per_epoch=100,
    rollout=8, batch=32, learning_rate=1e-3, final_learning_rate=1e-3, beta=1.0, through_time=False,
    gradient_norm=1e9, foot_weight=0.0, joint_weight=0.0, bone_weight=0.0, free_steps=0,
    balance=0.0,
)  # fmt: skip
"""The case as it was, a fifth as long: reconstruction alone, then with the KL term, then with
scheduled sampling. What this project's own training adds (feet, bones, free steps, balanced
windows) is off, here and in all cures."""
LONG_RAMP = 10
"""Epochs of the longer ramp from captured poses to the model's own: nearly all of those with
scheduled sampling."""
LOW_BETA = 0.01
LOW_BETA_RAW = 0.0005
"""β that leaves the latent its voice, beside errors in deviations and beside errors in a pose's own
units, whose variance is a twentieth. (With 0.08, this project's own β, all else mended, one unit of
32 stays active.)"""

Mend = Callable[[TrainConfig], TrainConfig]


def _model(**settings: Any) -> Mend:
    return lambda config: replace(config, model=replace(config.model, **settings))


def _training(**settings: Any) -> Mend:
    return lambda config: config.with_changes(**settings)


def _low_beta(config: TrainConfig) -> TrainConfig:
    return config.with_changes(beta=LOW_BETA if config.model.normalise else LOW_BETA_RAW)


MENDS: dict[str, tuple[str, Mend]] = {
    "normalised": ("poses are z-scored", _model(normalise=True)),
    "near-future": ("of the future the encoder sees the next pose only", _model(window_future=1)),
    "every-layer": ("z enters every layer of the decoder", _model(latent_once=False)),
    "through-time": ( "gradients go through the whole rollout, with one optimiser step each", _training(through_time=True) ),
    "decaying-rate": ("the learning rate falls to 1e-6", _training(final_learning_rate=1e-6)),
    "long-ramp": ( "scheduled sampling sets in over 10 epochs in place of 4", _training(teacher=TeacherForcing("phases", hold_epochs=CASE.teacher.hold_epochs, ramp_epochs=LONG_RAMP)), ),
    "clipped": ("gradients are clipped to a norm of 1", _training(gradient_norm=1.0)),
    "low-beta": (f"β is {LOW_BETA:g}, or {LOW_BETA_RAW:g} beside poses in their own units", _low_beta),
}  # fmt: skip
"""What each cure changes, in words, and how. Later ones see what earlier ones have changed."""

RUNS: dict[str, tuple[str, ...]] = {
    "as-it-was": (),
    **{f"only-{name}": (name,) for name in MENDS},
    "all-mended": tuple(MENDS),
    **{f"all-but-{name}": tuple(other for other in MENDS if other != name) for name in MENDS},
}
"""The runs, each with the cures it has."""

COLUMNS = (
    ("run", "run"), ("before", "loss before"), ("peak", "peak after"), ("ratio", "ratio"),
    ("final", "final loss"), ("kl_nats", "KL, nats"), ("active_units", "active units"),
    ("one_step_mm", "one step, mm"), ("eight_step_mm", "eight steps, mm"),
    ("sane_fraction", "sane"), ("verdict", "verdict"),
)  # fmt: skip
"""What the table tells of a run: names of figures, and what stands above them."""
FROM_REPORT = (
    "kl_nats",
    "active_units",
    "one_step_mm",
    "eight_step_mm",
    "sane_fraction",
    "spread_m",
    "verdict",
)


@dataclass(frozen=True)
class Options:
    """Which runs, on which data, and how long."""

    data: Path
    """The data set that `python -m controller data build` wrote."""
    out: Path
    """Folder of the runs and of the table."""
    runs: tuple[str, ...] = tuple(RUNS)
    """Names of the runs."""
    rollouts_per_epoch: int = CASE.rollouts_per_epoch
    """Rollouts in each of the 24 epochs."""
    write: Path | None = None
    """A page whose block `<!-- failure case -->` is to hold the table."""

    def __post_init__(self) -> None:
        for name in self.runs:
            require(name in RUNS, "runs", name, ", ".join(RUNS))


def configured(name: str, rollouts_per_epoch: int) -> TrainConfig:
    """The settings of a run."""
    config = replace(CASE, rollouts_per_epoch=rollouts_per_epoch)
    for cure in RUNS[name]:
        config = MENDS[cure][1](config)
    return config


def losses(config: TrainConfig, history: list[dict[str, float]]) -> dict[str, float | None]:
    """The reconstruction's loss in the last epoch ``before`` scheduled sampling, its ``peak``
    after, their ``ratio`` and the ``final`` one: the case's 15 and 975. None for what a run did not
    come to."""
    rows = [row["reconstruction"] for row in history]
    first = rows[: config.teacher.hold_epochs]
    after = rows[config.teacher.hold_epochs :]
    before = first[-1] if first else None
    peak = max(after, default=None)
    ratio = peak / before if before and peak is not None else None
    return {"before": before, "peak": peak, "ratio": ratio, "final": rows[-1] if rows else None}


def train(trainer: Trainer, run_folder: RunFolder) -> str | None:
    """Train to the end; what stopped it if training broke down."""
    while trainer.epoch < trainer.config.epochs:
        try:
            row = trainer.run_epoch()
        except ControllerError as error:
            return str(error)
        run_folder.save(trainer)
        print(
            f"  epoch {trainer.epoch:>2}  teacher {row['teacher_forcing']:.2f}  β "
            f"{row['beta']:.3g}  reconstruction "
            f"{row['reconstruction']:.4g}  KL {row['kl_nats']:.3g} nats  active "
            f"{row['active_units']:.0f}  held out "
            f"{row['one_step_mm']:.1f}, {row['rollout_mm']:.1f} mm",
            flush=True,
        )
    return None


def figures(name: str, options: Options, data: MotionDataset) -> dict[str, Any]:
    """What became of a run, trained now or before; ControllerError if the folder has one with other
    settings."""
    folder = files.make_folder(options.out / name)
    trainer = Trainer(data, configured(name, options.rollouts_per_epoch))
    run_folder = RunFolder(folder)
    told = folder / "figures.json"
    if run_folder.state_path.exists():
        run_folder.resume(trainer)
    if not told.exists():
        print(name, flush=True)
        stopped = train(trainer, run_folder)
        report = diagnose(trainer.character(), data)
        judged = {"stopped": stopped} | {key: report[key] for key in FROM_REPORT}
        files.write(told, json.dumps(judged, indent=1, allow_nan=False))
    found = {"run": name, "mended": RUNS[name]} | json.loads(told.read_text())
    return found | losses(trainer.config, trainer.history)


def table(rows: list[dict[str, Any]]) -> str:
    """The figures of runs as a Markdown table."""
    return markdown.table(
        [title for _, title in COLUMNS], [[_short(row[key]) for key, _ in COLUMNS] for row in rows]
    )


def _short(value: Any) -> str:
    return (
        markdown.NONE
        if value is None
        else f"{value:.3g}"
        if isinstance(value, float)
        else str(value)
    )


def run(options: Options) -> str:
    """Train what is not trained yet, and write the tables; returns the Markdown one."""
    data = MotionDataset.load(options.data)
    rows: list[dict[str, Any]] = []
    for name in options.runs:
        rows.append(figures(name, options, data))
        files.write(options.out / "table.json", json.dumps(rows, indent=1))
        files.write(options.out / "table.md", table(rows) + "\n")
    if options.write is not None:
        files.fill(options.write, "failure case", table(rows))
    return table(rows)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    print(run(options))
