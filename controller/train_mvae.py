"""Train a motion VAE: ``python -m controller.train_mvae --data FILE.npz --out DIR``.

Writes DIR/mvae.safetensors (the character, ready for play.py and the environments), DIR/training.safetensors (to
resume from), DIR/history.json and DIR/tensorboard.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from controller import files
from controller.character import Character
from controller.dataset import MotionDataset
from controller.errors import ConfigError, ControllerError, require, run_command
from controller.mvae.export import export
from controller.mvae.train import TrainConfig, Trainer

DEAD_EPOCHS = 5
"""Epochs without an active latent unit after which training gives up."""


@dataclass(frozen=True)
class Options:
    """Command-line options beside the settings of the training itself."""

    data: Path
    """The data set that `python -m controller.data build` wrote."""
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
    save_every: int = 5
    """Epochs between checkpoints."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = dataclasses.field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        require(self.threads >= 1, "threads", self.threads, "1 or more")
        require(self.save_every >= 1, "save_every", self.save_every, "1 or more epochs")


def pick_device(name: str) -> str:
    """The torch device for "auto", "cpu" or "cuda"; ConfigError if there is no GPU for "cuda"."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', but torch finds no CUDA GPU; allowed here: auto, cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def start(options: Options) -> Trainer:
    """The trainer, new or resumed; refuses to write over a run that it was not told to resume."""
    data = MotionDataset.load(options.data)
    files.make_folder(options.out)
    trainer = Trainer(data, options.config, options.out, pick_device(options.device))
    if options.start is not None:
        trainer.start_from(Character.load(options.start))
    if options.resume:
        trainer.resume()
    elif trainer.state_path.exists():
        raise ControllerError(f"{trainer.state_path} is there already: go on with --resume, or choose another --out")
    return trainer


def check_alive(history: list[dict[str, float]]) -> None:
    """ControllerError when the latent has been silent for DEAD_EPOCHS epochs: such a model cannot be steered."""
    last = history[-DEAD_EPOCHS:]
    if len(last) == DEAD_EPOCHS and all(figures["active_units"] == 0 for figures in last):
        raise ControllerError(
            f"the latent has collapsed: no unit was active in the last {DEAD_EPOCHS} epochs "
            f"(KL {last[-1]['kl_nats']:.2g} nats). Lower --beta, or set --free-bits above 0 (0.05, say)"
        )


def train(options: Options) -> Path:
    """Train to the end and export the model; returns its path."""
    torch.set_num_threads(options.threads)
    trainer = start(options)
    config = trainer.config
    writer = SummaryWriter(str(options.out / "tensorboard"))
    total = config.epochs * config.rollouts_per_epoch
    with tqdm(total=total, initial=trainer.epoch * config.rollouts_per_epoch, unit="rollout", smoothing=0.05) as bar:
        while trainer.epoch < config.epochs:
            figures = trainer.run_epoch(lambda: bar.update() and None)
            for name, value in figures.items():
                writer.add_scalar(name, value, trainer.epoch)
            bar.write(
                f"epoch {trainer.epoch:>3}/{config.epochs}  teacher {figures['teacher_forcing']:.2f}  "
                f"reconstruction {figures['reconstruction']:.4f}  KL {figures['kl_nats']:6.2f} nats  "
                f"active units {figures['active_units']:.0f}/{config.model.latent}  held out: one step "
                f"{figures['one_step_mm']:.2f} mm, {config.rollout} steps {figures['rollout_mm']:.2f} mm"
            )
            if trainer.epoch % options.save_every == 0 or trainer.epoch == config.epochs:
                trainer.save()
            check_alive(trainer.history)
    writer.close()
    path = options.out / "mvae.safetensors"
    print(json.dumps(export(trainer, path), indent=1))
    return path


def main() -> None:
    print(train(tyro.cli(Options, description=__doc__)))


if __name__ == "__main__":
    run_command(main)
