"""Training runs as they lie in their folders: history, settings, and the model with its diagnosis,
if there is one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.core import checkpoint
from controller.core.errors import DataError
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation import diagnostics
from controller.evaluation.diagnosis import diagnose, held_out
from controller.evaluation.extractor import Extractor
from controller.training.run_folder import STATE_KIND

MODEL = "mvae.safetensors"
STATE = "training.safetensors"
HISTORY = "history.json"
FIGURES = {"epoch", "reconstruction", "kl_nats"}
"""Figures that every epoch of a motion VAE's training has."""


@dataclass(frozen=True)
class Run:
    """One training run.

    history   figures of each epoch, oldest first
    settings  its settings by dotted name; empty if nothing in the folder states them
    character the trained model; None if there is none yet
    report    its diagnosis, as :func:`diagnose.diagnose` returns it; empty without a model
    errors    mm after each frame of a rollout over held-out windows that feeds itself; empty
              without data
    """

    name: str
    history: list[dict[str, float]]
    settings: dict[str, Any]
    character: Character | None = None
    report: dict[str, Any] = field(default_factory=dict)
    errors: list[float] = field(default_factory=list)

    def figure(self, name: str) -> Any:
        """A figure by its dotted name, from the diagnosis or else from the last epoch; None if
        neither has it."""
        last = self.history[-1] | {"eight_step_mm": self.history[-1].get("rollout_mm")}
        value: Any = last | self.report
        for part in name.split("."):
            value = value.get(part) if value is not None else None
        return value


def read(
    folder: Path, data: MotionDataset | None = None, extractor: Extractor | None = None
) -> Run:
    """Read the run in a folder and measure its model. Raises DataError if the folder is not a
    run."""
    name = folder.resolve().name
    history = read_history(folder / HISTORY)
    model = folder / MODEL
    if not model.exists():
        return Run(name, history, read_settings(folder / STATE))

    character = Character.load(model)
    training = dict(character.header.get("training") or {})
    training.pop("epochs_done", None)  # not a setting
    report = diagnose.diagnose(character, data, extractor)
    errors = [] if data is None else error_curve(character, data)
    return Run(name, history, flat(training), character, report, errors)


def read_history(path: Path) -> list[dict[str, float]]:
    """The figures of each epoch. Raises DataError if there is none, or if they are not those of a
    motion VAE's training."""
    rows = read_epochs(path)
    if not rows:
        raise DataError(f"{path.parent}: no epoch of this run has ended yet")
    return rows


def read_epochs(path: Path) -> list[dict[str, float]]:
    """The same, but an empty list if no epoch has ended yet."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path.parent}: not a training run (no readable {path.name} in it)"
        ) from error
    if not isinstance(rows, list) or not all(map(_is_epoch, rows)):
        raise DataError(
            f"{path}: not the history of a motion VAE's training, which `python -m controller "
            "train` writes"
        )
    return rows


def _is_epoch(row: object) -> bool:
    return isinstance(row, dict) and row.keys() >= FIGURES


def read_settings(state: Path) -> dict[str, Any]:
    """The settings of a run that has no model yet, from its training state."""
    return flat(checkpoint.load_header(state, STATE_KIND)["config"]) if state.exists() else {}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"kl": {"kind": "none"}} → {"kl.kind": "none"}."""
    result: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = value
    return result


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The settings in which runs differ, each with its value in every run; None if a run has no
    such setting."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values = {name: [run.settings.get(name) for run in runs] for name in names}
    return {
        name: of_runs
        for name, of_runs in values.items()
        if any(value != of_runs[0] for value in of_runs)
    }


def error_curve(character: Character, data: MotionDataset) -> list[float]:
    """:func:`diagnostics.reconstruction_errors` over as many held-out frames as the diagnosis uses.

    As in the diagnosis, more windows are measured for the first frames than for the later ones.
    """
    curve: list[float] = []
    for _, windows in sorted(held_out.held_out_windows(character, data).items()):
        errors = diagnostics.reconstruction_errors(character.model, character.layout, windows)
        curve += errors[len(curve) :]
    return curve
