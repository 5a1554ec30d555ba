"""Make a character of each performer: ``python -m controller make-characters FOLDER --out DIR``.

Every folder, archive and motion file in FOLDER is a performer, who becomes the character DIR/NAME,
by ``make-character``. What each prints is in DIR/NAME.log. An interrupted run goes on; what is
finished is not made again. The exit status is 1 if a character could not be made.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from controller.control.folder import INFO
from controller.core import command_line, files, jobs
from controller.core.errors import DataError, require, run_command
from controller.core.jobs import Job, Table
from controller.data import formats
from envs.recipe import WORK
from envs.stages import RECORD


@dataclass(frozen=True)
class Options:
    """Of whom to make characters."""

    source: tyro.conf.Positional[Path]
    """The folder of performers."""
    out: Path
    """The folder of characters, such as characters."""
    options: Annotated[str, tyro.conf.arg(metavar="OPTIONS")] = ""
    """Options of `make-character`, as in --options="--quick --licence CC0-1.0"."""
    processes: int = 1
    """Characters at once."""
    ray: str | None = None
    """The address of a Ray cluster that makes them, in place of `processes`; auto is the one that
    this machine belongs to. See docs/scale.md."""

    def __post_init__(self) -> None:
        require(self.source.is_dir(), "SOURCE", str(self.source), "a folder of performers")
        require(self.processes >= 1, "processes", self.processes, "1 or more")


def performers(folder: Path) -> dict[str, Path]:
    """The performers in a folder, by name. Raises DataError if there are none, or two of one
    name."""
    suffixes = (*formats.readable(), ".zip")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or path.suffix.lower() in suffixes):
            continue
        if path.stem in found:
            raise DataError(f"{folder}: {found[path.stem].name} and {path.name} have one name")
        found[path.stem] = path
    if not found:
        raise DataError(f"{folder}: no folder, archive or motion file in it")
    return found


def make(source: Path, out: Path, words: tuple[str, ...]) -> int:
    """Make one character, and return the exit status. What it prints goes to a file beside it."""
    command = [sys.executable, "-m", "envs.make_character", str(source), "--out", str(out), *words]
    with log_of(out).open("ab") as log:
        return subprocess.run(command, stdout=log, stderr=log, check=False).returncode


def log_of(out: Path) -> Path:
    """What making a character has printed."""
    return out.parent / f"{out.name}.log"


def last_line(out: Path) -> str:
    """The last line that making a character has printed."""
    lines = log_of(out).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def how_far(out: Path) -> str:
    """How many stages of a character are done; empty before the first."""
    record = out / WORK / RECORD
    if not record.is_file():
        return ""
    stages = list(json.loads(record.read_text(encoding="utf-8")))
    return f"{len(stages)} stages done" + (f", last: {stages[-1]}" if stages else "")


def made(out: Path) -> bool:
    """Whether a character is finished."""
    return (out / INFO).is_file() and (out / "picture.png").is_file()


def main() -> int:
    options = command_line.read(Options, description=__doc__)
    words = tuple(shlex.split(options.options))
    files.make_folder(options.out)
    out = options.out.resolve()
    found = performers(options.source.resolve())
    missing = [name for name in found if not made(out / name)]
    if len(missing) < len(found):
        print(f"{len(found) - len(missing)} of {len(found)} characters are there already")
    work = [Job(name, make, (found[name], out / name, words)) for name in missing]
    table = Table(missing, lambda name: how_far(out / name))
    failed = 0
    for number, status in jobs.run(work, options.processes, options.ray, table.look):
        failed += status != 0
        table.end(missing[number], last_line(out / missing[number]))
    print(f"{len(missing) - failed} characters made in {options.out}, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    run_command(main)
