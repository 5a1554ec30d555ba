"""What was played comes back from the files."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
import torch
from PIL import Image

from controller.core.errors import ConfigError, ControllerError, Stopped
from controller.data.formats import bvh
from controller.games import recording
from controller.games.recording import Recording
from controller.motion.skeleton import Clip
from controller.viewer import pictures

CLIP = synthetic.walk(seconds=1.0)


def play(path: Path, clip: Clip = CLIP) -> None:
    """Record a clip as play.py would."""
    rotations = clip.global_rotations()
    with Recording([path], clip.skeleton, clip.fps) as record:
        for frame in range(len(clip)):
            record.add(clip.positions[frame], rotations[frame])
            if record.wants_pictures:
                record.add_picture(picture(frame))


def picture(frame: int) -> np.ndarray:
    """Grey, with a bright square that moves to the right."""
    pixels = np.full((36, 64, 3), 90, np.uint8)
    pixels[10:20, frame : frame + 10] = 255, 120, 0
    return pixels


def test_bvh_in_centimetres_comes_back_in_metres(tmp_path: Path) -> None:
    play(tmp_path / "out.bvh")
    again = bvh.read(tmp_path / "out.bvh")
    assert (
        again.fps == 30
        and len(again) == len(CLIP)
        and set(again.skeleton.names) == set(CLIP.skeleton.names)
    )
    order = [again.skeleton.index(name) for name in CLIP.skeleton.names]
    torch.testing.assert_close(
        again.joint_positions()[:, order], CLIP.joint_positions(), atol=1e-5, rtol=0
    )
    assert "OFFSET 9.0" in (tmp_path / "out.bvh").read_text()  # the hip's, in centimetres


def test_npz_holds_everything(tmp_path: Path) -> None:
    play(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as file:
        assert (
            tuple(file["names"]) == CLIP.skeleton.names
            and tuple(file["parents"]) == CLIP.skeleton.parents
        )
        assert file["fps"] == 30
        np.testing.assert_allclose(file["root"], CLIP.positions, atol=1e-6)
        np.testing.assert_allclose(file["rotations"], CLIP.rotations, atol=1e-5)
        np.testing.assert_allclose(file["positions"], CLIP.joint_positions(), atol=1e-5)
        np.testing.assert_allclose(file["offsets"], CLIP.skeleton.offsets, atol=1e-6)


def test_png_is_the_last_picture(tmp_path: Path) -> None:
    play(tmp_path / "out.png")
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "out.png")), picture(len(CLIP) - 1)
    )


def test_gif_moves_and_keeps_time(tmp_path: Path) -> None:
    play(tmp_path / "out.gif")
    with Image.open(tmp_path / "out.gif") as gif:
        assert gif.n_frames == -(-len(CLIP) // 2) and gif.info["loop"] == 0
        milliseconds = []
        centres = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            milliseconds.append(gif.info["duration"])
            bright = np.asarray(gif.convert("RGB")).astype(int)[15, :, 0] > 180
            centres.append(bright.nonzero()[0].mean())
    assert np.all(np.diff(centres) > 0)
    assert sum(milliseconds) / len(milliseconds) == pytest.approx(1000 / 15, abs=1)


def test_a_gif_keeps_the_colours_of_small_things(tmp_path: Path) -> None:
    """Four pixels of each colour before a ground of very many shades of grey and blue."""
    ground = np.linspace(90, 180, 270 * 480).reshape(270, 480, 1) + np.array((0, 6, 12))
    pixels = (
        (ground + np.random.default_rng(0).normal(0, 8, (270, 480, 3)))
        .clip(0, 255)
        .astype(np.uint8)
    )
    colours = [
        (red, green, blue) for red in (30, 120, 230) for green in (30, 120) for blue in (30, 190)
    ]
    for number, colour in enumerate(colours):
        pixels[20:22, 20 * number + 10 : 20 * number + 12] = colour
    with Recording([tmp_path / "out.gif"], CLIP.skeleton, 30.0) as record:
        record.add(CLIP.positions[0], CLIP.global_rotations()[0])
        record.add_picture(pixels)
    with Image.open(tmp_path / "out.gif") as gif:
        error = np.abs(np.asarray(gif.convert("RGB")).astype(int) - pixels).max(axis=-1)
    assert error[20, 10 : 20 * len(colours) : 20].max() < 20 and error.mean() < 8


@pytest.mark.skipif(
    importlib.util.find_spec("imageio_ffmpeg") is None, reason="imageio-ffmpeg is not installed"
)
def test_mp4_is_a_film_of_all_frames(tmp_path: Path) -> None:
    import imageio_ffmpeg

    play(tmp_path / "out.mp4")
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "out.mp4"))
    assert frames == len(CLIP)


@pytest.mark.parametrize("suffix", ["bvh", "npz", "png", "gif"])
def test_an_error_while_playing_touches_no_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix}"
    path.write_text("what was there before")
    with pytest.raises(ZeroDivisionError), Recording([path], CLIP.skeleton, 30.0) as record:
        record.add(CLIP.positions[0], CLIP.global_rotations()[0])
        record.add_picture(picture(0))
        raise ZeroDivisionError
    assert path.read_text() == "what was there before" and list(tmp_path.iterdir()) == [path]


def test_nothing_played_writes_nothing(tmp_path: Path) -> None:
    with Recording([tmp_path / "a.bvh", tmp_path / "a.gif"], CLIP.skeleton, 30.0):
        pass
    assert not list(tmp_path.iterdir())


def test_only_pictures_want_pictures() -> None:
    assert not Recording([Path("a.bvh"), Path("a.npz")], CLIP.skeleton, 30.0).wants_pictures
    assert Recording([Path("a.bvh"), Path("a.PNG")], CLIP.skeleton, 30.0).wants_pictures


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("walk.fbx", "must end in one of .bvh"),
        ("walk", "must end in one of .bvh"),
        ("", "must end in one of .bvh"),
        ("nowhere/walk.bvh", "no folder"),
        ("folder.bvh", "cannot be written"),
    ],
)
def test_a_bad_path_is_refused_in_one_sentence(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "folder.bvh").mkdir()
    with pytest.raises(ConfigError, match=words) as caught:
        recording.check([tmp_path / path if path else Path()])
    assert "\n" not in str(caught.value)


def test_a_film_without_its_library_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="imageio-ffmpeg"):
        recording.check([tmp_path / "a.mp4"])


# -- interrupted, and files that cannot be written -------------------------------------------------


def play_until(paths: list[Path], number: int, frames: int = 12) -> Recording:
    """Record, and be stopped by a signal while the last frame is drawn."""
    rotations = CLIP.global_rotations()
    with Recording(paths, CLIP.skeleton, CLIP.fps) as record:
        for frame in range(frames):
            record.add(CLIP.positions[frame], rotations[frame])
            if record.wants_pictures:
                record.add_picture(picture(frame))
        signal.raise_signal(number)
    return record


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_a_recording_keeps_it(tmp_path: Path, number: int) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    paths = [tmp_path / "a.bvh", tmp_path / "a.gif"]
    with pytest.raises(Stopped) as caught:
        play_until(paths, number)
    assert str(caught.value) == f"{paths[0]}, {paths[1]}: the 12 frames that were played are kept"
    assert len(bvh.read(paths[0])) == 12
    with Image.open(paths[1]) as gif:
        assert gif.n_frames == 6
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_signal_in_the_middle_of_a_frame_waits_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = recording.pictures.WRITERS[".gif"]
    add = writer.add

    def interrupted(self: Any, pixels: np.ndarray) -> None:
        signal.raise_signal(signal.SIGINT)
        add(self, pixels)

    monkeypatch.setattr(writer, "add", interrupted)
    with pytest.raises(Stopped):
        play_until([tmp_path / "a.gif"], signal.SIGINT)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (64, 36)


def test_whoever_presses_ctrl_c_twice_keeps_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = recording.formats.write

    def interrupted(path: Path, clip: Clip) -> None:
        signal.raise_signal(signal.SIGINT)
        write(path, clip)

    monkeypatch.setattr(recording.formats, "write", interrupted)
    with pytest.raises(Stopped, match="are kept"):
        play_until([tmp_path / "a.bvh"], signal.SIGINT)
    assert len(bvh.read(tmp_path / "a.bvh")) == 12


def test_nothing_played_is_said(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="nothing was played"):
        play_until([tmp_path / "a.bvh"], signal.SIGINT, frames=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", ["a.bvh", "a.npz", "a.glb", "a.png", "a.gif"])
def test_a_file_that_cannot_be_written_takes_no_other_with_it(tmp_path: Path, bad: str) -> None:
    names = ["a.bvh", "a.npz", "a.glb", "a.png", "a.gif"]
    (tmp_path / bad).mkdir()
    rotations = CLIP.global_rotations()
    with (
        pytest.raises(ControllerError, match="4 of 5 files are written; ") as caught,
        Recording([tmp_path / name for name in names], CLIP.skeleton, CLIP.fps) as record,
    ):
        record.add(CLIP.positions[0], rotations[0])
        record.add_picture(picture(0))
    assert str(tmp_path / bad) in str(caught.value) and "\n" not in str(caught.value)
    assert all((tmp_path / name).stat().st_size > 0 for name in names if name != bad)


@pytest.mark.skipif(
    importlib.util.find_spec("imageio_ffmpeg") is None, reason="imageio-ffmpeg is not installed"
)
def test_a_film_that_is_cut_off_is_not_taken_for_one(tmp_path: Path) -> None:
    play(tmp_path / "a.mp4")
    assert pictures.is_whole(tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    for end in (0, 5, 30, len(data) // 2, len(data) - 1):
        (tmp_path / "b.mp4").write_bytes(data[:end])
        assert not pictures.is_whole(tmp_path / "b.mp4")


def test_a_write_protected_file_is_found_before_anything_is_played(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.touch(mode=0o444)
    with pytest.raises(ConfigError, match="write-protected"):
        recording.check([path])
