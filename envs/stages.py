"""A chain of commands that make something: each runs in a process of its own, and what is done
stays done."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.core import files
from controller.core.errors import ControllerError

RECORD = "stages.json"
UNFIT = 1
"""Exit status of a stage that did its work, with a result that is of no use."""


@dataclass(frozen=True)
class Stage:
    """One command.

    name       what the record calls it
    does       what it does, in words
    arguments  the command's arguments, after ``python``
    product    the file that exists when it is done
    minutes    how long it takes on two cores, about
    state      a file by which an interrupted run is known; None if it cannot continue
    printed    where to write what it prints on standard output; None to show it
    statuses   exit statuses with which it has done its work
    fault      says what is wrong with a product, in one sentence that is empty if nothing is
    """

    name: str
    does: str
    arguments: tuple[str, ...]
    product: Path
    minutes: float = 0.0
    state: Path | None = None
    printed: Path | None = None
    statuses: tuple[int, ...] = (0,)
    fault: Callable[[Path], str] | None = None

    @property
    def command(self) -> str:
        """The command as one would type it."""
        return " ".join(("python", *self.arguments))


class StageError(ControllerError):
    """A stage ended with an error. ``status`` is its exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Chain:
    """Stages that run one after another, and the record of those that are done, in ``folder``."""

    def __init__(self, folder: Path, stages: Sequence[Stage]) -> None:
        """Raises ControllerError if the record is of other commands, or cannot be read."""
        self.folder = folder
        self.stages = list(stages)
        self.seconds: dict[str, float] = {}
        self._commands = {stage.name: list(stage.arguments) for stage in stages}
        for name, (arguments, seconds) in self._read().items():
            if arguments != self._commands.get(name):
                raise ControllerError(
                    f"{folder}: it was begun with other options (its stage {name!r} differs); "
                    "repeat those to continue it, remove it, or choose another --out"
                )
            self.seconds[name] = seconds

    def _read(self) -> dict[str, tuple[list[str], float]]:
        """Arguments and seconds of the stages that are done."""
        path = self.folder / RECORD
        if not path.is_file():
            return {}
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return {
                name: (list(entry["arguments"]), float(entry["seconds"]))
                for name, entry in record.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ControllerError(f"{path}: cannot be read ({error}); remove it") from error

    def is_done(self, stage: Stage) -> bool:
        """Whether a stage was run to its end and its product is still there."""
        return stage.name in self.seconds and stage.product.is_file()

    def minutes_left(self) -> float:
        """Minutes that all stages which are not done take, about: as planned, or as much longer as
        the stages that are done took longer than planned."""
        done = [stage for stage in self.stages if self.is_done(stage) and stage.minutes]
        planned = sum(stage.minutes for stage in done)
        spent = sum(self.seconds[stage.name] for stage in done) / 60
        scale = spent / planned if planned else 1.0
        return scale * sum(stage.minutes for stage in self.stages if not self.is_done(stage))

    def run(self) -> None:
        """Run what is not done yet. Raises StageError about the first stage that fails."""
        with files.own_folder(self.folder):
            self._run()

    def _run(self) -> None:
        for number, stage in enumerate(self.stages, 1):
            place = f"[{number}/{len(self.stages)}] {stage.does}"
            if self.is_done(stage):
                print(f"{place}: done before", flush=True)
                continue
            self._forget(self.stages[number:])
            left = f", about {self.minutes_left():.0f} min left in all" if stage.minutes else ""
            print(f"{place}{left}", flush=True)
            started = time.perf_counter()
            status = self._start(stage)
            if status not in stage.statuses:
                raise StageError(
                    f"stopped at stage {number} of {len(self.stages)}, {stage.does}: it ended with "
                    f"exit status {status}, for the reason above; the same command continues here",
                    status,
                )
            if not stage.product.is_file():
                raise StageError(f"{stage.does}: it ended without writing {stage.product}", 2)
            fault = stage.fault(stage.product) if stage.fault else ""
            if fault:
                raise StageError(f"stopped after {stage.does}: {fault}", UNFIT)
            self.seconds[stage.name] = round(time.perf_counter() - started, 1)
            self._write()

    def _forget(self, stages: Sequence[Stage]) -> None:
        """Begin these stages anew, whatever is left of them: an earlier product is about to
        change."""
        for stage in stages:
            self.seconds.pop(stage.name, None)
            if stage.state is not None:
                stage.state.unlink(missing_ok=True)
        self._write()

    def _start(self, stage: Stage) -> int:
        """Run a stage's command and return its exit status."""
        arguments = [sys.executable, *stage.arguments]
        if stage.state is not None and stage.state.is_file():
            arguments.append("--resume")
        else:
            # Commands do not write over what they find; this is of a run that was cut off.
            stage.product.unlink(missing_ok=True)
        if stage.printed is None:
            return subprocess.run(arguments, check=False).returncode
        process = subprocess.run(arguments, check=False, stdout=subprocess.PIPE)
        if process.returncode in stage.statuses:
            files.write(stage.printed, process.stdout)
        else:
            sys.stdout.buffer.write(process.stdout)
        return process.returncode

    def _write(self) -> None:
        record = {
            name: {"arguments": self._commands[name], "seconds": seconds}
            for name, seconds in self.seconds.items()
        }
        files.write(self.folder / RECORD, json.dumps(record, indent=1))
