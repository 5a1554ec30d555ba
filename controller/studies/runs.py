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
from controller.evaluation.diagnosis import diagnose
from controller.evaluation.extractor import Extractor
from controller.training.run_folder import STATE_KIND

MODEL = "mvae.safetensors"
STATE = "training.safetensors"
HISTORY = "history.json"


@dataclass(frozen=True)
class Run:
    """One training run.

    history   figures of each epoch, oldest first
    settings  its settings by dotted name; empty where nothing in the folder tells them
    character the trained model; None while there is none
    report    what :func:`diagnose.diagnose` says of it; empty while there is none
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
        """A figure by its dotted name: the diagnosis's, or the last epoch's; None if there is
        neither."""
        last = self.history[-1] | {"eight_step_mm": self.history[-1].get("rollout_mm")}
        found: Any = last | self.report
        for part in name.split("."):
            found = found.get(part) if found is not None else None
        return found


def read(
    folder: Path, data: MotionDataset | None = None, extractor: Extractor | None = None
) -> Run:
    """The run in a folder, its model measured; DataError says in a sentence why a folder is no
    run."""
    history = read_history(folder / HISTORY)
    model = folder / MODEL
    if not model.exists():
        return Run(folder.resolve().name, history, read_settings(folder / STATE))
    character = Character.load(model)
    training = dict(character.header.get("training") or {})
    training.pop("epochs_done", None)  # no setting
    return Run(
        folder.resolve().name,
        history,
        flat(training),
        character,
        diagnose.diagnose(character, data, extractor),
        [] if data is None else error_curve(character, data),
    )


def read_history(path: Path) -> list[dict[str, float]]:
    """The epochs' figures; DataError if they are not those of a motion VAE's training."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path.parent}: not a training run (no readable {path.name} in it)"
        ) from error
    if rows == []:
        raise DataError(f"{path.parent}: no epoch of this run has ended yet")
    known = {"epoch", "reconstruction", "kl_nats"}
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and known <= row.keys() for row in rows
    ):
        raise DataError(
            f"{path}: not the history of a motion VAE's training; `controller.training.train_mvae` "
            "writes one"
        )
    return rows


def read_settings(state: Path) -> dict[str, Any]:
    """The settings of a run that has no model yet, from the state it would be resumed from."""
    return flat(checkpoint.load_header(state, STATE_KIND)["config"]) if state.exists() else {}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"kl": {"kind": "none"}} → {"kl.kind": "none"}."""
    result: dict[str, Any] = {}
    for name, value in settings.items():
        result |= (
            flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        )
    return result


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The settings in which runs differ, with each run's value; None where it has no such
    setting."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values = {name: [run.settings.get(name) for run in runs] for name in names}
    return {
        name: found for name, found in values.items() if any(value != found[0] for value in found)
    }


def error_curve(character: Character, data: MotionDataset) -> list[float]:
    """:func:`diagnostics.reconstruction_errors` over as many held-out frames as the diagnosis looks
    at.

    The first frames are on more windows than the later ones, as in the diagnosis.
    """
    curve: list[float] = []
    for _, windows in sorted(diagnose.held_out_windows(character, data).items()):
        curve += diagnostics.reconstruction_errors(character.model, character.layout, windows)[
            len(curve) :
        ]
    return curve
