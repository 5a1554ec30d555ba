"""What helps to judge motion by eye: marks of feet, the way, the wish, the skeleton, slow motion,
smooth edges, and pictures of the window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pygame
import pytest
import synthetic
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_play import named, no_opengl

import play
from controller.core.errors import ControllerError
from controller.games import guide
from controller.games.cast import Cast
from controller.games.player import Player
from controller.games.recording import Recording
from controller.games.tracing import FADES, Tracer
from controller.ground.ground import FLAT
from controller.motion.contacts import Leg
from controller.motion.limits import Limits
from controller.motion.skeleton import forward_kinematics
from controller.viewer import screenshot
from controller.viewer.gl import marks
from controller.viewer.gl.joints import Joints
from controller.viewer.gl.overlay import LONG
from controller.viewer.gl.smoothing import around
from controller.viewer.scene.camera import FollowCamera
from controller.viewer.scene.clock import SPEEDS, FixedStep
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.traces import Traces

STEP = 1 / 30


def leg(toe: int, ankle: int, plants: bool) -> Leg:
    ahead = torch.tensor([0.0, 0.0, 1.0])
    return Leg((0, 0, ankle, toe), ahead, ahead, 0.05 * ahead, (0.0, 0.08), 0.865, 8.0, plants)


def joints(*places: tuple[float, float, float]) -> torch.Tensor:
    """Hips at the origin, then toe and ankle of each leg."""
    return torch.tensor([(0.0, 0.9, 0.0), *places])


# -- marks -----------------------------------------------------------------------------------------


def test_a_foot_leaves_a_mark_where_it_stands_and_the_mark_fades_once_it_is_gone() -> None:
    tracer = Tracer([leg(1, 2, True)], ["left"], STEP)
    root = torch.tensor([0.0, 0.9, 0.0])
    stood = joints((0.1, 0.01, 0.2), (0.1, 0.08, 0.05))
    for _ in range(5):
        traces = tracer.step(root, stood, FLAT)
    np.testing.assert_allclose(traces.prints[:, :2], [(0.1, 0.2), (0.1, 0.05)], atol=1e-6)
    np.testing.assert_allclose(traces.prints[:, 2:], [(0.0, 1.0, 1.0)] * 2, atol=1e-6)

    lifted = stood + torch.tensor([0.0, 0.3, 0.1])
    half = round(FADES / 2 / STEP)
    for _ in range(half):
        traces = tracer.step(root, lifted, FLAT)
    assert traces.prints[:, 3] == pytest.approx([0.5, 0.5], abs=0.03)
    np.testing.assert_allclose(traces.prints[:, 1], [0.2, 0.05], atol=1e-6)  # it stays there
    for _ in range(half + 2):
        traces = tracer.step(root, lifted, FLAT)
    assert len(traces.prints) == 0


def test_a_foot_that_slides_leaves_its_mark_behind() -> None:
    tracer = Tracer([leg(1, 2, False)], ["right"], STEP)
    for frame in range(20):  # at 0.15 m/s: slow enough to stand
        slid = joints((0.0, 0.0, 0.15 * frame * STEP), (0.0, 0.2, -0.1))
        traces = tracer.step(torch.zeros(3), slid, FLAT)
    assert len(traces.prints) == 1 and traces.prints[0, 4] == -1
    assert float(slid[1, 2]) - traces.prints[0, 1] == pytest.approx(0.15 * 19 * STEP, abs=1e-6)


def test_a_jump_removes_the_marks() -> None:
    tracer = Tracer([leg(1, 2, True)], [""], STEP)
    stood = joints((0.0, 0.0, 0.2), (0.0, 0.08, 0.0))
    for _ in range(9):
        tracer.step(torch.zeros(3), stood, FLAT)
    traces = tracer.step(torch.tensor([3.0, 0.0, 0.0]), stood + 1.0, FLAT)
    assert len(traces.prints) == 0 and len(traces.way) == 1


def test_a_player_marks_its_way_and_walks_from_mark_to_mark() -> None:
    player = Player(synthetic.puppet(), [named("strong")])
    for _ in range(60):
        player.step({"w"})
    traces = player.now.traces
    assert traces is not None
    way = traces.way
    assert len(way) == 31  # a point before the first step, then every other step
    last = player.root[[0, 2]].tolist()
    assert math.dist(way[-1], last) < 0.1 and math.dist(way[0], last) > 0.5


def test_the_wished_way_ends_at_the_wish() -> None:
    pose = Pose(torch.tensor([1.0, 0.9, 2.0]), torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    scene = Scene(pose, velocity=np.array([0.0, 1.0]), wish=np.array([1.0, 0.0]), facing=0.0)
    dashes = marks.wished_way(scene)
    start, end = dashes[0, 0], dashes[-1, 0]
    assert abs(start[2]) < 0.2  # it begins along the velocity,
    assert end[2] == pytest.approx(math.pi / 2, abs=0.2)  # and ends along the wish
    # Integrated in small steps instead of by the formula.
    decay = 2 * math.log(2) / marks.TURNS
    place, velocity, rate = np.array((1.0, 2.0)), scene.velocity, np.zeros(2)
    seconds = 1e-4
    for _ in range(round(marks.AHEAD[-1] / seconds)):
        rate = rate + seconds * (decay**2 * (scene.wish - velocity) - 2 * decay * rate)
        velocity = velocity + seconds * rate
        place = place + seconds * velocity
    tip = end[:2] + end[3] * np.array((math.sin(end[2]), math.cos(end[2])))
    assert math.dist(tip, place) < 0.5 * end[3]  # a dash ends a little before its piece
    still = Scene(pose, facing=0.0)
    assert len(marks.wished_way(still)) == 0


def test_marks_of_both_feet_have_the_colours_of_their_sides() -> None:
    prints = np.array([(0, 0, 0, 1, 1), (1, 0, 0, 0.5, -1)], np.float32)
    pose = Pose(torch.zeros(3), torch.zeros(1, 4))
    drawn = marks.trace_marks(Scene(pose, traces=Traces(prints, np.zeros((0, 2)))))
    assert len(drawn) == 2
    right, left = drawn  # in the order of their sides
    assert left[1, 2] > left[1, 0] and right[1, 0] > right[1, 2]  # blue, coral
    assert left[1, 3] == marks.PRINT - 1 and right[1, 3] == marks.PRINT - 0.5


@given(st.integers(0, 2**31), st.integers(1, 4))
def test_joints_are_where_forward_kinematics_puts_them(seed: int, count: int) -> None:
    skeleton = synthetic.puppet().skeleton
    generator = torch.Generator().manual_seed(seed)
    quaternions = torch.randn(count, len(skeleton), 4, generator=generator)
    pose = Pose(
        torch.randn(count, 3, generator=generator),
        torch.nn.functional.normalize(quaternions, dim=-1),
    )
    positions, rotations = Joints(skeleton)(pose)
    turned = pose.matrices()
    np.testing.assert_allclose(rotations, turned.numpy(), atol=2e-6)
    expected = forward_kinematics(skeleton, pose.root, turned)
    np.testing.assert_allclose(positions, expected.numpy(), atol=1e-5)
    alone, _ = Joints(skeleton)(pose[0])
    np.testing.assert_allclose(alone, positions[0], atol=1e-6)


# -- slow motion, edges, pictures ------------------------------------------------------------------


def test_slow_motion_makes_fewer_steps() -> None:
    clock = FixedStep(STEP)
    for _ in range(10):
        clock.slow_down(1)
    assert clock.slowed == SPEEDS[-1] == 16
    clock.slow_down(-2)
    assert clock.slowed == 4
    assert sum(clock.advance(STEP) for _ in range(40)) == 10
    for _ in range(10):
        clock.slow_down(-1)
    assert clock.slowed == 1


def test_the_part_that_is_smoothed_shows_all_points() -> None:
    camera = FollowCamera()
    camera.jump(np.zeros(3))
    size = (640, 360)
    matrix = camera.matrix(640 / 360)
    points = np.array([(0.0, 0.0, 0.0), (0.3, 1.7, 0.1)])
    left, bottom, width, height = around(points, matrix, size, 0.2)
    clip = np.c_[points, np.ones(2)] @ matrix.T
    pixels = (clip[:, :2] / clip[:, 3:] + 1) / 2 * size
    assert (pixels > (left, bottom)).all() and (pixels < (left + width, bottom + height)).all()
    assert 0 < width * height < 0.3 * 640 * 360
    assert around(points - (0, 0, 50), matrix, size, 0.2) == (0, 0, *size)  # behind the camera


def test_pictures_have_names_of_their_own(tmp_path: Path) -> None:
    now = datetime(2026, 3, 4, 5, 6, 7)
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    first = screenshot.save(picture, tmp_path / "new", now)
    second = screenshot.save(picture[::-1], tmp_path / "new", now)
    assert first.name == "motion-vae-2026-03-04_05-06-07.png"
    assert second.name == "motion-vae-2026-03-04_05-06-07-2.png"
    np.testing.assert_array_equal(np.asarray(Image.open(first)), picture)
    assert {path.name for path in first.parent.iterdir()} == {first.name, second.name}
    (tmp_path / "file").write_text("")
    with pytest.raises(ControllerError, match="file"):
        screenshot.save(picture, tmp_path / "file", now)


# -- at the window ---------------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[play.Session]:
    if reason := no_opengl():
        pytest.skip(reason)
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    player = Player(synthetic.puppet(), [named("strong")])
    options = play.Options(size="320x180", screenshots=tmp_path / "shots")
    with Recording([], player.character.skeleton, 30.0) as record:
        opened = play.Session(Cast(player), options, record)
        yield opened
        opened.screen.close()


def press(session: play.Session, key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=0))
    session.apply(session.screen.window.poll())


def shown(session: play.Session) -> np.ndarray:
    session.screen.draw(session.player.now, 0.0)
    return session.screen.picture().astype(int)


def test_b_shows_the_skeleton_and_hides_it_again(session: play.Session) -> None:
    before = shown(session)
    press(session, pygame.K_b)
    over = shown(session)
    differs = np.abs(over - before).max(axis=-1) > 30
    assert 0.0005 < differs.mean() < 0.05
    rows, columns = differs.nonzero()
    player = session.player
    matrix = session.screen.camera.matrix(320 / 180)
    places = forward_kinematics(player.character.skeleton, player.root, player.rotations).numpy()
    left, bottom, width, height = around(places, matrix, (320, 180), LONG + 0.05)
    assert columns.min() >= left and columns.max() <= left + width
    assert 180 - rows.max() >= bottom and 180 - rows.min() <= bottom + height + 1
    press(session, pygame.K_b)
    assert np.abs(shown(session) - before).max() == 0


def test_comma_and_full_stop_change_the_speed_and_the_line_says_so(session: play.Session) -> None:
    assert "SLOW" not in session.line
    press(session, pygame.K_COMMA)
    press(session, pygame.K_COMMA)
    assert "SLOW 1/4" in session.line and session.clock.slowed == 4
    press(session, pygame.K_PERIOD)
    assert "SLOW 1/2" in session.line
    press(session, pygame.K_PERIOD)
    assert "SLOW" not in session.line


def test_f12_takes_a_picture_and_says_where(session: play.Session) -> None:
    picture = shown(session)
    press(session, pygame.K_F12)
    (path,) = session.screenshots.iterdir()
    assert session.texts().title.endswith(f"picture: {path}")
    np.testing.assert_array_equal(np.asarray(Image.open(path)), picture)
    session.notice_ends = 0.0
    assert "picture" not in session.texts().title

    session.screenshots = path / "below"  # below a file there is no folder
    press(session, pygame.K_F12)
    assert "no picture: " in session.texts().title


def test_the_help_has_the_keys() -> None:
    for text in (guide.window_help(Limits()), guide.command_help(), page()):
        assert "F12" in text and "full stop" in text and "skeleton" in text


def page() -> str:
    return (Path(play.__file__).parent / "docs" / "playing.md").read_text(encoding="utf-8")
