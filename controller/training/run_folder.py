"""The folder of a training run: states to go on from, and the history."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor

from controller.core import checkpoint, files, processes
from controller.core.errors import ControllerError

STATE_KIND = "motion-vae-training"


class Resumable(Protocol):
    """A training whose state can be saved."""

    history: list[dict[str, float]]

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
            for path in (self.state_path, self.good_path, self.history_path, self.model_path):
                files.sweep(path)

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
            if header[key] != expected[key]:
                raise ControllerError(
                    f"{path}: its {name} are not this run's; start in another folder"
                )
        trainer.restore(header, tensors)


def _copy(source: Path, target: Path) -> None:
    with files.atomic(target) as temporary:
        shutil.copyfile(source, temporary)
