"""Measuring a video network on episodes that it has not seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from controller.core import files, markdown
from controller.core.errors import require
from controller.video import measuring, verdicts
from controller.video.film import Film, Split
from controller.video.network import SHIPPED, Painter
from controller.viewer import pictures

ENLARGED = 2
"""How many times as large a film of truth and prediction is shown."""
EPISODES = 3
"""Episodes side by side in it."""
SECONDS = 4.5
GAP = 2
"""Pixels between pictures."""

ROWS = (
    ("psnr_mean_db", "PSNR over the free rollout, dB", ".2f"),
    ("psnr_worst_db", "worst picture, dB", ".2f"),
    ("psnr_figure_db", "figure alone, dB", ".2f"),
    ("drift_db", "drift, dB", ".2f"),
    ("ssim_mean", "SSIM", ".3f"),
    ("psnr_forced_db", "from real pictures, dB", ".2f"),
    ("psnr_10_mean_db", "10 pictures, dB", ".2f"),
)
"""Figures of the table: name, column, format."""


@dataclass(frozen=True)
class EvaluateCommand:
    """Let a network paint whole episodes from their first picture(s) alone, and measure PSNR and
    SSIM. Beside it: the first picture repeated, and a regression, which is a network without z."""

    data: Path = Path("data/video/film.safetensors")
    """The film."""
    network: Path = SHIPPED / "pose.safetensors"
    """The network."""
    regression: Path | None = None
    """A network without z, trained with --network.latent 0; by default the shipped one of the same
    protocol."""
    split: Split = "test"
    """The episodes to measure on."""
    seed: int = 0
    """Seed of z."""
    json: bool = False
    """Print the figures as JSON instead of a table."""
    film: Path | None = None
    """A .gif or .mp4 to write: truth above, prediction below."""
    write: Path | None = None
    """The page whose block <!-- video PROTOCOL --> gets the table."""

    def run(self) -> int:
        """Measure and print. Returns the exit status."""
        torch.set_num_threads(1)
        require(self.seed >= 0, "seed", self.seed, "0 or more")
        if self.film is not None:
            pictures.check([self.film], (".gif", ".mp4"))
        film = Film(self.data)
        painter = Painter.load(self.network)
        painter.require_film(film)
        protocol = painter.network.config.protocol
        path = self.regression or SHIPPED / f"{protocol}_regression.safetensors"
        regression = Painter.load(path)
        regression.require_film(film)
        latent = regression.network.config.latent
        require(latent == 0, "regression", str(path), "a network with --network.latent 0")

        figures = measuring.measure(painter, film, self.split, self.seed)
        plain = measuring.measure(regression, film, self.split, self.seed)
        shared = {name: plain[name] for name, *_ in ROWS if name in plain}
        figures |= {f"baseline_regression_{name}": value for name, value in shared.items()}
        figures["baseline_regression_psnr_db"] = plain["psnr_mean_db"]
        found = verdicts.findings(painter.header.get("figures", {}) | figures)
        figures["verdict"] = [each.name for each in found]
        text = table(figures, plain)
        if self.json:
            print(json.dumps(figures, indent=1))
        else:
            print(text)
            for each in found:
                print(f"{each.name}: {each.reason} {each.advice}")
        if self.write is not None:
            files.fill(self.write, f"video {protocol}", text)
        if self.film is not None:
            record(painter, film, self.split, self.film, self.seed)
        return int(verdicts.unfit(found))


def table(figures: dict[str, Any], regression: dict[str, Any]) -> str:
    """The network, the regression, and what needs no network, as a Markdown table."""
    titles = [title for _, title, _ in ROWS]

    def cells(row: dict[str, Any]) -> list[str]:
        return [format(row[name], form) if name in row else markdown.NONE for name, _, form in ROWS]

    copied = {
        "psnr_mean_db": "psnr_db",
        "psnr_worst_db": "worst_db",
        "psnr_figure_db": "figure_db",
        "ssim_mean": "ssim",
    }
    copy = {name: figures[f"baseline_copy_{key}"] for name, key in copied.items()}
    step = {"psnr_forced_db": figures["copy_of_real_psnr_db"]}
    lines = [
        ["the network", *cells(figures)],
        ["regression (no z)", *cells(regression)],
        ["the first picture repeated", *cells(copy)],
        ["the real picture before repeated", *cells(step)],
    ]
    return markdown.table(["", *titles], lines)


def record(painter: Painter, film: Film, split: Split, path: Path, seed: int) -> None:
    """Write a film of some episodes: truth above, prediction below."""
    writer = pictures.WRITERS[path.suffix.lower()](path, film.fps)
    shown = []
    count = round(SECONDS * film.fps)
    for number, clip in enumerate(measuring.clips(film, split)[:EPISODES]):
        painted, real = measuring.long_rollout(painter, clip, seed + number)
        shown.append((real[:count], painted[:count]))
    for index in range(min(len(real) for real, _ in shown)):
        columns = [stacked(real[index], painted[index]) for real, painted in shown]
        writer.add(np.concatenate(columns, axis=1))
    writer.close(keep=True)


def stacked(above: torch.Tensor, below: torch.Tensor) -> np.ndarray:
    """Two pictures (3, H, W) one above the other, enlarged, with a gap below and to the right."""
    rows = []
    for each in (above, below):
        pixels = (each * 255).round().byte().permute(1, 2, 0).numpy()
        size = pixels.shape[1] * ENLARGED, pixels.shape[0] * ENLARGED
        large = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST))
        rows.append(np.pad(large, ((0, GAP), (0, GAP), (0, 0)), constant_values=255))
    return np.concatenate(rows)
