"""Files of JSON that this project wrote: figures, histories, outcomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.core.errors import ControllerError, DataError
from controller.core.headers import sentence

LONGEST = 2**26
"""Bytes."""


@contextmanager
def loaded(path: Path, what: str) -> Iterator[Any]:
    """A block that uses the value in a file: ``with loaded(path, "outcome of a run") as outcome``.

    Whatever is not there, or not as the block expects it, is the file's fault: any error becomes a
    DataError of one sentence that begins with the file's name.
    """
    try:
        if not path.is_file():
            raise DataError("no such file")
        if path.stat().st_size > LONGEST:
            raise DataError(f"more than {LONGEST} bytes")
        yield json.loads(path.read_text(encoding="utf-8"))
    except ControllerError as error:
        raise DataError(f"{path}: not the {what} ({sentence(error)})") from error
    except (
        ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError,
        ValueError,
    ) as error:  # fmt: skip
        name = type(error).__name__
        raise DataError(f"{path}: not the {what} ({name}: {sentence(error)})") from error
