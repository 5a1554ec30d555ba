"""The set ``failure``: a widely read failure of this kind of training, repeated and cured.

The case: a convolutional VAE over windows of 121 poses (:mod:`controller.model.convolutional`)
learns to reconstruct; with the KL term its latent falls silent; with scheduled sampling its loss
rises from 15 to 975. Here it is trained as it was, with each of its faults cured alone, with all
cured, and with all cured but one, on the same data and with the same number of rollouts. Its 120
epochs are 24 here, with the same phases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.core import markdown
from controller.model.mixture import MotionVAEConfig
from controller.studies import runs
from controller.studies.cases import Case
from controller.studies.tables import Row
from controller.training.config import TrainConfig
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.watch import History

CASE = TrainConfig.of(
    model=MotionVAEConfig(
        variant="window", window_past=60, window_future=60, latent_once=True, normalise=False
    ),
    epochs=24, kl=KlWeight("monotonic", hold_epochs=6, ramp_epochs=0),
    teacher=TeacherForcing("phases", hold_epochs=12, ramp_epochs=4), rollouts_per_epoch=100,
    rollout=8, batch=32, learning_rate=1e-3, final_learning_rate=1e-3, beta=1.0, through_time=False,
    gradient_norm=1e9, foot_weight=0.0, joint_weight=0.0, bone_weight=0.0, free_steps=0,
    balance=0.0,
)  # fmt: skip
"""The case as it was, a fifth as long: reconstruction alone, then with the KL term, then with
scheduled sampling. What this project's own training adds (feet, bones, free steps, balanced
windows) is switched off, here and in all cures."""
LONG_RAMP = 10
"""Epochs of the longer ramp from captured poses to the model's own: nearly all of the epochs with
scheduled sampling."""
LOW_BETA = 0.01
LOW_BETA_RAW = 0.0005
"""Values of β that keep the latent in use. The first goes with errors in standard deviations, the
second with errors in a pose's own units, whose variance is a twentieth. (With this project's own β
of 0.08 and everything else cured, one unit of 32 stays active.)"""

Cure = Callable[[TrainConfig], TrainConfig]


def _model(**settings: Any) -> Cure:
    return lambda config: replace(config, model=replace(config.model, **settings))


def _training(**settings: Any) -> Cure:
    return lambda config: config.with_changes(**settings)


def _low_beta(config: TrainConfig) -> TrainConfig:
    return config.with_changes(beta=LOW_BETA if config.model.normalise else LOW_BETA_RAW)


LONG_TEACHER = TeacherForcing("phases", hold_epochs=CASE.teacher.hold_epochs, ramp_epochs=LONG_RAMP)
CURES: dict[str, Cure] = {
    "normalised": _model(normalise=True),
    "near-future": _model(window_future=1),
    "every-layer": _model(latent_once=False),
    "through-time": _training(through_time=True),
    "decaying-rate": _training(final_learning_rate=1e-6),
    "long-ramp": _training(teacher=LONG_TEACHER),
    "clipped": _training(gradient_norm=1.0),
    "low-beta": _low_beta,
}
"""What each cure changes. Later cures see the changes of earlier ones.

normalised     poses are z-scored
near-future    of the future the encoder sees only the next pose
every-layer    z enters every layer of the decoder
through-time   gradients go through the whole rollout, with one optimiser step a rollout
decaying-rate  the learning rate falls to 1e-6
long-ramp      scheduled sampling sets in over 10 epochs instead of 4
clipped        gradients are clipped to a norm of 1
low-beta       β is 0.01, or 0.0005 where poses are in their own units
"""

RUNS: dict[str, tuple[str, ...]] = {
    "as-it-was": (),
    **{f"only-{name}": (name,) for name in CURES},
    "all-mended": tuple(CURES),
    **{f"all-but-{name}": tuple(other for other in CURES if other != name) for name in CURES},
}
"""The runs, each with the names of its cures."""

COLUMNS = (
    ("run", "run"), ("before", "loss before"), ("peak", "peak after"), ("ratio", "ratio"),
    ("final", "final loss"), ("kl_nats", "KL, nats"), ("active_units", "active units"),
    ("one_step_mm", "one step, mm"), ("eight_step_mm", "eight steps, mm"),
    ("sane_fraction", "sane"), ("verdict", "verdict"),
)  # fmt: skip
"""Columns of the table: the name of a figure, and the column's title."""


def configured(name: str) -> TrainConfig:
    """The settings of a run."""
    config = CASE
    for cure in RUNS[name]:
        config = CURES[cure](config)
    return config


def cases() -> list[Case]:
    """All runs."""
    return [Case(name, differences(name), configured(name)) for name in RUNS]


def differences(name: str) -> dict[str, str]:
    """What sets a run apart from the others: which cures it has, all of them or none, and the one
    cure that is an exception."""
    for kind in ("only", "all-but"):
        cure = name.removeprefix(f"{kind}-")
        if cure in CURES:
            return {"cures": kind.replace("-", " "), "cure": cure}
    return {"cures": "all" if RUNS[name] else "none", "cure": markdown.NONE}


def figures(case: Case, folder: Path) -> dict[str, Any]:
    """The name of the run in ``folder``, its cures and its :func:`losses`."""
    history = runs.read_epochs(folder / runs.HISTORY)
    return {"run": case.name, "mended": RUNS[case.name], **losses(case.config, history)}


def losses(config: TrainConfig, history: History) -> dict[str, float | None]:
    """The reconstruction loss around the start of scheduled sampling: the case's 15 and 975.

    ``before`` is the loss of the last epoch before it, ``peak`` the highest after it, ``ratio`` is
    peak / before, and ``final`` the last. None where a run ended too early.
    """
    values = [row["reconstruction"] for row in history]
    first = values[: config.teacher.hold_epochs]
    after = values[config.teacher.hold_epochs :]
    before = first[-1] if first else None
    peak = max(after, default=None)
    ratio = peak / before if before and peak is not None else None
    final = values[-1] if values else None
    return {"before": before, "peak": peak, "ratio": ratio, "final": final}


def table(rows: list[Row]) -> str:
    """A Markdown table: a line for each run."""
    titles = [title for _, title in COLUMNS]
    return markdown.table(titles, [[_cell(row, name) for name, _ in COLUMNS] for row in rows])


def _cell(row: Row, name: str) -> str:
    value = row.get(name)
    if name == "verdict" and row["stopped"]:
        return str(row["stopped"])
    if value is None:
        return markdown.NONE
    return f"{value:.3g}" if isinstance(value, float) else str(value)
