"""Numba's compiler with a cache on disk that never keeps a program from starting.

Numba by itself raises an error if there is nowhere to write, and at every start if a file of the
cache is damaged.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.caching import FunctionCache


class _Cache(FunctionCache):
    """What was compiled of one function. A file that cannot be used is removed and made anew."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # damaged pickles raise anything
            self._remove()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        # A full disk, say: then the next process compiles it again.
        with suppress(Exception):
            super().save_overload(sig, data)

    def _remove(self) -> None:
        for path in Path(self.cache_path).glob(f"{self._impl.filename_base}.*nb[ci]"):
            with suppress(OSError):
                path.unlink()


def cached(**how: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles as ``numba.njit(**how)`` does, and keeps the result beside the
    source, in the user's cache, or else in the folder for temporary files; in none if all of them
    are read-only."""

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher: Any = njit(**how)(function)
        cache = _cache_of(function) or _cache_of(function, temporary=True)
        if cache is not None:
            dispatcher._cache = cache
        return dispatcher

    return compiled


def _cache_of(function: Callable[..., Any], temporary: bool = False) -> _Cache | None:
    """The cache of a function; None if there is nowhere to write."""
    try:
        if temporary:
            config.CACHE_DIR = str(_own_temporary_folder())  # type: ignore[attr-defined]
        return _Cache(function)
    except (RuntimeError, OSError):  # "no locator available"
        return None


def _own_temporary_folder() -> Path:
    """A folder that stays from run to run and belongs to this user alone: what lies in it is run.
    OSError if there is none."""
    folder = Path(tempfile.gettempdir()) / f"motion-vae-numba-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not this user's own")
    return folder
