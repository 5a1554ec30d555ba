"""What a person looks at before training: clips as they were built, each beside its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from controller.core import arrays
from controller.core.errors import ControllerError, DataError
from controller.data import formats, shards, sources, tempo
from controller.data.alignment import Alignment, align
from controller.data.canonical import CanonicalSettings
from controller.data.dataset import ClipEntry, MotionDataset, build
from controller.data.retarget import Target
from controller.motion import geometry
from controller.motion.capture import Capture
from controller.motion.pose import FPS, root_trajectory
from controller.motion.skeleton import Skeleton

HEADER = "header"
"""The array that a built data set has, and a recording has not."""
ONE_MOTION = (".bvh", ".amc", ".npz")
"""Suffixes of files that hold one motion each, named like the file."""


@dataclass(frozen=True, eq=False)
class Built:
    """A clip as a data set has it, in the world of its file.

    poses      (T, D) pose vectors
    positions  (T, 3) metres, of the root
    rotations  (T, J, 3, 3), of the joints, relative to the world
    yaw        (T,) radians, the direction in which the build takes the body to face
    """

    poses: Tensor
    positions: Tensor
    rotations: Tensor
    yaw: Tensor

    @classmethod
    def of(cls, data: MotionDataset, entry: ClipEntry) -> Built:
        """The clip of an entry; its way begins at the origin."""
        poses = data.poses[entry.rows]
        ground, yaw = root_trajectory(poses)
        height = poses[:, data.layout.hip_height]
        root = torch.stack((ground[:, 0], height, ground[:, 1]), dim=1)
        turn = geometry.yaw_matrix(yaw)[:, None]
        return cls(poses, root, turn @ data.layout.joint_rotations(poses), yaw)

    def joints(self, data: MotionDataset) -> Tensor:
        """(T, J, 3) metres, in the world."""
        local = data.layout.posed_joints(self.poses)
        ground = self.positions * torch.tensor([1.0, 0.0, 1.0])
        turn = geometry.yaw_matrix(self.yaw)[:, None]
        return (turn @ local[..., None]).squeeze(-1) + ground[:, None]

    def turned(self, yaw: float, shift: Tensor) -> Built:
        """The same motion turned by ``yaw`` radians about +Y, then moved by ``shift`` (3,)."""
        turn = geometry.yaw_matrix(torch.tensor(yaw))
        return Built(
            self.poses,
            self.positions @ turn.T + shift,
            turn @ self.rotations,
            geometry.wrap_angle(self.yaw + yaw),
        )


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A clip to look at: what was built, its source, or both.

    data       the data set that the clip is in; None if it was left out
    entry      its rows there
    read       returns its source as the file has it; None where there is none
    trip       what is known of its round trip, as text; empty if nothing is
    notes      sentences of the build about it; for a clip that was left out, why
    unit       metres a unit of its source, where that is stated
    """

    name: str
    data: MotionDataset | None = None
    entry: ClipEntry | None = None
    read: Callable[[], Capture] | None = None
    trip: str = ""
    notes: tuple[str, ...] = ()
    unit: float | None = None

    @cached_property
    def _reading(self) -> tuple[Capture | None, str]:
        """The source, or why it cannot be read."""
        if self.read is None:
            return None, "no source: name its files with --source"
        try:
            return self.read(), ""
        except ControllerError as error:
            return None, f"no source: {error}"

    @property
    def source(self) -> Capture | None:
        """The file's own joints; None if there is no file or it cannot be read."""
        return self._reading[0]

    @property
    def sourceless(self) -> str:
        """Why there is no source; empty if there is one."""
        return self._reading[1]

    def forget(self) -> None:
        """Free the memory of what was read and made; it is read again when it is wanted."""
        for name in ("_reading", "_in_place"):
            self.__dict__.pop(name, None)

    @cached_property
    def _in_place(self) -> tuple[Built | None, Alignment | None]:
        if self.data is None or self.entry is None:
            return None, None
        built = Built.of(self.data, self.entry)
        if self.source is None:
            return built, None
        frames = first_frame(self.entry.name) + torch.arange(len(built.poses))
        times = frames / FPS * tempo.factor(self.entry.name)
        found = align(self.source, times, built.joints(self.data), self.data.layout.skeleton)
        if found is None:
            return built, None
        return built.turned(-found.yaw, found.shift), found

    @property
    def built(self) -> Built | None:
        """The clip as it was built, where its source is; None if it was left out."""
        return self._in_place[0]

    @property
    def alignment(self) -> Alignment | None:
        """How the source's axes and unit became ours; None if it cannot be said."""
        return self._in_place[1]

    @property
    def fps(self) -> float:
        """Frames a second in which it is counted: of what was built, or of the file."""
        if self.entry is not None or self.source is None:
            return FPS
        return self.source.fps

    def __len__(self) -> int:
        if self.entry is not None:
            return self.entry.length
        return 1 if self.source is None else max(1, len(self.source))

    def seconds(self, frame: float) -> float:
        """When a frame is, in the file's own time."""
        if self.entry is None:
            return frame / self.fps
        name = self.entry.name
        return (first_frame(name) + frame) / self.fps * tempo.factor(name)


def first_frame(name: str) -> int:
    """The frame at 30 a second of a file from which a clip's first pose comes, by the clip's name:
    ``walk[60:150]`` has frames 60 to 149, and the first frame of a piece has no pose."""
    return 1 + sum(int(start) for start in re.findall(r"\[([0-9]+):[0-9]*\]", name))


def stem(name: str) -> str:
    """The name of the file that a clip comes from, without its suffix."""
    return tempo.original(re.sub(r"(\[[0-9]+:[0-9]*\])+$", "", name))


# -- exhibits of files and of data sets ------------------------------------------------------------


@contextmanager
def exhibits(
    path: Path,
    source: Path | None,
    settings: CanonicalSettings,
    fps: float | None = None,
    target: Target | None = None,
) -> Iterator[list[Exhibit]]:
    """The clips of motion files or of a built data set, as long as the block lasts.

    ``source`` has the files of a data set. Motion files are brought onto the skeleton of a
    ``target``, if there is one. Raises DataError if there is no such file, and
    ConfigError as :func:`sources.read` does.
    """
    if is_data_set(path):
        data = MotionDataset.load(path)
        if source is None:
            yield _of_data(data, {})
            return
        with sources.motion_files(source) as (paths, _):
            yield _of_data(data, captured(paths, fps))
        return
    with sources.motion_files(path) as (paths, _):
        yield _of_files(path, paths, settings, fps, target)


def is_data_set(path: Path) -> bool:
    """Whether a path is meant to be a built data set, and no file of motion."""
    if path.suffix.lower() != ".npz":
        return (path / shards.INDEX).is_file()
    if ".npz" not in formats.readable():
        return True
    try:
        with arrays.opened(path, "motion data set") as archive:
            return HEADER in archive.names
    except DataError:
        return True  # whose reader says what is wrong with it


def _of_data(data: MotionDataset, motions: dict[str, Captured]) -> list[Exhibit]:
    means = data.round_trip.get("clips", {})
    result = []
    for entry in data.clips:
        name = stem(entry.name)
        trip = f"round trip {means[name]:.1f} mm on average" if name in means else ""
        read = motions[name].read if name in motions else None
        result.append(Exhibit(entry.name, data, entry, read, trip, _about(data.notes, {name})))
    return result


def _of_files(
    source: Path,
    paths: list[Path],
    settings: CanonicalSettings,
    fps: float | None,
    target: Target | None,
) -> list[Exhibit]:
    """Everything that a build makes of files, and the files that it leaves out."""
    notes: list[str] = []
    refusal = ""
    data: MotionDataset | None = None
    trips: dict[str, str] = {}
    try:
        motion = sources.read(source, settings=settings, fps=fps, target=target)
        skeleton = motion.skeleton
        if target is None:
            overrides = settings.overrides.restricted(skeleton.names)
            skeleton = replace(skeleton, overrides=overrides)
        notes += motion.notes
        trips = {
            trip.name: f"round trip {trip.mean:.1f} mm on average, {trip.worst:.1f} mm at most "
            f"({trip.joint})"
            for trip in motion.trips
        }
        data = build(motion.clips, source.name, skeleton, motion.trips)
        notes += data.notes
    except DataError as error:
        head, *rest = str(error).split("\n  ")
        notes += rest
        refusal = head.removeprefix(f"{source}: ").removeprefix(f"{source.name}: ")

    result = []
    for name, file in captured(paths, fps).items():
        about = _about(notes, {file.path.name, name})
        if not about:
            about = (refusal,) if refusal else _about_groups(notes)
        entries = [] if data is None else [e for e in data.clips if stem(e.name) == name]
        for entry in entries:
            trip = trips.get(name, "")
            result.append(Exhibit(entry.name, data, entry, file.read, trip, about))
        if not entries:
            result.append(Exhibit(name, None, None, file.read, "", about, settings.unit))
    return result


class Captured(NamedTuple):
    """One motion of a file: which file, and what reads it."""

    path: Path
    read: Callable[[], Capture]


def captured(paths: list[Path], fps: float | None) -> dict[str, Captured]:
    """The motions of files by the names that :func:`sources.read` gives them. Files that may hold
    several are read for that."""
    result: dict[str, Captured] = {}
    for path in paths:
        names = [path.stem]
        if path.suffix.lower() not in ONE_MOTION:
            with suppress(ControllerError):
                names = [each.name for each in formats.read_captures(path, fps).captures]
        for place, own in enumerate(names):
            name = own
            number = 1
            while name in result:
                number += 1
                name = f"{own} ({number})"
            result[name] = Captured(path, _reader(path, place, name, fps))
    return result


def _reader(path: Path, place: int, name: str, fps: float | None) -> Callable[[], Capture]:
    def read() -> Capture:
        return replace(formats.read_captures(path, fps).captures[place], name=name)

    return read


def _about(notes: list[str] | tuple[str, ...], names: set[str]) -> tuple[str, ...]:
    """The notes that begin with one of these names, without it."""
    found = []
    for note in notes:
        subject, colon, rest = note.partition(": ")
        if colon and stem(subject) in names:
            found.append(rest)
    return tuple(found)


def _about_groups(notes: list[str]) -> tuple[str, ...]:
    """The notes on files of one kind, of which only the first is named, or their number."""
    return tuple(note for note in notes if re.match(r".* and [0-9]+ more: |[0-9]+ files?: ", note))


def skeleton_of(shown: list[Exhibit]) -> Skeleton | None:
    """The skeleton of what was built; None if nothing was."""
    for exhibit in shown:
        if exhibit.data is not None:
            return exhibit.data.layout.skeleton
    return None
