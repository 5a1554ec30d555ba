"""Files are whole, keep what their owner gave them, and nobody's leftovers stay."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from synthetic import ROOT

from controller.core import checkpoint, errors, files
from controller.core.errors import ControllerError


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


# -- what is replaced ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_stay(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    files.write(path, "new")
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == mode


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files.write(tmp_path / "a.txt", "mine")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600


def test_a_write_protected_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("precious")
    path.chmod(0o444)
    with pytest.raises(ControllerError, match=r"a\.txt: cannot be written \(it is write-protected"):
        files.write(path, "new")
    assert path.read_text() == "precious" and list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "target.txt"
    target.parent.mkdir()
    target.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    files.write(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_what_is_no_file_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    for path, words in ((tmp_path / "pipe.txt", "regular"), (tmp_path, "folder")):
        with pytest.raises(ControllerError, match=words):
            files.write(path, "new")
    assert (tmp_path / "pipe.txt").is_fifo()


@pytest.mark.parametrize("name", ["a" * 240 + ".txt", "ü" * 120 + ".txt", "[x]*?.txt", "a"])
def test_any_name_that_a_file_can_have_can_be_written(tmp_path: Path, name: str) -> None:
    files.write(tmp_path / name, "whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]


# -- a disk that is full ---------------------------------------------------------------------------


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(tmp_path: Path) -> None:
    """The most bytes that a process may write to a file: to libraries it is like a full disk."""
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, "thing", {}, {"a": torch.zeros(3)})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        for act in (
            lambda: checkpoint.save(path, "thing", {}, {"a": torch.zeros(100_000)}),
            lambda: files.write(path, b"0" * 400_000),
        ):
            with pytest.raises(ControllerError) as caught:
                act()
            assert str(caught.value) == f"{path}: cannot be written (File too large)"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_errors_of_the_system_that_nobody_foresaw_are_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(error: Exception) -> str:
        def main() -> None:
            raise error

        with pytest.raises(SystemExit) as left:
            errors.run_command(main)
        assert left.value.code == 2
        return capsys.readouterr().err

    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "log")
    assert fails(full) == "error: log: No space left on device\n"
    assert "does not fit into memory" in fails(MemoryError())
    with pytest.raises(ZeroDivisionError):
        fails(ZeroDivisionError())


def test_long_messages_are_clipped(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise ControllerError("\n".join(["x" * 5000, *map(str, range(3000))]))

    with pytest.raises(SystemExit):
        errors.run_command(main)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == errors.MOST_LINES + 1 and said[-1] == "  … and 2989 more lines"
    assert max(map(len, said)) < 1100


# -- what killed processes leave -------------------------------------------------------------------

DIES = """
import os, signal, sys
from controller.core import files
with files.atomic(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_writer_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    mine = tmp_path / ".a-notes.txt"
    mine.write_text("a file of somebody's own")
    assert run(DIES, str(path)).returncode == -signal.SIGKILL
    (left,) = set(tmp_path.iterdir()) - {mine}
    assert left.read_text() == "half" and left.suffix == ".txt"
    files.write(path, "whole")
    assert set(tmp_path.iterdir()) == {path, mine} and path.read_text() == "whole"


def test_a_folder_is_swept_of_all_leftovers_and_of_nothing_else(tmp_path: Path) -> None:
    for name in ("a.txt", "b.json"):
        run(DIES, str(tmp_path / name))
    assert len(list(tmp_path.iterdir())) == 2
    with files.atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("alive")
        with files.own_folder(tmp_path):
            assert list(tmp_path.iterdir()) == [temporary]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


# -- two runs --------------------------------------------------------------------------------------

HOLDS = """
import sys
from pathlib import Path
from controller.core import errors, files
def main():
    with files.own_folder(Path(sys.argv[1])):
        print("mine", flush=True)
        sys.stdin.read()
errors.run_command(main)
"""


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with first:
        assert first.stdout is not None and first.stdout.readline() == "mine\n"
        with (
            pytest.raises(ControllerError, match="another run is writing there"),
            files.own_folder(tmp_path),
        ):
            raise AssertionError("the block must not run")
        first.kill()
    with files.own_folder(tmp_path):  # a lock ends with its process
        assert not list(tmp_path.iterdir())


def test_a_finished_result_stays_unless_it_may_go(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    files.keep_finished(path, overwrite=False)
    path.touch()
    files.keep_finished(path, overwrite=True)
    with pytest.raises(ControllerError, match=r"a\.npz is there already: --overwrite"):
        files.keep_finished(path, overwrite=False)


def test_a_folder_for_results_is_tried_first(tmp_path: Path) -> None:
    files.check_folder(tmp_path)
    files.check_folder(tmp_path / "new")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(ControllerError, match="cannot be made"):
        files.check_folder(tmp_path / "file")
    with pytest.raises(ControllerError, match="cannot be written to"):
        files.check_folder(Path("/proc/self"))


def test_a_folder_that_a_run_made_in_vain_is_removed(tmp_path: Path) -> None:
    with pytest.raises(ControllerError), files.own_folder(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
        raise ControllerError
    assert not list(tmp_path.iterdir())
    with files.own_folder(tmp_path / "new"):
        files.write(tmp_path / "new" / "a.txt", "kept")
    assert (tmp_path / "new" / "a.txt").is_file()
