"""The public motion data sets that this project knows: where each file is, its SHA-256, unit and
use."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from controller.core.errors import DataError

URL = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
USES = ("locomotion", "style", "stunt", "other")


@dataclass(frozen=True)
class Source:
    """A public repository at one commit."""

    repository: str
    commit: str


@dataclass(frozen=True)
class DataFile:
    """One motion file.

    name     its name here, unique in its data set
    path     its path in the repositories
    use      the kind of motion, one of USES
    bytes    its size
    sha256   its hash, wherever it comes from
    unit     metres a file unit
    sources  repositories that hold it, in the order in which to try them
    """

    name: str
    path: str
    use: str
    bytes: int
    sha256: str
    unit: float
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.bytes < 1 or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise DataError(f"{self.name}: its size or SHA-256 in the catalogue is none")

    @property
    def urls(self) -> tuple[str, ...]:
        """Addresses of the file, in the order in which to try them."""
        return tuple(
            URL.format(repository=source.repository, commit=source.commit, path=self.path)
            for source in self.sources
        )


@dataclass(frozen=True)
class DataSet:
    """Motion files of one origin, with their licence.

    joints         joint names in the files → names in this project; other names stay as they are
    world_aligned  the files' own rest pose stands, faces +Z and has world-aligned frames, so that
                   it is kept; for other files a rest pose is found in the motion
    """

    name: str
    title: str
    licence: str
    attribution: str
    joints: Mapping[str, str]
    files: tuple[DataFile, ...]
    world_aligned: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)

    def select(self, *uses: str) -> DataSet:
        """The data set with only the files of these uses. Raises DataError for an unknown use."""
        unknown = sorted(set(uses) - set(USES))
        if unknown:
            raise DataError(f"no use {unknown[0]!r} of motion files; there are {', '.join(USES)}")
        return replace(self, files=tuple(file for file in self.files if file.use in uses))

    def file(self, name: str) -> DataFile:
        """The file of that name. Raises DataError if there is none."""
        for file in self.files:
            if file.name == name:
                return file
        raise DataError(f"no file {name!r} in the data set {self.name}")


def _check_name(name: str) -> None:
    """Raise DataError for a name that is more than a file's own, such as ``../x``."""
    if not re.fullmatch(r"\w[\w.+-]*", name, re.ASCII):
        raise DataError(
            f"the catalogue's name {name[:100]!r}; allowed: letters, digits and _ . + -, and no "
            "folder"
        )


def holds(path: Path, file: DataFile) -> bool:
    """Whether there is a file with the content that the catalogue has of ``file``. Raises DataError
    if it cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size != file.bytes:
            return False
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def names() -> tuple[str, ...]:
    """The names of all data sets."""
    return tuple(_catalogue())


@cache
def load(name: str) -> DataSet:
    """The data set of that name. Raises DataError, with all names, if there is none."""
    if name not in _catalogue():
        raise DataError(f"no data set {name!r}; there are {', '.join(names())}")
    entry = _catalogue()[name]
    files = [
        DataFile(
            **file,
            unit=group["unit"],
            sources=tuple(Source(**source) for source in group["sources"]),
        )
        for group in entry["groups"]
        for file in group["files"]
    ]
    return DataSet(
        name=name,
        title=entry["title"],
        licence=entry["licence"],
        attribution=entry["attribution"],
        joints=MappingProxyType(entry["joints"]),
        files=tuple(files),
        world_aligned=entry.get("world_aligned", False),
    )


@cache
def _catalogue() -> dict[str, Any]:
    path = Path(__file__).with_name("catalogue.json")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
