"""The project's own errors. Each carries one sentence that a person can act on."""

from __future__ import annotations

import sys
from collections.abc import Callable


class ControllerError(Exception):
    """Base of every error that the user can fix: a bad file, a bad setting, a missing driver."""


class FormatError(ControllerError):
    """A file does not follow its format. The message names the file and the line."""


class ConfigError(ControllerError):
    """A setting is out of range. The message names the field, its value and what is allowed."""


class DataError(ControllerError):
    """Motion data is missing, damaged or made for another skeleton."""


class CheckpointError(ControllerError):
    """A checkpoint is missing, damaged, or made for another model or skeleton."""


class ActionError(ControllerError, ValueError):
    """An action, a latent or an observation has a wrong shape or dtype, or is not finite."""


class DisplayError(ControllerError):
    """A window could not be opened, or there is no usable OpenGL driver."""


def require(condition: bool, field: str, value: object, allowed: str) -> None:
    """Raise :class:`ConfigError` unless ``condition`` is true: ``FIELD is VALUE; allowed: …``."""
    if not condition:
        raise ConfigError(f"{field} is {value!r}; allowed: {allowed}")


def first_line(error: Exception) -> str:
    """The first line of another library's error message; the error's type if it has no message."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


class Stopped(KeyboardInterrupt):
    """A command was stopped from outside. The message says what was kept, and how to go on."""


MOST_LINES = 12
"""Lines of an error message that are printed."""
MOST_LETTERS = 1000
"""Letters of one of these lines."""
NO_MEMORY = ("can't allocate memory", "out of memory")
"""What torch says on a lack of memory, in errors of its own."""


def clipped(message: str) -> str:
    """A message of at most :data:`MOST_LINES` lines, none of them endless: what a person reads."""
    lines = message.splitlines()
    shown = [
        line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]} …"
        for line in lines[:MOST_LINES]
    ]
    if len(lines) > MOST_LINES:
        shown.append(f"  … and {len(lines) - MOST_LINES} more lines")
    return "\n".join(shown)


def sentence(error: Exception) -> str:
    """What a person should be told about an error that is not a mistake in this program; empty if
    it is one."""
    if isinstance(error, ControllerError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = error.filename
        return f"{where}: {error.strerror}" if where else error.strerror
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        return f"this does not fit into memory ({first_line(error)})"
    return ""


def full_sentence(path: object, error: Exception) -> str:
    """What a person should be told about an error with a file, which is named in any case."""
    said = sentence(error) or f"cannot be written ({first_line(error)})"
    return said if str(path) in said else f"{path}: {said}"


def run_command(main: Callable[[], int | None]) -> None:
    """Run a command's ``main`` and exit with its status.

    A :class:`ControllerError`, an error of the file system and a lack of memory are printed as one
    sentence and exit with 2; Ctrl-C exits with 130.
    """
    try:
        sys.exit(main() or 0)
    except KeyboardInterrupt as stop:
        print(f"stopped: {stop}" if str(stop) else "stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        said = sentence(error)
        if not said:
            raise
        print(f"error: {clipped(said)}", file=sys.stderr)
        sys.exit(2)
