"""Fetching the files of a data set from their public sources or a mirror, and checking them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import requests
from tqdm import tqdm

from controller.core import files
from controller.core.errors import ControllerError, DataError
from controller.data import catalogue
from controller.data.catalogue import DataFile, DataSet

TIMEOUT = 30.0
"""Seconds without an answer after which a download fails."""
SLOWEST = 20_000.0
"""Bytes a second. A download that is slower on average, after the first TIMEOUT, is given up."""
PLAIN = {"Accept-Encoding": "identity"}
CHUNK = 2**16
"""Bytes that are read at once."""
PATIENCE = 3
"""Files in a row without an answer after which the rest is not tried: the network is down."""
MAX_LISTED = 10
"""Failures that the closing error lists."""


class _Failed(Exception):
    """Why one file could not be fetched; ``silent`` if no server answered."""

    def __init__(self, reason: str, silent: bool = False) -> None:
        super().__init__(reason)
        self.silent = silent


def fetch(
    dataset: DataSet, destination: Path, mirror: str | Path | None = None, progress: bool = True
) -> list[Path]:
    """Put every file of ``dataset`` into ``destination`` and return their paths, in the data set's
    order.

    A file that is there with the right SHA-256 stays as it is. The others are downloaded. With a
    ``mirror``, a local folder or an http(s) address that holds ``DATASET/FILE`` or ``FILE``, they
    come from there and from nowhere else. A file appears under its name only when it is complete
    and its hash is right.

    Raises DataError with the names of the files that could not be fetched. All others are in place
    by then.
    """
    if mirror is not None and not _is_url(mirror) and not Path(mirror).is_dir():
        raise DataError(f"the mirror {mirror} is not a folder")
    try:
        destination.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{destination}: the folder cannot be made ({error.strerror})") from None

    failures: list[str] = []
    silent = 0
    for file in tqdm(
        dataset.files, desc=dataset.name, unit="file", disable=None if progress else True
    ):
        try:
            _fetch_one(file, destination / file.name, _places(dataset, file, mirror))
            silent = 0
        except _Failed as error:
            failures.append(f"{file.name}: {error}")
            silent = silent + 1 if error.silent else 0
        if silent == PATIENCE:
            failures.append(
                f"{PATIENCE} in a row without an answer; the files after them were not tried"
            )
            break
    if failures:
        raise DataError(_summary(dataset, destination, failures))
    return [destination / file.name for file in dataset.files]


def _is_url(place: str | Path) -> bool:
    return str(place).startswith(("http://", "https://"))


def _places(dataset: DataSet, file: DataFile, mirror: str | Path | None) -> list[str]:
    """Paths or addresses to try, in order."""
    if mirror is None:
        return list(file.urls)
    base = str(mirror).rstrip("/")
    return [f"{base}/{dataset.name}/{file.name}", f"{base}/{file.name}"]


def _fetch_one(file: DataFile, target: Path, places: list[str]) -> None:
    """Put the file at ``target`` from the first place that has it.

    If no place has it, raise the last failure, or the last one about a damaged copy.
    """
    if catalogue.holds(target, file):
        return
    wrong: _Failed | None = None
    for place in places:
        try:
            if _is_url(place):
                _download(place, target, file)
            else:
                _copy(Path(place), target, file)
            return
        except _Failed as error:
            # A damaged copy says more than "not found" in the next place.
            wrong = error if wrong is None or "SHA-256" not in str(wrong) else wrong
    raise wrong or _Failed("the catalogue names no place for it")


def _download(url: str, target: Path, file: DataFile) -> None:
    """Download one file, within a time that its size allows.

    A server can hold a reader for ever at many points: by an endless header, a byte a minute or a
    circle of redirections. So a thread reads, and is left behind when the time is over.
    """
    limit = TIMEOUT + file.bytes / SLOWEST
    received: list[bytes | BaseException] = []
    over = threading.Event()

    def read() -> None:
        try:
            with requests.get(url, stream=True, timeout=TIMEOUT, headers=PLAIN) as answer:
                answer.raise_for_status()
                # As sent: a small answer must not unpack into a large one.
                chunks = answer.raw.stream(CHUNK, decode_content=False)
                received.append(_content(chunks, file, over.is_set))
        except BaseException as error:
            received.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(limit)
    over.set()
    if not received:
        raise _Failed(f"{url} takes more than {limit:.0f} s", silent=True)
    (result,) = received
    if isinstance(result, BaseException):
        raise _reason(url, result) from None
    _put(result, url, target, file)


def _reason(url: str, error: BaseException) -> _Failed:
    """Why a download failed."""
    if isinstance(error, _TooLong):
        return _Failed(f"{url} {error}")
    answer = getattr(error, "response", None)
    if answer is not None:
        return _Failed(f"{url} answers {answer.status_code}")
    return _Failed(f"{url} cannot be fetched ({type(error).__name__})", silent=True)


class _TooLong(Exception):
    """A source has more bytes than the catalogue says."""


def _content(chunks: Iterable[bytes], file: DataFile, over: Callable[[], bool]) -> bytes:
    """All bytes of a source, as long as they are no more than the catalogue says, and nobody says
    that time is ``over``. Files of the catalogue fit into memory."""
    parts = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > file.bytes or over():
            raise _TooLong(f"has another SHA-256 than the catalogue: more than {file.bytes} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _copy(source: Path, target: Path, file: DataFile) -> None:
    try:
        if not source.is_file():
            source.stat()
            raise _Failed(f"{source} cannot be copied (not a regular file)")
        with source.open("rb") as opened:
            content = _content(iter(lambda: opened.read(CHUNK), b""), file, lambda: False)
    except OSError as error:
        raise _Failed(f"{source} cannot be copied ({error.strerror})") from None
    except _TooLong as error:
        raise _Failed(f"{source} {error}") from None
    _put(content, str(source), target, file)


def _put(content: bytes, place: str, target: Path, file: DataFile) -> None:
    """Write a file's content if it is the catalogue's."""
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise _Failed(f"{place} has another SHA-256 than the catalogue")
    try:
        files.write(target, content)
    except ControllerError as error:
        raise _Failed(str(error)) from None


def _summary(dataset: DataSet, destination: Path, failures: list[str]) -> str:
    there = sum((destination / file.name).is_file() for file in dataset.files)
    lines = failures[:MAX_LISTED]
    if len(failures) > MAX_LISTED:
        lines.append(f"and {len(failures) - MAX_LISTED} more")
    head = (
        f"{there} of {len(dataset.files)} files of {dataset.name} are in {destination}; "
        "these could not be fetched:"
    )
    return "\n  ".join([head, *lines])
