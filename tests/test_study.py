"""Comparisons of trainings: each is run once, finished ones stay, and tables show the results."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from synthetic import refusal, shorten_rollouts
from test_training import TINY

from controller.dynamics.character import Character
from controller.studies import cases, study, tables
from controller.studies.cases import Case
from controller.studies.sets import SETS, CaseSet

TWO = [
    Case(f"beta-{beta}", {"β": str(beta)}, TINY.with_changes(beta=beta)) for beta in (0.01, 0.02)
]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, data_file: Path) -> Path:
    """The folder of the first of them, which has been run."""
    folder = tmp_path_factory.mktemp("ended") / TWO[0].name
    with pytest.MonkeyPatch.context() as patch:
        shorten_rollouts(patch)
        study.run(TWO[0], data_file, folder)
    return folder


def test_every_set_has_cases_with_names_of_their_own() -> None:
    assert set(SETS) == set(get_args(cases.SetName))
    for case_set in SETS.values():
        members = case_set.cases()
        assert len({case.name for case in members}) == len(members)
        assert len({tuple(case.differs) for case in members}) == 1
        assert len({tuple(case.differs.values()) for case in members}) == len(members)
    grid = cases.grid()
    assert len(grid) == 24
    assert (
        len({(c.config.kl.kind, c.config.teacher.start, c.config.teacher.coin) for c in grid}) == 24
    )
    for short, long in zip(grid, cases.grid_long(), strict=True):
        assert (
            long.config.with_changes(rollouts_per_epoch=short.config.rollouts_per_epoch)
            == short.config
        )


def test_the_reference_settings_are_the_reference_codes() -> None:
    as_written, lighter = (case.config for case in cases.reference())
    assert (as_written.loss.beta, lighter.loss.beta) == (1.0, 0.01) and lighter.with_changes(
        beta=1.0
    ) == as_written
    assert (as_written.batch, as_written.rollout, as_written.optimiser.through_time) == (
        64,
        8,
        False,
    )
    assert (as_written.optimiser.learning_rate, as_written.optimiser.final_learning_rate) == (
        1e-4,
        1e-7,
    )
    shares = [as_written.teacher(epoch) for epoch in (0, 20, 30, 40, 140)]
    assert shares == pytest.approx([1, 1, 0.5, 0, 0]) and as_written.epochs == 140
    assert (
        as_written.kl(0, 140) == 1
        and not as_written.loss.foot_weight
        and not as_written.free.free_steps
    )


def test_an_interrupted_study_goes_on_and_runs_nothing_twice(
    tmp_path: Path, data_file: Path, ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first of two runs; the second is made by a process of its own."""
    options = study.Options(data=data_file, out=tmp_path)
    model = tmp_path / "grid" / "beta-0.01" / "mvae.safetensors"
    shutil.copytree(ended, model.parent)
    written = model.stat().st_mtime_ns

    monkeypatch.setitem(SETS, "grid", CaseSet(lambda: TWO))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- grid -->\nold\n<!-- end grid -->\nafter\n")
    text = study.study(replace(options, write=page))
    assert model.stat().st_mtime_ns == written
    rows = json.loads((tmp_path / "table.json").read_text())["grid"]
    assert [row["name"] for row in rows] == ["beta-0.01", "beta-0.02"]
    for row in rows:
        assert row["verdict"] == "under-trained" and row["stopped"] is None
        assert row["rollouts"] == row["updates"] == TINY.epochs * TINY.rollouts_per_epoch
    assert (tmp_path / "grid.md").read_text() == text + "\n"
    assert page.read_text() == f"before\n<!-- grid -->\n{text}\n<!-- end grid -->\nafter\n"

    monkeypatch.setattr(study, "run", lambda *_: pytest.fail("all are finished"))
    assert study.study(replace(options, draw=tmp_path / "curves.svg")) == text
    picture = (tmp_path / "curves.svg").read_text()
    assert "beta-0.01" in picture and "beta-0.02" in picture


def test_the_long_grid_runs_the_best_of_the_short_one_and_the_usual_one(
    tmp_path: Path, data_file: Path
) -> None:
    short = [
        row("b-1", eight_step_mm=float(n)) | {"name": case.name}
        for n, case in enumerate(cases.grid())
    ]
    (tmp_path / "table.json").write_text(json.dumps({"grid": short[::-1]}))
    options = study.Options(data=data_file, out=tmp_path, set="grid-long", best=2)
    selected = study.selected(options)
    assert [case.name for case in selected] == [
        "none-1.0-batch",
        "none-1.0-sample",
        "monotonic-1.0-batch",
    ]
    assert {case.config.rollouts_per_epoch for case in selected} == {cases.LENGTHS["long"]}
    (one,) = study.selected(replace(options, runs=("none-1.0-batch",), rollouts_per_epoch=7))
    assert one.name == "none-1.0-batch" and one.config.rollouts_per_epoch == 7


def test_a_run_with_other_settings_is_not_taken_for_this_one(ended: Path) -> None:
    with pytest.raises(
        study.ControllerError, match=r"a run with other settings than beta-0.02 has"
    ):
        study.finished(TWO[1], ended)


@pytest.mark.usefixtures("short_rollouts")
def test_a_case_may_start_from_a_trained_model(
    tmp_path: Path, data_file: Path, ended: Path
) -> None:
    begin = ended / "mvae.safetensors"
    config = TWO[1].config.with_changes(freeze_decoder=True)
    study.run(Case("encoder", {"β": "0.02"}, config), data_file, tmp_path / "encoder", begin)
    before, after = (
        Character.load(path).model for path in (begin, tmp_path / "encoder" / "mvae.safetensors")
    )
    assert torch.equal(before.decoder.output.weight, after.decoder.output.weight)
    assert not torch.equal(before.encoder.mean.weight, after.encoder.mean.weight)


def row(name: str, **figures: float | str | None) -> tables.Row:
    """A run of a study of two settings, coin and start."""
    coin, start = name.split("-")
    figures = {"stopped": None, "verdict": "healthy", "rollouts": 500, "updates": 1000} | figures
    return {"name": name, "differs": {"coin": coin, "start": start}} | figures


ROWS = [
    row(
        "batch-1",
        eight_step_mm=5.0,
        frechet_distance=3.0,
        kl_nats=1.0,
        free_running_mm={"60": 12.0},
    ),
    row("sample-1", eight_step_mm=4.0, frechet_distance=4.0, kl_nats=2.0),
    row(
        "batch-2",
        eight_step_mm=None,
        frechet_distance=None,
        kl_nats=None,
        stopped="it diverged",
        verdict=None,
    ),
    row("sample-2", eight_step_mm=3.0, frechet_distance=2.0, kl_nats=4.0),
]


def test_runs_are_ranked_by_the_mean_of_their_ranks() -> None:
    assert tables.mean_ranks(ROWS) == {
        "batch-1": 2.5,
        "sample-1": 2.5,
        "batch-2": 4.0,
        "sample-2": 1.0,
    }
    assert [r["name"] for r in tables.ranked(ROWS)] == [
        "sample-2",
        "batch-1",
        "sample-1",
        "batch-2",
    ]
    alike = [one | {"frechet_distance": 1.0} for one in ROWS if one["eight_step_mm"]]
    assert tables.mean_ranks(alike) == {"batch-1": 2.0, "sample-1": 1.5, "sample-2": 1.0}


def test_tables_tell_every_run_and_the_mean_of_each_setting() -> None:
    runs, effects = tables.tables(ROWS).split("\n\n")
    head, _, first, *_, last = runs.splitlines()
    assert head.startswith("| coin | start | mean rank | KL, nats | active units |")
    assert first.startswith("| sample | 2 | 1.0 | 4.00 | – |") and first.endswith(
        "| healthy | 500 | 1,000 |"
    )
    assert "| 12.0 |" in runs and "| it diverged | 500 |" in last
    assert "| coin: sample | 2 | 1.8 | 3.00 | – | – | 3.50 |" in effects
    assert (
        "| coin: batch | 2 | 3.2 | 1.00 | – | – | 5.00 |" in effects
    )  # the run without figures counts in none
    assert len(effects.splitlines()) == 2 + 4


def test_a_set_may_tell_more_of_each_run() -> None:
    rows = [ROWS[0] | {"aggregate_kl_nats": 0.345}]
    head, _, line = SETS["encoder"].table(rows).splitlines()
    assert "| sane | aggregate KL, nats | verdict |" in head and "| 0.34 | healthy |" in line


def test_of_many_runs_the_picture_shows_where_each_came_to(tmp_path: Path) -> None:
    many = [
        row(f"{coin}-{start}", eight_step_mm=2.0, frechet_distance=1.0)
        for coin in "ab"
        for start in range(5)
    ]
    drawn = study.picture([*many, row("b-9")], tmp_path)
    assert drawn == study.picture([*many, row("b-9")], tmp_path)
    for word in (b"8 steps, mm", b"chet distance", b"coin: a", b"start: 4"):
        assert word in drawn
    assert b"start: 9" not in drawn  # it has no figures


def test_what_is_no_grid_has_no_means_over_settings() -> None:
    named = [one | {"differs": {"name": one["name"]}} for one in ROWS]
    assert tables.tables(named) == tables.runs_table(named)
    assert tables.tables(ROWS[:3]) == tables.runs_table(ROWS[:3])


def test_what_cannot_be_run_is_one_sentence(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words, expected in (
        (["--data", tmp_path / "none.npz"], "no such data file"),
        (
            ["--data", data_file, "--set", "grid-long"],
            "the grid has not been run there; run --set grid first",
        ),
        (["--data", data_file, "--processes", "0"], "processes is 0; allowed: 1 or more"),
        (
            ["--data", data_file, "--set", "failure", "--runs", "only-luck"],
            "runs is 'only-luck'; allowed: as-it-was",
        ),
    ):
        assert expected in refusal(
            study.main, [*words, "--out", tmp_path / "study"], monkeypatch, capsys
        )
