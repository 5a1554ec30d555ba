"""Ground that is not flat: its height, its files, and figures that stand on it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch
from PIL import Image
from torch import Tensor

from controller.core.errors import ConfigError, DataError
from controller.evaluation import ground as evaluation
from controller.evaluation.ground import Options, figures
from controller.games.drawn import Drawn
from controller.ground import kinds
from controller.ground.ground import FLAT, Ground
from controller.ground.standing import Standing
from controller.motion.skeleton import forward_kinematics

SLOPE = 0.25
CAPTURED_KNEE = 7.50
"""rad/s: 99.9 % of the knee speeds of the shipped character's captured motion."""


def plane() -> Ground:
    """Ground that rises by SLOPE along z from −40 to 40 m, and falls back there."""
    return Ground(
        "plane",
        SLOPE * np.abs(np.arange(-80.0, 80.0))[None] - 40 * SLOPE,
        (9.0, 1.0),
        (0.0, -120.0),
    )


@cache
def walk() -> tuple[Tensor, Tensor]:
    """A walk: root (T, 3) and rotations (T, J, 3, 3) in the world."""
    clip = synthetic.walk(seconds=2.0).resampled(30.0)
    return clip.positions, clip.global_rotations()


# -- heights ---------------------------------------------------------------------------------------


def test_heights_are_linear_between_places_and_repeat() -> None:
    ground = Ground("g", np.array([[0.0, 1.0], [2.0, 5.0]]), (2.0, 4.0), (10.0, 20.0))
    assert ground.height(10.0, 20.0) == 0 and ground.height(12.0, 24.0) == 5
    assert ground.height(11.0, 22.0) == pytest.approx((0 + 1 + 2 + 5) / 4)
    assert ground.size == (4.0, 8.0)
    x = np.array([10.3, 11.7, -5.1])
    np.testing.assert_allclose(ground.height(x, 21.0), ground.height(x + 8, 21.0 - 16), atol=1e-12)


def test_the_normal_stands_on_a_plane() -> None:
    normal = plane().normal(np.array([0.0, 3.0]), np.array([1.0, 2.0]))
    expected = np.array((0.0, 1.0, -SLOPE)) / math.hypot(1.0, SLOPE)
    np.testing.assert_allclose(normal, np.tile(expected, (2, 1)), atol=1e-9)


def test_a_wish_is_slowed_by_the_slope_along_it() -> None:
    ground = replace(plane(), uphill=2.0)
    assert ground.pace(0, 5, np.array((0.0, 1.3))) == pytest.approx(1 / (1 + 2 * SLOPE))
    assert ground.pace(0, 5, np.array((1.3, 0.0))) == pytest.approx(1.0)
    assert ground.pace(0, 5, np.array((0.0, -1.3))) == pytest.approx(1 / (1 + 1.6 * SLOPE))
    assert FLAT.pace(0, 0, np.array((0.0, 1.0))) == 1.0


@pytest.mark.parametrize("name", ["hills", "slopes", "stairs", "rocks"])
def test_grounds_are_the_same_for_a_seed_and_begin_at_height_0(name: str) -> None:
    ground = kinds.named(name, 3)
    np.testing.assert_array_equal(ground.heights, kinds.named(name, 3).heights)
    assert float(ground.height(0.0, 0.0)) == pytest.approx(0, abs=1e-12)
    assert not ground.flat
    if name != "slopes":
        other = kinds.named(name, 4).heights
        assert other.shape != ground.heights.shape or not np.array_equal(other, ground.heights)


def test_hills_are_as_steep_as_they_say_and_steps_as_high() -> None:
    hills = kinds.named("hills", 1)
    x, z = np.meshgrid(np.arange(0, 48, 0.5), np.arange(0, 48, 0.5))
    steep = np.linalg.norm(hills.slope(x, z, 0.1), axis=-1).max()
    assert 13 < math.degrees(math.atan(steep)) < 15.5
    steps = np.diff(kinds.named("stairs", 1).heights[0])
    assert set(np.round(np.abs(steps), 9)) == {0.0, 0.17}


def test_a_ray_hits_the_ground_it_sees_first() -> None:
    ground = plane()
    spot = ground.hit(np.array((0.0, 3.0, 0.0)), np.array((0.0, -1.0, 10.0)) * 5)
    assert spot is not None
    np.testing.assert_allclose(spot, (0.0, SLOPE * spot[2], 3 / 0.35), atol=1e-3)
    assert ground.hit(np.array((0.0, 30.0, 0.0)), np.array((0.0, 1.0, 1.0))) is None


# -- files -----------------------------------------------------------------------------------------


def test_a_picture_has_its_top_ahead_and_its_left_on_the_left(tmp_path: Path) -> None:
    grey = np.zeros((3, 5), np.uint16)
    grey[0, 2] = 65535  # ahead
    grey[1, 0] = 32768  # left, +x
    Image.fromarray(grey).save(tmp_path / "a.png")
    ground = kinds.named(str(tmp_path / "a.png"), size=10.0, rise=4.0)
    assert ground.height(0.0, 3.0) == pytest.approx(4.0)
    assert ground.height(5.0, 0.0) == pytest.approx(2.0, abs=1e-3)
    assert ground.height(-5.0, 0.0) == pytest.approx(0.0)


def test_arrays_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    heights = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 2.0]])
    np.savez(path, heights=heights, size=np.array((4.0, 6.0)))
    ground = kinds.named(str(path))
    assert ground.height(2.0, 3.0) - ground.height(-2.0, -3.0) == pytest.approx(2.0)
    assert ground.height(2.5, -3.0) == pytest.approx(ground.height(1.5, -3.0))  # mirrored
    for wrong in (
        {"heights": heights},
        {"heights": heights * np.nan, "size": np.ones(2)},
        {"heights": heights[0], "size": np.ones(2)},
        {"heights": heights, "size": np.array((1.0, -1.0))},
        {"heights": np.array([None]), "size": np.ones(2)},
    ):
        np.savez(path, **wrong)
        with pytest.raises(DataError, match=r"a\.npz"):
            kinds.named(str(path))
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"b\.png"):
        kinds.named(str(tmp_path / "b.png"))
    with pytest.raises(ConfigError, match="allowed: flat, hills"):
        kinds.named("moon")


# -- figures ---------------------------------------------------------------------------------------


def test_the_compiled_height_is_that_of_the_ground() -> None:
    from controller.ground import standing_kernels

    ground = kinds.named("rocks", 2)
    for x, z in np.random.default_rng(0).uniform(-40, 40, (50, 2)):
        height = standing_kernels._height(ground.heights, ground.table, x, z)
        assert height == pytest.approx(float(ground.height(x, z)), abs=1e-12)


@pytest.mark.parametrize("name", ["slopes", "stairs"])
@torch.inference_mode()
def test_toes_that_stand_are_on_the_ground_and_no_knee_pops(name: str) -> None:
    found = figures(Options(runs=1, seconds=8.0), kinds.named(name, 1))
    assert found["toe_sink_cm"] < 1 and found["toe_float_cm"] < 2
    assert found["knee_rad_s_max"] < 1.3 * CAPTURED_KNEE
    assert found["toe_slip_cm_s_p50"] < 0.3 and found["speed_m_s"] > 0.3
    assert found["late_share"] < 0.35


def test_a_figure_over_its_bar_is_a_sentence_and_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"toe_float_cm": 1.0, "toe_sink_cm": 0.2, "late_share": 0.1}
    monkeypatch.setattr("sys.argv", ["ground", "--json"])
    for change, words in (
        ({}, ""),
        ({"toe_float_cm": 3.5}, "hills: a toe that stands floats by 3.50 cm; 3 cm are allowed"),
        ({"toe_sink_cm": 1.25}, "hills: a toe that stands sinks by 1.25 cm; 1 cm are allowed"),
        ({"late_share": 0.5}, "hills: 50 % of the steps come down late; 35 % are allowed"),
    ):
        monkeypatch.setattr(evaluation, "measure", lambda _, found=good | change: {"hills": found})
        assert evaluation.main() == bool(change)
        assert capsys.readouterr().err.strip() == words


def test_what_stands_is_made_of_rotations() -> None:
    standing = Standing(synthetic.layout(), synthetic.data().poses)
    for root, rotations in zip(*walk(), strict=True):
        moved, turned = standing(root[None], rotations[None], kinds.named("rocks", 1))
        product = turned @ turned.transpose(-1, -2)
        torch.testing.assert_close(product, torch.eye(3).expand_as(product), atol=1e-5, rtol=0)
        assert torch.equal(moved[:, [0, 2]], root[None, [0, 2]])


def test_each_of_a_crowd_is_as_alone_and_one_goes_on() -> None:
    ground = kinds.named("hills", 1)
    root, rotations = walk()
    standing = Standing(synthetic.layout(), synthetic.data().poses)
    away = torch.tensor([[0.0, 0, 0], [7.0, 0, 3.0]])
    alone = Standing(synthetic.layout(), synthetic.data().poses)
    for frame in range(30):
        pair = standing(root[frame] + away, rotations[frame].expand(2, -1, -1, -1), ground)
        single = alone(root[frame] + away[1:], rotations[frame][None], ground)
    torch.testing.assert_close(pair[0][1:], single[0])
    standing.keep(1, 1, 0)
    after = standing(root[30] + away[1:], rotations[30][None], ground)
    torch.testing.assert_close(after[0], alone(root[30] + away[1:], rotations[30][None], ground)[0])


def test_a_dog_goes_with_the_slope() -> None:
    dog = synthetic.dog()
    poses = dog.model.normalizer.denormalize(dog.reset_poses)
    standing = Standing(dog.layout, poses)
    state = dog.reset(1, torch.Generator().manual_seed(0))
    root, rotations = dog.joints(state)
    moved, turned = standing(root, rotations, plane())
    before = forward_kinematics(dog.skeleton, root, rotations)[0]
    after = forward_kinematics(dog.skeleton, moved, turned)[0]
    hind, fore = (leg.joints[0] for leg in standing.legs[::2])
    apart = before[fore] - before[hind]
    rise = (after[fore] - after[hind])[1] - apart[1]
    assert float(rise) == pytest.approx(SLOPE * float(apart[2]), abs=0.05)
    assert abs(float(apart[2])) > 0.1


def test_flat_ground_changes_nothing_to_the_bit() -> None:
    character = synthetic.character()
    state = character.reset(2, torch.Generator().manual_seed(0))
    plain, flat = Drawn(character), Drawn(character, ground=kinds.named("flat"))
    for one, other in zip(plain(state), flat(state), strict=True):
        assert torch.equal(one, other)
    hilly = Drawn(character, ground=kinds.named("hills"))
    assert not torch.equal(hilly(state)[1], plain(state)[1])
