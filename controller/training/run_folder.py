"""The folder of a training run: states to go on from, and the history."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor

from controller.core import checkpoint, checks, files, headers, processes
from controller.core.errors import ControllerError

STATE_KIND = "motion-vae-training"
MOST_ROLL_BACKS = 100
"""A rate that was halved so often no longer changes anything."""


class Resumable(Protocol):
    """A training whose state can be saved."""

    history: list[dict[str, float]]

    @property
    def epochs(self) -> int: ...
    def identity(self) -> dict[str, Any]: ...
    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]: ...
    def restore(self, header: dict[str, Any], tensors: dict[str, Tensor]) -> None: ...
    def retry(self) -> None: ...


class RunFolder:
    """Reads and writes the files of one run, each atomically. If several processes share the run,
    all of them call these methods, and the first one writes.

    kind   what the states of such runs are called
    model  the file of the trained model
    """

    kind: ClassVar[str] = STATE_KIND
    model: ClassVar[str] = "mvae.safetensors"

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def state_path(self) -> Path:
        """The newest state, from which the run resumes."""
        return self.path / "training.safetensors"

    @property
    def good_path(self) -> Path:
        """The newest state in which nothing was wrong, to which the run can return."""
        return self.path / "good.safetensors"

    @property
    def history_path(self) -> Path:
        """The figures of each epoch, for people and programs."""
        return self.path / "history.json"

    @property
    def curves_path(self) -> Path:
        """The folder of TensorBoard's curves."""
        return self.path / "tensorboard"

    @property
    def model_path(self) -> Path:
        """The trained model."""
        return self.path / self.model

    def save(self, trainer: Resumable, good: bool = True) -> None:
        """Write the history and the state, from which :meth:`resume` goes on exactly. A ``good``
        state is one to return to."""
        if processes.speaks():
            self._write_history(trainer)
            checkpoint.save(self.state_path, self.kind, *trainer.state())
            if good:
                _copy(self.state_path, self.good_path)
        processes.meet()

    def save_history(self, trainer: Resumable) -> None:
        """Write the history alone, for epochs whose state is not saved."""
        if processes.speaks():
            self._write_history(trainer)

    def resume(self, trainer: Resumable) -> None:
        """Put a new trainer into the newest state; ControllerError if that belongs to other
        settings or data."""
        self._load(self.state_path, trainer)
        if processes.speaks():
            files.sweep(self.path)

    def go_back(self, trainer: Resumable) -> None:
        """Return to the last good state, which becomes the newest again."""
        self._load(self.good_path, trainer)
        if processes.speaks():
            _copy(self.good_path, self.state_path)
        processes.meet()

    def roll_back(self, trainer: Resumable) -> None:
        """Return to the last good state and prepare to go on from there in another way: see
        :meth:`Trainer.retry`."""
        self._load(self.good_path, trainer)
        trainer.retry()
        self.save(trainer)

    def _write_history(self, trainer: Resumable) -> None:
        files.write(self.history_path, json.dumps(trainer.history, indent=1))

    def _load(self, path: Path, trainer: Resumable) -> None:
        header, tensors = checkpoint.load(path, self.kind)
        expected: dict[str, Any] = json.loads(json.dumps(trainer.identity()))
        for key, name in (("config", "settings"), ("data", "data")):
            if header.get(key) != expected[key]:
                raise ControllerError(
                    f"{path}: its {name} are not this run's; start in another folder"
                )
        with headers.reading(path, self.kind):
            check_counts(header, trainer.epochs)
            checks.check_state_tensors(path, self.kind, tensors, trainer.state()[1])
            trainer.restore(header, tensors)


def check_counts(header: dict[str, Any], epochs: int) -> None:
    """Check what a state says about the run so far. Raises DataError."""
    headers.whole("epoch", header.get("epoch"), 0, epochs)
    headers.whole("roll_backs", header.get("roll_backs", 0), 0, MOST_ROLL_BACKS)
    history = headers.items("history", header.get("history"), 0, epochs)
    for number, figures in enumerate(history):
        for name, value in headers.table(f"history[{number}]", figures).items():
            figure = value is None or isinstance(value, int | float | str)
            if not figure:
                raise headers.refuse(f"history[{number}].{headers.shown(name)}", value, "a figure")
    if header.get("started_from") is not None:
        headers.table("started_from", header["started_from"])


def _copy(source: Path, target: Path) -> None:
    with files.atomic(target) as temporary:
        shutil.copyfile(source, temporary)
