"""Reading a folder of motion files: units and joint names from the catalogue, or guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from controller.core.errors import ControllerError, DataError
from controller.data import catalogue, formats
from controller.data.catalogue import DataFile, DataSet
from controller.data.cleaning import renamed
from controller.motion.overrides import RoleOverrides
from controller.motion.roles import Roles
from controller.motion.skeleton import Clip, Skeleton

UNITS = (1.0, 0.01, 0.0254, 0.001)
"""Metres a unit that files are written in: metres, centimetres, inches, millimetres."""
PLAUSIBLE_LEG_M = {"biped": (0.55, 1.5), "quadruped": (0.2, 2.0)}
"""Between which lengths the bones from the hips to a foot add up, by kind of character."""
NO_OVERRIDES = RoleOverrides()


def known_file(name: str) -> tuple[DataSet, DataFile] | None:
    """The catalogue's entry for a file of that name, if it has one."""
    for dataset in map(catalogue.load, catalogue.names()):
        for file in dataset.files:
            if file.name == name:
                return dataset, file
    return None


def guess_unit(skeleton: Skeleton) -> float:
    """Metres a unit of a skeleton that was read with unit 1: the one that makes its longest leg a
    plausible one. Raises DataError if none does, or if the skeleton has no legs."""
    roles = Roles.of(skeleton)
    longest = max(_length(skeleton, roles.hips, leg.contact) for leg in roles.legs)
    shortest_leg, longest_leg = PLAUSIBLE_LEG_M[roles.kind]
    for unit in UNITS:
        if shortest_leg < longest * unit < longest_leg:
            return unit
    raise DataError(
        f"a leg of {longest:.4g} units is a {roles.kind}'s in none of metres, centimetres, inches "
        "and millimetres; name the unit with --unit"
    )


def _length(skeleton: Skeleton, top: int, joint: int) -> float:
    """The length of all bones from a joint up to ``top``, or to the root if that is not above."""
    length = 0.0
    while joint != top and skeleton.parents[joint] >= 0:
        length += float(skeleton.offsets[joint].norm())
        joint = skeleton.parents[joint]
    return length


def scaled(clip: Clip, unit: float) -> Clip:
    """The clip with all lengths multiplied by ``unit``."""
    skeleton = replace(
        clip.skeleton, offsets=clip.skeleton.offsets * unit, tips=clip.skeleton.tips * unit
    )
    return replace(clip, skeleton=skeleton, positions=clip.positions * unit)


def read_folder(
    folder: Path,
    uses: tuple[str, ...] = ("locomotion",),
    unit: float | None = None,
    overrides: RoleOverrides = NO_OVERRIDES,
) -> tuple[list[Clip], list[str]]:
    """All motion files under ``folder``, in metres, with canonical joint names, and a sentence for
    each that is left out.

    Files that the catalogue knows take its unit and names, and are read only if their use is among
    ``uses``. Others are read with ``unit``, or with one guessed from the length of a leg. The
    ``overrides`` go with every skeleton that has their joints. Raises DataError if there is no
    file.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; `python -m controller data fetch --out {folder}` makes one"
        )
    suffixes = formats.readable()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    if not paths:
        raise DataError(f"{folder}: no {' or '.join(suffixes)} file in it or below")

    clips = []
    notes = []
    for path in paths:
        known = known_file(path.name)
        if known is not None and known[1].use not in uses:
            use = known[1].use
            notes.append(f"{path.name}: left out ({use}; --use takes {', '.join(uses)})")
            continue
        try:
            clip = _read(path, known, unit, overrides)
        except ControllerError as error:
            notes.append(f"{path.name}: left out ({error})")
            continue
        clips.append(replace(clip, name=path.stem))
    return clips, notes


def _read(
    path: Path,
    known: tuple[DataSet, DataFile] | None,
    unit: float | None,
    overrides: RoleOverrides,
) -> Clip:
    """One file in metres, by the catalogue's entry if it has one."""
    if known is not None:
        dataset, file = known
        clip = renamed(formats.read(path, unit=file.unit), dict(dataset.joints))
        return _with_overrides(clip, overrides)

    clip = _with_overrides(formats.read(path, unit=unit or 1.0), overrides)
    return clip if unit else scaled(clip, guess_unit(clip.skeleton))


def _with_overrides(clip: Clip, overrides: RoleOverrides) -> Clip:
    own = overrides.restricted(clip.skeleton.names)
    return replace(clip, skeleton=replace(clip.skeleton, overrides=own))


def most_common_skeleton(clips: list[Clip]) -> Skeleton:
    """The skeleton, by its set of joint names, that most frames are on, as the first clip has
    it."""
    frames: dict[frozenset[str], int] = {}
    for clip in clips:
        key = frozenset(clip.skeleton.names)
        frames[key] = frames.get(key, 0) + len(clip)
    chosen = max(frames, key=lambda key: frames[key])
    return next(clip.skeleton for clip in clips if frozenset(clip.skeleton.names) == chosen)
