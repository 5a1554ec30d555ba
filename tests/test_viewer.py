"""The viewer: from keys to a desired velocity, from poses to pictures."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pygame
import pytest
import synthetic
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from controller.core.errors import ConfigError, DisplayError
from controller.motion import geometry
from controller.motion.skeleton import Skeleton, forward_kinematics
from controller.viewer.gl import quality, sun
from controller.viewer.gl.body import Body
from controller.viewer.gl.capsule import capsule
from controller.viewer.gl.flag import FULL_SIZE, HEIGHT, LARGEST, place
from controller.viewer.gl.marks import ground_marks
from controller.viewer.input.clicks import ClickScript
from controller.viewer.input.gamepad import Gamepad
from controller.viewer.input.keys import STEERING_KEYS, KeyScript
from controller.viewer.input.mouse import CLICK, DOUBLE, Mouse
from controller.viewer.input.steering import Controls, Paces, Steering, world_stick
from controller.viewer.input.window import ORBIT_PER_PIXEL
from controller.viewer.scene.camera import DISTANCES, ELEVATIONS, MODES, STILL, FollowCamera
from controller.viewer.scene.clock import FixedStep
from controller.viewer.scene.panel import ROWS, Hit, Panel
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.sliders import Sliders
from controller.viewer.scene.spring import Spring
from controller.viewer.scene.stage import Stage
from controller.viewer.scene.texts import Texts
from controller.viewer.screen import Screen

ranges = st.lists(
    st.tuples(st.integers(0, 500), st.integers(1, 500), st.sampled_from(STEERING_KEYS)).map(
        lambda item: (item[0], item[0] + item[1], item[2])
    ),
    max_size=6,
)


# -- key scripts -----------------------------------------------------------------------------------


@given(ranges)
def test_a_key_script_is_read_as_it_is_written(items: list[tuple[int, int, str]]) -> None:
    script = KeyScript(tuple(items))
    assert KeyScript.parse(str(script)) == script
    assert KeyScript.parse(str(script).upper().replace(",", " , ")) == script
    assert script.at(script.length) == frozenset()
    for start, end, key in items:
        assert key in script.at(start) and key in script.at(end - 1)


def test_the_end_of_a_range_is_excluded() -> None:
    script = KeyScript.parse("0-150:w,60-120:shift,90-120:d")
    assert [script.at(frame) for frame in (0, 60, 90, 120, 150)] == [
        {"w"}, {"w", "shift"}, {"w", "shift", "d"}, {"w"}, set(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0-10:x", "'0-10:x' has an unknown key"),
        ("0-10:w,20-10:a", "'20-10:a' ends at frame 10"),
        ("5-5:w", "not after its start"),
        ("0-10", "'0-10' is not START-END:KEY"),
        ("w:0-10", "is not START-END:KEY"),
        ("-5-10:w", "is not START-END:KEY"),
        ("0-10:w,,", "'' is not START-END:KEY"),
        ("0-²:w", "is not START-END:KEY"),
        ("0-" + "9" * 5000 + ":w", "is not START-END:KEY"),
    ],
)
def test_a_bad_script_is_refused_by_its_part(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="--keys") as caught:
        KeyScript.parse(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_script_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        KeyScript.parse(text)


def test_a_click_script_says_where_and_when() -> None:
    script = ClickScript.parse("0:3/4, 90:-2.5/1.5,90:0/-1")
    assert (
        script.at(0) == [(3.0, 4.0)]
        and script.at(90) == [(-2.5, 1.5), (0.0, -1.0)]
        and script.at(1) == []
    )
    assert script.length == 91 and ClickScript.parse(" ").length == 0


@pytest.mark.parametrize("text", ["0:3", "3/4", "-1:3/4", "0:3/4,", "0:1e9/4", "0:nan/4", "x"])
def test_a_bad_click_is_refused_by_its_part(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--clicks: '.*' is not FRAME:X/Z"):
        ClickScript.parse(text)


# -- the mouse -------------------------------------------------------------------------------------


def drag(mouse: Mouse, button: int, *way: tuple[int, int]) -> None:
    mouse.press(button, way[0])
    for at in way[1:]:
        mouse.move(at)


def test_a_click_that_trembles_drags_nothing() -> None:
    """Up to 5 pixels. A drag begins, without a jump, where it is longer than that."""
    mouse = Mouse()
    drag(mouse, 1, (100, 100), (103, 100), (103, 104))
    assert mouse.stroke is None and mouse.moved == {}
    mouse.release(1, (103, 104), 1.0)
    assert (
        mouse.clicks == [(103, 104)] and mouse.stroke is None and mouse.moved == {} and CLICK == 5
    )
    drag(mouse, 1, (100, 100), (104, 104))
    assert mouse.moved == {}
    mouse.move((106, 107))
    assert mouse.moved[1] == (2, 3)


def test_a_stroke_goes_on_from_look_to_look_until_it_is_done() -> None:
    mouse = Mouse()
    drag(mouse, 1, (10, 10), (20, 10), (30, 12))
    assert mouse.stroke is not None and mouse.stroke.path == [(10, 10), (20, 10), (30, 12)]
    mouse.reset()
    assert mouse.stroke.start == (10, 10) and mouse.stroke.path == [] and not mouse.stroke.done
    mouse.release(1, (40, 12), 1.0)
    assert mouse.stroke.path == [(40, 12)] and mouse.stroke.done and mouse.clicks == []
    mouse.reset()
    assert mouse.stroke is None


def test_two_clicks_in_short_order_and_one_place_are_a_double_click() -> None:
    mouse = Mouse()
    for number, (at, time) in enumerate(
        [((5, 5), 1.0), ((6, 5), 1.0 + DOUBLE / 2), ((6, 5), 1.0 + DOUBLE)]
    ):
        mouse.press(1, at)
        mouse.release(1, at, time)
        assert (len(mouse.clicks), len(mouse.doubles)) == [(1, 0), (1, 1), (2, 1)][number]
    for at, time in [((200, 5), 9.0), ((220, 5), 9.1), ((220, 5), 9.2 + DOUBLE)]:
        mouse.press(1, at)
        mouse.release(1, at, time)
    assert len(mouse.doubles) == 1


def test_a_release_without_a_press_is_ignored() -> None:
    mouse = Mouse()
    mouse.release(1, (3, 3), 0.0)
    assert mouse.clicks == [] and mouse.stroke is None


# -- sliders ---------------------------------------------------------------------------------------


@pytest.fixture
def panel() -> Panel:
    pygame.font.init()
    return Panel(Sliders.of(np.linspace(0, 1, 32), 2.0, "z"), pygame.font.Font(None, 16))


def knob(panel: Panel, unit: int, window: tuple[int, int]) -> tuple[int, int]:
    """The pixel of the window under a slider's knob, from a search of all pixels of the panel."""
    left, top, width, height = panel.place(window)
    pixels = [(x, y) for y in range(top, top + height, 2) for x in range(left, left + width)]
    hits = [
        (pixel, hit) for pixel in pixels if (hit := panel.hit(pixel, window)) and hit.unit == unit
    ]
    middle = sum(y for (_, y), _ in hits) / len(hits)
    return min(
        hits,
        key=lambda item: (
            abs(item[1].value - panel.sliders.values[unit]) + 0.01 * abs(item[0][1] - middle)
        ),
    )[0]


@pytest.mark.parametrize("window", [(960, 540), (640, 360), (320, 180)])
def test_every_slider_is_hit_where_it_is_and_none_beside_the_panel(
    panel: Panel, window: tuple[int, int]
) -> None:
    left, top, width, height = panel.place(window)
    assert (
        left >= window[0] / 2 - 12
        and top >= 0
        and left + width <= window[0]
        and top + height <= window[1]
    )
    assert (
        panel.hit((left - 1, top), window) is None
        and panel.hit((left, top + height + 1), window) is None
    )
    pixels = [(x, y) for y in range(top, top + height) for x in range(left, left + width)]
    units = {hit.unit for pixel in pixels if (hit := panel.hit(pixel, window))}
    assert units == set(range(32)) | {-1}
    for unit, value in ((0, -2.0), (ROWS, 2.0), (31, 0.5)):
        panel.sliders.clamp(unit, value)
        hit = panel.hit(knob(panel, unit, window), window)
        assert (
            hit is not None
            and hit[:2] == ("slider", unit)
            and hit.value == pytest.approx(value, abs=0.1)
        )


def test_a_panel_shows_its_sliders_values(panel: Panel) -> None:
    before = pygame.surfarray.array3d(panel.paint()).astype(int)
    panel.sliders.clamp(5, 1.5)
    x, y = (
        part - start
        for part, start in zip(knob(panel, 5, (960, 540)), panel.place((960, 540)), strict=False)
    )
    after = pygame.surfarray.array3d(panel.paint()).astype(int)
    red, _, blue = after[x, y]
    assert red > blue + 50 and np.abs(after - before)[x, y].max() > 50  # orange: clamped
    assert panel.hit((0, 0), (960, 540)) is None and isinstance(
        panel.hit((900, 20), (960, 540)), Hit
    )


# -- springs and steering --------------------------------------------------------------------------


@given(st.floats(-10, 10), st.floats(0.02, 1.0), st.integers(1, 20))
def test_a_spring_does_not_depend_on_the_number_of_steps(
    target: float, half_life: float, cuts: int
) -> None:
    once = Spring(1.0, half_life)
    often = Spring(1.0, half_life)
    once.step(target, 0.3)
    for _ in range(cuts):
        often.step(target, 0.3 / cuts)
    np.testing.assert_allclose(often.value, once.value, atol=1e-9)


def test_a_spring_arrives_without_overshooting() -> None:
    spring = Spring((0.0, 0.0), 0.1)
    path = np.array([spring.step((1.0, -2.0), 1 / 60).copy() for _ in range(90)])
    assert np.all(np.diff(path[:, 0]) > 0) and path[-1] == pytest.approx((1.0, -2.0), abs=1e-3)
    assert np.all(path[:, 0] <= 1.0)


def steer(steering: Steering, keys: set[str], seconds: float = 1.0, azimuth: float = 0.0):
    for _ in range(round(30 * seconds)):
        wish = steering.step(Controls.of(keys), azimuth, 1 / 30)
    return wish


@pytest.mark.parametrize(
    ("key", "way"),
    [
        ("w", (0, 1)),
        ("up", (0, 1)),
        ("s", (0, -1)),
        ("a", (1, 0)),
        ("d", (-1, 0)),
        ("right", (-1, 0)),
    ],
)
def test_keys_point_into_the_world(key: str, way: tuple[float, float]) -> None:
    """For a camera that looks along +Z, left is +X."""
    wish = steer(Steering(), {key})
    np.testing.assert_allclose(wish.velocity, PACES.walk * np.array(way), atol=1e-2)
    assert math.cos(wish.facing - math.atan2(*way)) == pytest.approx(1, abs=1e-3)


@given(st.floats(-10, 10), st.sampled_from(["w", "a", "s", "d"]))
def test_keys_turn_with_the_camera(azimuth: float, key: str) -> None:
    still = torch.from_numpy(world_stick(Controls.of({key}), 0.0))
    turned = geometry.turn(still, torch.tensor(azimuth, dtype=torch.float64))
    np.testing.assert_allclose(world_stick(Controls.of({key}), azimuth), turned, atol=1e-9)


def test_shift_ctrl_and_diagonals_set_the_speed() -> None:
    combinations = ({"w", "shift"}, {"w", "ctrl"}, {"w", "a"}, {"w", "s"})
    speeds = [np.hypot(*steer(Steering(), keys).velocity) for keys in combinations]
    assert speeds == pytest.approx([PACES.fast, PACES.slow, PACES.walk, 0.0], abs=1e-2)


def test_wishes_do_not_jump() -> None:
    steering = Steering()
    steer(steering, {"w", "shift"})
    before = steer(steering, {"w", "shift"}, 1 / 30)
    after = steer(steering, {"s", "shift"}, 1 / 30)
    assert np.hypot(*(after.velocity - before.velocity)) < 1.0  # of 4
    assert abs(after.facing - before.facing) < 0.7  # of π


def test_the_facing_follows_the_way_of_travel_and_stays_when_standing() -> None:
    steering = Steering(0.3)
    assert steer(steering, set()).facing == pytest.approx(0.3)
    assert steer(steering, {"a"}).facing == pytest.approx(math.pi / 2, abs=1e-2)
    assert steer(steering, set()).facing == pytest.approx(math.pi / 2, abs=1e-2)


def test_turning_while_walking_keeps_the_facing_until_the_stick_is_released() -> None:
    steering = Steering()
    steer(steering, {"w"})
    turned = steer(steering, {"w", "q"}, 0.5).facing
    assert 0.5 < turned < 1.1
    later = steer(steering, {"w"}, 2.0).facing
    assert later == pytest.approx(1.0, abs=0.1)
    steer(steering, set(), 0.2)
    assert steer(steering, {"w"}).facing == pytest.approx(0.0, abs=1e-2)


def test_turning_on_the_spot() -> None:
    steering = Steering()
    steer(steering, {"e"}, 0.5)
    assert steer(steering, set()).facing == pytest.approx(-1.0, abs=0.1)


def test_with_the_facing_locked_s_walks_backward() -> None:
    steering = Steering()
    steer(steering, {"f"}, 0.2)  # down for several steps, it switches once
    wish = steer(steering, {"s"})
    assert (
        steering.locked
        and wish.facing == pytest.approx(0.0)
        and wish.velocity[1] == pytest.approx(-PACES.walk, abs=1e-2)
    )
    steer(steering, {"f"}, 0.2)
    assert not steering.locked and abs(steer(steering, {"s"}).facing) == pytest.approx(
        math.pi, abs=1e-2
    )


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_stick_is_never_longer_than_one_and_dead_in_its_middle(
    right: float, forward: float
) -> None:
    stick = world_stick(Controls(right=right, forward=forward), 0.4)
    assert np.hypot(*stick) <= 1 + 1e-9
    if math.hypot(right, forward) < 0.15:
        assert not stick.any()


def test_a_game_pad_is_read() -> None:
    buttons = {
        pygame.CONTROLLER_BUTTON_LEFTSHOULDER,
        pygame.CONTROLLER_BUTTON_A,
        pygame.CONTROLLER_BUTTON_BACK,
        pygame.CONTROLLER_BUTTON_START,
    }
    axes = {
        pygame.CONTROLLER_AXIS_LEFTY: -32768,
        pygame.CONTROLLER_AXIS_LEFTX: 900,
        pygame.CONTROLLER_AXIS_TRIGGERRIGHT: 32767,
    }
    device = SimpleNamespace(
        get_button=lambda button: button in buttons, get_axis=lambda axis: axes.get(axis, 0)
    )
    pad = Gamepad(device)
    first = pad.read()
    second = pad.read()
    assert (
        first.move == (0.0, 1.0)
        and first.look == (0.0, 0.0)
        and first.keys == {"q", "p", "tab", "shift"}
    )
    assert first.actions == ("pause",) and second.actions == ()  # once a press


# -- clock, poses, camera --------------------------------------------------------------------------


@given(st.lists(st.floats(0.001, 0.2), min_size=1, max_size=60))
def test_the_clock_makes_every_step_once(frames: list[float]) -> None:
    clock = FixedStep(1 / 30)
    steps = 0
    for seconds in frames:
        steps += clock.advance(seconds)
        assert 0 <= clock.fraction <= 1
    assert (steps + clock.fraction) / 30 == pytest.approx(sum(frames), abs=1e-6)


def test_a_long_break_is_not_caught_up_with() -> None:
    assert FixedStep(1 / 30).advance(60.0) == 7


def poses() -> tuple[Pose, Pose]:
    clip = synthetic.walk()
    rotations = clip.global_rotations()
    return tuple(Pose.from_matrices(clip.positions[frame], rotations[frame]) for frame in (10, 25))  # type: ignore[return-value]


def bone_lengths(skeleton: Skeleton, pose: Pose) -> Tensor:
    positions = forward_kinematics(skeleton, pose.root, pose.matrices())
    return (positions[1:] - positions[list(skeleton.parents[1:])]).norm(dim=-1)


@given(st.floats(0, 1))
def test_between_two_poses_no_limb_stretches(amount: float) -> None:
    start, end = poses()
    skeleton = synthetic.skeleton()
    between = start.towards(end, amount)
    torch.testing.assert_close(bone_lengths(skeleton, between), skeleton.offsets[1:].norm(dim=-1))
    torch.testing.assert_close(between.root, torch.lerp(start.root, end.root, amount))


def test_the_ends_of_the_way_are_the_two_poses() -> None:
    start, end = poses()
    torch.testing.assert_close(
        start.towards(end, 0.0).matrices(), start.matrices(), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        start.towards(end, 1.0).matrices(), end.matrices(), atol=1e-5, rtol=0
    )


def test_a_scene_turns_the_short_way() -> None:
    start, end = poses()
    one = Scene(start, yaw=3.0, facing=3.0, wish=np.array((1.0, 0.0)))
    two = Scene(end, yaw=-3.0, facing=-3.0, wish=np.array((0.0, 1.0)))
    middle = one.towards(two, 0.5)
    assert abs(math.remainder(middle.yaw - math.pi, 2 * math.pi)) < 1e-6
    assert middle.facing == pytest.approx(middle.yaw) and middle.wish == pytest.approx((0.5, 0.5))


def project(camera: FollowCamera, point: tuple[float, float, float]) -> np.ndarray:
    clip = camera.matrix(16 / 9) @ (*point, 1.0)
    return clip[:3] / clip[3]


def test_the_camera_looks_over_the_shoulder() -> None:
    camera = FollowCamera()
    camera.jump(np.array((2.0, 0.95, 3.0)))
    assert camera.eye[2] < 3.0 and camera.eye[1] > 1.0
    assert project(camera, (2.0, camera.aim[1], 3.0))[:2] == pytest.approx((0, 0), abs=1e-6)
    assert project(camera, (3.0, 1.0, 3.0))[0] < 0  # +X is on the left when looking along +Z
    assert project(camera, (2.0, 1.7, 3.0))[1] > 0
    assert project(camera, (2.0, 1.0, 30.0))[2] > project(camera, (2.0, 1.0, 3.0))[2]


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-20, 20)), max_size=8),
    st.sampled_from(MODES),
)
def test_the_camera_stays_above_ground_and_within_reach(
    moves: list[tuple[float, float, float]], mode: str
) -> None:
    camera = FollowCamera()
    camera.mode = mode
    for right, up, notches in moves:
        camera.orbit(right, up)
        camera.zoom(notches)
        for _ in range(30):
            camera.follow(np.array((0.0, 0.95, 0.0)), 1.0, 1 / 30)
        assert camera.eye[1] >= 0.15 and np.isfinite(camera.matrix(1.5)).all()
        assert (
            DISTANCES[0] <= camera.distance <= DISTANCES[1]
            and ELEVATIONS[0] <= camera.elevation <= ELEVATIONS[1]
        )


def test_the_camera_follows_smoothly_and_can_chase() -> None:
    camera = FollowCamera()
    camera.jump(np.zeros(3))
    camera.follow(np.array((1.0, 0.9, 0.0)), 0.0, 1 / 60)
    assert 0 < camera.aim[0] < 0.2
    assert camera.azimuth == 0.0
    camera.next_mode()
    for _ in range(300):
        camera.follow(np.array((1.0, 0.9, 0.0)), 2.0, 1 / 60)
    assert camera.mode == "chase" and camera.azimuth == pytest.approx(2.0, abs=0.05)
    assert camera.aim[0] == pytest.approx(1.0, abs=1e-3)


@given(st.integers(1, 200), st.floats(-1.5, 1.5))
def test_the_camera_moves_back_until_everyone_is_in_the_picture_and_returns(
    count: int, azimuth: float
) -> None:
    place = 15 * np.random.default_rng(count).standard_normal((count, 3))
    place[:, 1] = 0.9
    root = np.array((3.0, 0.9, -2.0))
    camera = FollowCamera(azimuth)
    camera.jump(root)
    alone = camera.eye
    camera.mode = "all"
    for _ in range(120):
        camera.follow(root, 0.0, 1 / 30, place)
    matrix = camera.matrix(16 / 9)
    for x, y, z in (root, *place):
        clip = matrix @ (x, y, z, 1.0)
        assert clip[3] > 0 and np.abs(clip[:2] / clip[3]).max() < 1.0
    camera.mode = "orbit"
    for _ in range(120):
        camera.follow(root, 0.0, 1 / 30, place)
    assert camera.eye == pytest.approx(alone, abs=0.01)


def test_a_still_camera_lets_the_character_walk_away_until_another_mode_is_chosen() -> None:
    camera = FollowCamera()
    camera.mode = STILL
    camera.jump(np.zeros(3))
    eye = camera.eye
    camera.follow(np.array((5.0, 0.9, 5.0)), 1.0, 1.0)
    assert camera.eye == pytest.approx(eye)
    camera.next_mode()
    assert camera.mode == "orbit" and STILL not in MODES
    camera.follow(np.array((5.0, 0.9, 5.0)), 1.0, 3.0)
    assert camera.aim == pytest.approx((5.0, 0.86, 5.0), abs=1e-3)


def test_without_others_the_mode_all_is_orbit() -> None:
    one = FollowCamera()
    two = FollowCamera()
    two.mode = "all"
    for camera in (one, two):
        camera.follow(np.array((1.0, 0.9, 2.0)), 0.4, 0.5)
    assert two.eye == pytest.approx(one.eye)


# -- body, light, marks ----------------------------------------------------------------------------


def placed_ends(body: Body, skeleton: Skeleton, rotations: Tensor) -> np.ndarray:
    """Where each part starts and ends in the world, (P, 2, 3)."""
    positions = forward_kinematics(skeleton, torch.tensor((0.3, 1.0, -0.2)), rotations)
    placed = body.place(positions.numpy(), rotations.numpy())
    ends = np.zeros((len(body), 2, 4), np.float32)
    ends[:, 1, 1], ends[..., 3] = body.shapes[:, 2], 1
    return np.einsum("pij,pkj->pki", placed, ends)


@given(st.integers(0, 1000))
def test_every_bone_has_flesh_that_keeps_its_length(seed: int) -> None:
    skeleton = synthetic.skeleton()
    body = Body.of(skeleton)
    quaternions = torch.randn(len(skeleton), 4, generator=torch.Generator().manual_seed(seed))
    rotations = geometry.quaternion_to_matrix(torch.nn.functional.normalize(quaternions, dim=-1))
    ends = placed_ends(body, skeleton, rotations)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1)
    np.testing.assert_allclose(lengths, body.shapes[:, 2], atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(body.frames), 1, atol=1e-5)
    knee = forward_kinematics(skeleton, torch.tensor((0.3, 1.0, -0.2)), rotations)[
        skeleton.index("LeftLeg")
    ].numpy()
    thigh = body.joints == skeleton.index("LeftUpLeg")
    np.testing.assert_allclose(ends[thigh, 1][0], knee, atol=1e-5)


def test_left_and_right_have_different_colours() -> None:
    skeleton = synthetic.skeleton()
    body = Body.of(skeleton)
    left, right = (
        body.colours[body.joints == skeleton.index(f"{side}ForeArm")] for side in ("Left", "Right")
    )
    assert left[0, 2] > 2 * left[0, 0] and right[0, 0] > 2 * right[0, 2]


@given(st.integers(1, 12), st.integers(0, 1000))
def test_a_body_for_any_skeleton(joints: int, seed: int) -> None:
    """Unknown names, bones without length and a lone root still give a finite body."""
    random = torch.Generator().manual_seed(seed)
    parents = tuple(
        [-1] + [int(torch.randint(0, joint, (1,), generator=random)) for joint in range(1, joints)]
    )
    offsets = torch.randn(joints, 3, generator=random) * torch.randint(
        0, 2, (joints, 1), generator=random
    )
    offsets[0] = 0
    skeleton = Skeleton(
        tuple(f"bone_{index}" for index in range(joints)), parents, offsets, torch.zeros(joints, 3)
    )
    body = Body.of(skeleton)
    assert (
        len(body) >= joints - 1
        and np.isfinite(body.frames).all()
        and (body.shapes[:, :2] > 0).all()
    )
    np.testing.assert_allclose(np.linalg.det(body.frames), 1, atol=1e-4)


@pytest.mark.parametrize(("segments", "rings"), [(6, 1), (16, 4), (32, 8)])
def test_a_capsule_is_closed_and_faces_outward(segments: int, rings: int) -> None:
    vertices, triangles = capsule(segments, rings)
    latitude = np.where(vertices[:, 3] > 0.5, vertices[:, 2], vertices[:, 2] - 1) * np.pi / 2
    points = np.stack(
        (
            vertices[:, 0] * np.cos(latitude),
            np.sin(latitude) + vertices[:, 3],
            vertices[:, 1] * np.cos(latitude),
        ),
        -1,
    )
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(axis=1) - (0, 0.5, 0)
    assert np.all((normals * outward).sum(-1) >= -1e-6)
    volume = (
        normals * corners[:, 0]
    ).sum() / 6  # of the closed surface, close to that of a smooth capsule
    assert 0.5 < volume / (np.pi * (1 + 4 / 3)) <= 1.0


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_shadow_map_covers_the_person_and_the_shaded_ground(x: float, z: float) -> None:
    root = np.array((x, 0.95, z))
    view = sun.view(root)
    for height in (0.0, 1.75):
        assert np.all(np.abs((view @ (x, height, z, 1.0))[:3] - 0.5) < 0.45)
    corners = np.c_[sun.shaded_ground(root), np.ones(4)] @ view.T
    np.testing.assert_allclose(corners[:, :2], [(0, 0), (1, 0), (0, 1), (1, 1)], atol=1e-6)
    assert np.all((corners[:, 2] > 0) & (corners[:, 2] < 1))


def test_marks_show_wish_and_velocity() -> None:
    start, _ = poses()
    assert len(ground_marks(Scene(start))) == 0
    ring, wish, actual = ground_marks(
        Scene(start, facing=0.5, wish=np.array((0.0, 2.0)), velocity=np.array((1.0, 0.0)))
    )
    assert ring[0][2] == 0.5 and ring[1][3] < 0
    assert wish[0][2] == pytest.approx(0.0) and actual[0][2] == pytest.approx(math.pi / 2)
    assert wish[0][3] == pytest.approx(2 * actual[0][3])
    assert len(ground_marks(Scene(start, facing=0.5))) == 1  # no velocity: no arrows


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.2, 8))
def test_the_flag_stands_upright_and_its_pennant_faces_the_camera(
    x: float, z: float, height: float
) -> None:
    eye = np.array((1.0, height, -2.0))
    stone, pole, pennant = place(np.array((x, z)), eye)
    size = np.linalg.norm(pole[:, 1])
    assert 1 <= size <= LARGEST and (
        size == pytest.approx(1, abs=1e-5) or math.hypot(x - 1, z + 2) > FULL_SIZE
    )
    assert pole[:, 1] / size == pytest.approx((0, 1, 0), abs=1e-6) and pole[:, 3] == pytest.approx(
        (x, 0, z)
    )
    assert stone[:, 3] == pytest.approx(pole[:, 3])
    assert 0.5 * HEIGHT * size < pennant[1, 3] < HEIGHT * size
    away = np.array((x - 1.0, 0.0, z + 2.0))
    assert abs(float(pennant[:, 1] @ away)) < 1e-3 * (
        1 + np.linalg.norm(away)
    )  # across the line of sight
    for part in (stone, pole, pennant):
        assert np.linalg.det(part[:, :3] / size) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("driver", "level"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", quality.LOW),
        ("Google SwiftShader", quality.LOW),
        ("GDI Generic", quality.LOW),
        ("NVIDIA GeForce RTX 3060/PCIe/SSE2", quality.HIGH),
        ("Mesa Intel(R) UHD Graphics 620 (KBL GT2)", quality.HIGH),
        ("Apple M1", quality.HIGH),
    ],
)
def test_quality_suits_the_driver(driver: str, level: quality.Quality) -> None:
    assert quality.for_driver(driver) == level


# -- pictures --------------------------------------------------------------------------------------

SIZE = (320, 180)
PACES = Paces()


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    try:
        screen = Screen(synthetic.skeleton(), SIZE, headless=True)
    except DisplayError as error:
        pytest.skip(str(error))
    yield screen
    screen.close()


def standing(root: tuple[float, float] = (0.0, 0.0), **marks: object) -> Scene:
    clip = synthetic.walk(speed=0.0)
    position = clip.positions[0] + torch.tensor((root[0], 0.0, root[1]))
    return Scene(Pose.from_matrices(position, clip.global_rotations()[0]), **marks)  # type: ignore[arg-type]


def shoot(screen: Screen, scene: Scene, azimuth: float = 0.0) -> np.ndarray:
    """The picture by a camera that looks at the origin, as (height, width, 3) floats."""
    screen.camera = FollowCamera(azimuth)
    screen.camera.jump(np.zeros(3))
    screen.renderer.draw(scene, screen.camera)
    return screen.picture().astype(float)


def test_the_character_is_in_the_picture(screen: Screen) -> None:
    empty = shoot(screen, standing((500.0, 0.0)))
    picture = shoot(screen, standing())
    changed = np.abs(picture - empty).max(axis=-1) > 12
    rows, columns = changed.nonzero()
    assert 0.02 < changed.mean() < 0.15
    assert 10 < rows.min() < 60 and 110 < rows.max() < 170  # head and feet, with room around them
    assert abs(columns.mean() - SIZE[0] / 2) < 30
    assert changed[70:80, 155:165].mean() > 0.8  # the trunk is in the middle
    assert picture[5].std(axis=0).max() < 2 and picture[5].mean() > 120  # calm sky


def test_it_moves_when_it_walks(screen: Screen) -> None:
    empty = shoot(screen, standing((500.0, 0.0)))

    def middle(x: float) -> float:
        return float(
            (np.abs(shoot(screen, standing((x, 0.0))) - empty).max(-1) > 12).nonzero()[1].mean()
        )

    assert middle(0.6) < middle(0.0) - 20 < middle(-0.6) - 40  # +X is left


def test_its_shadow_darkens_the_ground_away_from_the_sun(screen: Screen) -> None:
    empty = shoot(screen, standing((500.0, 0.0)))
    picture = shoot(screen, standing())
    darker = (empty - picture).mean(axis=-1) > 15
    matrix = screen.camera.matrix(SIZE[0] / SIZE[1])

    def at(x: float, z: float) -> tuple[int, int]:
        clip = matrix @ (x, 0.0, z, 1.0)
        return round((1 - clip[1] / clip[3]) / 2 * SIZE[1]), round(
            (1 + clip[0] / clip[3]) / 2 * SIZE[0]
        )

    towards = sun.TOWARDS[[0, 2]]
    away = -towards / sun.TOWARDS[1] * 1.2  # where the shadow of the chest falls
    assert darker[at(*away)]
    assert not darker[at(*-away)]


def test_a_scene_elsewhere_looks_the_same(screen: Screen) -> None:
    """Whole metres away, with the camera, so that the grid looks the same, too."""
    here = shoot(screen, standing())
    screen.camera.jump(np.array((40.0, 0.0, -30.0)))
    screen.renderer.draw(standing((40.0, -30.0)), screen.camera)
    assert np.abs(screen.picture().astype(float) - here).mean() < 0.5


def test_arrows_are_drawn(screen: Screen) -> None:
    plain = shoot(screen, standing(facing=0.0))
    wish = shoot(screen, standing(facing=0.0, wish=np.array((2.0, 0.0))))
    changed = np.abs(wish - plain).max(-1) > 25
    red, _, blue = wish[changed].mean(axis=0)
    assert changed.sum() > 40 and red > blue + 60  # orange
    assert changed.nonzero()[1].max() < SIZE[0] / 2  # to the left


def test_a_flag_and_other_characters_are_drawn(screen: Screen) -> None:
    plain = shoot(screen, standing())
    flagged = shoot(screen, standing(stage=Stage(flag=np.array((1.0, 0.0)))))
    changed = np.abs(flagged - plain).max(-1) > 25
    rows, columns = changed.nonzero()
    assert (
        rows.max() - rows.min() > 60 and columns.max() < 0.6 * SIZE[0]
    )  # tall, and left, where +X is
    red, _, blue = flagged[rows.min() + 4 : rows.min() + 12][
        changed[rows.min() + 4 : rows.min() + 12]
    ].mean(axis=0)
    assert red > blue + 40  # the pennant
    pose = standing((-1.0, 0.0)).pose
    crowd = Pose(pose.root[None], pose.quaternions[None])
    columns = (np.abs(shoot(screen, standing(others=crowd)) - plain).max(-1) > 25).nonzero()[1]
    assert len(columns) > 400 and np.median(columns) > 0.55 * SIZE[0]
    behind = Pose(pose.root[None] - torch.tensor([0.0, 0.0, 30.0]), pose.quaternions[None])
    assert np.abs(shoot(screen, standing(others=behind)) - plain).max() == 0


def test_a_crowd_of_any_size_is_drawn_and_disappears_again(screen: Screen) -> None:
    plain = shoot(screen, standing())
    pose = standing().pose
    for count in (3, 40, 7):
        place = torch.stack(
            (torch.linspace(-4, 4, count), torch.zeros(count), torch.full((count,), 6.0)), dim=-1
        )
        others = Pose(pose.root + place, pose.quaternions.expand(count, -1, -1))
        assert (
            np.abs(shoot(screen, standing(others=others)) - plain).max(-1) > 25
        ).sum() > 100 * count**0.5
    assert np.abs(shoot(screen, standing()) - plain).max() == 0


def test_sliders_title_and_clock_are_drawn_at_their_places(screen: Screen) -> None:
    from OpenGL import GL

    def window(texts: Texts) -> np.ndarray:
        screen.renderer.show()
        screen.hud.draw(SIZE, texts)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
        data = GL.glReadPixels(0, 0, *SIZE, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(data, np.uint8).reshape(SIZE[1], SIZE[0], 3)[::-1].astype(float)

    shoot(screen, standing())
    plain = window(Texts("60 fps"))
    sliders = Sliders.of(np.ones(32), 2.0, "z")
    for texts, rows, columns in (
        (Texts("60 fps", title="2 target"), slice(12, 40), slice(12, 90)),
        (Texts("60 fps", clock="4.5 s"), slice(12, 60), slice(210, 308)),
        (Texts("60 fps", sliders=sliders), slice(12, 120), slice(186, 308)),
    ):
        changed = np.abs(window(texts) - plain).max(-1) > 10
        assert changed[rows, columns].mean() > 0.4
        changed[rows, columns] = False
        assert not changed[:140].any()


def test_text_is_written_over_the_window(screen: Screen) -> None:
    from OpenGL import GL

    def window() -> np.ndarray:
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
        data = GL.glReadPixels(0, 0, *SIZE, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(data, np.uint8).reshape(SIZE[1], SIZE[0], 3)[::-1].astype(float)

    expected = shoot(screen, standing())
    screen.renderer.show()
    assert np.abs(window() - expected).max() <= 1
    screen.hud.draw(SIZE, Texts("60 fps"))
    line = np.abs(window() - expected).max(-1) > 20
    assert line[-40:, :90].sum() > 300 and not line[:-45].any()
    screen.hud.draw(SIZE, Texts("60 fps", help="W\twalk\nEsc\tquit"))
    assert (np.abs(window() - expected).max(-1) > 20)[70:110, 120:200].mean() > 0.5


def test_a_resized_window_gets_a_picture_of_its_size(screen: Screen) -> None:
    for size in (
        (200, 240),
        (1600, 900),
        SIZE,
    ):  # the second is larger than a software renderer draws
        screen.renderer.resize(size)
        screen.renderer.draw(standing(), screen.camera)
        assert screen.picture().shape == (size[1], size[0], 3)


def test_high_quality_draws_the_same_scene_smoothly(screen: Screen) -> None:
    from controller.viewer.gl.renderer import Renderer

    low = shoot(screen, standing())
    fine = Renderer(synthetic.skeleton(), SIZE, quality.HIGH)
    fine.draw(standing(), screen.camera)
    high = fine.read().astype(float)
    assert np.abs(high - low).mean() < 3
    assert np.abs(high - low).max() > 20  # edges are not the same


def test_the_window_reports_what_the_user_does(screen: Screen) -> None:
    screen.window.poll()
    for event in (
        pygame.event.Event(pygame.KEYDOWN, key=pygame.K_w),
        pygame.event.Event(pygame.KEYDOWN, key=pygame.K_SPACE),
        pygame.event.Event(pygame.MOUSEMOTION, pos=(99, 99)),
        pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=(20, 20), button=3),
        pygame.event.Event(pygame.MOUSEMOTION, pos=(30, 10)),
        pygame.event.Event(pygame.MOUSEMOTION, pos=(40, 5)),
        pygame.event.Event(pygame.MOUSEBUTTONUP, pos=(40, 5), button=3),
        pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=(50, 60), button=1),
        pygame.event.Event(pygame.MOUSEBUTTONUP, pos=(53, 58), button=1),
        pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=(50, 60), button=1),  # a drag
        pygame.event.Event(pygame.MOUSEMOTION, pos=(80, 60)),
        pygame.event.Event(pygame.MOUSEMOTION, pos=(90, 61)),
        pygame.event.Event(pygame.MOUSEBUTTONUP, pos=(90, 61), button=1),
        pygame.event.Event(pygame.MOUSEWHEEL, y=2),
        pygame.event.Event(pygame.QUIT),
    ):
        pygame.event.post(event)
    result = screen.window.poll()
    assert result.keys == {"w"} and result.actions == ["pause", "quit"] and result.zoom == 2
    assert result.orbit == pytest.approx((10 * ORBIT_PER_PIXEL, -5 * ORBIT_PER_PIXEL))
    assert result.dragged == pytest.approx((10 * ORBIT_PER_PIXEL, 1 * ORBIT_PER_PIXEL))
    assert result.clicks == [(53, 58)] and result.doubles == []
    assert result.stroke is not None and result.stroke.done and result.stroke.path[0] == (50, 60)
    assert screen.window.poll().keys == frozenset()


@given(fastest=st.floats(0.2, 8))
def test_shift_asks_for_all_that_the_motion_can_do(fastest: float) -> None:
    paces = Paces.up_to(fastest)
    speed = np.hypot(*steer(Steering(paces=paces), {"w", "shift"}).velocity)
    assert speed == pytest.approx(fastest, rel=1e-2)
    assert 0 < paces.slow < paces.walk < paces.fast
