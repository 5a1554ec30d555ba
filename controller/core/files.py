"""Writing files completely or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.core.errors import ControllerError


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block ends without an error.

    Otherwise the temporary file is removed. Its name keeps the suffix, since writers choose their
    format by it. Raises ControllerError if the folder does not exist or cannot be written to.
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
            os.fsync(file.fileno())  # otherwise a power cut may leave an empty file
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path | str, content: str | bytes) -> None:
    """Write a file atomically, text as UTF-8. Raises ControllerError as :func:`atomic` does."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def sweep(path: Path) -> None:
    """Remove temporary files that killed processes left beside ``path``.

    No other process may be writing to ``path`` at the same time.
    """
    for temporary in path.parent.glob(f".{path.stem}-*{path.suffix}"):
        temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> Path:
    """Make a folder and its parents unless they exist. Raises ControllerError if that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ControllerError(f"{path}: the folder cannot be made ({error.strerror})") from error
    return path


def split_block(path: Path, marker: str) -> tuple[str, str, str]:
    """Split a text file at a block between ``<!-- marker -->`` and ``<!-- end marker -->``.

    Returns the text before the block, the block, and the text after it; the marks belong to the
    outer parts. Raises ControllerError unless each mark occurs exactly once.
    """
    begin = f"<!-- {marker} -->"
    end = f"<!-- end {marker} -->"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ControllerError(f"{path}: cannot be read ({error})") from error

    before, _, rest = text.partition(begin)
    block, _, after = rest.partition(end)
    if text.count(begin) != 1 or text.count(end) != 1 or end not in rest:
        raise ControllerError(f"{path}: one block from {begin} to {end} is expected")
    return before + begin, block, end + after


def fill(path: Path, marker: str, text: str) -> None:
    """Replace the block that :func:`split_block` finds by ``text``."""
    before, _, after = split_block(path, marker)
    write(path, f"{before}\n{text}\n{after}")
