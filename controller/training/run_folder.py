"""The folder of a training run: states to go on from, and the history."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from controller.core import checkpoint, files, processes
from controller.core.errors import ControllerError
from controller.training.trainer import Trainer

STATE_KIND = "motion-vae-training"


class RunFolder:
    """Reads and writes the files of one run, each atomically. If several processes share the run,
    all of them call these methods, and the first one writes."""

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
        return self.path / "mvae.safetensors"

    def save(self, trainer: Trainer, good: bool = True) -> None:
        """Write the history and the state, from which :meth:`resume` goes on exactly. A ``good``
        state is one to return to."""
        if processes.speaks():
            self._write_history(trainer)
            checkpoint.save(self.state_path, STATE_KIND, *trainer.state())
            if good:
                _copy(self.state_path, self.good_path)
        processes.meet()

    def save_history(self, trainer: Trainer) -> None:
        """Write the history alone, for epochs whose state is not saved."""
        if processes.speaks():
            self._write_history(trainer)

    def resume(self, trainer: Trainer) -> None:
        """Put a new trainer into the newest state; ControllerError if that belongs to other
        settings or data."""
        self._load(self.state_path, trainer)
        if processes.speaks():
            files.sweep(self.path)

    def go_back(self, trainer: Trainer) -> None:
        """Return to the last good state, which becomes the newest again."""
        self._load(self.good_path, trainer)
        if processes.speaks():
            _copy(self.good_path, self.state_path)
        processes.meet()

    def roll_back(self, trainer: Trainer) -> None:
        """Return to the last good state and prepare to go on from there in another way: see
        :meth:`Trainer.retry`."""
        self._load(self.good_path, trainer)
        trainer.retry()
        self.save(trainer)

    def _write_history(self, trainer: Trainer) -> None:
        files.write(self.history_path, json.dumps(trainer.history, indent=1))

    def _load(self, path: Path, trainer: Trainer) -> None:
        header, tensors = checkpoint.load(path, STATE_KIND)
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
