"""Writing files completely or not at all, and keeping two runs out of one folder."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.core.errors import ControllerError

PARTIAL = re.compile(r"\.(?P<stem>.*)-[0-9a-f]{16}\.partial(\.[^.]*)?", re.DOTALL)
"""Names of temporary files. The start names the file that they become; the end is its suffix."""
LONGEST_STEM = 80
"""Letters of a file's name in the name of its temporary file: 255 bytes are the most in all."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""Errors of a disk on which nothing more can be written."""


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block ends without an error.

    Otherwise the temporary file is removed, and ``path`` stays as it was. Its name keeps the
    suffix, since writers choose their format by it. A file that is replaced keeps its permissions,
    and a symbolic link stays one: the file to which it leads is replaced. What a killed process
    left of an earlier try is removed.

    Raises ControllerError if the folder does not exist or cannot be written to, if the disk is
    full, or if ``path`` is write-protected or no regular file.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    try:
        mode = _replaceable(target)
        sweep(target)
        temporary, handle = _open(target)
    except OSError as error:
        raise ControllerError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())  # otherwise a power cut may leave an empty file
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except Exception as error:
        reason = full_disk(error)
        if reason:
            raise ControllerError(f"{path}: cannot be written ({reason})") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def check(path: Path) -> None:
    """Raise ControllerError if :func:`atomic` would refuse to replace a file that is there now."""
    try:
        _replaceable(Path(os.path.realpath(path)))
    except OSError as error:
        raise ControllerError(f"{path}: cannot be written ({error.strerror})") from None


def _replaceable(target: Path) -> int | None:
    """The permissions of the file that is to be replaced; None if there is none. OSError if it must
    stay."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    # By its permissions: an administrator could write to it all the same.
    if not found.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")
    return stat.S_IMODE(found.st_mode)


def _open(target: Path) -> tuple[Path, int]:
    """A new temporary file beside ``target``, and the handle that marks it as in use: a lock, which
    ends with this process."""
    while True:
        stem = target.stem.encode()[:LONGEST_STEM].decode(errors="ignore")
        name = f".{stem}-{secrets.token_hex(8)}.partial{target.suffix}"
        temporary = target.with_name(name)
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        _lock(handle)
        if os.fstat(handle).st_nlink:
            return temporary, handle
        os.close(handle)  # another process took it for a dead one's


def _lock(handle: int) -> bool:
    """Whether this process has the lock of an open file or folder now. True, too, where the file
    system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def full_disk(error: BaseException) -> str:
    """Why nothing more can be written, if that is what an error says; otherwise empty.

    Some libraries wrap the system's error in their own and keep only its text.
    """
    if isinstance(error, OSError) and error.errno in FULL:
        return os.strerror(error.errno)
    texts = map(os.strerror, FULL)
    return next((text for text in texts if text in str(error)), "")


def write(path: Path | str, content: str | bytes) -> None:
    """Write a file atomically, text as UTF-8. Raises ControllerError as :func:`atomic` does."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def sweep(path: Path) -> None:
    """Remove temporary files that killed processes left beside the file ``path``, or in the folder
    ``path``. Those that another process is writing stay."""
    is_folder = path.is_dir()
    with suppress(OSError):
        for found in os.scandir(path if is_folder else path.parent):
            match = PARTIAL.fullmatch(found.name)
            if match and (is_folder or path.stem.startswith(match["stem"])):
                _sweep_one(found.path)


def _sweep_one(temporary: str) -> None:
    with suppress(OSError):
        handle = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if _lock(handle):
                Path(temporary).unlink()
        finally:
            os.close(handle)


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Keep a folder, which is made if it is missing, for this process until the block ends, and
    sweep it. A folder that was made and is still empty then is removed.

    Raises ControllerError if another process has it. The lock is on the folder itself, so it leaves
    no file, and it ends with the process however that ends.
    """
    is_new = _make(folder)
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ControllerError(f"{folder}: cannot be opened ({error.strerror})") from error
    try:
        if not _lock(handle):
            raise ControllerError(
                f"{folder}: another run is writing there; wait for its end, or choose another "
                "folder"
            )
        sweep(folder)
        yield
    finally:
        os.close(handle)
        if is_new:
            _remove_empty(folder)


def keep_finished(path: Path, overwrite: bool) -> None:
    """Raise ControllerError if there is a finished result that nobody asked to replace."""
    if path.exists() and not overwrite:
        raise ControllerError(
            f"{path} is there already: --overwrite replaces it, or choose another --out"
        )


def check_folder(folder: Path) -> None:
    """Raise ControllerError unless files can be written into a folder, or into a new one of that
    name: what takes long should not find out at its end."""
    is_new = _make(folder)
    try:
        temporary, handle = _open(folder / "trial")
    except OSError as error:
        raise ControllerError(f"{folder}: cannot be written to ({error.strerror})") from None
    os.close(handle)
    temporary.unlink()
    if is_new:
        _remove_empty(folder)


def _make(folder: Path) -> bool:
    """Make a folder; False if it is there already."""
    is_new = not folder.is_dir()
    make_folder(folder)
    return is_new


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


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
