"""Train the extractor: ``python -m controller train-extractor --data FILE.npz --out
FILE.safetensors``.

It is the encoder of an autoencoder of captured windows and their mirror images; training takes a
few minutes on one core. The shipped one (``assets/characters/woody/extractor.safetensors``) should
stay as it is: with another, the figures differ.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor, nn
from tqdm import tqdm

from controller.core import command_line, files
from controller.core.errors import require
from controller.data.dataset import ClipEntry, MotionDataset
from controller.data.windows import Windows
from controller.evaluation import frechet
from controller.evaluation.extractor import LEVELS, Extractor, ExtractorConfig
from controller.evaluation.frechet import Gaussian
from controller.model.normalizer import Normalizer

SMALLEST_STD = 1e-3
"""Smallest deviation of a value (in metres, m/s, rad/s or cm); a value that varies less counts as
constant."""
VALIDATION = 1024
"""Held-out windows on which the autoencoder is measured."""


@dataclass(frozen=True)
class ExtractorTrainConfig:
    """Settings of the training."""

    extractor: Annotated[ExtractorConfig, tyro.conf.arg(name="")] = field(
        default_factory=ExtractorConfig
    )
    """Sizes."""
    steps: int = 1500
    """Steps of Adam."""
    batch: int = 128
    """Windows of a step."""
    learning_rate: float = 2e-3
    """Adam's rate at the start; it falls linearly to a hundredth."""
    seed: int = 1
    """Seed of initialisation and windows."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        rate = self.learning_rate
        require(0 < rate < 1, "learning_rate", rate, "above 0 and below 1")


@dataclass(frozen=True)
class Options:
    """Command-line options beside the settings of the training itself."""

    data: Path
    """The data set that `python -m controller data build` wrote."""
    out: Path
    """The .safetensors to write."""
    overwrite: bool = False
    """Replace the .safetensors if it is there already."""
    config: Annotated[ExtractorTrainConfig, tyro.conf.arg(name="")] = field(
        default_factory=ExtractorTrainConfig
    )

    def __post_init__(self) -> None:
        named = self.out.suffix == ".safetensors"
        require(named, "out", str(self.out), "a name that ends in .safetensors")


# -- the autoencoder -------------------------------------------------------------------------------


def decoder(values: int, config: ExtractorConfig) -> nn.Sequential:
    """``(N, embedding)`` → z-scores ``(N, values, window)``: the encoder in reverse. It is not
    saved."""
    short = config.window // 2**LEVELS
    layers: list[nn.Module] = [
        nn.Linear(config.embedding, config.channels * short),
        nn.Unflatten(1, (config.channels, short)),
    ]
    for level in reversed(range(LEVELS)):
        width = config.channels if level else values
        layers += [nn.ELU(), nn.ConvTranspose1d(config.channels, width, 4, stride=2, padding=1)]
    return nn.Sequential(*layers)


def reconstruction_error(extractor: Extractor, decode: nn.Module, windows: Tensor) -> Tensor:
    """Mean squared error of z-scored windows ``(N, window, D)`` reconstructed from their codes: the
    share of the variance that is lost.

    The :attr:`Extractor.channels` count equally, though root velocity has 3 values, the feet 4 and
    the others 3 a joint: where a motion goes, how it turns and whether it slides matter as much as
    how the limbs move.
    """
    scores = extractor.scores(windows)
    squared = (decode(extractor.encoder(scores)) - scores).square()
    return torch.stack([squared[:, part].mean() for part in extractor.channels.values()]).mean()


def statistics(extractor: Extractor, poses: Tensor, clips: list[ClipEntry]) -> Normalizer:
    """Statistics of the extractor's inputs over whole clips in a table of poses ``(N, D)``."""
    rows = [extractor.inputs(poses[None, clip.rows])[0] for clip in clips if clip.length > 1]
    values = torch.cat(rows)
    low, high = values.aminmax(dim=0)
    return Normalizer(values.mean(dim=0), values.std(dim=0).clamp(min=SMALLEST_STD), low, high)


@torch.no_grad()
def whiten(extractor: Extractor, poses: Tensor, clips: list[ClipEntry]) -> None:
    """Set the extractor's centre and whitening (symmetric: C^−½) by these captured clips."""
    gaussian = Gaussian.fit(extractor.embed(poses, clips, frechet.WINDOWS))
    values, vectors = torch.linalg.eigh(gaussian.covariance)
    extractor.centre.copy_(gaussian.mean)
    # A direction in which codes hardly differ stays narrow; it would be mostly rounding errors.
    scales = values.clamp(min=1e-6 * float(values[-1])).rsqrt()
    extractor.whitening.copy_((vectors * scales) @ vectors.T)


# -- the run ---------------------------------------------------------------------------------------


def train(
    data: MotionDataset,
    config: ExtractorTrainConfig,
    progress: Callable[[range], Iterable[int]] = lambda steps: steps,
) -> tuple[Extractor, nn.Module]:
    """The extractor, frozen, and the decoder that it was trained with. On one thread, the same seed
    gives the same weights.

    ``progress`` iterates over the steps, as ``tqdm`` does.
    """
    poses, clips = data.split(held_out=False)
    sizes = config.extractor
    windows = Windows(poses, clips, sizes.window)
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        extractor = Extractor(data.layout, sizes)
        decode = decoder(extractor.values, sizes)
    extractor.normalizer = statistics(extractor, poses, clips)
    weights = [*extractor.encoder.parameters(), *decode.parameters()]
    optimizer = torch.optim.Adam(weights, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, config.steps)
    for _ in progress(range(config.steps)):
        batch = windows.draw(config.batch, generator)
        reconstruction_error(extractor, decode, batch).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
    whiten(extractor, poses, clips)
    return extractor.eval().requires_grad_(False), decode.eval().requires_grad_(False)


@torch.no_grad()
def held_out_error(extractor: Extractor, decode: nn.Module, data: MotionDataset) -> float:
    """:func:`reconstruction_error` on windows drawn from the held-out clips."""
    windows = Windows(*data.split(held_out=True), extractor.config.window)
    batch = windows.draw(VALIDATION, torch.Generator().manual_seed(0))
    return float(reconstruction_error(extractor, decode, batch))


def run(options: Options) -> dict[str, float]:
    """Train, measure and write; returns the figures."""
    files.keep_finished(options.out, options.overwrite)
    files.check_folder(options.out.parent)
    torch.set_num_threads(1)  # more are not faster, and do not give the same bits
    data = MotionDataset.load(options.data)
    config = options.config
    extractor, decode = train(data, config, tqdm)
    figures = {
        "held_out_error": held_out_error(extractor, decode, data),
        "captured_frechet_distance": frechet.floor(extractor, data),
        "halves_frechet_distance": frechet.halves(extractor, data),
    }
    files.make_folder(options.out.parent)
    extractor.save(
        options.out,
        data={"source": data.source, "fingerprint": data.fingerprint()},
        training=dataclasses.asdict(config),
        figures=figures,
    )
    return figures


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    print(json.dumps(run(options), indent=1))
    print(options.out)
