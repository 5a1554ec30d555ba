"""A motion data set that does not fit memory: a folder with a table of poses that is memory-mapped.

``index.json``  what the ``.npz`` of a small data set has in its header, statistics, fingerprint
``poses.npy``   ``(2N, D)`` float32: the held-out clips mirrored, the held-out clips, the training
                clips, the training clips mirrored

In that order, the poses of all clips, those of either side, and either side with its mirror images
are each one stretch of the table. So nothing is ever copied, and only what is used is read.
:mod:`controller.data.shard_build` writes such folders; :meth:`MotionDataset.load` reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from controller.core import files
from controller.core.errors import DataError, first_line
from controller.data import dataset
from controller.data.dataset import ClipEntry, MotionDataset
from controller.model.normalizer import Normalizer
from controller.motion.pose import FPS, PoseLayout
from controller.motion.skeleton import Skeleton

FORMAT = "motion-shards/1"
INDEX = "index.json"
TABLE = "poses.npy"
STATISTICS = ("mean", "std", "low", "high")


@dataclass(frozen=True, eq=False)
class MappedDataset(MotionDataset):
    """A :class:`MotionDataset` whose poses stay on the disk.

    table       (2N, D), as in the file; ``poses`` is its middle part
    statistics  mean, std, low and high (D,) of the training clips and their mirror images
    digest      the fingerprint
    """

    table: Tensor = field(default_factory=lambda: torch.empty(0))
    statistics: tuple[Tensor, ...] = ()
    digest: str = ""

    def split(self, held_out: bool, mirror: bool = True) -> tuple[Tensor, list[ClipEntry]]:
        """As :meth:`MotionDataset.split`, but the mirrored copies of held-out clips come first in
        the poses. They come last in the list."""
        chosen = self.select(held_out)
        if not chosen:
            side = "held-out" if held_out else "training"
            raise DataError(f"the data set {self.source} has no {side} clips")
        first = chosen[0].start
        count = sum(clip.length for clip in chosen)
        held = len(self.table) // 2 - count if not held_out else count
        originals = slice(held, 2 * held) if held_out else slice(2 * held, 2 * held + count)
        both = slice(0, 2 * held) if held_out else slice(2 * held, len(self.table))

        whole = both if mirror else originals
        shift = originals.start - whole.start - first
        entries = [
            ClipEntry(clip.name, clip.start + shift, clip.length, held_out) for clip in chosen
        ]
        if mirror:
            apart = -count if held_out else count
            entries += [
                ClipEntry(f"{clip.name} mirrored", clip.start + apart, clip.length, held_out)
                for clip in entries
            ]
        return self.table[whole], entries

    def normalizer(self) -> Normalizer:
        """The statistics, as they were measured when the data set was built."""
        return Normalizer(*self.statistics)

    def fingerprint(self) -> str:
        """That of :class:`MotionDataset`, as it was computed when the data set was built."""
        return self.digest

    def is_finite(self) -> bool:
        """Whether all training poses are finite, by their statistics."""
        return all(bool(torch.isfinite(value).all()) for value in self.statistics)

    def assigned(self, hold_out: Sequence[str], train_on: Sequence[str]) -> MotionDataset:
        """Raises DataError if a clip is named: the order of the table is that of the two sides."""
        if hold_out or train_on:
            raise DataError(
                f"the data set {self.source} is a folder, whose held-out clips cannot change; "
                "build it again"
            )
        return self


# -- reading ---------------------------------------------------------------------------------------


def load(path: Path) -> MappedDataset:
    """Open a folder that :func:`write` wrote. Raises DataError if it is not one."""
    index = path / INDEX
    if not index.is_file():
        raise DataError(
            f"{path}: a folder without {INDEX}; if building it was interrupted, the same `python "
            "-m controller data build` goes on"
        )
    try:
        header = json.loads(index.read_text(encoding="utf-8"))
        if header["format"] != FORMAT:
            _refuse(index, f"format {header['format']!r} found; {FORMAT!r} expected")
        layout = PoseLayout(Skeleton.from_dict(header["skeleton"]))
        clips = tuple(ClipEntry(*entry) for entry in header["clips"])
        rows = _check_clips(index, clips)
        statistics = tuple(torch.tensor(header["statistics"][name]) for name in STATISTICS)
        for name, value in zip(STATISTICS, statistics, strict=True):
            if value.shape != (layout.size,) or not bool(torch.isfinite(value).all()):
                _refuse(index, f"{name} is not {layout.size} finite numbers")
        digest = header["fingerprint"]
        if not isinstance(digest, str) or len(digest) != 64:
            _refuse(index, "its fingerprint is not 64 digits")
        table = np.load(path / TABLE, mmap_mode="c", allow_pickle=False)
        if table.dtype != np.float32 or table.shape != (2 * rows, layout.size):
            _refuse(
                path / TABLE,
                f"{table.dtype} of shape {table.shape} found; float32 of shape "
                f"{(2 * rows, layout.size)} expected",
            )
        return MappedDataset(
            layout,
            torch.from_numpy(table)[_held(clips) : _held(clips) + rows],
            clips,
            str(header["source"]),
            tuple(header["notes"]),
            dict(header["round_trip"]),
            dict(header["retargeting"]),
            torch.from_numpy(table),
            statistics,
            digest,
        )
    except DataError:
        raise
    except Exception as error:
        _refuse(path, f"not a motion data set ({type(error).__name__}: {first_line(error)})")


def _refuse(path: Path, problem: str) -> NoReturn:
    raise DataError(f"{path}: {problem}; build it again")


def _held(clips: Iterable[ClipEntry]) -> int:
    """Rows of the held-out clips."""
    return sum(clip.length for clip in clips if clip.held_out)


def _check_clips(index: Path, clips: Sequence[ClipEntry]) -> int:
    """The rows of all clips. Raises DataError unless each begins where the one before it ends, the
    held-out ones first."""
    start = 0
    trained = False
    for clip in clips:
        plain = isinstance(clip.name, str) and type(clip.held_out) is bool
        numbers = type(clip.start) is int and type(clip.length) is int and clip.length > 0
        if not (plain and numbers and clip.start == start) or (trained and clip.held_out):
            _refuse(index, f"its clip {str(clip.name)[:60]!r} is not where the one before it ends")
        start += clip.length
        trained = trained or not clip.held_out
    if not trained or not clips[0].held_out:
        _refuse(index, "it has no held-out or no training clips")
    return start


dataset.FOLDERS.append(load)

# -- writing ---------------------------------------------------------------------------------------


class Sums:
    """Mean, standard deviation and range of rows that come piece by piece."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.shift = torch.zeros(size, dtype=torch.float64)
        self.sums = torch.zeros(2, size, dtype=torch.float64)
        self.low = torch.full((size,), torch.inf)
        self.high = torch.full((size,), -torch.inf)

    def add(self, rows: Tensor) -> None:
        """Add rows (N, D)."""
        values = rows.double()
        if not self.count:
            self.shift = values.mean(dim=0)  # keeps the sums small, and so exact
        values = values - self.shift
        self.sums += torch.stack((values.sum(dim=0), values.square().sum(dim=0)))
        self.count += len(rows)
        self.low = torch.minimum(self.low, rows.amin(dim=0))
        self.high = torch.maximum(self.high, rows.amax(dim=0))

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (D,), float64."""
        mean, square = self.sums / self.count
        variance = (square - mean.square()).clamp(min=0) * self.count / max(self.count - 1, 1)
        return mean + self.shift, variance.sqrt()


def write(folder: Path, about: MotionDataset, clips: Iterable[tuple[ClipEntry, Tensor]]) -> str:
    """Write a data set and return its fingerprint.

    ``about`` has everything but the poses. Its clips are already in order: those held out first,
    and both sides have some. ``clips`` are the same ones with their poses (T, D). Only one clip is
    in memory at a time. Raises DataError if a pose is not finite.
    """
    rows = sum(clip.length for clip in about.clips)
    held = _held(about.clips)
    size = about.layout.size
    digest = hashlib.sha256()
    sums = Sums(size)
    (folder / INDEX).unlink(missing_ok=True)
    with files.atomic(folder / TABLE) as temporary:
        table = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.float32, shape=(2 * rows, size)
        )
        for clip, poses in clips:
            if not bool(torch.isfinite(poses).all()):
                raise DataError(f"{clip.name}: some of its poses are not finite")
            mirrored = about.layout.mirror(poses)
            start = held + clip.start
            other = clip.start if clip.held_out else start + rows - held
            table[start : start + clip.length] = poses.numpy()
            table[other : other + clip.length] = mirrored.numpy()
            digest.update(poses.numpy().tobytes())
            if not clip.held_out:
                sums.add(poses)
                sums.add(mirrored)
        table.flush()
        del table
    digest.update(about.description())
    statistics = dataset.floored(about.layout, *sums.moments())
    header = {
        "format": FORMAT,
        "source": about.source,
        "fps": FPS,
        "skeleton": about.layout.skeleton.to_dict(),
        "clips": about.clip_rows(),
        "notes": list(about.notes),
        "round_trip": about.round_trip,
        "retargeting": about.retargeting,
        "statistics": _plain((*statistics, sums.low, sums.high)),
        "fingerprint": digest.hexdigest(),
    }
    files.write(folder / INDEX, json.dumps(header))
    return digest.hexdigest()


def _plain(statistics: Sequence[Tensor]) -> dict[str, Any]:
    return {name: value.tolist() for name, value in zip(STATISTICS, statistics, strict=True)}
