"""Jobs run once each, wherever they run, and what they raise arrives."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from controller.core import jobs
from controller.core.errors import ControllerError, DataError
from controller.core.extras import ExtraError
from controller.core.jobs import Job, Table


def square(number: int, folder: Path) -> int:
    """A result, and a file that says which process made it."""
    with (folder / str(number)).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return number**2


def refuse(what: str) -> None:
    raise DataError(f"{what} is refused")


def test_each_job_runs_once_in_a_process_of_its_own(tmp_path: Path) -> None:
    work = [Job(str(n), square, (n, tmp_path)) for n in (3, 5)]
    assert dict(jobs.run(work, processes=2)) == {0: 9, 1: 25}
    lines = [(tmp_path / name).read_text().split() for name in ("3", "5")]
    assert [len(line) for line in lines] == [1, 1]
    assert len({os.getpid(), *(int(line[0]) for line in lines)}) == 3


def test_the_error_of_a_job_arrives_and_no_job_runs_after_it(tmp_path: Path) -> None:
    work = [Job("bad", refuse, ("it",)), *(Job(str(n), square, (n, tmp_path)) for n in range(9))]
    with pytest.raises(DataError, match="it is refused"):
        list(jobs.run(work, processes=1))
    assert len(list(tmp_path.iterdir())) < 9


def test_no_jobs_are_no_work() -> None:
    assert list(jobs.run([], processes=1)) == []


def test_ray_that_is_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraError) as caught:
        list(jobs.run([Job("a", len, ((),))], 1, ray="auto"))
    assert str(caught.value) == 'running on a cluster needs ray: pip install -e ".[ray]"'


def test_an_address_without_a_cluster_is_one_sentence() -> None:
    pytest.importorskip("ray")
    with pytest.raises(ControllerError, match="where no cluster answers"):
        list(jobs.run([Job("a", len, ((),))], 1, ray="auto"))


def test_without_a_terminal_every_job_that_ends_is_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table(["a", "b"], lambda name: {"a": "epoch 3", "b": ""}[name])
    table.look()
    assert capsys.readouterr().out == ""
    assert table.text().splitlines()[2:] == ["| a | epoch 3 |", "| b | waits |"]
    table.end("b", "healthy")
    assert capsys.readouterr().out == "1/2 b: healthy\n"
    assert table.text().splitlines()[0] == "| 1 of 2 done | state |"
    assert table.text().splitlines()[3] == "| b | healthy |"


def test_a_terminal_shows_one_table_in_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    table = Table(["a", "b"], lambda name: "")
    table.look()
    table.end("a", "done")
    first, second = capsys.readouterr().out.split("\x1b[4A\x1b[J")
    assert first.count("\n") == second.count("\n") == 4 and "| a | done |" in second
