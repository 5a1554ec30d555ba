"""Tasks in somebody's hands: keys switch them, clicks set their goals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import synthetic
from test_play import PuppetPolicy, hold

from controller.game import KEYS, PathGame
from controller.player import Pilot, Player
from controller.tasks.shapes import SHAPES
from controller.viewer.camera import FollowCamera
from controller.viewer.keys import STEERING_KEYS
from controller.viewer.marks import FLAG, MOST, ground_marks


class SeesItAll(PuppetPolicy):
    """Refuses an observation of another width than the joystick's."""

    def __call__(self, observation):  # type: ignore[no-untyped-def]
        assert observation.shape == (1, synthetic.layout().size + 4)
        return super().__call__(observation)


@pytest.fixture
def player() -> Player:
    who = synthetic.puppet()
    return Player(who, [Pilot("only", SeesItAll(who), who)])  # type: ignore[arg-type]


def test_keys_switch_the_task_in_mid_walk(player: Player) -> None:
    hold(player, {"w"})
    for task, key in KEYS.items():
        assert key in STEERING_KEYS
        before = player.now
        player.step({key})
        assert player.task == task and player.before is before
        assert (player.now.facing is not None) == (task == "joystick")
        player.step(set())


def test_it_walks_to_the_flag_ahead_and_then_to_where_somebody_points(player: Player) -> None:
    player.choose("target")
    assert hold(player, set(), 6.0) == pytest.approx((0, 0), abs=0.03)
    assert player.root[[0, 2]].numpy() == pytest.approx((0, 3), abs=0.3)
    player.point(-2.0, 1.0)
    player.step(set())
    assert player.now.flag == pytest.approx((-2, 1))
    hold(player, set(), 6.0)
    assert player.root[[0, 2]].numpy() == pytest.approx((-2, 1), abs=0.3)


def test_a_timed_target_is_reached_when_its_clock_has_run_down(player: Player) -> None:
    player.choose("timed_target")
    assert player.game is not None and player.game.status == "4.5 s left"
    hold(player, set(), 3.0)
    assert player.game.status == "1.5 s left" and float(player.root[2]) < 2.5
    hold(player, set(), 1.5)
    assert player.game.status == "0.0 s left" and float(player.root[2]) == pytest.approx(3, abs=0.45)


def test_each_press_takes_the_next_shape_and_a_reset_keeps_it(player: Player) -> None:
    names = []
    for _ in range(len(SHAPES) + 1):
        player.step({"4"})
        player.step(set())
        assert isinstance(player.game, PathGame)
        names.append(player.game.status)
    assert names == [*SHAPES, next(iter(SHAPES))]
    player.reset()
    assert player.game is not None and player.game.status == names[0]
    hold(player, set(), 4.0)
    assert player.game.line is not None
    off = np.hypot(*(player.game.line - player.root[[0, 2]].numpy()).T)
    assert off.min() < 0.25 and off.argmin() > 20  # points, 0.1 m each


def test_nobody_steers_a_random_walk(player: Player) -> None:
    player.choose("random")
    player.pilot.policy = None  # type: ignore[assignment]
    before = player.root
    player.step({"w"})
    assert float((player.root - before).abs().max()) > 0


def test_back_at_the_joystick_it_stands_until_steered(player: Player) -> None:
    player.choose("target")
    hold(player, set(), 2.0)
    player.choose("joystick")
    player.point(5.0, 5.0)  # no task to point for
    assert hold(player, set()) == pytest.approx((0, 0), abs=0.03)


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_a_flag_and_a_line_are_marked_on_the_ground(player: Player) -> None:
    player.choose("target")
    player.step(set())
    (place, paint), _ = ground_marks(player.now)
    assert place == pytest.approx((0, 3, 0, FLAG), abs=1e-6) and paint[3] < 0
    for _ in SHAPES:
        player.choose("path")
        player.step(set())
        line, marks = player.now.line, ground_marks(player.now)
        assert line is not None and 20 < len(marks) < MOST
        (x, z, yaw, _), _ = marks[0]
        assert (x, z) == pytest.approx(line[0], abs=1e-6)
        assert (math.sin(yaw), math.cos(yaw)) == pytest.approx((line[1] - line[0]) / 0.1, abs=0.05)


def test_the_ground_under_a_pixel() -> None:
    """From 4 m up, looking along +Z and down at 45°: the middle hits 4 m ahead; 18° above it, 4/tan 27°; +X is left."""
    camera = FollowCamera(0.0, math.radians(45), math.hypot(4 - 0.86, 4 - 0.86))
    camera.jump(np.array((0.0, 0.0, 4 - 0.86)))
    assert camera.eye == pytest.approx((0, 4, 0), abs=1e-9)
    assert camera.ground_at((200, 100), (400, 200)) == pytest.approx((0, 4))
    assert camera.ground_at((200, 0), (400, 200)) == pytest.approx((0, 4 / math.tan(math.radians(27))))
    across = 4 * math.sqrt(2) * math.tan(math.radians(18))
    assert camera.ground_at((100, 100), (400, 200)) == pytest.approx((across, 4))


def test_there_is_no_ground_above_the_horizon() -> None:
    camera = FollowCamera(0.3, 0.0, 4.0)
    camera.jump(np.zeros(3))
    assert camera.ground_at((160, 0), (320, 180)) is None
    assert camera.ground_at((160, 90), (320, 180)) is None  # on it
    assert camera.ground_at((160, 170), (320, 180)) is not None
