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


def run_command(main: Callable[[], int | None]) -> None:
    """Run a command's ``main`` and exit with its status.

    A :class:`ControllerError` is printed as one sentence and exits with 2; Ctrl-C exits with 130.
    """
    try:
        sys.exit(main() or 0)
    except ControllerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
