"""The motion data set: poses of many clips in one table, split by clip, with statistics of the
training part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from controller.core import files
from controller.core.errors import ControllerError, DataError, first_line
from controller.data.cleaning import levelled, retargeted, segments, symmetric_skeleton
from controller.model.normalizer import Normalizer
from controller.motion.pose import FPS, PoseLayout, encode
from controller.motion.skeleton import Clip, Skeleton

FORMAT = "motion-dataset/1"
HELD_OUT_ONE_IN = 10
MIN_STD = {"root_velocity": 0.05, "positions": 0.005, "velocities": 0.05, "orientations": 0.02}
"""Floors of the deviations, in each part's own units: a coordinate that hardly ever moves (the
hips' own x and z are 0 by construction) must not turn into a z-score of hundreds when it moves by a
millimetre."""


@dataclass(frozen=True)
class ClipEntry:
    """Where one clip's poses lie in the table. ``start`` is its first row, ``length`` its number of
    rows."""

    name: str
    start: int
    length: int
    held_out: bool

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.length)


@dataclass(frozen=True, eq=False)
class MotionDataset:
    """Poses ``(N, D)`` (unmirrored, as :class:`PoseLayout` lays them out) and the clips they come
    from."""

    layout: PoseLayout
    poses: Tensor
    clips: tuple[ClipEntry, ...]
    source: str
    notes: tuple[str, ...] = ()

    def select(self, held_out: bool) -> list[ClipEntry]:
        return [clip for clip in self.clips if clip.held_out == held_out]

    def split(self, held_out: bool, mirror: bool = True) -> tuple[Tensor, list[ClipEntry]]:
        """The poses of one part, clip after clip, and where each clip lies in them; mirrored copies
        follow."""
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
                ClipEntry(f"{c.name} mirrored", c.start + start, c.length, held_out)
                for c in entries
            ]
        return poses, entries

    def normalizer(self) -> Normalizer:
        """Statistics of the training clips and their mirror images; held-out clips have no part in
        them."""
        poses, _ = self.split(held_out=False)
        std = poses.double().std(dim=0).float()
        for name, floor in MIN_STD.items():
            part = getattr(self.layout, name)
            std[part] = std[part].clamp(min=floor)
        return Normalizer(
            poses.double().mean(dim=0).float(), std, poses.amin(dim=0), poses.amax(dim=0)
        )

    def fingerprint(self) -> str:
        """SHA-256 of poses, clips and skeleton: two data sets with the same fingerprint train the
        same model."""
        digest = hashlib.sha256(self.poses.numpy().tobytes())
        digest.update(json.dumps([self.clip_rows(), self.layout.skeleton.to_dict()]).encode())
        return digest.hexdigest()

    def clip_rows(self) -> list[list[str | int | bool]]:
        """The clips as plain lists, for JSON."""
        return [[clip.name, clip.start, clip.length, clip.held_out] for clip in self.clips]

    def require_skeleton(self, skeleton: Skeleton, whose: str) -> None:
        """DataError unless the data are of this skeleton, of which ``whose`` says to whom it
        belongs."""
        if self.layout.skeleton.to_dict() != skeleton.to_dict():
            raise DataError(f"the data {self.source} are of another skeleton than {whose}")

    def save(self, path: Path) -> None:
        """Write an ``.npz`` without pickles, whole or not at all."""
        header = {
            "format": FORMAT,
            "source": self.source,
            "fps": FPS,
            "skeleton": self.layout.skeleton.to_dict(),
            "clips": self.clip_rows(),
            "notes": list(self.notes),
        }
        with files.atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), poses=self.poses.numpy())

    @classmethod
    def load(cls, path: Path) -> MotionDataset:
        """Read what :meth:`save` wrote; DataError says in a sentence what is wrong with another
        file."""
        if not Path(path).is_file():
            raise DataError(
                f"{path}: no such data file; make one with `python -m controller data "
                f"build --source DIR --out {path}`"
            )
        try:
            with np.load(path, allow_pickle=False) as archive:
                header = json.loads(str(archive["header"]))
                poses = torch.from_numpy(archive["poses"])
            if header["format"] != FORMAT:
                raise DataError(
                    f"{path}: format {header['format']!r} found; {FORMAT!r} expected; build it "
                    "again"
                )
            layout = PoseLayout(Skeleton.from_dict(header["skeleton"]))
            clips = tuple(ClipEntry(*entry) for entry in header["clips"])
            source = header["source"]
            notes = tuple(header["notes"])
        except DataError:
            raise
        except Exception as error:
            raise DataError(
                f"{path}: not a motion data set ({type(error).__name__}: {first_line(error)})"
            ) from error
        rows = sum(clip.length for clip in clips)
        if poses.shape != (rows, layout.size):
            raise DataError(
                f"{path}: poses of shape {tuple(poses.shape)} found; ({rows}, {layout.size}) "
                "expected"
            )
        return cls(layout, poses, clips, source, notes)


def is_held_out(name: str, one_in: int = HELD_OUT_ONE_IN) -> bool:
    """Whether a file is kept from training: decided by its name alone, so adding files moves none
    across."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % one_in == 0


def build(clips: Iterable[Clip], source: str, skeleton: Skeleton | None = None) -> MotionDataset:
    """A data set from clips in metres: one skeleton (the first clip's, made symmetric, unless
    given), one rate, the floor at zero, cut at glitches. A clip that cannot be used is left out,
    with a sentence in ``notes``."""
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
            poses = encode(layout, piece)
            tables.append(poses)
            entries.append(ClipEntry(piece.name, start, len(poses), is_held_out(clip.name)))
            start += len(poses)
    if layout is None or not tables:
        raise DataError(
            f"{source}: no usable motion in it" + "".join(f"\n  {note}" for note in notes)
        )
    return MotionDataset(layout, torch.cat(tables), tuple(entries), source, tuple(notes))
