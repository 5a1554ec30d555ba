"""Plain values from the headers of files, checked before anything is built from them.

A header is JSON: whatever type and size the writer of the file wanted. Each function returns the
value that it was given, or raises DataError with the field, what was found and what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from controller.core.errors import CheckpointError, ControllerError, DataError, first_line

MOST_JOINTS = 1000
"""Joints of a skeleton. A body with all its fingers and twist bones has a few hundred."""
LONGEST_NAME = 200
"""Characters of a name."""
LONGEST_SENTENCE = 500
"""Characters of what is said about a file."""
LONGEST_VALUE = 60
"""Characters of a value that is shown."""
FARTHEST = 1e4
"""m: the longest bone."""

Built = TypeVar("Built")


@contextmanager
def reading(path: Path | str, kind: str) -> Iterator[None]:
    """A block that builds something from a checkpoint of this ``kind``.

    Whatever cannot be built from it is the file's fault: any error becomes a CheckpointError of one
    sentence that begins with the file's name.
    """
    try:
        yield
    except CheckpointError as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise CheckpointError(f"{path}: {sentence(error)}") from error
    except (ControllerError, KeyError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else sentence(error)
        raise CheckpointError(f"{path}: not a complete {kind} checkpoint ({what})") from error
    except (
        ArithmeticError, AttributeError, IndexError, MemoryError, RecursionError, RuntimeError,
        TypeError, ValueError,
    ) as error:  # fmt: skip
        what = f"{type(error).__name__}: {sentence(error)}"
        raise CheckpointError(f"{path}: not a complete {kind} checkpoint ({what})") from error


def sentence(error: Exception) -> str:
    """The first line of an error's message, not too long."""
    text = first_line(error)
    return text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]} …"


def shown(value: object) -> str:
    """A value as a message shows it: in one line, and not too long."""
    if isinstance(value, list | dict) and len(value) > LONGEST_VALUE:
        return f"a {type(value).__name__} of {len(value)} values"
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or a number of thousands of digits
        return f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …"


def refuse(field: str, value: object, allowed: str) -> DataError:
    """The error about a field: to be raised."""
    return DataError(f"{field} is {shown(value)}; allowed: {allowed}")


def table(field: str, value: object) -> dict[str, Any]:
    """An object of JSON."""
    if not isinstance(value, dict):
        raise refuse(field, value, "a table of named values")
    return value


def whole(field: str, value: object, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``. ``true`` is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise refuse(field, value, f"a whole number from {least} to {most}")
    return value


def number(field: str, value: object, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number from ``least`` to ``most``."""
    allowed = "a finite number"
    if math.isfinite(least) or math.isfinite(most):
        allowed = f"a number from {least:g} to {most:g}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise refuse(field, value, allowed)
    try:
        real = float(value)
    except OverflowError:
        raise refuse(field, "a number of hundreds of digits", allowed) from None
    if not math.isfinite(real) or not least <= real <= most:
        raise refuse(field, value, allowed)
    return value


def text(field: str, value: object, longest: int = LONGEST_NAME) -> str:
    """A text of one line, which can be written as UTF-8."""
    allowed = f"one line of text, {longest} characters at most"
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise refuse(field, value, allowed)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refuse(field, ascii(value), allowed) from None
    if len(value.splitlines()) > 1:
        raise refuse(field, value, allowed)
    return value


def items(field: str, value: object, least: int, most: int) -> list[Any]:
    """A list of ``least`` to ``most`` values."""
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise refuse(field, value, f"a list of {least} to {most} values")
    return list(value)


def points(field: str, value: object, count: int) -> None:
    """``count`` rows of three finite numbers, metres of bones."""
    for index, row in enumerate(items(field, value, count, count)):
        for coordinate in items(f"{field}[{index}]", row, 3, 3):
            number(f"{field}[{index}]", coordinate, -FARTHEST, FARTHEST)


def skeleton(value: object) -> dict[str, Any]:
    """A skeleton as :meth:`controller.motion.skeleton.Skeleton.to_dict` writes it: names, parents,
    offsets and tips of as many joints."""
    bones = table("skeleton", value)
    names = items("skeleton.names", bones.get("names"), 1, MOST_JOINTS)
    for index, name in enumerate(names):
        text(f"skeleton.names[{index}]", name)
    parents = items("skeleton.parents", bones.get("parents"), len(names), len(names))
    for index, parent in enumerate(parents):
        whole(f"skeleton.parents[{index}]", parent, -1, index - 1)
    points("skeleton.offsets", bones.get("offsets"), len(names))
    points("skeleton.tips", bones.get("tips"), len(names))
    return bones


def settings(kind: type[Built], field: str, value: object) -> Built:
    """A frozen dataclass of settings from a table of its fields.

    Each value must be of its default's type: a number where that is a number. Raises ConfigError,
    too, from the settings' own checks.
    """
    found = table(field, value)
    known = {each.name: each.default for each in fields(kind)}  # type: ignore[arg-type]
    for name, each in found.items():
        if name not in known:
            raise refuse(f"{field}.{shown(name)}", each, f"the fields {', '.join(known)}")
        _of_type(f"{field}.{name}", each, known[name])
    return kind(**found)


def _of_type(field: str, value: object, default: object) -> None:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise refuse(field, value, "true or false")
    elif isinstance(default, int):
        whole(field, value, -(2**53), 2**53)
    elif isinstance(default, float):
        number(field, value)
    elif isinstance(default, str):
        text(field, value)
    elif isinstance(default, tuple):
        items(field, value, 0, MOST_JOINTS)
