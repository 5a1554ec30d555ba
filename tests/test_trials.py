"""The tasks' trials, with puppets that do exactly what a script says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from synthetic import puppet
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.evaluation.trials import TRIALS, rounds
from controller.motion import geometry
from controller.tasks import TASKS
from controller.tasks.path import PathGoal
from controller.tasks.shapes import SHAPES
from controller.tasks.simulation import Simulation
from controller.tasks.target import TargetGoal
from controller.tasks.timed_target import TimedTargetGoal

Act = Callable[[CharacterState, Any], Tensor]


def figures(
    task: str, act: Act, characters: int = 8, seconds: float = 1.0, seed: int = 1
) -> dict[str, float]:
    return TRIALS[task](Simulation(puppet(), TASKS[task](puppet())), act, characters, seconds, seed)


def go(state: CharacterState, offset: Tensor, speed: Tensor | float) -> Tensor:
    """Strings that move the puppet along an offset at a speed, without turning; it never goes too
    far."""
    distance = offset.norm(dim=-1).clamp(min=1e-9)
    pace = torch.as_tensor(speed).minimum(30 * distance)
    local = geometry.turn(offset / distance[:, None] * pace[:, None], -state.yaw)
    still = torch.zeros(len(state))
    return torch.stack((local[:, 1], local[:, 0], still, still, still), dim=-1)


def straight(speed: float) -> Act:
    def act(state: CharacterState, goal: TargetGoal) -> Tensor:
        return go(state, goal.position - state.position, speed)

    return act


def test_rounds_fill_the_seconds() -> None:
    assert [rounds.count(seconds, 40.0) for seconds in (1, 40, 41, 80.5)] == [1, 1, 2, 3]
    reached = torch.tensor([[False, False, True], [False, True, False], [False, True, True]])
    assert rounds.first(reached, 30.0).tolist() == [
        math.inf,
        pytest.approx(2 / 30),
        pytest.approx(1 / 30),
    ]


def test_who_walks_straight_to_the_target_loses_no_time() -> None:
    result = figures("target", straight(1.4))
    assert result["reach_fraction"] == result["stay_fraction"] == 1.0
    # all but the last 0.3 m at 1.4 m/s, in whole frames
    assert result["reach_time_s"] == pytest.approx(
        result["reach_time_ideal_s"] - 1.5 - 0.3 / 1.4, abs=0.04
    )
    for side in ("left", "right"):
        assert result[f"reach_lost_{side}_s"] == pytest.approx(-0.3 / 1.4, abs=0.04)
    assert result["standing_error_m"] == pytest.approx(0, abs=1e-3)
    assert result["idle_drift_m_per_min"] == pytest.approx(0, abs=1e-2)


def test_who_never_comes_is_said_to_take_the_whole_time() -> None:
    result = figures("target", straight(0.0))
    assert result["reach_fraction"] == 0.0 and math.isnan(result["stay_fraction"])
    period = 1.3 * (1.5 + math.hypot(37, 24) / 1.4)
    assert result["reach_time_s"] == pytest.approx(period, rel=1e-5)
    assert result["standing_error_m"] > 3


def test_who_walks_through_the_target_does_not_stay() -> None:
    def act(state: CharacterState, goal: TargetGoal) -> Tensor:
        return go(state, goal.position - state.position + torch.tensor([0.25, 0.0]), 1.4)

    assert figures("target", act)["standing_error_m"] == pytest.approx(0.25, abs=1e-3)
    ways: list[Tensor] = []

    def passes(state: CharacterState, goal: TargetGoal) -> Tensor:
        ways.append(goal.position - state.position)
        return go(state, ways[0], 1.4)

    result = figures("target", passes)
    assert result["reach_fraction"] == 1.0 and result["stay_fraction"] == 0.0


def test_on_time_is_neither_late_nor_early() -> None:
    def just_in_time(state: CharacterState, goal: TimedTargetGoal) -> Tensor:
        offset = goal.position - state.position
        return go(
            state,
            offset,
            (offset.norm(dim=-1) - 0.38).clamp(min=0) / goal.seconds.clamp(min=1 / 30),
        )

    result = figures("timed_target", just_in_time)
    assert result["on_time_fraction"] == 1.0
    assert result["arrival_error_s"] < 0.1 and result["miss_m"] == pytest.approx(0.38, abs=0.02)

    def late(state: CharacterState, goal: TimedTargetGoal) -> Tensor:
        return go(state, goal.position - state.position, torch.where(goal.seconds > 0, 0.0, 2.0))

    result = figures("timed_target", late)
    assert (
        result["on_time_fraction"] == 0.0
        and result["arrival_bias_s"] == result["arrival_error_s"] > 0.3
    )
    assert result["miss_m"] > 1


def test_waiting_at_the_target_is_early() -> None:
    result = figures("timed_target", straight(2.0))
    assert (
        result["on_time_fraction"] == 0.0
        and result["arrival_bias_s"] == -result["arrival_error_s"] < -1.4
    )
    assert result["miss_m"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("aside", "error"), [(0.0, 0.002), (0.1, 0.1)])
def test_the_distance_from_the_path_is_measured(aside: float, error: float) -> None:
    def act(state: CharacterState, goal: PathGoal) -> Tensor:
        here, ahead = goal.at(goal.walked[:, None] + torch.tensor([0.0, 1.2 / 30])).unbind(dim=1)
        beside = geometry.turn(ahead - here, torch.tensor(math.pi / 2)) * 30 / 1.2 * aside
        return go(state, ahead + beside - state.position, 1.2)

    result = figures("path", act)
    assert result["finish_fraction"] == 1.0
    assert {f"cross_track_{name}_m" for name in SHAPES} < set(result)
    for name in ("cross_track_error_m", "cross_track_spiral_m", "cross_track_mirrored_m"):
        assert result[name] == pytest.approx(error, abs=0.01)
    assert result["path_speed_m_s"] == pytest.approx(1.2, abs=0.1)


def test_who_stands_beside_the_path_finishes_nothing() -> None:
    result = figures("path", lambda state, goal: torch.zeros(len(state), puppet().latent))
    assert result["finish_fraction"] == 0.0 and math.isnan(result["path_speed_m_s"])
    assert result["cross_track_error_m"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("task", ["target", "timed_target", "path"])
def test_a_seed_decides_the_figures(task: str) -> None:
    one, again, other = (
        figures(task, follow if task == "path" else straight(1.0), seed=s) for s in (1, 1, 2)
    )
    assert one == again and one != other


def follow(state: CharacterState, goal: PathGoal) -> Tensor:
    return go(state, goal.at(goal.walked[:, None] + 0.5)[:, 0] - state.position, 1.0)
