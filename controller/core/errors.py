"""The project's own errors: each carries one sentence that a person can act on."""

from __future__ import annotations

import sys
from collections.abc import Callable


class ControllerError(Exception):
    """Base of every error that is the user's to mend: a bad file, a bad setting, a missing
    driver."""


class FormatError(ControllerError):
    """A file does not hold what its format promises. The message names the file and the line."""


class ConfigError(ControllerError):
    """A setting is out of its range. The message names the field, what was found and what is
    allowed."""


class DataError(ControllerError):
    """Motion data is missing, damaged or made for another skeleton."""


class CheckpointError(ControllerError):
    """A checkpoint is missing, damaged, or made for another model or skeleton."""


class ActionError(ControllerError, ValueError):
    """An action, a latent or an observation has a wrong shape or dtype, or is not finite."""


class DisplayError(ControllerError):
    """No window or no OpenGL driver could be had."""


def require(condition: bool, field: str, found: object, allowed: str) -> None:
    """Raise :class:`ConfigError` unless ``condition`` holds: ``FIELD is FOUND; allowed:
    ALLOWED``."""
    if not condition:
        raise ConfigError(f"{field} is {found!r}; allowed: {allowed}")


def first_line(error: Exception) -> str:
    """What another library's error says, without its further lines; its kind if it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def run_command(main: Callable[[], int | None]) -> None:
    """Run a command's ``main`` and leave the process: 0, 2 with one sentence for a user's error,
    130 for Ctrl-C."""
    try:
        sys.exit(main() or 0)
    except ControllerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
