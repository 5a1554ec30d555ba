"""Numba's cache may be damaged or have no place: what needs it starts all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from numba import config
from numba.core import caching

from controller.core import compiling


def triple(number: int) -> int:
    return 3 * number


def hits() -> int:
    """How often a new process, as it were, finds the function in the cache."""
    function = compiling.cached()(triple)
    assert function(14) == 42
    return sum(function.stats.cache_hits.values())


def test_a_damaged_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    assert hits() == 0 and hits() == 1
    for kind in ("nbi", "nbc"):
        (path,) = tmp_path.rglob(f"*.{kind}")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert hits() == 0  # no EOFError, and the file is made anew
        assert hits() == 1


def no_place(*_: object) -> None:
    raise PermissionError("read-only")


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code, and the user's folder, are read-only; this test may be run by who can write
    everywhere."""
    for locator in (caching.InTreeCacheLocator, caching.UserWideCacheLocator):
        monkeypatch.setattr(locator, "ensure_cache_path", no_place)
    monkeypatch.setattr(config, "CACHE_DIR", "")


@pytest.mark.usefixtures("read_only")
def test_read_only_code_is_kept_in_a_folder_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    assert compiling.cached()(triple)(14) == 42
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700 and list(folder.rglob("*.nbc"))


@pytest.mark.usefixtures("read_only")
@pytest.mark.parametrize("place", ["file", "open to others", "missing"])
def test_without_any_place_it_is_compiled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = tmp_path / f"motion-vae-numba-{os.getuid()}"
    if place == "file":
        folder.touch()
    elif place == "open to others":  # what they put there would be run
        folder.mkdir()
        folder.chmod(0o777)
    where = tmp_path / "nowhere" if place == "missing" else tmp_path
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(where))
    assert compiling.cached()(triple)(14) == 42
    assert not list(tmp_path.rglob("*.nb?"))
