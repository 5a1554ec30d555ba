"""Reading motion files: a file, a folder or a zip archive → clips on one skeleton, each checked."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from controller.core.errors import ControllerError, DataError
from controller.data import catalogue, formats
from controller.data.bodies import bring_onto, canonical
from controller.data.canonical import CanonicalSettings
from controller.data.catalogue import DataFile, DataSet
from controller.data.cleaning import renamed, retargeted, symmetric_skeleton
from controller.data.formats import NoMotion
from controller.data.retarget import Target
from controller.data.roundtrip import RoundTrip, compare
from controller.data.transfer import Transfer
from controller.motion.capture import Capture
from controller.motion.skeleton import Clip, Skeleton

MOST_BELOW = 100_000
"""Files and folders below a source, at most: who names the root of a disk means something else."""
MAX_UNPACKED = 4 * 2**30
"""Bytes that an archive may have unpacked."""


@dataclass(frozen=True, eq=False)
class Motion:
    """What was read.

    clips     in metres, Y up, on one skeleton
    skeleton  with left and right alike
    trips     how far each clip's joints are from the file's
    notes     a sentence for everything that was assumed, changed or left out
    refused   how many files or motions were left out because they could not be used
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
        found = [stack.enter_context(motion_files(one)) for one in several]
        paths = [path for one in found for path in one.paths]
        notes = [note for one in found for note in one.notes]
        known = {path: known_file(path) for path in paths}
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
                motion = _read_onto({path: known[path] for path in taken}, settings, fps, target)
            elif aligned and settings == CanonicalSettings() and fps is None:
                motion = _read_aligned(taken, entries)
            else:
                motion = _read_any(taken, settings, fps)
        except DataError as error:
            raise DataError(f"{origin}: {error}") from error
    _check_most_are_used(origin, motion)
    return replace(motion, notes=[*notes, *motion.notes])


def _check_most_are_used(source: str, motion: Motion) -> None:
    """Raise DataError if no clip is left, or if more than half of the files were refused."""
    count = len(motion.clips) + motion.refused
    if not motion.clips or 2 * motion.refused > count:
        used = f"{motion.refused} of {count} files cannot be used"
        raise DataError("\n  ".join([f"{source}: {used}", *motion.notes]))


class Found(NamedTuple):
    """The motion files of a source, and a sentence for each that is left out at once."""

    paths: list[Path]
    notes: list[str]


@contextmanager
def motion_files(source: Path) -> Iterator[Found]:
    """The motion files that a source has, as long as the block lasts.

    Raises DataError if there is no such source or no motion file in it, or if an archive is
    damaged, too large, or has a path that leads out of it.
    """
    if source.is_dir():
        yield _in_folder(source, source)
    elif source.suffix.lower() == ".zip" and source.is_file():
        with tempfile.TemporaryDirectory() as folder:
            notes = _unpack(source, Path(folder))
            paths, others = _in_folder(Path(folder), source)
            yield Found(paths, notes + others)
    elif source.is_file():
        if source.suffix.lower() not in formats.readable():
            allowed = ", ".join((*formats.readable(), ".zip"))
            raise DataError(f"{source}: not a motion file; allowed: {allowed}, or a folder")
        yield Found([source], [])
    elif source.exists():
        raise DataError(f"{source}: a pipe or device; allowed: a file or folder")
    else:
        raise DataError(
            f"{source}: no such file or folder; `python -m controller data fetch --out {source}` "
            "makes one"
        )


def _in_folder(folder: Path, source: Path) -> Found:
    suffixes = formats.readable()
    below = list(islice(folder.rglob("*"), MOST_BELOW + 1))
    if len(below) > MOST_BELOW:
        raise DataError(
            f"{source}: more than {MOST_BELOW:,} files and folders in it; name the folder of the "
            "motion files"
        )
    candidates = sorted(
        path for path in below if path.suffix.lower() in suffixes and not path.is_dir()
    )
    paths = [path for path in candidates if path.is_file()]
    others = [path for path in candidates if not path.is_file()]
    notes = [f"{path.name}: left out (not a regular file)" for path in others]
    if not paths:
        missing = f"{source}: no motion file ({', '.join(suffixes)}) in it or below"
        raise DataError("\n  ".join([missing, *notes]))
    return Found(paths, notes)


def _unpack(archive: Path, folder: Path) -> list[str]:
    """Unpack the motion files of a zip archive, and what belongs to them, into a folder. Returns a
    sentence for each file that is damaged."""
    suffixes = (*formats.readable(), *formats.companions())
    notes = []
    try:
        with zipfile.ZipFile(archive) as file:
            members = [
                member
                for member in file.infolist()
                if PurePosixPath(member.filename).suffix.lower() in suffixes
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
            for member in members:
                try:
                    file.extract(member, folder)
                except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
                    (folder / member.filename).unlink(missing_ok=True)
                    notes.append(f"{member.filename}: left out ({error})")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{archive}: not a readable zip archive ({error})") from error
    return notes


def known_file(path: Path) -> tuple[DataSet, DataFile] | None:
    """The catalogue's entry for a file with that name and content, if it has one. Anybody may call
    a file like one of the catalogue's: its unit and use are taken only for the same bytes."""
    for dataset in map(catalogue.load, catalogue.names()):
        for file in dataset.files:
            if file.name == path.name and catalogue.holds(path, file):
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
    known: Mapping[Path, tuple[DataSet, DataFile] | None],
    settings: CanonicalSettings,
    fps: float | None,
    target: Target,
) -> Motion:
    """Files of any bodies, each with its entry in the catalogue, on the skeleton of a target. Files
    whose own rest pose is kept stay as they are if they have that skeleton."""
    paths = list(known)
    stay = Motion([], target.skeleton, [], [], 0)
    skeleton = target.skeleton
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
    captures, notes, refused = _captures(paths, fps)
    result = bring_onto(captures, settings, target)
    return Motion(
        [*stay.clips, *result.clips],
        skeleton,
        [*stay.trips, *result.trips],
        [*stay.notes, *notes, *result.notes],
        stay.refused + refused + len(captures) - len(result.clips),
        result.transfers,
    )


# -- any other files -------------------------------------------------------------------------------


def _read_any(paths: Sequence[Path], settings: CanonicalSettings, fps: float | None) -> Motion:
    """Files about which nothing is known."""
    captures, notes, refused = _captures(paths, fps)
    result = canonical(captures, settings)
    refused += len(captures) - len(result.clips)
    return Motion(result.clips, result.skeleton, result.trips, [*notes, *result.notes], refused)


def _captures(paths: Sequence[Path], fps: float | None) -> tuple[list[Capture], list[str], int]:
    """The motions in files as they are, a sentence for each that is left out, and how many had to
    be. Raises DataError if none can be read."""
    captures: list[Capture] = []
    notes = []
    remarks: Counter[str] = Counter()
    refused = 0
    for path in paths:
        try:
            reading = formats.read_captures(path, fps)
        except NoMotion as error:
            notes.append(f"{path.name}: left out ({error})")
            continue
        except ControllerError as error:
            notes.append(f"{path.name}: left out ({error})")
            refused += 1
            continue
        remarks.update(reading.remarks)
        for capture in reading.captures:
            if len(capture) < 2:
                notes.append(f"{capture.name}: left out (it has {len(capture)} frame)")
                refused += 1
            else:
                captures.append(capture)
    notes += [
        f"{count} file{'s' if count > 1 else ''}: {remark}" for remark, count in remarks.items()
    ]
    if not captures:
        raise DataError("\n  ".join(["no usable motion in it", *notes]))
    return _distinct(captures), notes, refused


def _distinct(captures: Sequence[Capture]) -> list[Capture]:
    """Captures with different names: files of one name in several folders or formats are
    numbered."""
    named: dict[str, Capture] = {}
    for capture in captures:
        name = capture.name
        number = 1
        while name in named:
            number += 1
            name = f"{capture.name} ({number})"
        named[name] = replace(capture, name=name)
    return list(named.values())
