"""The data set: split, statistics, files; folders of BVH files; the commands that make and show
it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from PIL import Image
from synthetic import (
    clips,
    command,
    data,
    layout,
    moved,
    names,
    refusal,
    sentence,
    skeleton,
    strict_json,
    walk,
)

from controller.core.errors import ConfigError, DataError
from controller.data import commands as data_command
from controller.data import dataset, formats, sources
from controller.data.canonical import CanonicalSettings
from controller.data.cleaning import renamed
from controller.data.dataset import MIN_STD, ClipEntry, MotionDataset, build, is_held_out
from controller.data.formats import bvh
from controller.motion.pose import encode
from controller.motion.skeleton import Clip


def test_a_data_set_holds_the_poses_of_its_clips() -> None:
    made = data()
    assert [entry.name for entry in made.clips] == [clip.name for clip in clips()]
    assert made.notes == () and made.source == "synthetic"
    start = 0
    for entry, clip in zip(made.clips, clips(), strict=True):
        assert entry.rows == slice(start, start + 90)
        start += 90
        poses = made.poses[entry.rows]
        captured = encode(made.layout, clip)
        height = made.layout.positions.start + 1
        torch.testing.assert_close(poses[:, :3], captured[:, :3], atol=1e-4, rtol=0)
        floor = captured[:, height] - poses[:, height]  # the floor was taken away, and nothing else
        torch.testing.assert_close(floor, floor[:1].expand(90), atol=1e-5, rtol=0)
    assert len(made.poses) == start


def test_the_split_goes_by_the_files_name_alone() -> None:
    held_out = {f"clip{number}" for number in range(2000) if is_held_out(f"clip{number}")}
    assert 0.07 < len(held_out) / 2000 < 0.13
    for entry in data().clips:
        assert entry.held_out == is_held_out(entry.name)
    assert len(data().select(held_out=False)) == 7 and len(data().select(held_out=True)) == 2


def test_pieces_of_one_file_stay_on_one_side() -> None:
    for name in (next(names(held_out=True)), next(names(held_out=False))):
        clip = walk(name, seconds=4.0)
        positions = clip.positions.clone()
        positions[60:] += 3.0
        made = build([replace(clip, positions=positions)], "cut")
        assert len(made.clips) == 2
        assert {entry.held_out for entry in made.clips} == {is_held_out(name)}


def test_held_out_clips_have_no_part_in_the_statistics() -> None:
    before = data().normalizer()
    poses = data().poses.clone()
    for entry in data().select(held_out=True):
        poses[entry.rows] += 100
    after = replace(data(), poses=poses).normalizer()
    poses = data().poses.clone()
    poses[data().select(held_out=False)[0].rows] += 100
    moved_training = replace(data(), poses=poses).normalizer()
    for name in ("mean", "std", "low", "high"):
        assert torch.equal(getattr(before, name), getattr(after, name))
        assert not torch.equal(getattr(before, name), getattr(moved_training, name))


def test_statistics_are_those_of_the_training_clips_and_their_mirror_images() -> None:
    normalizer = data().normalizer()
    part = layout()
    rows = np.concatenate(
        [data().poses[entry.rows].numpy() for entry in data().select(held_out=False)]
    )
    rows = np.concatenate([rows, part.mirror(torch.from_numpy(rows)).numpy()]).astype(np.float64)
    np.testing.assert_allclose(normalizer.mean, rows.mean(0), atol=1e-5)
    floor = np.zeros(part.size)
    for name, value in MIN_STD.items():
        floor[getattr(part, name)] = value
    np.testing.assert_allclose(normalizer.std, np.maximum(rows.std(0, ddof=1), floor), rtol=1e-4)
    np.testing.assert_allclose(normalizer.low, rows.min(0))
    np.testing.assert_allclose(normalizer.high, rows.max(0))
    torch.testing.assert_close(part.mirror(normalizer.mean), normalizer.mean, atol=1e-5, rtol=0)
    swapped = part.mirror(normalizer.std).abs()
    torch.testing.assert_close(swapped, normalizer.std, rtol=1e-4, atol=0)
    torch.testing.assert_close(
        normalizer.std[part.positions.start], torch.tensor(MIN_STD["positions"])
    )  # hips' x: 0


def test_mirrored_copies_follow_their_clips() -> None:
    poses, entries = data().split(held_out=True)
    count = len(poses) // 2
    assert torch.equal(poses[count:], layout().mirror(poses[:count]))
    assert [entry.name for entry in entries[2:]] == [
        f"{entry.name} mirrored" for entry in entries[:2]
    ]
    for entry, twin in zip(entries[:2], entries[2:], strict=True):
        assert twin.start == entry.start + count and twin.length == entry.length
    plain, _ = data().split(held_out=True, mirror=False)
    assert torch.equal(plain, poses[:count])


def test_a_part_without_clips_is_refused() -> None:
    training = build([clips()[0]], "one walk")
    with pytest.raises(DataError, match="the data set one walk has no held-out clips"):
        training.split(held_out=True)


def test_a_data_set_comes_back_from_its_file(data_file: Path) -> None:
    back = MotionDataset.load(data_file)
    assert torch.equal(back.poses, data().poses)
    assert (back.clips, back.source, back.notes) == (data().clips, data().source, data().notes)
    assert back.layout.skeleton.to_dict() == data().layout.skeleton.to_dict()
    assert back.fingerprint() == data().fingerprint()


def test_the_fingerprint_tells_data_sets_apart() -> None:
    poses = data().poses.clone()
    poses[5, 7] += 1e-3
    assert replace(data(), poses=poses).fingerprint() != data().fingerprint()


def test_the_fingerprint_tells_another_split_apart() -> None:
    first, *others = data().clips
    other = replace(data(), clips=(replace(first, held_out=True), *others))
    assert other.fingerprint() != data().fingerprint()


def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    data().save(path)
    before = path.read_bytes()

    def broken(file: io.BufferedWriter, **arrays: np.ndarray) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset.np, "savez_compressed", broken)
    with pytest.raises(KeyboardInterrupt):
        data().save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def with_header(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Write the data set again with another header."""

    def damage(path: Path) -> None:
        with np.load(path) as archive:
            header = json.loads(str(archive["header"]))
            poses = archive["poses"]
        np.savez(path, header=np.array(json.dumps(change(header))), poses=poses)

    return damage


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (
        lambda path: path.unlink(),
        "no such data file; make one with `python -m controller data build",
    ),
    "empty": (lambda path: path.write_bytes(b""), "not a motion data set"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "not a motion data set"),
    "half a member": (
        lambda path: path.write_bytes(path.read_bytes()[200:]),
        "not a motion data set",
    ),
    "text": (lambda path: path.write_text("HIERARCHY\n" * 100), "not a motion data set"),
    "another npz": (lambda path: np.savez(path, x=np.zeros(3)), "not a motion data set"),
    "a pickle": (
        lambda path: np.savez(path, header=np.array({}, dtype=object)),
        "not a motion data set",
    ),
    "another format": (
        with_header(lambda header: header | {"format": "motion-dataset/9"}),
        "'motion-dataset/9' found",
    ),
    "rows missing": (
        with_header(lambda header: header | {"clips": header["clips"][:-1]}),
        "poses of shape",
    ),
    "header cut down": (
        with_header(lambda header: {"format": header["format"]}),
        "not a motion data set",
    ),
    "header a list": (with_header(lambda header: [header]), "not a motion data set"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_file_that_is_no_data_set_is_refused_in_a_sentence(
    tmp_path: Path, data_file: Path, name: str
) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(data_file.read_bytes())
    damage, words = DAMAGE[name]
    damage(path)
    with pytest.raises(DataError) as caught:
        MotionDataset.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and words in message and "\n" not in message


def test_a_bad_clip_among_good_ones_is_left_out_with_a_note() -> None:
    good = clips()
    bad = renamed(walk("limping"), {"LeftToe": "LeftHoof"})
    made = build([*good[:3], bad, *good[3:]], "mixed")
    assert torch.equal(made.poses, data().poses) and made.clips == data().clips
    (note,) = made.notes
    assert note.startswith("limping: left out (limping: joints LeftToe are missing")


def test_a_bad_first_clip_is_left_out_when_the_skeleton_is_given() -> None:
    bad = renamed(walk("limping"), {"LeftToe": "LeftHoof"})
    made = build([bad, *clips()], "mixed", skeleton())
    assert made.clips == data().clips and len(made.notes) == 1


def test_clips_too_short_or_all_glitches_are_left_out_with_a_note() -> None:
    short = walk("short", seconds=0.8)
    shaken = walk("shaken", seconds=2.0)
    positions = shaken.positions.clone()
    positions[::10, 0] += 5.0
    made = build([*clips(), short, replace(shaken, positions=positions)], "mixed")
    assert torch.equal(made.poses, data().poses)
    assert any(note == "short: left out (no second without a glitch)" for note in made.notes)
    assert any(note == "shaken: left out (no second without a glitch)" for note in made.notes)


def test_nothing_usable_is_refused_with_all_reasons() -> None:
    with pytest.raises(DataError, match=r"folder: no usable motion in it\n.*\n  short: left out"):
        build([walk("short", seconds=0.5)], "folder")


# -- folders of BVH files --------------------------------------------------------------------------


def folder_of_walks(folder: Path, unit: float = 0.01) -> list[Clip]:
    """Three walks as BVH files, the last in a folder below; one of them held out."""
    training = names(held_out=False)
    held_out = names(held_out=True)
    walks = [
        walk(next(training), seconds=2.0),
        walk(next(held_out), seconds=2.0, turn=0.5),
        walk(next(training), seconds=2.0, fps=60.0),
    ]
    (folder / "more").mkdir(parents=True)
    for clip, place in zip(walks, (folder, folder, folder / "more"), strict=True):
        bvh.write(place / f"{clip.name}.bvh", clip, unit=unit)
    return walks


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.0254, 0.001])
def test_a_folder_is_read_in_metres_whatever_its_unit(tmp_path: Path, unit: float) -> None:
    walks = {clip.name: clip for clip in folder_of_walks(tmp_path / "walks", unit)}
    motion = sources.read(tmp_path / "walks")
    assert motion.notes == [] and {clip.name for clip in motion.clips} == set(walks)
    lengths = skeleton().offsets.norm(dim=-1)
    torch.testing.assert_close(motion.skeleton.offsets.norm(dim=-1), lengths, atol=1e-4, rtol=0)
    for clip in motion.clips:
        torch.testing.assert_close(
            clip.joint_positions(), walks[clip.name].joint_positions(), atol=1e-3, rtol=0
        )
        assert clip.fps == walks[clip.name].fps


def test_a_unit_that_is_named_is_taken(tmp_path: Path) -> None:
    bvh.write(tmp_path / "walk.bvh", walk(seconds=1.0), unit=0.01)
    motion = sources.read(tmp_path, settings=CanonicalSettings(unit=0.02))
    lengths = 2 * skeleton().offsets.norm(dim=-1)
    torch.testing.assert_close(motion.skeleton.offsets.norm(dim=-1), lengths, atol=1e-3, rtol=0)


def test_a_leg_that_fits_no_unit_is_scaled_and_reported(tmp_path: Path) -> None:
    bvh.write(tmp_path / "giant.bvh", walk(seconds=1.0), unit=2e-4)
    motion = sources.read(tmp_path)
    (note,) = motion.notes
    assert note.startswith("giant: a leg of 4100 units fits no usual unit") and "--unit" in note
    lengths = skeleton().offsets.norm(dim=-1)
    torch.testing.assert_close(motion.skeleton.offsets.norm(dim=-1), lengths, atol=1e-3, rtol=0)


def test_a_file_and_an_archive_are_read_like_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "walks"
    folder_of_walks(folder)
    whole = sources.read(folder)
    archive = tmp_path / "walks.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*.bvh"):
            file.write(path, str(path.relative_to(folder)).upper())
        file.writestr("readme.txt", "not motion")
    packed = sources.read(archive)
    names = [clip.name.upper() for clip in whole.clips]
    assert sorted(clip.name.upper() for clip in packed.clips) == sorted(names)
    (path, *_) = folder.rglob("*.bvh")
    (clip,) = sources.read(path).clips
    assert clip.name == path.stem


def archive_of(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, "HIERARCHY")
    return path


def text_file(path: Path) -> Path:
    path.write_text("x")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "nowhere", "no such file or folder"),
        (lambda folder: folder, "no motion file"),
        (lambda folder: text_file(folder / "a.txt"), "allowed: .bvh"),
        (lambda folder: text_file(folder / "a.zip"), "not a readable zip archive"),
        (lambda folder: archive_of(folder / "a.zip", "../evil.bvh"), "leads out of it"),
        (lambda folder: archive_of(folder / "a.zip", "/evil.bvh"), "leads out of it"),
    ],
)
def test_other_sources_are_one_sentence(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    source = make(tmp_path)
    with pytest.raises(DataError, match=words) as caught:
        sources.read(source)
    assert "\n" not in str(caught.value)
    assert not (tmp_path.parent / "evil.bvh").exists()


def test_a_whole_disk_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_BELOW", 3)
    for number in range(3):
        text_file(tmp_path / f"{number}.bvh")
    with pytest.raises(DataError, match=r"left out|cannot be used|none of"):
        sources.read(tmp_path)
    text_file(tmp_path / "more.txt")
    with pytest.raises(DataError, match="more than 3 files and folders in it; name the folder"):
        sources.read(tmp_path)


def test_a_single_clip_is_for_training_but_for_its_end(tmp_path: Path) -> None:
    name = next(names(held_out=True))
    bvh.write(tmp_path / f"{name}.bvh", walk(name, seconds=2.0))
    data_command.Build((tmp_path,), tmp_path / "a.npz").run()
    data = MotionDataset.load(tmp_path / "a.npz")
    assert [clip.held_out for clip in data.clips] == [False, True]
    assert [clip.length for clip in data.clips] == [40, 20]
    assert data.clips[1].start == 40 and data.clips[1].name == f"{name}[40:]"
    for held_out in (False, True):
        assert len(data.split(held_out)[0]) == 2 * (20 if held_out else 40)
    assert data.round_trip["worst_mm"] < 1 and data.round_trip["clips"].keys() == {name}


def test_the_skeleton_of_most_frames_is_chosen() -> None:
    long = walk("long", seconds=3.0)
    short = renamed(walk("short", seconds=1.0), {"Head": "Skull"})
    assert sources.most_common_skeleton([short, long]) is long.skeleton
    assert sources.most_common_skeleton([short, short]) is short.skeleton


# -- commands --------------------------------------------------------------------------------------


def test_a_folder_becomes_a_data_set_and_a_picture_by_two_commands(tmp_path: Path) -> None:
    folder = tmp_path / "walks"
    out = tmp_path / "made" / "walks.npz"
    sheet = tmp_path / "sheet.png"
    walks = folder_of_walks(folder)
    (folder / "broken.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    built = command("controller", "data", "build", "--source", folder, "--out", out)
    assert built.returncode == 0, built.stderr
    assert "broken.bvh: left out (" in built.stdout and "broken.bvh, line 3: " in built.stdout
    assert f"{out}: 3 clips, 0.1 min (0.0 held out), 17 joints, 207 values a pose" in built.stdout
    made = MotionDataset.load(out)
    assert {entry.name for entry in made.clips} == {clip.name for clip in walks}
    assert {entry.length for entry in made.clips} == {
        60
    }  # 2 s at 30 frames a second, whatever the file's rate
    assert made.source == "walks"

    shown = forked.command("data", "info", out, "--sheet", sheet)
    assert shown.returncode == 0, shown.stderr
    assert f"held out: {walks[1].name}" in shown.stdout
    (row,) = (line for line in shown.stdout.splitlines() if line.startswith("forward m/s"))
    assert float(row.split()[-3]) == pytest.approx(1.2, abs=0.02)  # the median
    with Image.open(sheet) as picture:
        assert picture.width > 200 and len(picture.convert("RGB").getcolors(1 << 20) or []) > 10


def nameless_walk(folder: Path) -> Path:
    """A file of a walk whose joints have names that say nothing."""
    clip = walk("mystery", seconds=2.0)
    folder.mkdir()
    names = {name: f"joint_{joint}" for joint, name in enumerate(clip.skeleton.names)}
    bvh.write(folder / "mystery.bvh", renamed(clip, names))
    return folder


def test_names_that_say_nothing_give_the_same_poses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = nameless_walk(tmp_path / "walks")
    data_command.Build((folder,), tmp_path / "a.npz").run()
    assert "joint_4: left leg toe, since its chain hangs to the ground" in capsys.readouterr().out
    data = MotionDataset.load(tmp_path / "a.npz")
    assert data.layout.feet == layout().feet
    assert data.layout.mirror_joints == layout().mirror_joints
    expected = dataset.build([walk("mystery", seconds=2.0)], "walks", skeleton())
    pose = slice(0, layout().orientations.start)  # orientations are relative to the rest pose
    torch.testing.assert_close(data.poses[:, pose], expected.poses[:, pose], atol=5e-3, rtol=0)


def test_stated_roles_are_stored_with_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = nameless_walk(tmp_path / "walks")
    roles = tmp_path / "roles.toml"
    roles.write_text('[roles]\njoint_4 = "none"\njoint_8 = "none"\njoint_10 = "neck"\n')
    data_command.Build((folder,), tmp_path / "a.npz", roles=roles).run()
    data = MotionDataset.load(tmp_path / "a.npz")
    names = data.layout.skeleton.names
    assert [names[joint] for joint in data.layout.feet] == ["joint_3", "joint_7"]
    assert data.layout.skeleton.to_dict()["overrides"]["roles"] == {"joint_10": "neck"}

    roles.write_text('[roles]\npaw = "left_leg_end"\n')
    with pytest.raises(
        ConfigError, match=r"roles\.paw is not a joint of the skeleton; allowed: jo"
    ):
        data_command.Build((folder,), tmp_path / "b.npz", roles=roles).run()
    assert not (tmp_path / "b.npz").exists()


def test_formats_are_found_by_suffix(tmp_path: Path) -> None:
    assert formats.readable() == (".bvh", ".amc", ".glb", ".gltf", ".npz")
    assert formats.writable() == (".bvh", ".glb", ".npz")
    formats.write(tmp_path / "a.BVH", walk(seconds=1.0))
    assert len(formats.read(tmp_path / "a.BVH", unit=0.01)) == 31
    with pytest.raises(ConfigError, match=r"no reader for '\.npz'; allowed: \.bvh"):
        formats.read(tmp_path / "a.npz", unit=1.0)
    with pytest.raises(ConfigError, match=r"motion format is '\.fbx'; allowed: \.bvh, "):
        formats.write(tmp_path / "a.fbx", walk(seconds=1.0))


def test_a_missing_folder_is_one_sentence_and_status_2(tmp_path: Path) -> None:
    done = forked.command(
        "data",
        "build",
        "--source",
        tmp_path / "nowhere",
        "--out",
        tmp_path / "a.npz",
    )
    assert done.returncode == 2 and done.stdout == ""
    assert sentence(done.stderr).startswith(f"{tmp_path / 'nowhere'}: no such file or folder")
    assert list(tmp_path.iterdir()) == []


def test_bad_requests_are_one_sentence(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    for words, expected in (
        (["fetch", "--out", tmp_path / "new", "--mirror", tmp_path / "nowhere"], "is not a folder"),
        (["fetch", "--dataset", "snu-woddy"], "'snu-woddy'; there are snu-woody"),
        (
            ["build", "--source", tmp_path / "empty", "--out", tmp_path / "a.npz"],
            "no motion file",
        ),
        (
            ["build", "--source", tmp_path, "--out", tmp_path / "a.zip"],
            "allowed: a name that ends in .npz",
        ),
        (
            ["build", "--source", tmp_path, "--out", tmp_path / "a.npz", "--use", "dance"],
            "allowed: locomotion",
        ),
        (
            ["build", "--source", tmp_path, "--out", tmp_path / "a.npz", "--unit", "-1"],
            "unit is -1.0",
        ),
        (["info", tmp_path / "none.npz"], "no such data file"),
        (["info", data_file, "--clips", "dance"], "no clip is named like 'dance'; there are walk"),
    ):
        assert expected in refusal(data_command.main, words, monkeypatch, capsys)


def test_a_folder_with_nothing_but_broken_files_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.bvh").write_text("no motion")
    build_it = data_command.Build(source=(tmp_path,), out=tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"no usable motion in it\n  broken.bvh: left out \("):
        build_it.run()


def test_the_place_in_the_world_does_not_matter_to_training() -> None:
    here = build([walk("walk0")], "here")
    there = build([moved(walk("walk0"), 1.0, 5.0, -7.0)], "there")
    torch.testing.assert_close(here.poses, there.poses, atol=1e-3, rtol=0)
    assert here.clips == (ClipEntry("walk0", 0, 90, is_held_out("walk0")),)


def test_json_in_these_tests_is_strict() -> None:
    with pytest.raises(ValueError, match="NaN is not JSON"):
        strict_json('{"a": NaN}')


def test_clips_can_be_held_out_or_trained_on_by_name() -> None:
    own = data()
    held = own.select(held_out=True)[0].name
    trained = own.select(held_out=False)[0].name
    other = own.assigned(hold_out=(trained,), train_on=(held,))
    assert {clip.name for clip in other.select(held_out=True)} == (
        {clip.name for clip in own.select(held_out=True)} - {held} | {trained}
    )
    assert own.assigned((), ()).fingerprint() == own.fingerprint()
    with pytest.raises(DataError, match="no clip named like 'juggling'"):
        own.assigned(("juggling",), ())
    with pytest.raises(DataError, match="cannot be both"):
        own.assigned((trained,), (trained,))
