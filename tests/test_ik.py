"""Legs reach their targets, by forward kinematics written out here."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.typing import NDArray
from torch import Tensor

from controller.motion import geometry, ik

Array = NDArray[np.float64]


def random_leg(seed: int) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor]:
    """A start, two rotations, two bones and a hinge at right angles to the first bone, at random.
    The second bone is bent about the hinge."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    turns = geometry.quaternion_to_matrix(torch.nn.functional.normalize(draw(2, 4), dim=-1))
    lengths = 0.2 + torch.rand(2, generator=generator, dtype=torch.float64)
    first = torch.nn.functional.normalize(draw(3), dim=-1)
    hinge = torch.nn.functional.normalize(torch.linalg.cross(first, draw(3)), dim=-1)
    bend = 3.0 * torch.rand(1, generator=generator, dtype=torch.float64)
    second = (ik.about(hinge[None], bend)[0] @ first[:, None]).squeeze(-1)
    bones = (
        lengths[0] * (turns[0].T @ first),
        lengths[1] * (turns[1].T @ second),
    )
    return draw(3), (turns[0], turns[1]), bones, hinge


def end_of(start: Tensor, rotations: tuple[Tensor, Tensor], bones: tuple[Tensor, Tensor]) -> Array:
    place: Array = start.numpy().copy()
    for rotation, bone in zip(rotations, bones, strict=True):
        place += np.einsum("ij,j->i", rotation.numpy(), bone.numpy())
    return place


@given(seed=st.integers(0, 10**6), share=st.floats(0.02, 0.98), towards=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_end_is_at_a_target_within_reach(seed: int, share: float, towards: int) -> None:
    start, rotations, bones, hinge = random_leg(seed)
    near = float((bones[0].norm() - bones[1].norm()).abs())
    far = float(bones[0].norm() + bones[1].norm())
    way = torch.randn(3, generator=torch.Generator().manual_seed(towards), dtype=torch.float64)
    target = start + (near + share * (far - near)) * way / way.norm()
    moved = ik.two_bone(start, rotations, bones, hinge, target)
    np.testing.assert_allclose(end_of(start, moved, bones), target.numpy(), atol=1e-7)
    for rotation in moved:
        torch.testing.assert_close(rotation @ rotation.T, torch.eye(3, dtype=torch.float64))
        assert float(torch.linalg.det(rotation)) == pytest.approx(1)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_leg_that_is_there_already_stays(seed: int) -> None:
    start, rotations, bones, hinge = random_leg(seed)
    target = torch.from_numpy(end_of(start, rotations, bones))
    moved = ik.two_bone(start, rotations, bones, hinge, target)
    for rotation, before in zip(moved, rotations, strict=True):
        torch.testing.assert_close(rotation, before, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 10**6), stretch=st.floats(1.01, 5.0))
@settings(max_examples=40, deadline=None)
def test_out_of_reach_is_pointed_at_with_a_straight_leg(seed: int, stretch: float) -> None:
    start, rotations, bones, hinge = random_leg(seed)
    far = float(bones[0].norm() + bones[1].norm())
    way = torch.nn.functional.normalize(torch.tensor([0.3, -1.0, 0.2], dtype=torch.float64), dim=0)
    moved = ik.two_bone(start, rotations, bones, hinge, start + stretch * far * way)
    expected = start + far * way
    np.testing.assert_allclose(end_of(start, moved, bones), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("bend", [-0.03, 0.0, 0.5])
def test_a_knee_bends_about_its_hinge_even_if_it_was_straight_or_over(bend: float) -> None:
    down = torch.tensor([0.0, -0.4, 0.0], dtype=torch.float64)
    hinge = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    lower = ik.about(hinge, torch.tensor(bend, dtype=torch.float64))
    start = torch.zeros(3, dtype=torch.float64)
    target = torch.tensor([0.0, -0.6, 0.0], dtype=torch.float64)
    upper, _ = ik.two_bone(start, (eye, lower), (down, down), hinge, target)
    knee = upper @ down
    assert float(knee[2]) > 0.2, "the knee of a leg that faces +Z is in front"


@given(
    height=st.floats(0.2, 2.0), aside=st.floats(-0.7, 0.7), ahead=st.floats(-0.7, 0.7),
    reach=st.floats(0.8, 1.0),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_the_hips_sink_just_enough(height: float, aside: float, ahead: float, reach: float) -> None:
    hip = torch.tensor([0.0, height, 0.0], dtype=torch.float64)
    ankle = torch.tensor([aside, 0.1, ahead], dtype=torch.float64)
    drop = float(ik.needed_drop(hip, ankle, torch.tensor(reach, dtype=torch.float64)))
    apart = float((hip - torch.tensor([0.0, drop, 0.0], dtype=torch.float64) - ankle).norm())
    aside_of_it = math.hypot(aside, ahead)
    assert drop >= 0 and apart <= max(reach, aside_of_it) + 1e-9
    if drop > 0:
        assert apart == pytest.approx(max(reach, aside_of_it))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_a_smooth_cover_is_nowhere_below(values: list[float], radius: int) -> None:
    rough = torch.tensor(values, dtype=torch.float64)
    cover = ik.smooth_cover(rough, radius)
    assert cover.shape == rough.shape
    assert bool((cover >= rough - 1e-12).all()) and float(cover.max()) <= max(values) + 1e-12
    if radius:
        assert float(cover.diff().abs().max() if len(values) > 1 else 0) <= 2 / (radius + 1)
