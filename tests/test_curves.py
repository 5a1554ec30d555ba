"""Pictures of learning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic import refusal

from controller.studies import curves


def run(folder: Path, scale: float) -> Path:
    """A run whose every figure falls as time goes by."""
    folder.mkdir()
    rows = [
        {
            "wall_s": 60 * minute,
            "frames": 500_000 * minute,
            **{key: scale / minute for key, _ in curves.PANELS},
        }
        for minute in (1, 2, 4)
    ]
    (folder / "history.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.parametrize("name", ["curves.svg", "curves.png"])
def test_runs_become_a_picture(name: str, tmp_path: Path) -> None:
    runs = [
        curves.history(f"{word}={run(tmp_path / word, scale)}")
        for word, scale in (("one", 1.0), ("two", 3.0))
    ]
    first = tmp_path / name
    again = tmp_path / f"again-{name}"
    curves.draw(runs, first)
    curves.draw(runs, again)
    assert first.read_bytes() == again.read_bytes()
    if name.endswith("svg"):
        drawn = first.read_text()
        assert "<svg" in drawn and "one" in drawn and "two" in drawn
    else:
        assert first.read_bytes().startswith(b"\x89PNG")


def test_the_table_tells_where_runs_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("before <!-- runs --> old <!-- end runs --> after")
    words = [
        "curves",
        f"Slow={run(tmp_path / 'slow', 2.0)}",
        "--out",
        str(tmp_path / "c.svg"),
        "--write",
        str(page),
    ]
    monkeypatch.setattr("sys.argv", words)
    curves.main()
    head, _, row = page.read_text().split("-->")[1].split("<!--")[0].strip().splitlines()
    assert head.count("|") == row.count("|") == 4 + len(curves.PANELS)
    assert row.startswith("| Slow | 2.0 M | 4.0 | 0.500 |")
    assert page.read_text().startswith("before") and page.read_text().endswith("after")


def test_what_is_no_run_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for word, expected in (
        ("runs/joystick", "run is 'runs/joystick'; allowed: NAME=FOLDER"),
        (f"PPO={tmp_path / 'none'}", "not the history of a policy's training"),
    ):
        assert expected in refusal(curves.main, [word], monkeypatch, capsys)
