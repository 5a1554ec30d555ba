"""Blends: the formulas by other means, and that nothing jumps."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from controller.motion import geometry
from controller.motion.inertialise import (
    HALF_LIFE,
    Inertialiser,
    decay_of,
    decayed,
    from_rotation_vector,
    rotation_vector,
)

FPS = 30


def test_from_rest_half_is_left_after_the_half_life() -> None:
    value, speed = torch.tensor([2.0, -1.0]).double(), torch.zeros(2).double()
    half, _ = decayed(value, speed, decay_of(0.1), 0.1)
    torch.testing.assert_close(half, value / 2, rtol=1e-6, atol=0)
    for _ in range(7):  # the number of steps does not matter
        value, speed = decayed(value, speed, decay_of(0.1), 0.1 / 7)
    torch.testing.assert_close(value, half)


def test_the_spring_solves_its_equation() -> None:
    """By many small steps of x″ = −2y·x′ − y²·x."""
    y = decay_of(0.2)
    x, v, step = 0.3, -4.0, 1e-6
    for _ in range(100_000):
        v += step * (-2 * y * v - y * y * x)
        x += step * v
    value, speed = decayed(torch.tensor(0.3).double(), torch.tensor(-4.0).double(), y, 0.1)
    assert float(value) == pytest.approx(x, abs=1e-4) and float(speed) == pytest.approx(v, abs=1e-3)


def test_rotation_vectors_there_and_back() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(50, 3, generator=generator).double()
    vectors *= torch.linspace(0, math.pi - 1e-3, 50)[:, None] / vectors.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(
        rotation_vector(from_rotation_vector(vectors)), vectors, atol=1e-7, rtol=0
    )
    about_y = from_rotation_vector(torch.tensor([0.0, 0.7, 0.0]))
    torch.testing.assert_close(about_y, geometry.yaw_matrix(torch.tensor(0.7)))


def arm(angle: float, height: float = 1.0) -> tuple[Tensor, Tensor]:
    """One character whose only joint is turned about X."""
    turned = geometry.axis_rotation("X", torch.tensor([[angle]]))
    return torch.tensor([[0.0, height, 0.0]]), turned


def angle_of(frame: tuple[Tensor, Tensor]) -> float:
    return float(rotation_vector(frame[1])[0, 0, 0])


def test_a_switch_goes_on_as_fast_as_before_and_ends_in_the_new_motion() -> None:
    blend = Inertialiser(fps=FPS)
    for frame in range(5):
        shown = blend(*arm(0.05 * frame))
        assert shown[1] is blend.shown[1] and not blend.active  # type: ignore[index]
    blend.switch()
    angles = [0.15, 0.2]
    heights = []
    for frame in range(60):
        shown = blend(*arm(1.5 - 0.01 * frame, 0.8))
        angles.append(angle_of(shown))
        heights.append(float(shown[0][0, 1]))
    steps = torch.tensor(angles).diff()
    assert float(steps[1]) == pytest.approx(0.05, abs=1e-5)  # the first one after the switch
    assert float(steps.diff().abs().max()) < 0.2  # 1.3 radians in a few frames, and no jump
    assert heights[0] == pytest.approx(1.0, abs=1e-5)
    assert max(steps) < 0.3
    assert angles[-1] == pytest.approx(1.5 - 0.59, abs=1e-6) and heights[-1] == pytest.approx(0.8)
    assert not blend.active


def test_half_of_a_difference_is_left_after_the_half_life() -> None:
    blend = Inertialiser(fps=FPS)
    blend.take_over(arm(1.0))
    left = [angle_of(blend(*arm(0.0))) for _ in range(1 + round(HALF_LIFE * FPS))]
    assert left[0] == pytest.approx(1.0, abs=1e-5) and left[-1] == pytest.approx(0.5, abs=1e-4)


def test_only_the_one_that_goes_on_is_blended() -> None:
    blend = Inertialiser(fps=FPS)
    for _ in range(3):
        blend(*arm(0.5))
    blend.switch()
    blend.keep(0, 3, 2)
    root, turned = arm(-0.2)
    shown = blend(root.expand(3, 3), turned.expand(3, 1, 3, 3))
    angles = rotation_vector(shown[1])[:, 0, 0]
    assert angles.tolist() == pytest.approx([-0.2, -0.2, 0.5], abs=1e-5)


def test_the_place_on_the_ground_is_not_blended() -> None:
    blend = Inertialiser(fps=FPS)
    for _ in range(3):
        blend(*arm(0.0))
    blend.switch()
    root = torch.tensor([[0.3, 1.0, -0.2]])
    assert torch.equal(blend(root, arm(0.0)[1])[0], root)
