"""Small films for the tests: a bright square that moves over a dark ground."""

from __future__ import annotations

from pathlib import Path

import torch

from controller.video.config import NetworkConfig, VideoConfig
from controller.video.film import Clip, Film, LabelKind, Split, write

KIND = LabelKind("skeleton", 2, 7)
SIDE = 16


def clip(length: int, seed: int = 0, side: int = SIDE) -> Clip:
    """A square of 5 pixels on a path of its own, its label (a dot) and its place as vector."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(-2, 3, (length, 2), generator=generator)
    places = (steps.cumsum(0) + side // 3).clamp(0, side - 6)
    frames = torch.full((length, 3, side, side), 60, dtype=torch.uint8)
    labels = torch.zeros(length, 3, side, side, dtype=torch.uint8)
    for index, (row, column) in enumerate(places.tolist()):
        frames[index, :, row : row + 5, column : column + 5] = torch.tensor((220, 120, 40))[
            :, None, None
        ]
        labels[index, :, row + 2, column + 2] = 255
    vectors = places.float() / side
    conditions = torch.cat((vectors, steps.float(), vectors[:, :1], steps.float()), dim=1)
    return Clip(frames, labels, vectors, conditions)


def write_film(path: Path, length: int = 24, side: int = SIDE) -> Path:
    """A film of two training episodes, one for validation, and one for test."""
    splits: tuple[Split, ...] = ("train", "train", "validation", "test")
    clips = [(f"{s}-{n}", s, clip(length, n, side)) for n, s in enumerate(splits)]
    write(path, clips, KIND, 30.0, {"seed": 0})
    return path


def film(folder: Path, length: int = 24, side: int = SIDE) -> Film:
    """The same, opened."""
    return Film(write_film(folder / "film.safetensors", length, side))


def config(**changes: object) -> VideoConfig:
    """Settings of a training that takes a second."""
    from controller.training.schedules import KlWeight, TeacherForcing

    settings: dict[str, object] = {
        "network": NetworkConfig(latent=4, widths=(8, 8, 8), memory=16),
        "epochs": 2,
        "rollouts_per_epoch": 2,
        "batch": 2,
        "window": 4,
        "teacher": TeacherForcing(hold_epochs=0, ramp_epochs=1),
        "kl": KlWeight(ramp_epochs=1),
        "milestones": (1,),
    }
    return VideoConfig(**(settings | changes))  # type: ignore[arg-type]
