"""A film from a folder of somebody's own pictures and labels.

::

    FOLDER/train/EPISODE/frames/00000.png …      pictures, in the order of their names
    FOLDER/train/EPISODE/labels/00000.png …      a label picture for each (or none at all)
    FOLDER/train/EPISODE/vectors.csv             optional: a row of numbers for each
    FOLDER/train/EPISODE/conditions.csv          optional: action and end-effector position
    FOLDER/validation/…   FOLDER/test/…          the same
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from controller.core.errors import ConfigError, DataError
from controller.video.film import SPLITS, Clip, LabelKind, Split, write
from controller.video.view import parse_size

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
FPS = 30.0
"""Pictures a second, for films that are painted; folders do not say."""


def write_film(folder: Path, path: Path) -> None:
    """Read a folder and write it as a film. Raises DataError, with the file and what is wrong."""
    clips: list[tuple[str, Split, Clip]] = []
    for split in SPLITS:
        episodes = sorted(each for each in (folder / split).glob("*") if each.is_dir())
        if not episodes:
            raise DataError(f"{folder / split}: no episodes; each is a folder with frames/")
        clips += [(f"{split}/{each.name}", split, read_episode(each)) for each in episodes]
    first = clips[0][2]
    for name, _, clip in clips:
        for kind in ("frames", "labels", "vectors", "conditions"):
            found, wanted = getattr(clip, kind).shape[1:], getattr(first, kind).shape[1:]
            if found != wanted:
                raise DataError(
                    f"{folder / name}: {kind} of {_shape(found)}, but those of {clips[0][0]} are "
                    f"of {_shape(wanted)}"
                )
    drawing = "folder" if first.labels.shape[-1] else ""
    labels = LabelKind(drawing, first.vectors.shape[1], first.conditions.shape[1])
    write(path, clips, labels, FPS, {"source": folder.resolve().name})


def read_episode(folder: Path) -> Clip:
    """The pictures and labels of an episode's folder. DataError if they do not fit together."""
    frames = read_pictures(folder / "frames")
    if frames is None:
        raise DataError(f"{folder / 'frames'}: no pictures ({', '.join(PICTURES)})")
    height, width = frames.shape[2:]
    try:
        parse_size(f"{width}x{height}")
    except ConfigError as error:
        raise DataError(f"{folder / 'frames'}: {error}") from error
    labels = read_pictures(folder / "labels")
    if labels is None:
        labels = torch.zeros(len(frames), 3, 0, 0, dtype=torch.uint8)
    elif labels.shape[2:] != frames.shape[2:]:
        raise DataError(
            f"{folder}: labels of {labels.shape[3]}x{labels.shape[2]} pixels, frames of "
            f"{width}x{height}"
        )
    clip = Clip(
        frames,
        labels,
        read_rows(folder / "vectors.csv", len(frames)),
        read_rows(folder / "conditions.csv", len(frames)),
    )
    if len(labels) != len(frames):
        raise DataError(f"{folder}: {len(frames)} frames but {len(labels)} labels")
    return clip


def read_pictures(folder: Path) -> Tensor | None:
    """All pictures (N, 3, H, W) uint8 of a folder in the order of their names; None without any.
    DataError if one cannot be read or has another size."""
    paths = sorted(each for each in folder.glob("*") if each.suffix.lower() in PICTURES)
    pictures = []
    for path in paths:
        try:
            with Image.open(path) as opened:
                pictures.append(torch.from_numpy(np.array(opened.convert("RGB"))))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"{path}: not a readable picture ({error})") from error
        if pictures[-1].shape != pictures[0].shape:
            found = "x".join(map(str, reversed(pictures[-1].shape[:2])))
            wanted = "x".join(map(str, reversed(pictures[0].shape[:2])))
            raise DataError(f"{path}: {found} pixels, but the first picture has {wanted}")
    return torch.stack(pictures).permute(0, 3, 1, 2) if pictures else None


def read_rows(path: Path, count: int) -> Tensor:
    """Numbers (N, columns) of a file of comma-separated rows; no columns without the file.
    DataError unless there are ``count`` rows of as many finite numbers."""
    if not path.is_file():
        return torch.zeros(count, 0)
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{path}: not rows of numbers ({error})") from error
    if len(rows) != count:
        raise DataError(f"{path}: {count} frames but {len(rows)} rows")
    if not np.isfinite(rows).all():
        row = int(np.argwhere(~np.isfinite(rows))[0, 0])
        raise DataError(f"{path}: row {row + 1} is not finite")
    return torch.from_numpy(rows)


def _shape(sizes: torch.Size) -> str:
    return "x".join(map(str, reversed(sizes))) or "0"
