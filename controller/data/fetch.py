"""Fetching the files of a data set from their public sources or a mirror, and checking them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pooch
from tqdm import tqdm

from controller.core import files
from controller.core.errors import DataError
from controller.data.catalogue import DataFile, DataSet

TIMEOUT = 30
"""Seconds without an answer after which a download fails."""
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

    # Its line for every download would break the progress bar.
    pooch.get_logger().setLevel("WARNING")
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
    if target.is_file() and pooch.file_hash(str(target)) == file.sha256:
        return
    wrong: _Failed | None = None
    for place in places:
        try:
            if _is_url(place):
                _download(place, target, file.sha256)
            else:
                _copy(Path(place), target, file.sha256)
            return
        except _Failed as error:
            # A damaged copy says more than "not found" in the next place.
            wrong = error if wrong is None or "SHA-256" not in str(wrong) else wrong
    raise wrong or _Failed("the catalogue names no place for it")


def _download(url: str, target: Path, sha256: str) -> None:
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
        )
    # Requests and the file system raise OSError. It comes first: some are ValueErrors, too.
    except OSError as error:
        answer = getattr(error, "response", None)
        if answer is not None:
            raise _Failed(f"{url} answers {answer.status_code}") from None
        raise _Failed(f"{url} cannot be fetched ({type(error).__name__})", silent=True) from None
    except ValueError:  # a wrong hash; pooch has removed its temporary file
        raise _Failed(f"{url} has another SHA-256 than the catalogue") from None


def _copy(source: Path, target: Path, sha256: str) -> None:
    try:
        with files.atomic(target) as temporary:
            shutil.copyfile(source, temporary)
            if pooch.file_hash(str(temporary)) != sha256:
                raise _Failed(f"{source} has another SHA-256 than the catalogue")
    except OSError as error:
        raise _Failed(f"{source} cannot be copied ({error.strerror})") from None


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
