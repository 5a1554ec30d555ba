"""Train the extractor: ``python -m controller train-extractor --data FILE.npz --out
FILE.safetensors``.

It is the encoder of an autoencoder of captured windows and their mirror images; a few minutes on
one core. What is shipped (``assets/extractor.safetensors``) is to stay as it is: another one gives
other figures.
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

from controller.core import files
from controller.core.errors import require
from controller.data.dataset import ClipEntry, MotionDataset
from controller.data.windows import Windows
from controller.evaluation import frechet
from controller.evaluation.extractor import LEVELS, Extractor, ExtractorConfig
from controller.evaluation.frechet import Gaussian
from controller.model.normalizer import Normalizer

SMALLEST_STD = 1e-3
"""Deviation below which a value (in metres, m/s, rad/s or cm) is taken for constant."""
VALIDATION = 1024
"""Held-out windows on which the autoencoder is measured."""


@dataclass(frozen=True)
class TrainConfig:
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
        require(
            0 < self.learning_rate < 1, "learning_rate", self.learning_rate, "above 0 and below 1"
        )


@dataclass(frozen=True)
class Options:
    """Command-line options beside the settings of the training itself."""

    data: Path
    """The data set that `python -m controller data build` wrote."""
    out: Path
    """The .safetensors to write."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        require(
            self.out.suffix == ".safetensors",
            "out",
            str(self.out),
            "a name that ends in .safetensors",
        )


# -- the autoencoder -------------------------------------------------------------------------------


def decoder(values: int, config: ExtractorConfig) -> nn.Sequential:
    """``(N, embedding)`` → z-scores ``(N, values, window)``: the encoder's mirror image. It is not
    kept."""
    short = config.window // 2**LEVELS
    layers: list[nn.Module] = [
        nn.Linear(config.embedding, config.channels * short),
        nn.Unflatten(1, (config.channels, short)),
    ]  # fmt: skip
    for level in reversed(range(LEVELS)):
        width = config.channels if level else values
        layers += [nn.ELU(), nn.ConvTranspose1d(config.channels, width, 4, stride=2, padding=1)]
    return nn.Sequential(*layers)


def error(extractor: Extractor, decode: nn.Module, windows: Tensor) -> Tensor:
    """Mean squared error of z-scored windows ``(N, window, D)`` given back from their codes: the
    share of the variance that is lost.

    Its :attr:`Extractor.channels` count alike, though root velocity has 3 values, the feet 4 and
    the others 3 a joint: where a motion goes, how it turns and whether it slides matters as much as
    how the limbs move.
    """
    truly = extractor.scores(windows)
    off = (decode(extractor.encoder(truly)) - truly).square()
    return torch.stack([off[:, part].mean() for part in extractor.channels.values()]).mean()


def statistics(extractor: Extractor, poses: Tensor, clips: list[ClipEntry]) -> Normalizer:
    """Those of what the extractor sees of whole clips in a table of poses ``(N, D)``."""
    seen = torch.cat(
        [extractor.inputs(poses[None, clip.rows])[0] for clip in clips if clip.length > 1]
    )
    low, high = seen.aminmax(dim=0)
    return Normalizer(seen.mean(dim=0), seen.std(dim=0).clamp(min=SMALLEST_STD), low, high)


@torch.no_grad()
def whiten(extractor: Extractor, poses: Tensor, clips: list[ClipEntry]) -> None:
    """Set the extractor's centre and whitening (symmetric: C^−½) by these captured clips."""
    fitted = Gaussian.fit(extractor.embed(poses, clips, frechet.WINDOWS))
    values, vectors = torch.linalg.eigh(fitted.covariance)
    extractor.centre.copy_(fitted.mean)
    # A direction in which the codes hardly differ is left narrow, and not made of rounding errors.
    extractor.whitening.copy_(
        (vectors * values.clamp(min=1e-6 * float(values[-1])).rsqrt()) @ vectors.T
    )


# -- the run ---------------------------------------------------------------------------------------


def train(
    data: MotionDataset,
    config: TrainConfig,
    progress: Callable[[range], Iterable[int]] = lambda steps: steps,
) -> tuple[Extractor, nn.Module]:
    """The extractor, frozen, and the decoder that it was trained with. The same seed gives the same
    on one thread.

    ``progress`` is handed the steps and gives them back one by one, as ``tqdm`` does.
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
        error(extractor, decode, windows.draw(config.batch, generator)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
    whiten(extractor, poses, clips)
    return extractor.eval().requires_grad_(False), decode.eval().requires_grad_(False)


@torch.no_grad()
def held_out_error(extractor: Extractor, decode: nn.Module, data: MotionDataset) -> float:
    """:func:`error` on windows drawn from the held-out clips."""
    windows = Windows(*data.split(held_out=True), extractor.config.window)
    return float(
        error(extractor, decode, windows.draw(VALIDATION, torch.Generator().manual_seed(0)))
    )


def run(options: Options) -> dict[str, float]:
    """Train, measure and write; returns the figures."""
    torch.set_num_threads(1)  # more would be no faster, and would not give the same bits
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
    options = tyro.cli(Options, description=__doc__)
    print(json.dumps(run(options), indent=1))
    print(options.out)
