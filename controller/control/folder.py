"""A character as a folder: its motion VAE, its policies, what it is and what one may do with it."""

from __future__ import annotations

import os
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import tomli_w

from controller.core import files
from controller.core.errors import CheckpointError, ConfigError, require
from controller.core.headers import sentence, shown
from controller.core.paths import ASSETS
from controller.tasks import TASKS

DEFAULT = "woody"
"""The character that plays, and is measured, unless another one is named."""
SHIPPED = ASSETS / "characters"
"""Where the characters are that come with the code."""
OWN = Path("characters")
"""Where a user's own characters are, in the working directory."""
VARIABLE = "MOTION_VAE_CHARACTERS"
"""The environment variable that names a further folder of characters."""
INFO = "character.toml"
LONGEST_INFO = 2**20
"""Bytes of ``character.toml``."""
MVAE = "mvae.safetensors"
EXTRACTOR = "extractor.safetensors"
BODY = "body.safetensors"
OWN_BODY = "body.glb"
OWN_ROLES = "body.toml"


@dataclass(frozen=True)
class CharacterInfo:
    """What ``character.toml`` says.

    name            what the window calls the character
    title           what it is, in one line
    licence         the licence of its weights: an SPDX identifier or a short sentence
    attribution     whom to name, and for what; empty if nobody asks for it
    non_commercial  whether the licence forbids commercial use
    sources         the motion it learned from, one string for each data set

    Raises ConfigError about a field of the wrong type, and about a name, title or licence that is
    empty or has several lines.
    """

    name: str
    title: str
    licence: str
    attribution: str = ""
    non_commercial: bool = False
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("name", "title", "licence"):
            text = getattr(self, name)
            line = isinstance(text, str) and text.strip() and text.isprintable()
            require(bool(line), name, text, "one line of text")
        require(isinstance(self.attribution, str), "attribution", self.attribution, "text")
        flag = isinstance(self.non_commercial, bool)
        require(flag, "non_commercial", self.non_commercial, "true or false")
        listed = isinstance(self.sources, tuple) and all(isinstance(s, str) for s in self.sources)
        require(listed, "sources", self.sources, "a list of texts")

    @property
    def terms(self) -> str:
        """The licence, and whether it forbids commercial use, in a few words."""
        return f"{self.licence}: non-commercial" if self.non_commercial else self.licence

    @property
    def notice(self) -> str:
        """Whom to name and the licence, in one line."""
        return " ".join(" ".join((self.attribution, f"Licence: {self.terms}.")).split())

    @classmethod
    def load(cls, file: Path) -> CharacterInfo:
        """Read a ``character.toml``. Raises CheckpointError, which names the file and the field."""
        try:
            with file.open("rb") as opened:
                content = opened.read(LONGEST_INFO + 1)
            if len(content) > LONGEST_INFO:
                raise CheckpointError(f"{file}: more than {LONGEST_INFO} bytes")
            table: dict[str, Any] = tomllib.loads(content.decode())
        except OSError as error:
            raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:  # of the format, or of the encoding
            raise CheckpointError(f"{file}: not readable as TOML ({sentence(error)})") from error

        allowed = [each.name for each in fields(cls)]
        unknown = sorted(set(table) - set(allowed))
        missing = [name for name in ("name", "title", "licence") if name not in table]
        if unknown or missing:
            what = f"unknown field {shown(unknown[0])}" if unknown else f"no field {missing[0]!r}"
            raise CheckpointError(f"{file}: {what}; allowed: {', '.join(allowed)}")
        if isinstance(table.get("sources"), list):
            table["sources"] = tuple(table["sources"])
        try:
            return cls(**table)
        except ConfigError as error:
            raise CheckpointError(f"{file}: {sentence(error)}") from error


@dataclass(frozen=True)
class CharacterFolder:
    """A folder with ``character.toml`` and ``mvae.safetensors``. It may also have policies
    (``TASK.safetensors``, the best one, and ``TASK_NAME.safetensors``), a feature extractor
    (``extractor.safetensors``), a skinned body (``body.safetensors``), cards, a licence and
    pictures.

    path  where it is
    info  what ``character.toml`` says
    """

    path: Path
    info: CharacterInfo

    @classmethod
    def open(cls, path_or_name: Path | str = DEFAULT) -> CharacterFolder:
        """Open a folder, or the character of this name: that of its folder in :func:`places`. No
        weights are read.

        Raises CheckpointError if there is no such folder, or it has no motion VAE or no
        ``character.toml`` as it should be.
        """
        path = find(path_or_name)
        for name in (INFO, MVAE):
            if not (path / name).is_file():
                raise CheckpointError(
                    f"{path / name}: no such file; a character's folder has {INFO} and {MVAE}"
                )
        return cls(path, CharacterInfo.load(path / INFO))

    @staticmethod
    def write_info(path: Path, info: CharacterInfo) -> None:
        """Write ``character.toml`` into a folder, which is made if necessary. Raises
        ControllerError if that fails."""
        table = asdict(info) | {"sources": list(info.sources)}
        files.write(files.make_folder(path) / INFO, tomli_w.dumps(table, multiline_strings=True))

    @property
    def name(self) -> str:
        """What commands call it: the name of its folder."""
        return self.path.resolve().name

    @property
    def mvae(self) -> Path:
        """The motion VAE."""
        return self.path / MVAE

    def _own(self, name: str) -> Path | None:
        path = self.path / name
        return path if path.is_file() else None

    @property
    def extractor(self) -> Path | None:
        """The feature extractor; None if it has none of its own."""
        return self._own(EXTRACTOR)

    @property
    def body(self) -> Path | None:
        """The skinned body that was made; None if it has none."""
        return self._own(BODY)

    @property
    def own_body(self) -> Path | None:
        """The rigged mesh that is drawn instead; None if it has none."""
        return self._own(OWN_BODY)

    @property
    def own_roles(self) -> Path | None:
        """The roles of that mesh's joints; None if they are to be guessed."""
        return self._own(OWN_ROLES)

    def policy(self, task: str) -> Path:
        """Its best policy for a task: the task's own, or else that of the task which it extends.

        Raises CheckpointError if it has neither.
        """
        return self.policies(task)[0]

    def policies(self, task: str) -> list[Path]:
        """All its policies for a task: see :func:`policies`."""
        return policies(self.path, task)


def places() -> list[Path]:
    """Folders whose subfolders may be characters: the shipped ones, ``characters/`` in the working
    directory, and the folder that the environment variable names."""
    named = os.environ.get(VARIABLE)
    return [SHIPPED, OWN, *([Path(named)] if named else [])]


def folders() -> list[Path]:
    """The folders in :func:`places` that have a ``character.toml``, the default character first,
    then by place and name. They may be incomplete."""
    found: dict[Path, Path] = {}
    for place in places():
        for file in sorted(place.glob(f"*/{INFO}")):
            found.setdefault(file.parent.resolve(), file.parent)
    return sorted(found.values(), key=lambda path: path != SHIPPED / DEFAULT)


def available() -> list[CharacterFolder]:
    """All characters in :func:`places`, the default one first. No weights are read.

    Raises CheckpointError about the first folder that :meth:`CharacterFolder.open` refuses.
    """
    return [CharacterFolder.open(path) for path in folders()]


def find(path_or_name: Path | str) -> Path:
    """The folder of a character that is named, or whose path is given. Names come first; to open a
    folder in the working directory with the name of another character, write ``./NAME``.

    Raises CheckpointError if there is none.
    """
    text = os.fspath(path_or_name)
    if Path(text).name == text:
        for place in places():
            if (place / text / INFO).is_file():
                return place / text
    if text and Path(text).is_dir():
        return Path(text)
    names = ", ".join(dict.fromkeys(path.name for path in folders()))
    raise CheckpointError(
        f"{text!r}: no such character; allowed: a folder with {INFO} and {MVAE}, or one of {names}"
    )


def policies(folder: Path, task: str) -> list[Path]:
    """All policies in a folder for a task: first its own, then those of the task which it extends.
    In each group the best one comes first, the others follow by name.

    Raises CheckpointError if there is none.
    """
    extended = TASKS[task].extends if task in TASKS else None
    paths = own_policies(folder, task)
    if extended:
        paths += own_policies(folder, extended)
    if not paths:
        words = f"--task {TASKS.address(task) if task in TASKS else task}"
        if folder != SHIPPED / DEFAULT:
            words += f" --character {folder}"
        raise CheckpointError(
            f"{folder / task}.safetensors: there is no policy for the task {task!r}; train one "
            f"with `python -m envs.train_policy {words}`, or name one with --policy"
        )
    return paths


def own_policies(folder: Path, task: str) -> list[Path]:
    """The policies in a folder that were trained for exactly this task, the best one first; empty
    if there is no best one."""
    best = folder / f"{task}.safetensors"
    return [best, *sorted(folder.glob(f"{task}_*.safetensors"))] if best.is_file() else []
