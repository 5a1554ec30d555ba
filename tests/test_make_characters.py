"""Characters of a whole folder of performers: each is one job, and what is finished stays."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from synthetic import refusal

from controller.core import jobs
from controller.core.jobs import Job
from envs import make_characters


@pytest.fixture
def performers(tmp_path: Path) -> Path:
    """A folder, a file and an archive; and what is nobody."""
    folder = tmp_path / "performers"
    (folder / "ann").mkdir(parents=True)
    (folder / "bob.bvh").write_text("HIERARCHY")
    (folder / "carl.zip").write_bytes(b"")
    (folder / "notes.txt").write_text("")
    (folder / ".hidden").mkdir()
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["make-characters", *map(str, words)])
    return make_characters.main()


def test_every_performer_is_a_job(performers: Path) -> None:
    found = make_characters.performers(performers)
    assert {name: path.name for name, path in found.items()} == {
        "ann": "ann",
        "bob": "bob.bvh",
        "carl": "carl.zip",
    }


def test_what_is_finished_is_not_made_again_and_a_failure_is_told(
    performers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "characters"
    (out / "ann").mkdir(parents=True)
    for name in ("character.toml", "picture.png"):
        (out / "ann" / name).write_text("")
    begun: list[Job] = []

    def fake(
        work: Sequence[Job], processes: int, ray: str | None, look: Callable[[], None]
    ) -> Iterator[tuple[int, int]]:
        assert (processes, ray) == (2, "auto")
        begun.extend(work)
        for number, job in enumerate(work):
            (out / f"{job.name}.log").write_text(f"first\n{job.name} has ended\n")
            yield number, number

    monkeypatch.setattr(jobs, "run", fake)
    words = ("--options=--quick --title 'one of many'", "--processes", "2", "--ray", "auto")
    assert run(monkeypatch, performers, "--out", out, *words) == 1
    assert [job.name for job in begun] == ["bob", "carl"]
    assert begun[0].arguments[1:] == (out / "bob", ("--quick", "--title", "one of many"))
    said = capsys.readouterr().out
    assert "1 of 3 characters are there already" in said
    assert "1/2 bob: bob has ended" in said
    assert said.endswith(f"1 characters made in {out}, 1 failed\n")


def test_how_far_a_character_is_comes_from_its_record(tmp_path: Path) -> None:
    assert make_characters.how_far(tmp_path) == ""
    (tmp_path / "work").mkdir()
    record = {"build": {"arguments": [], "seconds": 1.0}, "mvae": {"arguments": [], "seconds": 2.0}}
    (tmp_path / "work" / "stages.json").write_text(json.dumps(record))
    assert make_characters.how_far(tmp_path) == "2 stages done, last: mvae"


def test_a_performer_of_no_use_fails_with_the_reason_in_its_log(tmp_path: Path) -> None:
    source = tmp_path / "bob.bvh"
    source.write_text("HIERARCHY\nROOT")
    status = make_characters.make(source, tmp_path / "bob", ("--quick",))
    assert status != 0
    assert "stopped at stage 1" in make_characters.last_line(tmp_path / "bob")


def test_what_cannot_be_made_is_one_sentence(
    performers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (performers / "bob").mkdir()
    for source, expected in (
        (tmp_path / "none", "allowed: a folder of performers"),
        (tmp_path / "empty", "no folder, archive or motion file in it"),
        (performers, "bob and bob.bvh have one name"),
    ):
        words = [source, "--out", tmp_path / "out"]
        assert expected in refusal(make_characters.main, words, monkeypatch, capsys)
