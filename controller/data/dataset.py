"""The motion data set: the poses of many clips in one table, split by clip, with statistics of the
training part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.core import files
from controller.core.errors import ControllerError, DataError
from controller.data.cleaning import (
    LEVEL_FLOOR_M,
    floor_spread,
    levelled,
    retargeted,
    segments,
    symmetric_skeleton,
)
from controller.data.roundtrip import RoundTrip, summary
from controller.data.stored import FORMAT, read
from controller.data.tempo import original
from controller.model.mixture import check_styles
from controller.model.normalizer import Normalizer
from controller.motion.pose import FPS, PoseLayout, encode
from controller.motion.skeleton import Clip, Skeleton

HELD_OUT_ONE_IN = 10
HELD_OUT_END = 90
"""Frames of a single clip's end, at least, that are held out, or a third of it if it is shorter."""
MIN_STD = {"root_velocity": 0.05, "positions": 0.005, "velocities": 0.05, "orientations": 0.02}
"""The smallest standard deviations, in each part's own units: a coordinate that hardly ever moves
(the hips' own x and z are 0 by construction) must not get a z-score of hundreds when it moves by a
millimetre."""


@dataclass(frozen=True)
class ClipEntry:
    """Where one clip's poses are in the table: ``length`` rows from row ``start``."""

    name: str
    start: int
    length: int
    held_out: bool

    @property
    def rows(self) -> slice:
        """The clip's rows of the table."""
        return slice(self.start, self.start + self.length)


@dataclass(frozen=True, eq=False)
class MotionDataset:
    """Poses ``(N, D)``, laid out by :class:`PoseLayout` and not mirrored, and the clips that they
    come from.

    source  name of the folder that they were built from
    notes   a sentence for each clip that was left out or cut

    If the layout names styles, each clip's poses end with the weights of its own style: 1, and 0
    for the others.
    """

    layout: PoseLayout
    poses: Tensor
    clips: tuple[ClipEntry, ...]
    source: str
    notes: tuple[str, ...] = ()
    round_trip: dict[str, Any] = field(default_factory=dict)
    """How far the joints of the clips are from those in their files, as :func:`roundtrip.summary`
    has it; empty in data sets that were not compared."""
    retargeting: dict[str, Any] = field(default_factory=dict)
    """How clips of other bodies came over, as :func:`transfer.summary` has it; empty if there are
    none."""

    def select(self, held_out: bool) -> list[ClipEntry]:
        """The held-out clips, or the training clips."""
        return [clip for clip in self.clips if clip.held_out == held_out]

    def split(self, held_out: bool, mirror: bool = True) -> tuple[Tensor, list[ClipEntry]]:
        """The poses of the held-out or the training clips, one clip after another, and where each
        clip is in them. Mirrored copies of all follow. Raises DataError if there are none."""
        chosen = self.select(held_out)
        if not chosen:
            raise DataError(
                f"the data set {self.source} has no {'held-out' if held_out else 'training'} clips"
            )
        poses = torch.cat([self.poses[clip.rows] for clip in chosen])
        entries = []
        start = 0
        for clip in chosen:
            entries.append(ClipEntry(clip.name, start, clip.length, held_out))
            start += clip.length
        if mirror:
            poses = torch.cat((poses, self.layout.mirror(poses)))
            entries += [
                ClipEntry(f"{clip.name} mirrored", clip.start + start, clip.length, held_out)
                for clip in entries
            ]
        return poses, entries

    def normalizer(self) -> Normalizer:
        """Statistics of the training clips and their mirror images, without the held-out clips."""
        poses, _ = self.split(held_out=False)
        double = poses.double()
        mean, std = floored(self.layout, double.mean(dim=0), double.std(dim=0))
        return Normalizer(mean, std, poses.amin(dim=0), poses.amax(dim=0))

    def is_finite(self) -> bool:
        """Whether all poses are finite."""
        return bool(torch.isfinite(self.poses).all())

    def assigned(self, hold_out: Sequence[str], train_on: Sequence[str]) -> MotionDataset:
        """The same data with the clips that are named held out or trained on, whatever their names'
        hashes say. Both are parts of names.

        Raises DataError for a part that no clip has, and for a clip that is named on both sides.
        """
        for part in (*hold_out, *train_on):
            if not any(part in clip.name for clip in self.clips):
                raise DataError(f"the data set {self.source} has no clip named like {part!r}")
        clips = []
        for clip in self.clips:
            held = any(part in clip.name for part in hold_out)
            trained = any(part in clip.name for part in train_on)
            if held and trained:
                raise DataError(f"the clip {clip.name} cannot be both held out and trained on")
            clips.append(replace(clip, held_out=held or (clip.held_out and not trained)))
        return replace(self, clips=tuple(clips))

    def trainable(self) -> MotionDataset:
        """The same data with clips on both sides. Where the clips' names put all of them on one,
        the end of the longest clip is held out, and everything else is for training."""
        if self.select(held_out=False) and self.select(held_out=True):
            return self
        longest = max(self.clips, key=lambda clip: clip.length)
        cut = longest.length - max(longest.length // 10, min(HELD_OUT_END, longest.length // 3))
        name = f"{longest.name}[{cut}:]"
        clips = []
        for clip in self.clips:
            if clip is longest:
                clips.append(ClipEntry(clip.name, clip.start, cut, False))
                clips.append(ClipEntry(name, clip.start + cut, clip.length - cut, True))
            else:
                clips.append(replace(clip, held_out=False))
        note = f"too few clips to hold out whole ones: only {name} is held out"
        return replace(self, clips=tuple(clips), notes=(*self.notes, note))

    def fingerprint(self) -> str:
        """SHA-256 of poses, clips and skeleton: two data sets with the same fingerprint train the
        same model."""
        digest = hashlib.sha256(self.poses.numpy().tobytes())
        digest.update(self.description())
        return digest.hexdigest()

    def description(self) -> bytes:
        """What the fingerprint is of, beside the poses."""
        text = json.dumps([self.clip_rows(), self.layout.skeleton.to_dict()])
        return (text + (json.dumps(self.layout.styles) if self.layout.styles else "")).encode()

    def labels(self) -> list[int]:
        """The number of each clip's style, from 0; empty without styles."""
        if not self.layout.styles:
            return []
        return [int(self.poses[clip.start, self.layout.style].argmax()) for clip in self.clips]

    def labelled(self, names: Sequence[str]) -> MotionDataset:
        """The same data with the name of a style for each clip. Raises ConfigError unless there
        are two or more different ones."""
        styles = check_styles(sorted(set(names)))
        layout = PoseLayout(self.layout.skeleton, styles)
        numbers = [styles.index(name) for name in names]
        poses = with_labels(self.poses[:, layout.body], self.clips, numbers, len(styles))
        return replace(self, layout=layout, poses=poses)

    def clip_rows(self) -> list[list[str | int | bool]]:
        """The clips as plain lists, for JSON."""
        return [[clip.name, clip.start, clip.length, clip.held_out] for clip in self.clips]

    def require_skeleton(self, skeleton: Skeleton, whose: str) -> None:
        """Raise DataError unless the data are of this skeleton; ``whose`` names its owner."""
        if self.layout.skeleton.to_dict() != skeleton.to_dict():
            raise DataError(f"the data {self.source} are of another skeleton than {whose}")

    def require_layout(self, layout: PoseLayout, whose: str) -> None:
        """Raise DataError unless the data are of this layout's skeleton and styles."""
        self.require_skeleton(layout.skeleton, whose)
        if self.layout.styles != layout.styles:
            ours = ", ".join(self.layout.styles) or "no styles"
            theirs = ", ".join(layout.styles) or "none"
            raise DataError(f"the data {self.source} have {ours}, but {whose} has {theirs}")

    def save(self, path: Path) -> None:
        """Write an ``.npz`` without pickles, whole or not at all. Roles that were stated for the
        skeleton's joints are part of it."""
        header = {
            "format": FORMAT,
            "source": self.source,
            "fps": FPS,
            "skeleton": self.layout.skeleton.to_dict(),
            "clips": self.clip_rows(),
            "notes": list(self.notes),
            "round_trip": self.round_trip,
            "retargeting": self.retargeting,
        }
        if self.layout.styles:
            header |= {"styles": self.layout.styles, "labels": self.labels()}
        poses = self.poses[:, self.layout.body].numpy()
        with files.atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), poses=poses)

    @classmethod
    def load(cls, path: Path) -> MotionDataset:
        """Read what :meth:`save` wrote, or a folder of :mod:`controller.data.shards`. Raises
        DataError with what is wrong with any other file."""
        if Path(path).is_dir():
            return FOLDERS[0](Path(path))
        if not Path(path).is_file():
            raise DataError(
                f"{path}: no such data file; make one with `python -m controller data "
                f"build --source DIR --out {path}`"
            )
        stored = read(path)
        clips = tuple(ClipEntry(*row) for row in stored.clips)
        poses = stored.poses
        if stored.layout.styles:
            poses = with_labels(poses, clips, stored.labels, len(stored.layout.styles))
        header = stored.header
        notes = tuple(header["notes"])
        trips = (header.get("round_trip", {}), header.get("retargeting", {}))
        return cls(stored.layout, poses, clips, header["source"], notes, *trips)


FOLDERS: list[Callable[[Path], MotionDataset]] = []
"""What reads data sets that are folders; :mod:`controller.data.shards` puts its own in."""


def floored(layout: PoseLayout, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) in float32, by which poses are z-scored: no deviation is
    below :data:`MIN_STD`."""
    mean, std = mean.float(), std.float()
    for name, floor in MIN_STD.items():
        part = getattr(layout, name)
        std[part] = std[part].clamp(min=floor)
    std[layout.style] = 1.0  # weights are seen as they are
    mean[layout.style] = 0.0
    return mean, std


def with_labels(
    poses: Tensor, clips: Sequence[ClipEntry], labels: Sequence[int], count: int
) -> Tensor:
    """``(N, D + count)``: poses ``(N, D)`` with the weights of ``count`` styles, of which each clip
    has the one with its label, a number from 0."""
    weights = poses.new_zeros(len(poses), count)
    for clip, label in zip(clips, labels, strict=True):
        weights[clip.rows, label] = 1.0
    return torch.cat((poses, weights), dim=1)


def is_held_out(name: str, one_in: int = HELD_OUT_ONE_IN) -> bool:
    """Whether a file is held out from training. Its name alone decides, so more files do not change
    it."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % one_in == 0


def build(
    clips: Iterable[Clip],
    source: str,
    skeleton: Skeleton | None = None,
    trips: Sequence[RoundTrip] = (),
) -> MotionDataset:
    """A data set from clips in metres: on one ``skeleton`` (by default the first clip's, made
    symmetric), at one frame rate, with the floor at zero, cut at glitches.

    ``trips`` are the clips' round trips, which the data set keeps. A clip that cannot be used is
    left out, with a sentence in ``notes``. Raises DataError if none can be.
    """
    layout = None if skeleton is None else PoseLayout(skeleton)
    tables: list[Tensor] = []
    entries: list[ClipEntry] = []
    notes: list[str] = []
    start = 0
    for clip in clips:
        layout = layout or PoseLayout(symmetric_skeleton(clip.skeleton))
        try:
            clean = levelled(retargeted(clip.resampled(FPS), layout.skeleton), layout.feet)
        except ControllerError as error:
            notes.append(f"{clip.name}: left out ({error})")
            continue
        pieces, dropped = segments(clean)
        notes += dropped
        if not pieces:
            notes.append(f"{clip.name}: left out (no second without a glitch)")
        for piece in pieces:
            spread = floor_spread(piece, layout.feet)
            if spread > LEVEL_FLOOR_M[layout.roles.kind]:
                notes.append(
                    f"{piece.name}: left out (its floor rises or falls by {100 * spread:.0f} cm; "
                    "slopes and stairs are not supported)"
                )
                continue
            poses = encode(layout, piece)
            tables.append(poses)
            held_out = is_held_out(original(clip.name))
            entries.append(ClipEntry(piece.name, start, len(poses), held_out))
            start += len(poses)
    if layout is None or not tables:
        raise DataError("\n  ".join([f"{source}: no usable motion in it", *notes]))
    poses = torch.cat(tables)
    return MotionDataset(layout, poses, tuple(entries), source, tuple(notes), summary(trips))
