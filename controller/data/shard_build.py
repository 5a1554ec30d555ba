"""Building a data set that does not fit memory, by several processes, from many files.

The files, in the order of their paths, are taken in groups of :data:`GROUP`. Each group becomes one
shard, which any process can make: the result does not depend on how many there are. Shards that an
interrupted build has finished are kept, and known again by what is in the files. At the end all
shards become one table (:mod:`controller.data.shards`), clip by clip.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.core import files
from controller.core.errors import ConfigError, ControllerError, DataError
from controller.data import shards, sources, target, tempo, transfer
from controller.data.canonical import CanonicalSettings
from controller.data.dataset import ClipEntry, MotionDataset, build
from controller.data.exhibits import is_data_set
from controller.data.retarget import Target
from controller.data.roundtrip import RoundTrip, summary
from controller.data.shards import MappedDataset
from controller.data.transfer import Transfer
from controller.motion.pose import FPS, PoseLayout

GROUP = 16
"""Files in a shard."""
SAMPLE = 48
"""Files, evenly spread, among whose bodies the one with the most frames gives the skeleton."""
EXCERPT = 20_000
"""Poses, about, that show how a body moves."""
PARTS = "shards"
"""The folder of shards in that of a data set which is being built."""


@dataclass(frozen=True)
class Plan:
    """What to build, as :class:`controller.data.commands.Build` has it.

    skeleton  a data set or motion file onto whose skeleton all bodies are retargeted; None leaves
              bodies out that are not the one with the most frames
    tempos    what :func:`tempo.parse` returns
    workers   processes
    """

    source: tuple[Path, ...]
    out: Path
    uses: tuple[str, ...] = ("locomotion",)
    settings: CanonicalSettings = field(default_factory=CanonicalSettings)
    fps: float | None = None
    skeleton: Path | None = None
    hold_out: tuple[str, ...] = ()
    train_on: tuple[str, ...] = ()
    tempos: tuple[tuple[str, float], ...] = ()
    workers: int = 1


@dataclass(frozen=True)
class Task:
    """One shard to make: the plan, the group's files, the data set whose skeleton is that of all,
    and the file to write."""

    plan: Plan
    paths: tuple[Path, ...]
    onto: Path
    out: Path


@dataclass(frozen=True)
class Part:
    """What a shard says about itself. ``clips`` has their rows in the shard's own table."""

    path: Path
    clips: tuple[ClipEntry, ...]
    notes: tuple[str, ...]
    trips: tuple[RoundTrip, ...]
    transfers: tuple[Transfer, ...]
    refused: int
    used: int

    def poses(self) -> Tensor:
        """(N, D)."""
        with np.load(self.path, allow_pickle=False) as archive:
            return torch.from_numpy(archive["poses"])


# -- one shard -------------------------------------------------------------------------------------


@cache
def _target(path: Path) -> Target:
    return target.load(path)


def make(task: Task) -> Path:
    """Make a shard, unless it is there already, from the same files and settings; returns its
    path."""
    torch.set_num_threads(1)
    key = _key(task)
    if _header(task.out).get("key") == key:
        return task.out
    header: dict[str, Any] = {"key": key, "clips": [], "trips": [], "transfers": []}
    poses = torch.empty(0, 0)
    try:
        motion = _read(task)
    except ConfigError:
        raise
    except ControllerError as error:  # not one of the group's files can be used
        header |= {"notes": [str(error)], "refused": len(task.paths), "used": 0}
    else:
        header |= {"notes": motion.notes, "refused": motion.refused, "used": len(motion.clips)}
        names = [clip.name for clip in motion.clips]
        tempos = [(part, times) for part, times in task.plan.tempos if _named(part, names)]
        clips = tempo.with_copies(motion.clips, tempos)
        try:
            data = build(clips, "", motion.skeleton, motion.trips)
        except DataError as error:
            header["notes"] += str(error).splitlines()[1:]
        else:
            poses = data.poses
            header["notes"] += data.notes
            header["clips"] = data.clip_rows()
            header["trips"] = [asdict(trip) for trip in motion.trips]
            header["transfers"] = [asdict(how) for how in motion.transfers]
    with files.atomic(task.out) as temporary, temporary.open("wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), poses=poses.numpy())
    return task.out


def _read(task: Task) -> sources.Motion:
    """The group's motion on the common skeleton. Without a skeleton that was asked for, clips of
    other bodies are left out."""
    plan = task.plan
    onto = _target(task.onto)
    motion = sources.read(task.paths, plan.uses, plan.settings, plan.fps, onto)
    motion = replace(motion, skeleton=onto.skeleton)
    if plan.skeleton is not None or not motion.transfers:
        return motion
    others = {how.name for how in motion.transfers}
    notes = [f"{name}: left out (another body; --skeleton retargets on purpose)" for name in others]
    return replace(
        motion,
        clips=[clip for clip in motion.clips if clip.name not in others],
        trips=[trip for trip in motion.trips if trip.name not in others],
        notes=[*motion.notes, *sorted(notes)],
        refused=motion.refused + len(others),
        transfers=[],
    )


def _named(part: str, names: Iterable[str]) -> bool:
    return any(part in name for name in names)


def _key(task: Task) -> str:
    """By what a shard is known again: settings, names and contents of the files."""
    plan = task.plan
    stated = replace(plan, source=(), out=Path(), hold_out=(), train_on=(), workers=1)
    digest = hashlib.sha256(repr(stated).encode())
    for path in (task.onto, *task.paths):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _header(path: Path) -> dict[str, Any]:
    """What a shard says about itself; empty if there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
    except Exception:  # a damaged one is made again
        return {}
    return header if isinstance(header, dict) else {}


def _part(path: Path) -> Part:
    header = _header(path)
    return Part(
        path,
        tuple(ClipEntry(*row) for row in header["clips"]),
        tuple(header["notes"]),
        tuple(RoundTrip(**trip) for trip in header["trips"]),
        tuple(Transfer(**how) for how in header["transfers"]),
        header["refused"],
        header["used"],
    )


# -- all of them -----------------------------------------------------------------------------------


def build_folder(plan: Plan) -> MappedDataset:
    """Build a data set as a folder, and open it. Prints its progress.

    The same call goes on after an interruption. Raises DataError if the folder holds a finished
    data set, if no file can be used, or if more than half of them had to be refused.
    """
    index = plan.out / shards.INDEX
    if index.exists():
        raise DataError(f"{plan.out} is a finished data set; remove it, or choose another --out")
    folder = files.make_folder(plan.out / PARTS)
    with ExitStack() as stack:
        found = [stack.enter_context(sources.motion_files(one)) for one in plan.source]
        notes = [note for one in found for note in one.notes]
        paths, left_out = _taken([path for one in found for path in one.paths], plan.uses)
        onto = _skeleton(plan, paths, folder)
        tasks = [
            Task(plan, tuple(paths[start : start + GROUP]), onto, folder / f"{number:05}.npz")
            for number, start in enumerate(range(0, len(paths), GROUP))
        ]
        _make_all(tasks, plan.workers)
    _assemble(plan, [_part(task.out) for task in tasks], [*notes, *left_out], _target(onto))
    shutil.rmtree(folder)
    return shards.load(plan.out)


def _taken(paths: Sequence[Path], uses: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files of these uses, and those about which nothing is known; a sentence about the
    others."""
    taken = []
    others = 0
    for path in paths:
        entry = sources.known_file(path)
        if entry is None or entry[1].use in uses:
            taken.append(path)
        else:
            others += 1
    if not taken:
        raise DataError(f"{others} motion files, but none of the use {', '.join(uses)}")
    notes = [f"{others} files: left out (--use takes {', '.join(uses)})"] if others else []
    return taken, notes


def _skeleton(plan: Plan, paths: Sequence[Path], folder: Path) -> Path:
    """A small data set on the skeleton of all, written into ``folder``."""
    if plan.skeleton is not None and is_data_set(plan.skeleton):
        data = MotionDataset.load(plan.skeleton)
    else:
        step = max(1, len(paths) // SAMPLE)
        sample = [plan.skeleton] if plan.skeleton is not None else paths[::step][:SAMPLE]
        motion = sources.read(sample, plan.uses, plan.settings, plan.fps)
        overrides = plan.settings.overrides.restricted(motion.skeleton.names)
        skeleton = replace(motion.skeleton, overrides=overrides)
        data = build(motion.clips, "the skeleton", skeleton)
    path = folder / "skeleton.npz"
    _excerpt(data).save(path)
    return path


def _excerpt(data: MotionDataset) -> MotionDataset:
    """The first clips of a data set, up to the one with row :data:`EXCERPT`."""
    clips = [clip for clip in data.clips if clip.start < EXCERPT]
    return replace(data, poses=data.poses[: clips[-1].rows.stop], clips=tuple(clips))


def _make_all(tasks: Sequence[Task], workers: int) -> None:
    """Make all shards, by so many processes."""
    print(f"{len(tasks)} shards of up to {GROUP} files, by {workers} processes", flush=True)
    if workers == 1:
        _report((make(task) for task in tasks), len(tasks))
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn) as pool:
        futures = [pool.submit(make, task) for task in tasks]
        try:
            _report((future.result() for future in as_completed(futures)), len(tasks))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _report(done: Iterable[Path], count: int) -> None:
    """Print a line at each tenth of the shards."""
    shown = 0
    for number, _ in enumerate(done, start=1):
        if 10 * number // count > shown:
            shown = 10 * number // count
            print(f"  {number} of {count} shards are there", flush=True)


def _assemble(plan: Plan, parts: Sequence[Part], notes: Sequence[str], onto: Target) -> None:
    """Make one table of all shards."""
    name = ", ".join(path.resolve().name for path in plan.source)
    notes = [*notes, *(note for part in parts for note in part.notes)]
    refused = sum(part.refused for part in parts)
    count = refused + sum(part.used for part in parts)
    if 2 * refused > count:
        raise DataError("\n  ".join([f"{name}: {refused} of {count} files cannot be used", *notes]))
    if not any(part.clips for part in parts):
        raise DataError("\n  ".join([f"{name}: no usable motion in it", *notes]))

    for wanted, _ in plan.tempos:
        if not _named(wanted, (clip.name for part in parts for clip in part.clips)):
            raise DataError(f"no clip is named like {wanted!r}, of which --tempo wants a copy")

    # The rows of all shards, one after another, as if they were a table.
    starts = np.cumsum([0] + [sum(clip.length for clip in part.clips) for part in parts])
    clips = [
        replace(clip, start=int(start) + clip.start)
        for start, part in zip(starts, parts, strict=False)
        for clip in part.clips
    ]
    layout = PoseLayout(onto.skeleton)
    about = MotionDataset(
        layout,
        torch.empty(0, layout.size),
        tuple(clips),
        name,
        tuple(notes),
        summary([trip for part in parts for trip in part.trips]),
        transfer.summary([how for part in parts for how in part.transfers]),
    )
    about = about.assigned(plan.hold_out, plan.train_on).trainable()
    places = sorted(about.clips, key=lambda clip: not clip.held_out)  # stable
    ordered = []
    row = 0
    for clip in places:
        ordered.append(replace(clip, start=row))
        row += clip.length
    pieces = _pieces(places, ordered, parts, starts)
    shards.write(plan.out, replace(about, clips=tuple(ordered)), pieces)


def _pieces(
    places: Sequence[ClipEntry],
    ordered: Sequence[ClipEntry],
    parts: Sequence[Part],
    starts: np.ndarray,
) -> Iterator[tuple[ClipEntry, Tensor]]:
    """Each clip of the table with its poses. One shard is in memory at a time."""
    number = -1
    poses = torch.empty(0)
    for place, clip in zip(places, ordered, strict=True):
        owner = int(np.searchsorted(starts, place.start, side="right")) - 1
        if owner != number:
            number, poses = owner, parts[owner].poses()
        start = place.start - int(starts[owner])
        yield clip, poses[start : start + clip.length]


def described(data: MappedDataset) -> str:
    """One line about a data set that was built."""
    held_out = sum(clip.length for clip in data.select(held_out=True))
    hours = len(data.poses) / FPS / 3600
    return (
        f"{len(data.clips)} clips, {hours:.2f} h ({held_out / FPS / 3600:.2f} h held out), "
        f"{len(data.layout.skeleton)} joints, {data.layout.size} values a pose, "
        f"fingerprint {data.fingerprint()[:12]}"
    )
