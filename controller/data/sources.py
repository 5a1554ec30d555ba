"""Reading a folder of motion files: units and joint names by the catalogue, or found out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from controller.core.errors import ControllerError, DataError
from controller.data import catalogue
from controller.data.catalogue import DataFile, DataSet
from controller.data.cleaning import renamed
from controller.data.formats import bvh
from controller.motion.skeleton import Clip, Skeleton

UNITS = (1.0, 0.01, 0.0254, 0.001)
"""Metres a unit that files are written in: metres, centimetres, inches, millimetres."""
PLAUSIBLE_LEG_M = (0.55, 1.25)


def known_file(name: str) -> tuple[DataSet, DataFile] | None:
    """The catalogue's entry for a file of that name, if it has one."""
    for dataset in map(catalogue.load, catalogue.names()):
        for file in dataset.files:
            if file.name == name:
                return dataset, file
    return None


def guess_unit(skeleton: Skeleton) -> float:
    """Metres a unit of a skeleton read with unit 1: the unit that makes its longest leg a
    person's."""
    lowest = 0.0
    for joint in range(len(skeleton)):
        length = 0.0
        at = joint
        while skeleton.parents[at] >= 0:
            length += float(skeleton.offsets[at].norm())
            at = skeleton.parents[at]
        if any(word in skeleton.names[joint].lower() for word in ("foot", "ankle", "toe")):
            lowest = max(lowest, length)
    for unit in UNITS:
        if PLAUSIBLE_LEG_M[0] < lowest * unit < PLAUSIBLE_LEG_M[1] * 1.2:
            return unit
    raise DataError(
        f"a leg of {lowest:.4g} units is a person's in none of metres, centimetres, inches "
        "and millimetres; name the unit with --unit"
    )


def scaled(clip: Clip, unit: float) -> Clip:
    skeleton = replace(
        clip.skeleton, offsets=clip.skeleton.offsets * unit, tips=clip.skeleton.tips * unit
    )
    return replace(clip, skeleton=skeleton, positions=clip.positions * unit)


def read_folder(
    folder: Path, uses: tuple[str, ...] = ("locomotion",), unit: float | None = None
) -> tuple[list[Clip], list[str]]:
    """All ``.bvh`` files under ``folder``, in metres, with canonical joint names, and a sentence
    for each left out.

    Files that the catalogue knows take its unit and names, and are read only if their use is among
    ``uses``; others are read with ``unit``, or one found from the length of a leg. Raises DataError
    if there is no file.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; `python -m controller data fetch --out {folder}` makes one"
        )
    paths = sorted(folder.rglob("*.bvh"))
    if not paths:
        raise DataError(f"{folder}: no .bvh file in it or below")
    clips = []
    notes = []
    for path in paths:
        known = known_file(path.name)
        try:
            if known is None:
                clip = bvh.read(path, unit=unit or 1.0)
                clip = clip if unit else scaled(clip, guess_unit(clip.skeleton))
            elif known[1].use not in uses:
                notes.append(
                    f"{path.name}: left out ({known[1].use}; --use takes {', '.join(uses)})"
                )
                continue
            else:
                clip = renamed(bvh.read(path, unit=known[1].unit), dict(known[0].joints))
        except ControllerError as error:
            notes.append(f"{path.name}: left out ({error})")
            continue
        clips.append(replace(clip, name=path.stem))
    return clips, notes


def most_common_skeleton(clips: list[Clip]) -> Skeleton:
    """The skeleton that most frames are on, by joint names; of those, the first clip's."""
    frames: dict[frozenset[str], int] = {}
    for clip in clips:
        key = frozenset(clip.skeleton.names)
        frames[key] = frames.get(key, 0) + len(clip)
    chosen = max(frames, key=lambda key: frames[key])
    return next(clip.skeleton for clip in clips if frozenset(clip.skeleton.names) == chosen)
