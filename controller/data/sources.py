"""Reading motion files: a file, a folder or a zip archive → clips on one skeleton, each checked."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from controller.core.errors import ControllerError, DataError
from controller.data import catalogue, formats
from controller.data.bodies import bring_onto, canonical
from controller.data.canonical import CanonicalSettings
from controller.data.catalogue import DataFile, DataSet
from controller.data.cleaning import renamed, retargeted, symmetric_skeleton
from controller.data.retarget import Target
from controller.data.roundtrip import RoundTrip, compare
from controller.data.transfer import Transfer
from controller.motion.capture import Capture
from controller.motion.skeleton import Clip, Skeleton

MAX_UNPACKED = 4 * 2**30
"""Bytes that an archive may have unpacked."""


@dataclass(frozen=True, eq=False)
class Motion:
    """What was read.

    clips     in metres, Y up, on one skeleton
    skeleton  with left and right alike
    trips     how far each clip's joints are from the file's
    notes     a sentence for everything that was assumed, changed or left out
    refused   how many files were left out because they could not be used
    transfers how the clips of other bodies came over, where they were retargeted
    """

    clips: list[Clip]
    skeleton: Skeleton
    trips: list[RoundTrip]
    notes: list[str]
    refused: int
    transfers: list[Transfer] = field(default_factory=list)


def read(
    source: Path | Sequence[Path],
    uses: tuple[str, ...] = ("locomotion",),
    settings: CanonicalSettings | None = None,
    fps: float | None = None,
    target: Target | None = None,
) -> Motion:
    """Read a motion file, a folder with such files at any depth, or a zip archive of them; or
    several of these.

    Files of the catalogue are taken if their use is among ``uses``. ``fps`` overrules the files'
    own frame rates. Clips of all bodies are brought onto the skeleton of a ``target``; without one,
    those of the body with the most frames stay. Raises DataError if there is no file, if none can
    be used, or if more than half of them had to be refused.
    """
    settings = settings or CanonicalSettings()
    several = [source] if isinstance(source, Path) else list(source)
    origin = ", ".join(map(str, several))
    with ExitStack() as stack:
        paths = [path for one in several for path in stack.enter_context(motion_files(one))]
        known = {path: known_file(path.name) for path in paths}
        notes = []
        taken = []
        for path in paths:
            entry = known[path]
            if entry is not None and entry[1].use not in uses:
                takes = ", ".join(uses)
                notes.append(f"{path.name}: left out ({entry[1].use}; --use takes {takes})")
            else:
                taken.append(path)
        if not taken:
            raise DataError("\n  ".join([f"{origin}: no motion of that use in it", *notes]))

        entries = [entry for path in taken if (entry := known[path]) is not None]
        aligned = len(entries) == len(taken) and all(data.world_aligned for data, _ in entries)
        try:
            if target is not None:
                motion = _read_onto(taken, settings, fps, target)
            elif aligned and settings == CanonicalSettings() and fps is None:
                motion = _read_aligned(taken, entries)
            else:
                motion = _read_any(taken, settings, fps)
        except DataError as error:
            raise DataError(f"{origin}: {error}") from error
    _check_most_are_used(origin, motion, len(taken))
    return replace(motion, notes=[*notes, *motion.notes])


def _check_most_are_used(source: str, motion: Motion, count: int) -> None:
    """Raise DataError if no clip is left, or if more than half of the files were refused."""
    if not motion.clips or 2 * motion.refused > count:
        used = f"{motion.refused} of {count} files cannot be used"
        raise DataError("\n  ".join([f"{source}: {used}", *motion.notes]))


@contextmanager
def motion_files(source: Path) -> Iterator[list[Path]]:
    """The motion files that a source has, as long as the block lasts.

    Raises DataError if there is no such source or no motion file in it, or if an archive is
    damaged, too large, or has a path that leads out of it.
    """
    if source.is_dir():
        yield _in_folder(source, source)
    elif source.suffix.lower() == ".zip" and source.is_file():
        with tempfile.TemporaryDirectory() as folder:
            _unpack(source, Path(folder))
            yield _in_folder(Path(folder), source)
    elif source.is_file():
        if source.suffix.lower() not in formats.readable():
            allowed = ", ".join((*formats.readable(), ".zip"))
            raise DataError(f"{source}: not a motion file; allowed: {allowed}, or a folder")
        yield [source]
    else:
        raise DataError(
            f"{source}: no such file or folder; `python -m controller data fetch --out {source}` "
            "makes one"
        )


def _in_folder(folder: Path, source: Path) -> list[Path]:
    suffixes = formats.readable()
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file()
    )
    if not paths:
        raise DataError(f"{source}: no {' or '.join(suffixes)} file in it or below")
    return paths


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the motion files of a zip archive into a folder."""
    try:
        with zipfile.ZipFile(archive) as file:
            members = [
                member
                for member in file.infolist()
                if PurePosixPath(member.filename).suffix.lower() in formats.readable()
            ]
            size = sum(member.file_size for member in members)
            if size > MAX_UNPACKED:
                raise DataError(
                    f"{archive}: {size / 2**30:.1f} GiB unpacked; allowed: "
                    f"{MAX_UNPACKED / 2**30:g} GiB"
                )
            for member in members:
                name = PurePosixPath(member.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts:
                    raise DataError(f"{archive}: the path {member.filename!r} leads out of it")
                file.extract(member, folder)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{archive}: not a readable zip archive ({error})") from error


def known_file(name: str) -> tuple[DataSet, DataFile] | None:
    """The catalogue's entry for a file of that name, if it has one."""
    for dataset in map(catalogue.load, catalogue.names()):
        for file in dataset.files:
            if file.name == name:
                return dataset, file
    return None


# -- files whose own rest pose is kept -------------------------------------------------------------


def _read_aligned(paths: Sequence[Path], entries: Sequence[tuple[DataSet, DataFile]]) -> Motion:
    """Files of a data set whose rest pose is known to be world-aligned, by the catalogue's units
    and names. They are compared with what was read all the same."""
    clips = []
    notes = []
    for path, (dataset, file) in zip(paths, entries, strict=True):
        try:
            clip = renamed(formats.read(path, unit=file.unit), dict(dataset.joints))
            clips.append((replace(clip, name=path.stem), path, dataset, file))
        except ControllerError as error:
            notes.append(f"{path.name}: left out ({error})")
    if not clips:
        raise DataError("\n  ".join(["no usable motion in it", *notes]))

    skeleton = symmetric_skeleton(most_common_skeleton([clip for clip, *_ in clips]))
    good = []
    trips = []
    for clip, path, dataset, file in clips:
        try:
            built = retargeted(clip, skeleton)
            trip = _compare_known(built, path, dataset, file)
        except ControllerError as error:
            notes.append(f"{path.name}: left out ({error})")
            continue
        if trip.is_good:
            good.append(clip)
            trips.append(trip)
        else:
            notes.append(f"{path.name}: left out ({trip.complaint})")
    return Motion(good, skeleton, trips, notes, len(paths) - len(good))


def _compare_known(clip: Clip, path: Path, dataset: DataSet, file: DataFile) -> RoundTrip:
    capture = formats.read_capture(path)
    names = [dataset.joints.get(name, name) for name in capture.names]
    scaled = capture.scaled(file.unit)
    order = [names.index(name) for name in clip.skeleton.names]
    return compare(clip, scaled, order)


def most_common_skeleton(clips: list[Clip]) -> Skeleton:
    """The skeleton, by its set of joint names, that most frames are on, as the first clip has
    it."""
    frames: dict[frozenset[str], int] = {}
    for clip in clips:
        key = frozenset(clip.skeleton.names)
        frames[key] = frames.get(key, 0) + len(clip)
    chosen = max(frames, key=lambda key: frames[key])
    return next(clip.skeleton for clip in clips if frozenset(clip.skeleton.names) == chosen)


# -- files of several bodies -----------------------------------------------------------------------


def _read_onto(
    paths: Sequence[Path], settings: CanonicalSettings, fps: float | None, target: Target
) -> Motion:
    """Files of any bodies, on the skeleton of a target. Files whose own rest pose is kept stay as
    they are if they have that skeleton."""
    stay = Motion([], target.skeleton, [], [], 0)
    skeleton = target.skeleton
    known = {path: known_file(path.name) for path in paths}
    aligned = {path: entry for path, entry in known.items() if entry and entry[0].world_aligned}
    if aligned and settings == CanonicalSettings() and fps is None:
        motion = _read_aligned(list(aligned), list(aligned.values()))
        if target.has(motion.skeleton):
            stay = motion
            if skeleton.to_dict() == motion.skeleton.to_dict():
                skeleton = motion.skeleton  # A data set's is rounded.
            paths = [path for path in paths if path not in aligned]
    if not paths:
        return replace(stay, skeleton=skeleton)
    captures, notes = _captures(paths, fps)
    result = bring_onto(captures, settings, target)
    return Motion(
        [*stay.clips, *result.clips],
        skeleton,
        [*stay.trips, *result.trips],
        [*stay.notes, *notes, *result.notes],
        stay.refused + len(paths) - len(result.clips),
        result.transfers,
    )


# -- any other files -------------------------------------------------------------------------------


def _read_any(paths: Sequence[Path], settings: CanonicalSettings, fps: float | None) -> Motion:
    """Files about which nothing is known."""
    captures, notes = _captures(paths, fps)
    result = canonical(captures, settings)
    refused = len(paths) - len(result.clips)
    return Motion(result.clips, result.skeleton, result.trips, [*notes, *result.notes], refused)


def _captures(paths: Sequence[Path], fps: float | None) -> tuple[list[Capture], list[str]]:
    """Files as they are, and a sentence for each that is left out. Raises DataError if none can be
    read."""
    captures: list[Capture] = []
    notes = []
    for path in paths:
        try:
            capture = formats.read_capture(path)
        except ControllerError as error:
            notes.append(f"{path.name}: left out ({error})")
            continue
        if len(capture) < 2:
            notes.append(f"{path.name}: left out (it has {len(capture)} frame)")
            continue
        captures.append(replace(capture, name=path.stem, fps=fps or capture.fps))
    if not captures:
        raise DataError("\n  ".join(["no usable motion in it", *notes]))
    return captures, notes
