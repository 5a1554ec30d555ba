"""Training a video network, with exact resume."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
import tyro

from controller.core import files
from controller.core.errors import ControllerError, require
from controller.training.progress import Progress
from controller.training.run_folder import RunFolder
from controller.training.trainer import Precision
from controller.video import verdicts
from controller.video.config import VideoConfig
from controller.video.film import Film
from controller.video.measuring import measure
from controller.video.network import Painter
from controller.video.trainer import VideoTrainer


class VideoRunFolder(RunFolder):
    """The folder of a video network's training."""

    kind: ClassVar[str] = "video-training"
    model: ClassVar[str] = "video.safetensors"


class VideoProgress(Progress):
    """The display of a video network's training."""

    def _line(self, figures: dict[str, float]) -> str:
        return (
            f"epoch {self.trainer.epoch:>3}/{self.trainer.config.epochs}  "
            f"teacher {figures['teacher_forcing']:.2f}  "
            f"reconstruction {figures['reconstruction']:.4f}  KL {figures['kl_nats']:6.2f} nats  "
            f"active units {figures['active_units']:.0f}/{figures['latent_units']:.0f}  "
            f"validation {figures['validation_psnr_db']:.2f} dB  "
            f"{figures['rollouts_per_s']:.2f} batches/s"
        )


@dataclass(frozen=True)
class TrainCommand:
    """Train a network that paints the next picture. Writes OUT/video.safetensors (the network),
    OUT/training.safetensors (to resume from), OUT/history.json and OUT/tensorboard."""

    data: Path
    """The film that `video film` wrote."""
    out: Path
    """Folder for checkpoints, logs and the trained network."""
    start: Path | None = None
    """A trained network to start from, in place of random weights. A regression may become a VAE
    this way: what belongs to z begins anew."""
    resume: bool = False
    """Go on from the training state in ``out``."""
    threads: int = 1
    """Threads of torch."""
    precision: Precision = "float32"
    """bf16: convolutions are computed in bfloat16, which is half as fast again on a CPU that knows
    it."""
    save_every: int = 2
    """Epochs between checkpoints."""
    config: Annotated[VideoConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=VideoConfig
    )

    def run(self) -> int:
        """Train, and print the path of the network. Returns the exit status."""
        path = train(self)
        print(path)
        return int(verdicts.unfit(verdicts.findings(Painter.load(path).header["figures"])))


def start(options: TrainCommand) -> VideoTrainer:
    """The trainer, new or resumed. ControllerError if it would overwrite a run."""
    require(options.threads >= 1, "threads", options.threads, "1 or more")
    require(options.save_every >= 1, "save_every", options.save_every, "1 or more epochs")
    film = Film(options.data)
    trainer = VideoTrainer(film, options.config, options.precision)
    folder = VideoRunFolder(files.make_folder(options.out))
    if options.resume:
        folder.resume(trainer)
        return trainer
    if folder.state_path.exists():
        raise ControllerError(
            f"{folder.state_path} is there already: go on with --resume, or choose another --out"
        )
    if options.start is not None:
        trainer.start_from(Painter.load(options.start))
    folder.save(trainer)
    return trainer


def train(options: TrainCommand) -> Path:
    """Train to the end and write the network; returns its path. Raises ControllerError if the
    options cannot be met, or when a loss is not finite."""
    torch.set_num_threads(options.threads)
    trainer = start(options)
    folder = VideoRunFolder(options.out)
    with closing(VideoProgress(trainer, folder.curves_path)) as progress:
        while trainer.epoch < trainer.config.epochs:
            trainer.run_epoch(progress.tick)
            progress.epoch()
            last = trainer.epoch == trainer.config.epochs
            if last or trainer.epoch % options.save_every == 0:
                folder.save(trainer)
        figures = publish(trainer, folder.model_path)
        progress.diagnosis(verdicts.findings(figures))
    return folder.model_path


def publish(trainer: VideoTrainer, path: Path) -> dict[str, Any]:
    """Write the trained network with its figures on the validation film; returns them."""
    film = trainer.film
    header: dict[str, Any] = {
        "film": {"fingerprint": film.fingerprint(), "frames": film.frames_of("train")},
        "view": film.header.get("view"),
        "fps": film.fps,
        "licence": film.header.get("licence", ""),
        "attribution": film.header.get("attribution", ""),
        "character": film.header.get("character", ""),
        "training": json.loads(json.dumps(trainer.config.flat())),
    }
    trainer.painter(header).save(path)
    painter = Painter.load(path)  # as it will be used: in half precision
    figures: dict[str, Any] = {
        name: trainer.history[-1][name] for name in ("kl_nats", "active_units", "latent_units")
    }
    figures |= measure(painter, film, "validation")
    trainer.painter(header | {"figures": figures}).save(path)
    return figures
