"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.core.errors import ControllerError


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and vanishes
    otherwise.

    The temporary name keeps the suffix, since writers choose their format by it. Raises
    ControllerError if the folder does not exist or cannot be written to.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise ControllerError(f"{path}: cannot be written ({error.strerror})") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())  # else a power cut may leave the new name with nothing in it
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path | str, content: str | bytes) -> None:
    """Write a whole file or nothing, text as UTF-8; ControllerError as for :func:`atomic`."""
    with atomic(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def sweep(path: Path) -> None:
    """Remove what killed processes left of their writing to ``path``. Nothing may be writing to it
    meanwhile."""
    for left in path.parent.glob(f".{path.stem}-*{path.suffix}"):
        left.unlink(missing_ok=True)


def make_folder(path: Path) -> Path:
    """Make a folder, with those above it, unless it is there; ControllerError if it cannot be
    made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ControllerError(f"{path}: the folder cannot be made ({error.strerror})") from error
    return path


def marked(path: Path, marker: str) -> tuple[str, str, str]:
    """A text file in three: up to ``<!-- marker -->``, what stands between it and ``<!-- end marker
    -->``, and from there on. ControllerError unless each mark is there once."""
    begin = f"<!-- {marker} -->"
    end = f"<!-- end {marker} -->"
    try:
        whole = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ControllerError(f"{path}: cannot be read ({error})") from error
    before, _, rest = whole.partition(begin)
    block, _, after = rest.partition(end)
    if whole.count(begin) != 1 or whole.count(end) != 1 or end not in rest:
        raise ControllerError(f"{path}: one block from {begin} to {end} is expected")
    return before + begin, block, end + after


def fill(path: Path, marker: str, text: str) -> None:
    """Put ``text`` into the block of :func:`marked`, in place of what was there."""
    before, _, after = marked(path, marker)
    write(path, f"{before}\n{text}\n{after}")
