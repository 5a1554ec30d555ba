"""All formats: a recording comes back, mixed folders and archives are read, and no file takes all
memory or all day."""

from __future__ import annotations

import io
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import acclaim_files
import numpy as np
import pytest
import torch
from gltf_files import skinned
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import walk
from test_canonical import WALK, check_is_the_walk

from controller.core.errors import ControllerError, DataError, FormatError
from controller.data import formats, sources
from controller.data.bodies import canonical
from controller.data.canonical import CanonicalSettings
from controller.data.formats import NoMotion, bvh, npz, read_captures, reading
from controller.games.recording import Recording
from controller.motion.skeleton import to_global

# -- recordings ------------------------------------------------------------------------------------


def recorded(path: Path, clip: Any = WALK) -> Path:
    """What `play.py --record` writes."""
    rotations = clip.global_rotations()
    with Recording([path], clip.skeleton, clip.fps) as recording:
        for frame in range(len(clip)):
            recording.add(clip.positions[frame], rotations[frame])
    return path


def test_a_recording_comes_back_exactly(tmp_path: Path) -> None:
    path = recorded(tmp_path / "RECORDED.NPZ")
    (capture,), remarks = read_captures(path)
    with np.load(path) as file:
        local = torch.from_numpy(file["rotations"]).double()
        assert torch.equal(capture.positions, torch.from_numpy(file["positions"]).double())
        assert torch.equal(capture.tips, torch.from_numpy(file["tips"]).double())
    assert torch.equal(capture.rotations, to_global(WALK.skeleton.parents, local))
    assert (capture.name, capture.fps, remarks) == ("RECORDED", WALK.fps, [])
    assert capture.names == WALK.skeleton.names and capture.parents == WALK.skeleton.parents
    result = canonical([capture], CanonicalSettings())
    check_is_the_walk(result)
    assert result.trips[0].worst < 0.1 and not result.notes


def rewritten(path: Path, **arrays: Any) -> Path:
    """A recording in which some arrays are others; None removes one."""
    with np.load(recorded(path, walk(seconds=0.2))) as file:
        whole = dict(file) | arrays
    np.savez(path, **{name: array for name, array in whole.items() if array is not None})
    return path


BAD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"tips": None}, "not a recording; it has no tips"),
    "shape": ({"root": np.zeros((7, 2))}, "root: (7, 2) of float64; expected (7, 3)"),
    "kind": ({"parents": np.zeros(17)}, "parents: (17,) of float64"),
    "no frames": (
        {"root": np.zeros((0, 3)), "rotations": np.zeros((0, 17, 3, 3)),
         "positions": np.zeros((0, 17, 3))}, "expected",
    ),
    "NaN": ({"root": np.full((7, 3), np.nan)}, "root: values that are not finite"),
    "elsewhere": ({"root": np.zeros((7, 3))}, "expected a recording that agrees with itself"),
    "bones": ({"offsets": np.ones((17, 3))}, "expected a recording that agrees with itself"),
    "zeros": ({"rotations": np.zeros((7, 17, 3, 3))}, "expected orthonormal matrices"),
    "parents": ({"parents": np.arange(17)}, "parents: expected −1"),
    "names": ({"names": np.array(["a"] * 17)}, "names: one is empty or there twice"),
    "fps": ({"fps": 0.0}, "fps: 0; expected frames a second"),
    "slow": ({"fps": 1e-9}, "a frame lasts 1e+09 s; allowed: 0.001 to 1 s"),
    "objects": ({"tips": np.array([{}] * 17)}, "tips: (17,) of object"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_recordings_are_one_sentence(tmp_path: Path, name: str) -> None:
    arrays, words = BAD_ARRAYS[name]
    path = rewritten(tmp_path / "a.npz", **arrays)
    with pytest.raises(FormatError) as caught:
        read_captures(path)
    assert str(caught.value).startswith(str(path)) and words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_array_that_claims_to_be_huge_takes_no_memory(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.npz", walk(seconds=0.2))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)}
    )
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["root.npy"] = header.getvalue()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    with pytest.raises(FormatError, match=r"root: \(1000000000000, 3\) of float32"):
        read_captures(path)


@cache
def whole_recording() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return rewritten(Path(folder) / "a.npz").read_bytes()


@settings(max_examples=50)
@given(data=st.data())
def test_a_damaged_recording_is_refused_as_such(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "a.npz"
    whole = whole_recording()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 30)))
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=30)) + whole[end:])
    try:
        (capture,), _ = read_captures(path)
    except ControllerError as error:
        assert "\n" not in str(error)
        return
    assert bool(capture.positions.isfinite().all() and capture.rotations.isfinite().all())


# -- folders and archives --------------------------------------------------------------------------


def mixed(folder: Path) -> Path:
    """One walk in every format, two broken files, and a data set that is no motion."""
    folder.mkdir()
    clip = walk(seconds=1.5)
    bvh.write(folder / "one.BVH", clip)
    acclaim_files.write(folder, clip)
    (folder / "16_01.amc").rename(folder / "16_01.AMC")
    skinned(clip).glb(folder / "three.glb")
    skinned(clip).gltf(folder / "four.gltf", "four.bin")
    recorded(folder / "five.npz", clip)
    (folder / "broken.bvh").write_text("HIERARCHY\n")
    (folder / "broken.glb").write_bytes(b"glTF" + bytes(40))
    np.savez(folder / "set.npz", poses=np.zeros(3))
    (folder / "notes.txt").write_text("no motion")
    return folder


CLIPS = ["16_01", "five", "four:walking", "one", "three:walking"]


def test_a_mixed_folder_and_its_archive(tmp_path: Path) -> None:
    folder = mixed(tmp_path / "mixed")
    os.mkfifo(folder / "pipe.bvh")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for path in folder.iterdir():
            if path.is_file():
                file.write(path, f"deep/er/{path.name}")
    for source in (folder, tmp_path / "a.zip"):
        motion = sources.read(source)
        assert sorted(clip.name for clip in motion.clips) == CLIPS, motion.notes
        assert motion.refused == 2 and max(trip.mean for trip in motion.trips) < 5
        left_out = {note.partition(":")[0] for note in motion.notes if ": left out (" in note}
        pipe = {"pipe.bvh"} if source == folder else set()
        assert left_out == {"broken.bvh", "broken.glb", "set.npz"} | pipe


def test_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        bvh.write(tmp_path / name / "walk.bvh", walk(seconds=1.5))
    recorded(tmp_path / "walk.npz", walk(seconds=1.5))
    motion = sources.read(tmp_path)
    assert sorted(clip.name for clip in motion.clips) == ["walk", "walk (2)", "walk (3)"]


def test_a_damaged_member_of_an_archive_is_left_out_alone(tmp_path: Path) -> None:
    for number in range(3):
        bvh.write(tmp_path / f"{number}.bvh", walk(seconds=1.5))
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(3):
            file.write(tmp_path / f"{number}.bvh", f"{number}.bvh")
        start = file.getinfo("1.bvh").header_offset
    data = bytearray(archive.read_bytes())
    data[start + 60 : start + 90] = bytes(30)
    archive.write_bytes(data)
    motion = sources.read(archive)
    assert sorted(clip.name for clip in motion.clips) == ["0", "2"]
    assert [note for note in motion.notes if note.startswith("1.bvh: left out (")]


# -- limits ----------------------------------------------------------------------------------------


def small(frame_time: str, frames: int = 40, joints: int = 2) -> str:
    """A BVH file of a chain of joints."""
    lines = ["HIERARCHY"]
    for joint in range(joints):
        lines += ["JOINT" if joint else "ROOT"]
        lines[-1] += f" j{joint}\n{{\nOFFSET 0 1 0\nCHANNELS 1 Xrotation"
    lines += ["End Site {\nOFFSET 0 1 0\n}", "}\n" * joints]
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {frame_time}"]
    return "\n".join(lines + ["1 " * joints] * frames)


def bushy(joints: int) -> str:
    """A BVH file of joints that all hang from the root."""
    leaf = "JOINT j{}\n{{\nOFFSET 0 1 0\nCHANNELS 1 Xrotation\nEnd Site {{\nOFFSET 0 1 0\n}}\n}}\n"
    leaves = "".join(leaf.format(number) for number in range(1, joints))
    return (
        f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n{leaves}}}\nMOTION\n"
        f"Frames: 2\nFrame Time: 0.03\n" + ("1 " * joints + "\n") * 2
    )


def text(content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "a.bvh").write_text(content)
        return folder / "a.bvh"

    return make


def sparse(folder: Path) -> Path:
    """A file of 100 GB, of which nothing is on the disk."""
    with (folder / "a.bvh").open("wb") as file:
        file.truncate(10**11)
    return folder / "a.bvh"


ABSURD = {
    "milliseconds": (
        text(small("33.333")),
        "0.001 to 1 s (if these are milliseconds, --fps 30 says",
    ),
    "a day": (text(small("1e5")), "a frame lasts 1e+05 s"),
    "an age": (text(small("1e18")), "a frame lasts 1e+18 s"),
    "a microsecond": (text(small("1e-6")), "a frame lasts 1e-06 s"),
    "no time": (text(small("0")), "expected 'Frame Time:'"),
    "NaN": (text(small("nan")), "expected 'Frame Time:'"),
    "hours": (text(small("1.0", frames=15_000)), "4.167 h long; allowed: 4 h a clip"),
    "30,000 joints": (text(bushy(30_000)), "one more joint; expected at most 500"),
    "a chain": (text(small("0.03", 2, joints=5_000)), "one more joint; expected at most 500"),
    "a brush": (text(bushy(102)), "a joint with 101 children; allowed: 100"),
    "100 GB": (sparse, "95367 MiB; allowed: 512 MiB a file"),
    "a longer chain": (text(small("0.03", 2, joints=101)), "a chain of 101 joints; allowed: 100"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_files_are_one_sentence_at_once(tmp_path: Path, name: str) -> None:
    make, words = ABSURD[name]
    path = make(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with pytest.raises(DataError) as caught:
        sources.read(path)
    assert time.perf_counter() - start < 2.0  # 0.3 s on an idle machine
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    assert words in str(caught.value)
    assert "no usable motion" in str(caught.value) and str(caught.value).count("\n") == 1


def test_a_stated_rate_wins_over_an_absurd_one(tmp_path: Path) -> None:
    bvh.write(tmp_path / "walk.bvh", walk(seconds=2.0))
    written = (tmp_path / "walk.bvh").read_text()
    line = next(line for line in written.splitlines() if line.startswith("Frame Time"))
    (tmp_path / "walk.bvh").write_text(written.replace(line, "Frame Time: 33.333"))
    with pytest.raises(DataError, match="--fps"):
        sources.read(tmp_path)
    (clip,) = sources.read(tmp_path, fps=30.0).clips
    assert clip.fps == 30


def test_whatever_goes_wrong_with_a_file_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a mistake in a reader."""
    for name in ("a", "b", "c"):
        bvh.write(tmp_path / f"{name}.bvh", walk(seconds=2.0))
    parse = bvh._parse

    def mistaken(path: Path) -> object:
        if path.stem == "b":
            raise ZeroDivisionError("in a\nreader")
        return parse(path)

    monkeypatch.setattr(bvh, "_parse", mistaken)
    motion = sources.read(tmp_path)
    assert sorted(clip.name for clip in motion.clips) == ["a", "c"] and motion.refused == 1
    (note,) = (note for note in motion.notes if note.startswith("b.bvh"))
    assert note.endswith("b.bvh: cannot be read (ZeroDivisionError: in a))")
    with pytest.raises(DataError, match="ZeroDivisionError"):
        formats.read(tmp_path / "b.bvh", unit=0.01)


def test_the_deepest_chain_is_judged_quickly(tmp_path: Path) -> None:
    path = text(small("0.03", 40, reading.MAX_DEPTH))(tmp_path)
    assert len(read_captures(path).captures[0].names) == reading.MAX_DEPTH
    start = time.perf_counter()
    with pytest.raises(DataError, match="no usable motion"):
        sources.read(path)
    assert time.perf_counter() - start < 3.0  # 0.3 s on an idle machine


def test_a_small_archive_of_much_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rewritten(tmp_path / "a.npz", root=np.zeros((300_000, 3)))
    monkeypatch.setattr(npz, "MAX_BYTES", 2**20)
    with pytest.raises(DataError, match="7 MiB; allowed: 1 MiB a file"):
        read_captures(path)


def test_too_many_frames_are_refused_before_they_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_JOINT_FRAMES", 1000)
    clip = walk(seconds=2.0)
    bvh.write(tmp_path / "a.bvh", clip)
    recorded(tmp_path / "b.npz", clip)
    skinned(clip).glb(tmp_path / "c.glb")
    path = acclaim_files.write(tmp_path, clip)
    for name in ("a.bvh", "b.npz", "c.glb", path.name):
        with pytest.raises(FormatError, match=r"frames of \d+ joints; allowed: \d+"):
            read_captures(tmp_path / name)


def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.bvh")
    with pytest.raises(DataError, match="a pipe or device; allowed: a file or folder"):
        sources.read(tmp_path / "a.bvh")
    for suffix in formats.readable():
        os.mkfifo(tmp_path / f"b{suffix}")
        (tmp_path / "b.asf").write_text("")
        with pytest.raises(ControllerError, match=r"not a regular file|line 1"):
            read_captures(tmp_path / f"b{suffix}")
    with pytest.raises(NoMotion):
        np.savez(tmp_path / "set.npz", poses=np.zeros(3))
        read_captures(tmp_path / "set.npz")


def test_a_file_of_several_motions_is_not_taken_for_one(tmp_path: Path) -> None:
    document = skinned(walk(seconds=0.5))
    document.content["animations"] *= 2
    path = document.glb(tmp_path / "two.glb")
    with pytest.raises(DataError, match="2 motions; a single one is expected"):
        formats.read_capture(path)
    (capture, other) = read_captures(path).captures
    assert capture.name != other.name and replace(other, name=capture.name).fps == capture.fps
