"""What a wish pays, and how far off it costs nothing."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from controller.tasks.tracking import EXACT, Tolerance, facing_reward, rounded, velocity_reward

SWAY = Tolerance(walking=0.2, standing=0.03, facing=0.04)


@given(st.floats(0, 5), st.floats(0, 1))
def test_a_rounded_error_is_a_square_near_zero_and_a_line_far_away(
    error: float, tolerance: float
) -> None:
    value = float(rounded(torch.tensor(error**2, dtype=torch.float64), tolerance))
    assert value == pytest.approx(math.hypot(error, tolerance, 1e-4) - tolerance, abs=1e-9)
    assert -1e-9 <= value <= error + 1e-4


@pytest.mark.parametrize("wish", [(0.0, 0.0), (0.3, -1.0)])
def test_the_sway_of_the_hips_costs_little_and_a_wrong_speed_as_much_as_before(
    wish: tuple[float, float],
) -> None:
    asked = torch.tensor([wish])
    sway = 0.01 if wish == (0.0, 0.0) else 0.1
    off = asked + torch.tensor([[sway, 0.0]])
    best = velocity_reward(asked, asked)
    assert float(velocity_reward(asked, asked, SWAY)) == pytest.approx(float(best), abs=0.01)
    exact = float(best - velocity_reward(off, asked, EXACT))
    allowed = float(best - velocity_reward(off, asked, SWAY))
    assert 0 < allowed < 0.4 * exact
    far = asked + torch.tensor([[1.0, 0.0]])
    assert float(velocity_reward(far, asked, SWAY)) < 0.35 * float(best)


def test_a_gaze_that_sways_costs_little() -> None:
    angle = torch.tensor([0.0, 0.03, 1.0, -1.0, -math.pi])
    exact = facing_reward(angle)
    allowed = facing_reward(angle, SWAY)
    assert float(allowed[0] - allowed[1]) < 0.4 * float(exact[0] - exact[1])
    assert float(allowed[2]) == float(allowed[3])
    torch.testing.assert_close(allowed[2:], exact[2:], atol=0.02, rtol=0)
    expected = [0.3 * (1 - abs(a) / math.pi) + 0.25 * math.exp(-8 * abs(math.sin(a / 2)))
                for a in angle.tolist()]  # fmt: skip
    torch.testing.assert_close(exact, torch.tensor(expected), atol=1e-6, rtol=0)
