"""The page about training runs: whole, by itself, and the same every time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from synthetic import PUPPET_LATENT, character, latents, puppet, refusal, shorten_rollouts
from test_training import TINY

from controller.evaluation import charts
from controller.studies import report, runs, strips
from controller.training import train_mvae
from controller.training.train_mvae import Options

EPOCHS = 3


@pytest.fixture(scope="module", autouse=True)
def short_rollouts() -> Iterator[None]:
    """Those of whole trainings would take most of the time here."""
    with pytest.MonkeyPatch.context() as patch:
        shorten_rollouts(patch)
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, data_file: Path) -> list[Path]:
    """Two runs that have a model, and one that has only begun."""
    base = tmp_path_factory.mktemp("runs")
    for name, beta in (("one", 0.01), ("two", 0.02)):
        train_mvae.train(
            Options(
                data=data_file, out=base / name, config=TINY.with_changes(epochs=EPOCHS, beta=beta)
            )
        )
    (base / "begun").mkdir()
    for name in (runs.HISTORY, runs.STATE):
        (base / "begun" / name).write_bytes((base / "one" / name).read_bytes())
    return [base / "one", base / "two", base / "begun"]


@pytest.fixture(scope="module")
def written(folders: list[Path], data_file: Path) -> ElementTree.Element:
    """The page about all of them, with data: well-formed, or this would not come to be."""
    path = report.report(
        report.Options(tuple(folders), data_file, folders[0].parent / "report.html")
    )
    return ElementTree.fromstring(path.read_text(encoding="utf-8"))


def words(element: ElementTree.Element) -> str:
    """What a reader sees of a part of a page."""
    return " ".join("".join(element.itertext()).split())


def chapters(page: ElementTree.Element) -> list[ElementTree.Element]:
    return page.findall(".//section[@class='run']")


def test_the_page_asks_nothing_of_the_network(written: ElementTree.Element) -> None:
    assert not {element.tag for element in written.iter()} & {"link", "script", "iframe", "object"}
    for element in written.iter():
        for name, value in element.attrib.items():
            assert name not in ("src", "href") or value.startswith("data:"), (
                element.tag,
                name,
                value[:80],
            )
    assert "url(" not in words(written.find(".//style")) and "@import" not in words(
        written.find(".//style")
    )


def test_runs_stand_side_by_side_with_the_settings_that_differ(
    written: ElementTree.Element,
) -> None:
    table = written.find(".//section[@id='runs']//table")
    head, *lines = [[words(cell) for cell in line] for line in table.iter("tr")]
    assert head[:3] == ["run", "verdict", "epochs"] and head[-1] == "beta" and "batch" not in head
    assert [line[0] for line in lines] == ["one", "two", "begun"]
    assert [line[-1] for line in lines] == ["0.01", "0.02", "0.01"]
    assert lines[2][1] == "no model yet" and lines[2][head.index("8 steps, mm")] != "–"
    assert all(len(line) == len(head) for line in lines)


def test_each_run_has_its_charts_its_verdict_and_its_strips(written: ElementTree.Element) -> None:
    one, two, begun = chapters(written)
    for chapter in (one, two):
        assert len(chapter.findall(".//img")) == 4
        assert (
            len(chapter.findall(".//svg[@class='strip']")) == TINY.model.latent
        )  # no more units than there are
        assert "z = −2" in words(chapter) and "unit 0" in words(chapter)
        assert words(chapter.find(".//pre")).startswith("{")
    assert [words(part) for part in one.find("header")] == ["one", "under-trained"]
    assert "One step errs by" in words(one)
    assert len(begun.findall(".//img")) == 2 and not begun.findall(".//svg")
    assert "There is no model in this folder yet" in words(begun)
    assert len(written.find(".//section[@id='comparison']").findall(".//img")) == 2


def test_the_same_runs_give_the_same_page_and_without_data_a_shorter_one(
    folders: list[Path], tmp_path: Path
) -> None:
    pages = [report.page([runs.read(folders[0])]) for _ in range(2)]
    assert pages[0] == pages[1]
    page = ElementTree.fromstring(pages[0])
    assert len(chapters(page)[0].findall(".//img")) == 2
    assert "Not judged, because figures are missing" in words(page)
    assert page.find(".//section[@id='comparison']") is None


def test_charts_are_the_same_every_time_and_gaps_do_not_stop_them() -> None:
    rows = [
        {"epoch": n, "reconstruction": 1 / n, "kl": 0.1, "kl_nats": 1.0, "beta": 0.1}
        for n in (1, 2, 3)
    ]
    rows[1] |= {"slip": 0.5, "one_step_mm": float("nan")}
    for draw in (
        lambda: charts.loss(rows),
        lambda: charts.held_out({"a": rows, "b": rows}),
        lambda: charts.units([0.5, 0.0], [0.3, 0.0]),
        lambda: charts.free_running({"a": [1.0, 2.0, float("nan")]}, {"a": 1.0}, (1, 8)),
    ):
        drawn = draw()
        assert drawn == draw()
        assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_a_traversal_holds_one_unit_and_nothing_else() -> None:
    """The puppet's first unit is its forward speed in m/s, its last one nothing."""
    who = puppet()
    pose = strips.walking_pose(who)
    forward, idle = (
        strips.traverse(who, pose, strips.unit_values(who, n)) for n in (0, PUPPET_LATENT - 1)
    )
    seconds = strips.FRAMES / who.fps
    assert forward.path[-1, :, 1].tolist() == pytest.approx(
        [value * seconds for value in strips.VALUES], abs=1e-4
    )
    assert float(forward.path[-1, :, 0].abs().max()) < 1e-5
    assert strips.effect(forward) == pytest.approx(seconds, abs=1e-4)  # a value more is 1 m/s more
    assert strips.effect(idle) == pytest.approx(0, abs=1e-6)


def test_a_strip_shows_every_bone_of_every_value() -> None:
    who = character()
    made = strips.traverse(who, strips.walking_pose(who), latents(0, 3, who.latent))
    cells = ElementTree.fromstring(strips.strip(who.skeleton, made, ["a", "b", "c"])).findall("g")
    assert [cell.find("text").text for cell in cells] == ["a", "b", "c"]
    for cell in cells:
        path, start, *limbs = (line.attrib["d"] for line in cell.findall("path"))
        assert path.count("L") == strips.FRAMES
        tips = int(who.skeleton.tips.any(dim=-1).sum())
        assert (
            start.count("M")
            == sum(limb.count("M") for limb in limbs)
            == len(who.skeleton) - 1 + tips
        )


def test_the_view_shows_forward_to_the_right_and_the_far_side_higher() -> None:
    places = strips._pixels(
        torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    )
    origin, forward, up, left = places
    assert origin == strips.START
    assert forward[0] > origin[0] + 40 and up[0] == origin[0] and up[1] < origin[1] - 50
    assert left[1] < origin[1]  # its left side is the one away from the viewer


def test_settings_are_told_apart_by_their_dotted_names() -> None:
    one = runs.Run("one", [{}], runs.flat({"beta": 1, "kl": {"kind": "none", "cycles": 4}}))
    two = runs.Run(
        "two", [{}], runs.flat({"beta": 1, "kl": {"kind": "cyclical", "cycles": 4}, "seed": 2})
    )
    assert runs.differing([one, two]) == {"kl.kind": ["none", "cyclical"], "seed": [None, 2]}
    assert runs.differing([one]) == {}


def test_what_is_no_run_is_refused_in_one_sentence(
    folders: list[Path],
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "history.json").write_text(json.dumps([{"frames": 1, "wall_s": 1}]))
    for words_, expected in (
        ([tmp_path], f"{tmp_path}: not a training run (no readable history.json in it)"),
        ([tmp_path / "policy"], "history.json: not the history of a motion VAE's training"),
        ([folders[0], "--data", tmp_path / "none.npz"], "no such data file; make one with"),
        ([folders[0], "--out", tmp_path / "none" / "report.html"], "cannot be written"),
        ([], "runs is (); allowed: one folder or more"),
    ):
        assert expected in refusal(report.main, words_, monkeypatch, capsys)
