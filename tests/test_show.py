"""Looking at motion before training: what is shown, beside its source, and what the keys do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import acclaim_files
import numpy as np
import pygame
import pytest
import synthetic
import torch
from gltf_files import skinned
from PIL import Image
from rewriting import Convention, scene, write

from controller.core.errors import DataError, DisplayError
from controller.data import commands, formats
from controller.data.alignment import points_at, similarity
from controller.data.canonical import CanonicalSettings
from controller.data.exhibits import Exhibit, exhibits, first_frame, is_data_set, stem
from controller.data.figure import Figure
from controller.data.playback import FASTEST, HOLD_S, SLOWEST, Playback
from controller.data.projection import Projection, project
from controller.motion import geometry
from controller.motion.skeleton import Clip

CONVENTIONS = {
    "ours": Convention(metres=1.0),
    "zup": Convention(up="+Z", yaw=0.5, metres=0.0254),
    "left": Convention(mirrored=True, metres=0.001, root=True),
    "down": Convention(up="-X", yaw=-2.0, metres=0.3048),
}
UNITS = {"ours": "metres", "zup": "inches", "left": "millimetres", "down": "feet"}


def sloping() -> Clip:
    walk = synthetic.walk()
    rise = torch.outer(torch.linspace(0, 1, len(walk)), torch.tensor([0.0, 1.0, 0.0]))
    return replace(walk, positions=walk.positions + rise)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Walks with their axes up as usual, one of them uphill, and a damaged file."""
    where = tmp_path_factory.mktemp("motion")
    for name, clip in (
        ("ahead", synthetic.walk(yaw=0.3)),
        ("turn", synthetic.walk(turn=0.6, seconds=1.5)),
        ("fast", synthetic.walk(speed=1.5, yaw=2.0)),
        ("hill", sloping()),
    ):
        write(where / f"{name}.bvh", clip, Convention(metres=0.01))
    (where / "damaged.bvh").write_text("HIERARCHY\nROOT\n")
    return where


def shown(path: Path, source: Path | None = None) -> list[Exhibit]:
    """The exhibits of a file or folder that stays."""
    with exhibits(path, source, CanonicalSettings()) as found:
        return found


def by_name(found: list[Exhibit]) -> dict[str, Exhibit]:
    return {exhibit.name: exhibit for exhibit in found}


# -- what is shown ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONVENTIONS)
def test_what_the_build_found_is_measured_against_the_file(tmp_path: Path, name: str) -> None:
    convention = CONVENTIONS[name]
    clip = synthetic.walk(yaw=0.2, sway=0.0, start=(3.0, -2.0))
    path = write(tmp_path / f"{name}.bvh", clip, convention)
    (exhibit,) = shown(path)
    found = exhibit.alignment
    assert found is not None
    assert found.axes.up == convention.up and found.axes.mirrored == convention.mirrored
    assert found.unit == pytest.approx(convention.metres, rel=1e-3)
    assert found.unit_name == UNITS[name] and found.apart < 0.001
    ahead = scene(convention) @ (math.sin(0.2), 0.0, math.cos(0.2))
    axis = int(np.abs(ahead).argmax())
    assert found.facing == ("+" if ahead[axis] > 0 else "-") + "XYZ"[axis]
    assert found.aside == pytest.approx(math.degrees(math.acos(abs(ahead[axis]))), abs=2)
    floor = float(torch.quantile(clip.joint_positions()[:, [4, 8], 1].amin(1), 0.01))
    assert found.floor == pytest.approx(floor, abs=0.002)
    text = "\n".join(Projection([exhibit]).title())
    assert f"up {convention.up}" in text and f"unit {UNITS[name]}" in text
    assert ("left-handed: mirrored" in text) == convention.mirrored and "round trip 0.0 mm" in text


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_source_turned_to_our_axes_is_the_clip_joint_by_joint(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / f"{name}.bvh", synthetic.walk(turn=0.7, floor=0.3), CONVENTIONS[name])
    (exhibit,) = shown(path)
    built = exhibit.built
    assert built is not None and exhibit.data is not None and exhibit.source is not None
    found = exhibit.alignment
    assert found is not None
    joints = built.joints(exhibit.data).double()
    times = torch.tensor([exhibit.seconds(frame) for frame in range(len(exhibit))])
    theirs = found.unit * points_at(exhibit.source, times) @ found.axes.matrix().T
    order = [found.partners.index(joint) for joint in range(joints.shape[1])]
    apart = theirs[:, order] - joints
    apart[..., 1] -= found.floor
    assert float(apart.norm(dim=-1).max()) < 0.002
    ends, hips = Figure(exhibit.source, exhibit).at(exhibit.seconds(40), None, True)
    root = built.positions[40].numpy()
    assert np.abs((hips - root)[[0, 2]]).max() < 0.002
    assert ends.shape[1:] == (2, 3)


def test_the_source_is_drawn_in_the_files_own_axes_beside_the_character(tmp_path: Path) -> None:
    (exhibit,) = shown(write(tmp_path / "z.bvh", synthetic.walk(), CONVENTIONS["zup"]))
    assert exhibit.source is not None and exhibit.alignment is not None
    figure = Figure(exhibit.source, exhibit)
    place = np.array((1.0, 0.9, 2.0))
    ends, hips = figure.at(1.0, place, False)
    assert hips == pytest.approx(place)
    points = points_at(exhibit.source, torch.tensor([1.0]))[0] * exhibit.alignment.unit
    extent = (points.amax(0) - points.amin(0)).numpy()
    assert np.ptp(ends[: len(points) - 1].reshape(-1, 3), axis=0) == pytest.approx(extent, abs=1e-6)
    assert extent.argmax() == 2  # it lies: Z is up in the file
    standing, _ = figure.at(1.0, place, True)
    assert np.ptp(standing.reshape(-1, 3), axis=0).argmax() == 1
    sides = list(figure.sides)
    assert sides.count("left") == sides.count("right") == 9  # joints and ends of bones


@pytest.mark.parametrize("floor", [0.2, -5.0])
def test_a_floor_far_below_does_not_take_the_source_out_of_sight(
    tmp_path: Path, floor: float
) -> None:
    (exhibit,) = shown(write(tmp_path / "a.bvh", synthetic.walk(floor=floor), Convention()))
    assert exhibit.source is not None and exhibit.alignment is not None
    assert exhibit.alignment.floor == pytest.approx(floor, abs=0.05)
    ends, _ = Figure(exhibit.source, exhibit).at(1.0, np.array((0.0, 0.9, 0.0)), False)
    assert ends[..., 1].min() == pytest.approx(0.2 if floor > 0 else 0.0, abs=0.1)


def test_bones_end_where_the_file_ends_them(tmp_path: Path) -> None:
    """The round trip compares joints; what a bone without a child does is seen only here."""
    (exhibit,) = shown(write(tmp_path / "z.bvh", synthetic.walk(), CONVENTIONS["down"]))
    assert exhibit.source is not None and exhibit.built is not None and exhibit.data is not None
    ends, _ = Figure(exhibit.source, exhibit).at(exhibit.seconds(30), None, True)
    skeleton = exhibit.data.layout.skeleton
    leaves = [joint for joint in range(len(skeleton)) if not skeleton.children(joint)]
    bones = exhibit.built.rotations[30, leaves] @ skeleton.tips[leaves][..., None]
    theirs = ends[-len(leaves) :]
    ours = {tuple(bone.round(decimals=2).tolist()) for bone in bones[..., 0]}
    file = {tuple((bone[1] - bone[0]).round(2)) for bone in theirs}
    for bone in ours:
        assert min(math.dist(bone, other) for other in file) < 0.02
    assert len(ours) == len(file) == 5


def test_every_format_and_every_motion_of_a_file_is_shown(tmp_path: Path) -> None:
    clip = synthetic.walk("walk", seconds=2)
    acclaim_files.write(tmp_path, synthetic.walk(seconds=2, fps=120))
    document = skinned(clip)
    document.content["animations"] *= 2
    document.glb(tmp_path / "both.glb")
    formats.write(tmp_path / "take.npz", clip)
    for path in (tmp_path / "16_01.amc", tmp_path / "both.glb", tmp_path / "take.npz"):
        found = shown(path)
        assert len(found) == (2 if path.suffix == ".glb" else 1), path.name
        for exhibit in found:
            assert exhibit.built is not None and exhibit.alignment is not None, exhibit.notes
            assert exhibit.alignment.apart < 0.002 and exhibit.name.startswith(path.stem)
    data = found[0].data
    assert data is not None
    data.save(tmp_path / "data.npz")
    assert shown(tmp_path / "data.npz", tmp_path)[0].source is not None


def test_what_is_left_out_is_shown_by_its_source_with_the_reason(folder: Path) -> None:
    found = by_name(shown(folder))
    assert set(found) == {"ahead", "turn", "fast", "hill", "damaged"}
    assert found["ahead"].built is not None and found["ahead"].notes == ()
    assert found["ahead"].sourceless == ""
    hill = found["hill"]
    assert hill.built is None and hill.source is not None and "slopes" in hill.notes[0]
    figure = Figure(hill.source, hill)
    assert figure.unit == pytest.approx(0.01)
    ends, _ = figure.at(0.0, None, False)
    assert -0.05 < ends[..., 1].min() < 0.05 and 1.4 < ends[..., 1].max() < 2
    assert figure.speed(1.0) == pytest.approx(math.hypot(1.2, 1 / 3), rel=0.05)
    damaged = found["damaged"]
    assert damaged.source is None and damaged.built is None and "left out" in damaged.notes[0]
    assert "line 2: the file ends" in damaged.sourceless
    assert "LEFT OUT" in Projection([damaged]).title()[0]


def test_a_build_that_stops_shows_everything_by_its_source_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / "hill.bvh", sloping(), Convention())
    (exhibit,) = shown(tmp_path)
    assert exhibit.entry is None and exhibit.source is not None and "slopes" in exhibit.notes[0]
    (tmp_path / "two.bvh").write_text("nothing")
    found = by_name(shown(tmp_path))
    assert all(exhibit.notes for exhibit in found.values())


def test_a_data_set_is_shown_with_and_without_its_source(tmp_path: Path) -> None:
    clip = synthetic.walk(seconds=4, yaw=1.0)
    broken = clip.positions.clone()
    broken[60:] += torch.tensor([1.0, 0.0, 0.5])  # a jump: the clip is cut
    write(tmp_path / "cut.bvh", replace(clip, positions=broken), Convention(yaw=0.4))
    built = shown(tmp_path)
    assert [exhibit.name for exhibit in built] == ["cut[0:60]", "cut[61:121]"]
    assert "cut at frame 60" in built[1].notes[0]
    assert built[0].data is not None
    path = tmp_path / "cut.npz"
    built[0].data.save(path)
    alone = shown(path)
    assert alone[0].source is None and alone[0].alignment is None
    assert "--source" in Projection(alone).title()[1]
    beside = shown(path, tmp_path)
    for one, other in zip(built, beside, strict=True):
        assert one.alignment is not None and other.alignment is not None
        assert other.alignment.apart < 0.001 and other.alignment.unit_name == "centimetres"
        torch.testing.assert_close(one.built.positions, other.built.positions)  # type: ignore[union-attr]
    hips = points_at(beside[1].source, torch.tensor([62 / 30]))[0, 0] / 100  # type: ignore[arg-type]
    second = beside[1].built
    assert second is not None and beside[1].seconds(0) == pytest.approx(62 / 30)
    assert second.positions[0, [0, 2]] == pytest.approx(hips[[0, 2]].numpy(), abs=0.002)


def test_a_source_that_is_another_clip_is_called_so(tmp_path: Path) -> None:
    write(tmp_path / "walk.bvh", synthetic.walk(), Convention())
    data = shown(tmp_path)[0].data
    assert data is not None
    data.save(tmp_path / "walk.npz")
    other = tmp_path / "other"
    other.mkdir()
    write(other / "walk.bvh", synthetic.walk(phase=1.5, turn=0.9), Convention())
    text = "\n".join(Projection(shown(tmp_path / "walk.npz", other)).title())
    assert "another clip or body" in text


def test_names_of_pieces_say_where_they_begin() -> None:
    assert [first_frame(name) for name in ("a", "a[60:90]", "a[60:500][300:]")] == [1, 61, 361]
    assert [stem(name) for name in ("a", "a[60:90]", "a[6:5][3:]", "a[b]")] == [
        "a",
        "a",
        "a",
        "a[b]",
    ]


def test_a_similarity_is_found_again() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    turn = geometry.euler_to_matrix(torch.tensor([0.3, 1.0, -2.0], dtype=torch.float64), "XYZ")
    for matrix in (turn, turn @ torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64))):
        shift = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        factor, found, moved = similarity(points, 0.3 * points @ matrix.T + shift)
        assert factor == pytest.approx(0.3)
        torch.testing.assert_close(found, matrix)
        torch.testing.assert_close(moved, shift)


# -- keys ------------------------------------------------------------------------------------------


def keys(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_arrows_step_one_frame_and_pause_and_scrub_when_held() -> None:
    playback = Playback([100, 50], [30.0, 30.0], frame=10.4)
    playback.hold(keys("right"), 0.01)
    assert playback.paused and playback.frame == 11
    playback.hold(keys("right"), 0.01)
    assert playback.frame == 11  # held, but not for long
    playback.hold(keys(), 0.01)
    playback.hold(keys("left"), 0.01)
    assert playback.frame == 10
    for _ in range(100):
        playback.hold(keys("left"), 0.01)
    assert playback.frame == pytest.approx(max(0, 10 - 30 * (1 - HOLD_S)), abs=0.7)
    for _ in range(900):
        playback.hold(keys("right"), 0.01)
    assert playback.frame == 99
    playback.hold(keys(), 0.01)
    playback.hold(keys("right"), 0.01)
    assert playback.frame == 99


def test_up_and_down_choose_the_clip_round_and_round() -> None:
    playback = Playback([10, 10, 10], [30.0] * 3, frame=4.0)
    for key, clip in (("down", 1), ("pagedown", 2), ("down", 0), ("up", 2), ("pageup", 1)):
        playback.hold(keys(key), 0.01)
        assert (playback.clip, playback.frame) == (clip, 0.0)
        playback.hold(keys(key), 0.01)  # still down: once
        assert playback.clip == clip
        playback.hold(keys(), 0.01)


def test_plus_and_minus_set_the_speed_between_a_tenth_and_four() -> None:
    playback = Playback([1000], [30.0])
    for _ in range(30):
        playback.press(keys("+"))
    assert playback.speed == FASTEST == 4
    playback.advance(0.1)
    assert playback.frame == pytest.approx(12)
    for _ in range(40):
        playback.press(keys("-"))
    assert playback.speed == SLOWEST == 0.1
    again = Playback([10], [30.0])
    for key in "++--":
        again.press(keys(key))
    assert again.speed == 1


def test_a_clip_loops_or_the_next_one_follows_until_the_last_ends() -> None:
    playback = Playback([31, 16], [30.0, 60.0])
    playback.advance(1.5)
    assert playback.clip == 0 and playback.frame == pytest.approx(15)
    playback.press(keys("l"))
    playback.advance(0.7)
    assert playback.clip == 1 and playback.frame == 0 and not playback.loop
    playback.advance(0.1)
    assert playback.frame == pytest.approx(6)
    playback.advance(1.0)
    assert playback.frame == 15 and playback.paused
    single = Playback([1], [30.0])
    single.advance(3.0)
    assert single.frame == 0


# -- the window ------------------------------------------------------------------------------------


@pytest.fixture
def screens(folder: Path) -> Iterator[list[Exhibit]]:
    """All clips of the folder, where pictures can be drawn."""
    from controller.viewer.input.window import Window

    try:
        Window((16, 16), headless=True).close()
    except DisplayError as error:
        pytest.skip(str(error))
    yield shown(folder)


def test_pictures_show_the_character_and_the_source_right_of_it(
    screens: list[Exhibit], tmp_path: Path
) -> None:
    found = by_name(screens)
    pictures = {}
    for name in ("ahead", "hill", "damaged"):
        path = tmp_path / f"{name}.png"
        project([found[name]], (480, 270), True, [path], 5)
        pictures[name] = np.asarray(Image.open(path)).astype(int)
        assert pictures[name].shape == (270, 480, 3)
    body = np.abs(pictures["ahead"] - pictures["damaged"]).max(-1) > 40
    assert body[80:220, 200:280].mean() > 0.1 and body[80:220, 330:420].mean() > 0.05
    alone = np.abs(pictures["hill"] - pictures["damaged"]).max(-1) > 40
    assert alone[80:220, 190:290].mean() > 0.03 and alone[80:220, 340:].mean() < 0.01
    assert pictures["ahead"][14:30, 14:60].mean() < 120  # the plate of the text; the sky is at 180


def test_a_gif_plays_a_whole_clip_at_its_rate(screens: list[Exhibit], tmp_path: Path) -> None:
    path = tmp_path / "walk.gif"
    project([by_name(screens)["turn"]], (160, 90), True, [path], None)
    with Image.open(path) as film:
        assert film.n_frames == math.ceil(len(by_name(screens)["turn"]) / 2)
        frames = [np.asarray(film.convert("RGB")).astype(int) for _ in [film.seek(0)]]
        film.seek(20)
        frames.append(np.asarray(film.convert("RGB")).astype(int))
    assert np.abs(frames[1] - frames[0]).max() > 60


def test_a_window_obeys_keys_until_escape(
    screens: list[Exhibit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off-screen, with a keyboard's events."""
    from controller.data import projection
    from controller.viewer.screen import Screen

    monkeypatch.setattr(projection, "Screen", lambda *a, **k: Screen(*a, **k | {"headless": True}))
    script = [
        pygame.K_SPACE, pygame.K_PAGEDOWN, pygame.K_DOWN, pygame.K_RIGHT, pygame.K_PLUS,
        pygame.K_l, pygame.K_t, pygame.K_F1, pygame.K_c, pygame.K_ESCAPE,
    ]  # fmt: skip
    seen: list[Projection] = []
    moments = []
    texts = Projection.texts

    def watched(self: Projection, helping: bool = False) -> object:
        seen.append(self)
        moments.append((self.playback.clip, self.playback.paused, helping, self.line()))
        if script:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=script.pop(0)))
        return texts(self, helping)

    monkeypatch.setattr(Projection, "texts", watched)
    project(screens, (160, 90), False, [], None)
    playback = seen[-1].playback
    assert playback.clip == 2 and playback.paused and playback.frame == 1
    assert playback.speed == 1.25 and not playback.loop and seen[-1].turned
    assert moments[0][:3] == (0, False, False) and moments[-1][2]
    assert moments[1][1] and "PAUSED" in moments[1][3] and script == []


def test_bad_requests_are_one_sentence(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words: list[str | Path]
    for words, expected in (
        ([tmp_path / "none"], "no such file or folder"),
        ([tmp_path / "none.npz"], "no such data file"),
        ([folder, "--headless"], "--headless needs --record"),
        ([folder, "--headless", "--record", tmp_path / "a.txt"], "must end in one of .png, .gif"),
        ([folder, "--clip", "swim"], "no clip is named like 'swim'; there are ahead, damaged"),
        ([folder, "--clip", "damaged"], "nothing to show; no source: "),
        ([folder, "--size", "9x9"], "--size is '9x9'; allowed: 16x16"),
        ([folder, "--frames", "0"], "--frames is 0; allowed: 1 or more"),
        ([folder, "--up", "Y"], "--up is 'Y'; allowed: +Y"),
        ([folder, "--fps", "0"], "fps is 0.0; allowed"),
        ([folder, "--skeleton", tmp_path / "none.npz"], "no such data file"),
    ):
        said = synthetic.refusal(commands.main, ["show", *words], monkeypatch, capsys)
        assert expected in said


def test_without_a_screen_one_sentence_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    said = synthetic.refusal(commands.main, ["show", folder / "turn.bvh"], monkeypatch, capsys)
    assert said.startswith("no OpenGL 3.3 window can be opened here")
    assert said.endswith("; --headless --record FILE.gif draws without a screen")


def test_a_data_set_is_told_from_motion_of_the_same_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "not.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="not a motion data set"):
        shown(tmp_path / "not.npz")
    np.savez(tmp_path / "motion.npz", poses=np.zeros(3))
    np.savez(tmp_path / "data.npz", header=np.array("{}"))
    monkeypatch.setattr(formats, "readable", lambda: (".bvh", ".npz"))
    assert not is_data_set(tmp_path / "motion.npz") and not is_data_set(tmp_path / "a.bvh")
    assert is_data_set(tmp_path / "data.npz") and is_data_set(tmp_path / "not.npz")


def test_what_was_seen_is_forgotten_and_read_again(folder: Path) -> None:
    found = shown(folder)
    projection = Projection(found)
    lines = []
    for key in ("down", "down", "up", "up"):
        projection.scene(0.0)
        lines.append(projection.title())
        projection.press(keys(key), 0.01)
        projection.press(keys(), 0.01)
        projection.scene(0.0)
        assert sum("_reading" in exhibit.__dict__ for exhibit in found) == 1
    assert projection.title() == lines[0] and lines[0] != lines[2]
