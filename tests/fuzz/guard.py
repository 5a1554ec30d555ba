"""Running one input: what counts as a failure, and in how much time and memory."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from types import FrameType

from controller.core.errors import ControllerError

SECONDS = 10
"""Longer is a hang."""
MEMORY = 2 * 2**30
"""Bytes beyond what the process had before."""
LONGEST = 2000
"""Characters of what may be said about an input."""


class Hang(BaseException):
    """The input took too long."""


def outcome(use: Callable[[], object]) -> str:
    """Use an input, and say how it went: "good", "refused", or what is wrong."""
    try:
        with _limited():
            use()
    except ControllerError as error:
        said = str(error)
        if len(said) > LONGEST or len(said.splitlines()) != 1:
            return f"a message of {len(said)} characters: {said[:80]!r}"
        if _out_of_memory(error):
            return f"it asked for more than {MEMORY >> 30} GB: {said[:200]}"
        return "refused"
    except SystemExit as left:
        return (
            "good"
            if left.code in (0, None)
            else "refused"
            if left.code == 2
            else f"status {left.code}"
        )
    except Hang:
        return f"a hang of more than {SECONDS} s"
    except BaseException as error:  # whatever it is, it must not come out
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:150]!r} at {place.filename}:{place.lineno}"
    return "good"


def _out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or "allocate" in str(error):
            return True
        error = error.__cause__
    return False


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_PROF, 0)
    profiled = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of this process, however busy the machine is
    signal.alarm(12 * SECONDS)  # for what waits instead
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGPROF, profiled)


def limit_memory() -> None:
    """Let this process take no more than :data:`MEMORY` beyond what it has."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - Linux, where this runs
        pages = int(file.read().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
