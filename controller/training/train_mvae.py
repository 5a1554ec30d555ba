"""Train a motion VAE: ``python -m controller train --data FILE.npz --out DIR``.

Writes DIR/mvae.safetensors (the character, ready for play.py and the environments),
DIR/training.safetensors (to resume from), DIR/good.safetensors (the newest such state in which
nothing was wrong), DIR/history.json and DIR/tensorboard. ``torchrun --nproc-per-node N -m
controller -- train …`` shares every batch among N processes, each on a GPU of its own if there are
any; the result is that of one process. (Without ``--``, torchrun takes ``--start`` as its own.)
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from controller.core import command_line, files, processes
from controller.core.errors import (
    ConfigError,
    ControllerError,
    DataError,
    Stopped,
    first_line,
    require,
)
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation.diagnosis import verdict
from controller.training import watch
from controller.training.config import TrainConfig
from controller.training.progress import Progress
from controller.training.publish import export
from controller.training.run_folder import RunFolder
from controller.training.trainer import Precision, Trainer

USELESS = (verdict.COLLAPSED, verdict.NEARLY_COLLAPSED, verdict.UNDER_TRAINED)
"""Verdicts on models that are not worth exporting when training stops early."""


@dataclass(frozen=True)
class Options:
    """Command-line options beside the settings of the training itself."""

    data: Path
    """The data set that `python -m controller data build` wrote."""
    out: Path
    """Folder for checkpoints, logs and the trained model."""
    start: Path | None = None
    """A trained model to start from, in place of random weights. It keeps its statistics."""
    resume: bool = False
    """Go on from the training state in ``out``."""
    overwrite: bool = False
    """Replace what an earlier run has left in ``out``."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto uses a GPU if there is one."""
    threads: int = 1
    """Threads of torch on a CPU. Two are slower than one whenever anything else runs."""
    precision: Precision = "float32"
    """bf16: matrices are multiplied in bfloat16 where torch considers it safe. For GPUs; a CPU gets
    slower."""
    compile: bool = False
    """Compile the networks with torch.compile, which takes a minute. For GPUs; needs a C++
    compiler."""
    save_every: int = 5
    """Epochs between checkpoints."""
    diagnose_every: int = 5
    """Epochs between diagnoses. Each lets the model move freely for a few seconds."""
    on_fatal: Literal["stop", "go-on", "roll-back"] = "stop"
    """What to do when training has collapsed or diverges, or a loss is not finite. stop: keep the
    last good state, and its model. go-on: report it, and skip rollouts whose loss is not finite.
    roll-back: return to the last good state and go on with half the learning rate and other random
    numbers."""
    roll_backs: int = 3
    """Number of roll-backs after which the next such problem stops training."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=TrainConfig
    )

    def __post_init__(self) -> None:
        require(self.threads >= 1, "threads", self.threads, "1 or more")
        require(self.save_every >= 1, "save_every", self.save_every, "1 or more epochs")
        require(self.diagnose_every >= 1, "diagnose_every", self.diagnose_every, "1 or more epochs")
        require(self.roll_backs >= 0, "roll_backs", self.roll_backs, "0 or more")
        has_decoder = self.start is not None or self.resume
        allowed = "with freeze_decoder, the model whose decoder is to stay"
        require(has_decoder or not self.config.freeze_decoder, "start", None, allowed)


# -- before training -------------------------------------------------------------------------------


def check(options: Options, device: torch.device) -> None:
    """ConfigError if the options ask for what this machine, or this number of processes, cannot
    do."""
    count = processes.count()
    config = options.config
    for name, value in (("batch", config.batch), ("free_batch", config.free.free_batch)):
        allowed = f"multiples of {count}, the number of processes"
        require(value % count == 0, name, value, allowed)
    if options.precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        card = torch.cuda.get_device_name(device)
        raise ConfigError(f"precision is 'bf16', which {card} does not have; allowed here: float32")
    if options.compile:
        try:
            torch.compile(torch.nn.functional.elu)(torch.ones(2, device=device))
        except Exception as error:  # compilers raise many kinds, and so does the lack of one
            reason = first_line(error)
            raise ConfigError(
                f"compile is True, but torch cannot compile for {device.type} here ({reason})"
            ) from error


def start(options: Options, device: torch.device) -> Trainer:
    """The trainer, new or resumed. ControllerError if it would overwrite a run without
    ``resume``."""
    check(options, device)
    data = MotionDataset.load(options.data)
    files.make_folder(options.out)
    folder = RunFolder(options.out)
    skips = options.on_fatal == "go-on"
    trainer = Trainer(data, options.config, device, options.precision, options.compile, skips)
    if options.resume or (processes.restarted() and folder.state_path.exists()):
        folder.resume(trainer)
        return trainer

    if folder.state_path.exists() and not options.overwrite:
        raise ControllerError(
            f"{folder.state_path} is there already: go on with --resume, replace it with "
            "--overwrite, or choose another --out"
        )
    files.keep_finished(folder.model_path, options.overwrite)
    if options.start is not None:
        trainer.start_from(Character.load(options.start))
    processes.meet()  # no process may save before all have checked that there is no state yet
    folder.save(trainer)
    return trainer


# -- training --------------------------------------------------------------------------------------


def train(options: Options) -> Path:
    """Train to the end and export the model; returns its path.

    Raises ControllerError if the options cannot be met, or when training comes to a fatal end.
    """
    torch.set_num_threads(options.threads)
    device = processes.own_device(options.device)
    folder = RunFolder(options.out)
    with ExitStack() as stack:
        if processes.speaks():
            stack.enter_context(files.own_folder(options.out))
        stack.enter_context(processes.joined(device))
        trainer = start(options, device)
        with closing(Progress(trainer, folder.curves_path)) as progress:
            run(trainer, folder, options, progress)
        if processes.speaks():
            print(json.dumps(export(trainer, folder.model_path), indent=1))
    return folder.model_path


def run(trainer: Trainer, folder: RunFolder, options: Options, progress: Progress) -> None:
    """Train to the last epoch, with the roll-backs that ``options`` allow; ControllerError at a
    fatal end."""
    while trainer.epoch < trainer.config.epochs:
        try:
            run_epoch(trainer, folder, options, progress)
        except watch.Fatal as error:
            if options.on_fatal != "roll-back" or trainer.roll_backs >= options.roll_backs:
                raise stopped(trainer, folder, error) from error
            folder.roll_back(trainer)
            progress.rolled_back(str(error))


def run_epoch(trainer: Trainer, folder: RunFolder, options: Options, progress: Progress) -> None:
    """Train, report, judge and save one epoch. Raises :class:`watch.Fatal`, unless ``options`` say
    to go on in spite of it."""
    trainer.run_epoch(progress.tick)
    last = trainer.epoch == trainer.config.epochs
    if last or trainer.epoch % options.diagnose_every == 0:
        trainer.diagnose()
    progress.epoch()

    fatal = watch.fatal(trainer.history)
    if fatal and options.on_fatal != "go-on":
        raise watch.Fatal(fatal)
    if fatal:
        progress.say(f"  going on in spite of this: {fatal.name}: {fatal.reason}")
    if last or trainer.epoch % options.save_every == 0:
        folder.save(trainer, good=not watch.trouble(trainer.history))


def stopped(trainer: Trainer, folder: RunFolder, fatal: watch.Fatal) -> ControllerError:
    """The error with which training ends here. The last good state becomes the one to resume from,
    and its model is exported if it can be steered."""
    epoch = trainer.epoch
    folder.save_history(trainer)
    folder.go_back(trainer)
    rest = f"The last good state, of epoch {trainer.epoch}, is in {folder.state_path}"
    if worth_exporting(trainer):
        rest += export_or_say(trainer, folder.model_path)
    processes.meet()  # the first process to leave ends all others
    return ControllerError(f"training stopped after epoch {epoch}: {fatal} {rest}.")


def export_or_say(trainer: Trainer, path: Path) -> str:
    """Export a model, and say where it is, or why it cannot be exported."""
    if processes.speaks():
        try:
            export(trainer, path)
        except DataError as error:
            return f", without a model ({error})"
    return f", its model in {path}"


def worth_exporting(trainer: Trainer) -> bool:
    """Whether a run's model has learned something, and has a latent by which to steer it."""
    if not trainer.history:
        return False
    trainer.diagnose()
    names = {finding.name for finding in watch.findings(trainer.history)}
    return names.isdisjoint(USELESS)


def train_and_print(options: Options) -> None:
    """Train, and print the path of the model. Raises :class:`Stopped` after Ctrl-C."""
    try:
        path = train(options)
    except KeyboardInterrupt:
        state = RunFolder(options.out).state_path
        kept = f"{state} has the newest state; --resume goes on there"
        raise Stopped(kept if state.exists() else "nothing was saved yet") from None
    if processes.speaks():
        print(path)


def main() -> None:
    train_and_print(command_line.read(Options, description=__doc__))
