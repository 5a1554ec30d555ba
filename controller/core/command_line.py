"""Options of commands: tyro reads them, and what no command can do is refused in one sentence."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import tyro

from controller.core.errors import ConfigError, require

MOST = 2**31 - 1
"""The largest whole number of an option, apart from a seed: libraries count with 32 bits."""
MOST_THREADS = 1024
NAME_BYTES = 255
PATH_BYTES = 4095
"""The longest name and the longest path of Linux."""

Options = TypeVar("Options")


def read(kind: type[Options], **how: Any) -> Options:
    """The options of a command, from ``sys.argv``. ``how`` goes to :func:`tyro.cli`.

    Raises ConfigError as :func:`check` does.
    """
    options = tyro.cli(kind, **how)
    check(options)
    return options


def read_command(kinds: Mapping[str, Callable[..., Any]], description: str | None) -> Any:
    """The options of one of several commands, which ``sys.argv`` names. Raises ConfigError as
    :func:`check` does."""
    command = tyro.extras.subcommand_cli_from_dict(dict(kinds), description=description)
    check(command)
    return command


def check(options: object) -> None:
    """Raise ConfigError about the first option, at any depth of dataclasses and tuples, that no
    computer could do: a number that overflows, a path that is too long."""
    for name, value in _leaves(options, ""):
        option = "--" + name.replace("_", "-")
        last = name.rpartition(".")[2]
        if isinstance(value, Path):
            _check_path(option, value)
        elif isinstance(value, bool):
            continue
        elif isinstance(value, int) and last.endswith("seed"):
            require(0 <= value < 2**63, option, value, "0 to 2^63 - 1")
        elif isinstance(value, int) and last == "threads":
            require(1 <= value <= MOST_THREADS, option, value, f"1 to {MOST_THREADS}")
        elif isinstance(value, int):
            require(-MOST <= value <= MOST, option, value, f"-{MOST} to {MOST}")
        elif isinstance(value, float):
            require(not math.isnan(value), option, value, "a number")


def _leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    """The values in dataclasses and tuples, each with its name as on the command line."""
    if is_dataclass(value):
        for field in fields(value):
            inner = f"{name}.{field.name}" if name else field.name
            yield from _leaves(getattr(value, field.name), inner)
    elif isinstance(value, tuple):
        for item in value:
            yield from _leaves(item, name)
    else:
        yield name, value


def _check_path(option: str, path: Path) -> None:
    try:
        whole = len(os.fsencode(path))
        longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{option}: a path with characters that this system cannot write ({error.reason})"
        ) from error
    if longest > NAME_BYTES or whole > PATH_BYTES:
        raise ConfigError(
            f"{option}: a name of {longest} bytes in a path of {whole}; allowed: "
            f"{NAME_BYTES} and {PATH_BYTES}"
        )
