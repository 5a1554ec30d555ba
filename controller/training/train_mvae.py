"""Train a motion VAE: ``python -m controller train --data FILE.npz --out DIR``.

Writes DIR/mvae.safetensors (the character, ready for play.py and the environments),
DIR/training.safetensors (to resume from), DIR/good.safetensors (the newest such state in which
nothing was wrong), DIR/history.json and DIR/tensorboard. ``torchrun --nproc-per-node N -m
controller -- train …`` shares every batch among N processes, on a GPU each if there
are any; the result is that of one process. (Without ``--`` torchrun takes ``--start`` for its own.)
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from controller.core import files, processes
from controller.core.errors import ConfigError, ControllerError, first_line, require
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation.diagnosis import verdict
from controller.training import watch
from controller.training.progress import Progress
from controller.training.publish import export
from controller.training.trainer import Precision, TrainConfig, Trainer

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
    """A trained model to start from, in place of random weights; its statistics stay."""
    resume: bool = False
    """Go on from the training state in ``out``."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""
    threads: int = 1
    """Threads of torch on a CPU. Two are slower than one as soon as anything else runs."""
    precision: Precision = "float32"
    """bf16: matrices are multiplied in bfloat16 where torch holds that to be safe. For GPUs; it
    makes a CPU slower."""
    compile: bool = False
    """Compile the networks with torch.compile, which takes a minute. For GPUs; needs a C++
    compiler."""
    save_every: int = 5
    """Epochs between checkpoints."""
    diagnose_every: int = 5
    """Epochs between diagnoses, in which the model is left to itself for a few seconds."""
    on_fatal: Literal["stop", "go-on", "roll-back"] = "stop"
    """What to do when training has collapsed or diverges, or a loss is no number. stop: keep the
    last good state, and its model. go-on: say so, and skip rollouts whose loss is no number.
    roll-back: go on from the last good state with half the learning rate and other random
    numbers."""
    roll_backs: int = 3
    """Times to roll back before training stops after all."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=TrainConfig
    )

    def __post_init__(self) -> None:
        require(self.threads >= 1, "threads", self.threads, "1 or more")
        require(self.save_every >= 1, "save_every", self.save_every, "1 or more epochs")
        require(self.diagnose_every >= 1, "diagnose_every", self.diagnose_every, "1 or more epochs")
        require(self.roll_backs >= 0, "roll_backs", self.roll_backs, "0 or more")
        begins = self.start is not None or self.resume or not self.config.freeze_decoder
        require(begins, "start", None, "with freeze_decoder, the model whose decoder is to stay")


# -- before training -------------------------------------------------------------------------------


def check(options: Options, device: torch.device) -> None:
    """ConfigError if this machine, or so many processes, cannot do what is asked for."""
    count = processes.count()
    config = options.config
    for name in ("batch", "free_batch"):
        allowed = f"multiples of {count}, the number of processes"
        require(getattr(config, name) % count == 0, name, getattr(config, name), allowed)
    if options.precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        card = torch.cuda.get_device_name(device)
        raise ConfigError(f"precision is 'bf16', which {card} does not have; allowed here: float32")
    if options.compile:
        try:
            torch.compile(torch.nn.functional.elu)(torch.ones(2, device=device))
        except Exception as error:  # whatever a compiler, or the lack of one, may raise
            said = first_line(error)
            raise ConfigError(
                f"compile is True, but torch cannot compile for {device.type} here ({said})"
            ) from error


def start(options: Options, device: torch.device) -> Trainer:
    """The trainer, new or resumed; refuses to write over a run that it was not told to resume."""
    check(options, device)
    data = MotionDataset.load(options.data)
    files.make_folder(options.out)
    skips = options.on_fatal == "go-on"
    trainer = Trainer(
        data, options.config, options.out, device, options.precision, options.compile, skips
    )
    if options.resume:
        trainer.resume()
    elif trainer.state_path.exists():
        raise ControllerError(
            f"{trainer.state_path} is there already: go on with --resume, or choose another --out"
        )
    else:
        if options.start is not None:
            trainer.start_from(Character.load(options.start))
        processes.meet()  # no process saves before all have seen that nothing was there
        trainer.save()
    return trainer


# -- training --------------------------------------------------------------------------------------


def train(options: Options) -> Path:
    """Train to the end and export the model; returns its path.

    Raises ControllerError if something cannot be as it is asked for, or when training comes to a
    fatal end.
    """
    torch.set_num_threads(options.threads)
    device = processes.own_device(options.device)
    with processes.joined(device):
        trainer = start(options, device)
        with closing(Progress(trainer)) as progress:
            run(trainer, options, progress)
        path = model_path(trainer)
        if processes.speaks():
            print(json.dumps(export(trainer, path), indent=1))
        return path


def model_path(trainer: Trainer) -> Path:
    """Where the trained model is put."""
    return trainer.folder / "mvae.safetensors"


def run(trainer: Trainer, options: Options, progress: Progress) -> None:
    """Train to the last epoch, rolling back on the way if that is asked for; else ControllerError
    at a fatal end."""
    while trainer.epoch < trainer.config.epochs:
        try:
            run_epoch(trainer, options, progress)
        except watch.Fatal as why:
            if options.on_fatal != "roll-back" or trainer.roll_backs >= options.roll_backs:
                raise stopped(trainer, why) from why
            trainer.roll_back()
            progress.rolled_back(str(why))


def run_epoch(trainer: Trainer, options: Options, progress: Progress) -> None:
    """One epoch, told, judged and saved. Raises :class:`watch.Fatal`, unless it is to go on in
    spite of it."""
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
        trainer.save(good=not watch.trouble(trainer.history))


def stopped(trainer: Trainer, why: watch.Fatal) -> ControllerError:
    """What to say of a training that ends here. Its last good state becomes the one to resume from,
    and the model of that state is exported if it is one that can be steered."""
    after = trainer.epoch
    trainer.keep_history()
    trainer.go_back()
    kept = f"The last good state, of epoch {trainer.epoch}, is in {trainer.state_path}"
    if worth_exporting(trainer):
        path = model_path(trainer)
        kept += f", its model in {path}"
        if processes.speaks():
            export(trainer, path)
    processes.meet()  # the first process to leave ends all others
    return ControllerError(f"training stopped after epoch {after}: {why} {kept}.")


def worth_exporting(trainer: Trainer) -> bool:
    """Whether a run's model has learned something, and has a latent by which to steer it."""
    if not trainer.history:
        return False
    trainer.diagnose()
    return {found.name for found in watch.findings(trainer.history)}.isdisjoint(USELESS)


def train_and_tell(options: Options) -> None:
    """Train, and print where the model is."""
    path = train(options)
    if processes.speaks():
        print(path)


def main() -> None:
    train_and_tell(tyro.cli(Options, description=__doc__))
