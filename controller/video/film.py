"""A film: pictures and their labels in one file, of which training reads only what it needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import safe_open
from torch import Tensor

from controller.core import checkpoint
from controller.core.errors import DataError

KIND = "video-film"
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Episode:
    """A part of a film without a cut: ``length`` pictures from number ``start``."""

    name: str
    split: Split
    start: int
    length: int


@dataclass(frozen=True)
class LabelKind:
    """What labels a film has. A network trained on one kind cannot use another.

    drawing    what the label pictures show: "skeleton", "folder" (somebody's own), or "" for none
    vector     numbers in a label vector; 0 for none
    condition  numbers of action and end-effector position together; 0 for none
    """

    drawing: str
    vector: int
    condition: int

    def __str__(self) -> str:
        pictures = f"{self.drawing} pictures" if self.drawing else "no pictures"
        return f"{pictures}, {self.vector} numbers a label, {self.condition} numbers a condition"


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive pictures and their labels; B of them have B as a first dimension.

    frames      (T, 3, H, W) uint8
    labels      (T, 3, H, W) uint8
    vectors     (T, V)
    conditions  (T, C)
    """

    frames: Tensor
    labels: Tensor
    vectors: Tensor
    conditions: Tensor

    def __len__(self) -> int:
        return self.frames.shape[-4]

    @classmethod
    def stack(cls, clips: Sequence[Clip]) -> Clip:
        """Clips of the same length as a batch."""
        return cls(*(torch.stack([getattr(c, name) for c in clips]) for name in FIELDS))

    def flat(self) -> Clip:
        """The T pictures of each of B clips as B·T single ones."""
        return Clip(*(getattr(self, name).flatten(0, 1) for name in FIELDS))

    def at(self, index: int) -> Clip:
        """One picture of each of B clips."""
        return Clip(*(getattr(self, name)[:, index] for name in FIELDS))

    def part(self, start: int, stop: int) -> Clip:
        """Pictures ``start`` to ``stop``, the last one not included, of one clip or a batch."""
        frames = self.frames[..., start:stop, :, :, :]
        labels = self.labels[..., start:stop, :, :, :]
        vectors = self.vectors[..., start:stop, :]
        return Clip(frames, labels, vectors, self.conditions[..., start:stop, :])


FIELDS = ("frames", "labels", "vectors", "conditions")


class Film:
    """A film that is read from its file piece by piece.

    size      (width, height) of its pictures
    labels    their kind
    fps       pictures a second
    episodes  its parts
    header    everything that the file says about it
    """

    def __init__(self, path: Path) -> None:
        """Open a film. Raises CheckpointError if the file is not one, DataError if what is in it
        does not fit together."""
        self.path = Path(path)
        self.header = checkpoint.load_header(self.path, KIND)
        self._file = safe_open(self.path, framework="pt")
        self._slices = {name: self._file.get_slice(name) for name in FIELDS}
        try:
            self.labels = LabelKind(**self.header["labels"])
            self.fps = float(self.header["fps"])
            self.episodes = tuple(Episode(**each) for each in self.header["episodes"])
        except (KeyError, TypeError) as error:
            raise DataError(f"{self.path}: its header is not a film's ({error})") from error
        self._check()

    def _check(self) -> None:
        shapes = {name: self._slices[name].get_shape() for name in FIELDS}
        count = shapes["frames"][0]
        for name in FIELDS[1:]:
            if shapes[name][0] != count:
                raise DataError(
                    f"{self.path}: {count} frames but {shapes[name][0]} {name}; "
                    "each picture needs its own"
                )
        if not count:
            raise DataError(f"{self.path}: the film has no pictures")
        self.size = (shapes["frames"][3], shapes["frames"][2])
        if self.labels.drawing and tuple(shapes["labels"][2:]) != self.size[::-1]:
            found = "x".join(map(str, reversed(shapes["labels"][2:])))
            wanted = "x".join(map(str, self.size))
            raise DataError(f"{self.path}: labels of {found} pixels, frames of {wanted}")
        for name in ("vectors", "conditions"):
            if not bool(torch.isfinite(self._file.get_tensor(name)).all()):
                raise DataError(f"{self.path}: some of its {name} are not finite")

    def of(self, split: Split, shortest: int = 1) -> list[Episode]:
        """The episodes of a split with so many pictures or more. DataError if there are none."""
        found = [e for e in self.episodes if e.split == split and e.length >= shortest]
        if not found:
            raise DataError(f"{self.path}: no {split} episode has {shortest} pictures or more")
        return found

    def read(self, start: int, length: int) -> Clip:
        """So many pictures from number ``start``."""
        return Clip(*(self._slices[name][start : start + length] for name in FIELDS))

    def episode(self, episode: Episode, most: int | None = None) -> Clip:
        """An episode, or its first ``most`` pictures."""
        return self.read(episode.start, min(episode.length, most or episode.length))

    def frames_of(self, split: Split) -> int:
        """How many pictures a split has."""
        return sum(e.length for e in self.episodes if e.split == split)

    def fingerprint(self) -> str:
        """What tells this film from another."""
        return str(self.header["fingerprint"])


def write(
    path: Path,
    clips: Sequence[tuple[str, Split, Clip]],
    labels: LabelKind,
    fps: float,
    details: dict[str, Any],
) -> None:
    """Write episodes (name, split, pictures) as a film. ``details`` say how it was made."""
    episodes = []
    start = 0
    for name, split, clip in clips:
        episodes.append(asdict(Episode(name, split, start, len(clip))))
        start += len(clip)
    tensors = {
        name: torch.cat([getattr(clip, name) for _, _, clip in clips]).contiguous()
        for name in FIELDS
    }
    header = {
        "labels": asdict(labels),
        "fps": fps,
        "episodes": episodes,
        "fingerprint": _fingerprint(tensors),
        **details,
    }
    json.dumps(header)  # before the large file is begun
    checkpoint.save(path, KIND, header, tensors)


def _fingerprint(tensors: dict[str, Tensor]) -> str:
    import hashlib

    digest = hashlib.sha256()
    for name in FIELDS:
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()[:16]
