"""Data sets that are folders: the same whoever builds them, and the same data as in one file."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import clips, data, refusal

from controller.core.errors import DataError
from controller.data import commands, shard_build, shards, sources
from controller.data.dataset import ClipEntry, MotionDataset, build, is_held_out
from controller.data.exhibits import is_data_set
from controller.data.formats import bvh
from controller.data.shard_build import Plan
from controller.data.shards import MappedDataset
from controller.data.windows import Windows


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of motion files, more than one of which is held out."""
    folder = tmp_path_factory.mktemp("captured")
    for clip in clips():
        bvh.write(folder / f"{clip.name}.bvh", clip)
    return folder


@pytest.fixture(scope="module")
def built(captured: Path, tmp_path_factory: pytest.TempPathFactory) -> MappedDataset:
    """Their data set, in shards of two files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_build, "GROUP", 2)
        return shard_build.build_folder(
            Plan((captured,), tmp_path_factory.mktemp("built") / "data")
        )


def by_name(poses: torch.Tensor, entries: list[ClipEntry]) -> dict[str, torch.Tensor]:
    return {entry.name: poses[entry.rows] for entry in entries}


def test_a_folder_has_the_poses_that_a_file_has(captured: Path, built: MappedDataset) -> None:
    motion = sources.read(captured)
    whole = build(motion.clips, "whole", motion.skeleton, motion.trips).trainable()
    assert {c.name: c.held_out for c in built.clips} == {c.name: c.held_out for c in whole.clips}
    assert built.layout.skeleton.names == whole.layout.skeleton.names
    for held_out in (True, False):
        for mirror in (True, False):
            ours = built.split(held_out, mirror)
            theirs = whole.split(held_out, mirror)
            assert ours[0].shape == theirs[0].shape
            assert [entry.name for entry in ours[1]] == [
                entry.name for entry in sorted(theirs[1], key=lambda e: "mirrored" in e.name)
            ]
            expected = by_name(*theirs)
            for name, poses in by_name(*ours).items():
                # Each shard finds the twist of bones in its own files, to within a degree.
                allowed = torch.full((built.layout.size,), 1e-4)
                allowed[built.layout.orientations] = 0.02
                assert bool(((poses - expected[name]).abs() <= allowed).all()), name
    own, other = built.normalizer(), whole.normalizer()
    for name in shards.STATISTICS:
        torch.testing.assert_close(
            getattr(own, name), getattr(other, name), atol=0.02, rtol=1e-3, msg=name
        )


def test_its_stored_figures_are_those_of_its_poses(built: MappedDataset) -> None:
    plain = MotionDataset(built.layout, built.poses.clone(), built.clips, built.source)
    assert MotionDataset.fingerprint(plain) == built.fingerprint()
    expected, own = plain.normalizer(), built.normalizer()
    for name in shards.STATISTICS:
        torch.testing.assert_close(getattr(own, name), getattr(expected, name), msg=name)
    for held_out in (True, False):
        poses, entries = plain.split(held_out)
        mapped, places = built.split(held_out)
        assert [entry.name for entry in entries] == [entry.name for entry in places]
        for one, other in zip(entries, places, strict=True):
            assert torch.equal(poses[one.rows], mapped[other.rows])
    assert built.is_finite()


def test_windows_of_both_are_drawn_alike(built: MappedDataset) -> None:
    """The same numbers from the same generator, so that training takes the same steps."""
    plain = MotionDataset(built.layout, built.poses.clone(), built.clips, built.source)
    for held_out in (False, True):
        ours, theirs = (Windows(*one.split(held_out), 8, 0.3) for one in (built, plain))
        drawn = [w.draw(32, torch.Generator().manual_seed(3)) for w in (ours, theirs)]
        assert torch.equal(*drawn)


def test_its_poses_stay_on_the_disk(built: MappedDataset) -> None:
    poses, _ = built.split(held_out=False)
    start = built.table.data_ptr()
    for part in (poses, built.poses, built.split(True)[0], built.split(True, mirror=False)[0]):
        inside = part.data_ptr() - start
        assert 0 <= inside < built.table.nbytes


def test_the_number_of_workers_changes_nothing(
    captured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prints = []
    for workers in (1, 2):
        data = shard_build.build_folder(Plan((captured,), tmp_path / str(workers), workers=workers))
        prints.append(data.fingerprint())
    assert prints[0] == prints[1]
    one, two = (json.loads((tmp_path / name / shards.INDEX).read_text()) for name in ("1", "2"))
    assert one == two
    assert not (tmp_path / "1" / shard_build.PARTS).exists()


def test_an_interrupted_build_makes_no_shard_twice(
    captured: Path, tmp_path: Path, built: MappedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_build, "GROUP", 2)
    plan = Plan((captured,), tmp_path / "data")
    whole = shard_build.make
    made: list[Path] = []

    def stopping(task: shard_build.Task) -> Path:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(whole(task))
        return made[-1]

    monkeypatch.setattr(shard_build, "make", stopping)
    with pytest.raises(KeyboardInterrupt):
        shard_build.build_folder(plan)
    with pytest.raises(DataError, match="the same `python -m controller data build` goes on"):
        MotionDataset.load(plan.out)
    made[1].write_bytes(made[1].read_bytes()[:100])  # as after a power cut
    times = [path.stat().st_mtime_ns for path in made]

    monkeypatch.setattr(shard_build, "make", whole)
    kept: list[int] = []
    assemble = shard_build._assemble
    monkeypatch.setattr(
        shard_build,
        "_assemble",
        lambda *words: (kept.extend(p.stat().st_mtime_ns for p in made), assemble(*words)),
    )
    assert shard_build.build_folder(plan).fingerprint() == built.fingerprint()
    assert kept[0] == times[0] and kept[1] != times[1]


def test_a_file_that_changed_is_read_again(captured: Path, tmp_path: Path) -> None:
    path = sorted(captured.glob("*.bvh"))[0]
    copy = Path(shutil.copy(path, tmp_path))
    (tmp_path / "onto.npz").write_bytes(b"")
    task = shard_build.Task(
        Plan((tmp_path,), tmp_path), (copy,), tmp_path / "onto.npz", tmp_path / "0.npz"
    )
    key = shard_build._key(task)
    assert shard_build._key(replace(task, plan=replace(task.plan, workers=9))) == key
    assert shard_build._key(replace(task, plan=replace(task.plan, fps=50.0))) != key
    copy.write_bytes(copy.read_bytes() + b"\n")
    assert shard_build._key(task) != key


def test_one_bad_file_is_left_out_with_a_sentence(
    captured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_build, "GROUP", 1)
    source = Path(shutil.copytree(captured, tmp_path / "source"))
    (source / "zz_broken.bvh").write_text("HIERARCHY\nROOT")
    found = shard_build.build_folder(Plan((source,), tmp_path / "data"))
    assert any("zz_broken" in note for note in found.notes)
    assert not any("zz_broken" in clip.name for clip in found.clips)


# -- the command -----------------------------------------------------------------------------------


def run(words: list[str | Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["data", *map(str, words)])
    commands.main()


def test_the_command_builds_and_describes_a_folder(
    captured: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "data"
    held = next(clip.name for clip in clips() if not is_held_out(clip.name))
    run(["build", "--source", captured, "--out", out, "--hold-out", held], monkeypatch)
    loaded = MotionDataset.load(out)
    assert f"fingerprint {loaded.fingerprint()[:12]}" in capsys.readouterr().out
    assert all(clip.held_out for clip in loaded.clips if held in clip.name)
    assert is_data_set(out) and not is_data_set(captured)
    run(["info", out], monkeypatch)
    assert f"{len(loaded.clips)} clips" in capsys.readouterr().out

    again = ["build", "--source", captured, "--out", out]
    assert "is a finished data set" in refusal(commands.main, again, monkeypatch, capsys)
    for words, expected in (
        (["--labels", "(?P<style>a)"], "allowed: nothing with a folder"),
        (["--workers", "0"], "workers is 0; allowed: 1 to 256 processes"),
    ):
        new = ["build", "--source", captured, "--out", tmp_path / "new", *words]
        assert expected in refusal(commands.main, new, monkeypatch, capsys)


# -- damaged ---------------------------------------------------------------------------------------


def test_a_damaged_folder_is_refused(built: MappedDataset, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    table = np.asarray(built.table)
    clip_rows = built.clip_rows()

    def fresh(**changes: object) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        header = {
            "format": shards.FORMAT, "source": "x", "skeleton": built.layout.skeleton.to_dict(),
            "clips": clip_rows, "notes": [], "round_trip": {}, "retargeting": {},
            "fingerprint": built.digest, "fps": 30.0,
            "statistics": {
                name: value.tolist()
                for name, value in zip(shards.STATISTICS, built.statistics, strict=True)
            },
        }  # fmt: skip
        (folder / shards.INDEX).write_text(json.dumps(header | changes))
        np.save(folder / shards.TABLE, table)
        return folder

    assert MotionDataset.load(fresh()).fingerprint() == built.digest
    moved = [[name, start + 1, *rest] for name, start, *rest in clip_rows]
    shuffled = [*clip_rows[1:], clip_rows[0]]
    text = [[name, str(start), *rest] for name, start, *rest in clip_rows]
    for changes in (
        {"format": "motion-shards/9"}, {"clips": moved}, {"clips": shuffled}, {"clips": text},
        {"clips": []}, {"clips": None}, {"fingerprint": 7}, {"skeleton": {}},
        {"statistics": {name: [float("nan")] for name in shards.STATISTICS}}, {"statistics": {}},
        {"clips": clip_rows[:-1]},
    ):  # fmt: skip
        with pytest.raises(DataError, match="build it again"):
            MotionDataset.load(fresh(**changes))
    fresh()
    for array in (table[:-1], table.astype(np.float64), table[:, :-1], table.T):
        np.save(folder / shards.TABLE, array)
        with pytest.raises(DataError, match="build it again"):
            MotionDataset.load(folder)
    fresh()
    whole = (folder / shards.TABLE).read_bytes()
    (folder / shards.TABLE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="build it again"):
        MotionDataset.load(folder)


def test_poses_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    about = data().trainable()
    ordered = sorted(about.clips, key=lambda clip: not clip.held_out)
    poses = about.poses.clone()
    poses[ordered[-1].start, 3] = torch.nan
    row, pieces, entries = 0, [], []
    for clip in ordered:
        entries.append(replace(clip, start=row))
        pieces.append((entries[-1], poses[clip.rows]))
        row += clip.length
    with pytest.raises(DataError, match="not finite"):
        shards.write(tmp_path, replace(about, clips=tuple(entries)), pieces)
    assert not list(tmp_path.iterdir())
