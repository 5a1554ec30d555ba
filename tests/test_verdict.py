"""The verdict on a policy, and what a character's captured motion can do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from synthetic import character, data, layout, puppet

from controller.core.errors import CheckpointError
from controller.data.measures import limits
from controller.dynamics.character import Character
from controller.evaluation.trials import TRIALS
from controller.evaluation.trials.verdict import (
    FALLS,
    GOOD,
    SLIDES,
    STANDS,
    STRAYS,
    judge_policy,
)
from controller.motion.limits import Limits
from controller.tasks.crowd import CrowdTask
from controller.tasks.joystick import JoystickConfig, JoystickTask
from controller.tasks.target import TargetTask
from controller.tasks.timed_target import TimedTargetTask

FINE: dict[str, Any] = {
    "alive_fraction": 1.0, "speed_m_s_p95": 1.4, "response_s": 0.8, "heading_error_deg": 0.2,
    "speed_error_m_s": 0.01, "glide_cm_per_frame": 0.2, "captured": {"glide_cm_per_frame": 0.18},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({}, GOOD, ""),
        ({"alive_fraction": 0.5}, FALLS, "50 % of the characters fall"),
        ({"speed_m_s_p95": 0.05}, STANDS, "slower than 0.05 m/s in 95 % of the frames"),
        ({"heading_error_deg": 36.0}, STRAYS, "heading error is 36.0 °, not 20.0 °"),
        ({"speed_error_m_s": 0.5}, STRAYS, "speed error is 0.500 m/s, not 0.300 m/s"),
        ({"speed_error_m_s": None}, STRAYS, "speed error is –, not"),
        ({"response_s": math.nan}, STRAYS, "response is nan s, not 3.00 s"),
        ({"glide_cm_per_frame": 0.77}, SLIDES, "0.77 cm a frame, where it moves by 0.18 cm"),
        ({"glide_cm_per_frame": 0.77, "captured": None}, GOOD, ""),
    ],
)
def test_the_verdict_names_what_is_wrong(changed: dict[str, Any], name: str, words: str) -> None:
    verdict = judge_policy("joystick", FINE | changed, fastest=2.0)
    assert verdict.name == name and words in verdict.reason
    assert verdict.is_good == (name == GOOD) and "\n" not in str(verdict)


def test_what_is_slow_depends_on_the_character() -> None:
    creeping = FINE | {"speed_m_s_p95": 0.15}
    assert judge_policy("joystick", creeping, fastest=2.0).name == STANDS
    assert judge_policy("joystick", creeping, fastest=1.0).name == GOOD


def test_every_task_with_a_trial_can_fail_it() -> None:
    for name, trial in TRIALS.items():
        if not trial.measure.__module__.startswith("controller."):
            continue
        bad = [metric for metric in trial.metrics if metric.bad is not None]
        assert bad and all(metric.better is not None for metric in bad), name


def test_a_task_without_a_trial_is_judged_by_falls_alone() -> None:
    figures = {"alive_fraction": 1.0, "speed_m_s_p95": 0.0}
    assert judge_policy("no such trial", figures, 2.0).is_good
    assert judge_policy("no such trial", figures | {"alive_fraction": 0.0}, 2.0).name == FALLS


# -- limits ----------------------------------------------------------------------------------------


def with_limits(**stated: float) -> Character:
    who = puppet()
    return Character(who.model, who.layout, who.reset_poses, {"limits": stated})


def test_the_captured_speeds_are_the_limits() -> None:
    """The made-up walks go ahead at up to 1.2 m/s or so, and hardly aside."""
    found = limits(data())
    root = data().poses[:, layout().root_velocity]
    assert 0.5 < found.forward_speed <= float(root[:, 0].max())
    assert 0.1 <= found.sideways_speed <= max(0.1, float(root[:, 1].abs().max()))
    heights = data().poses[:, layout().hip_height]
    assert 0 < found.lowest_hips < float(heights.min())
    assert found.highest_hips > float(heights.max())


def test_faster_motion_has_higher_limits() -> None:
    faster = data().poses.clone()
    faster[:, layout().root_velocity] *= 2
    one = limits(data())
    two = limits(replace(data(), poses=faster))
    assert two.forward_speed == pytest.approx(2 * one.forward_speed, rel=1e-3)


def test_goals_are_no_faster_than_the_character() -> None:
    slow = with_limits(forward_speed=0.8, sideways_speed=0.3, backward_speed=0.2)
    assert JoystickTask(slow).config == JoystickConfig(0.8, 0.3, 0.2)
    assert TargetTask(slow).config.speed == pytest.approx(0.6)
    assert CrowdTask(slow).config.speed == pytest.approx(0.6)
    timed = TimedTargetTask(slow).config
    assert timed.limit == 0.8 and timed.slowest <= timed.fastest < 0.8
    generator = torch.Generator().manual_seed(0)
    goal = JoystickTask(slow).draw_goal(slow.reset(500, generator), generator)
    assert float(goal.velocity.norm(dim=-1).max()) <= 0.8 + 1e-6


def test_a_runner_is_asked_to_run() -> None:
    assert JoystickTask(with_limits(forward_speed=4.6)).config.forward_speed == 4.6


def test_without_stated_limits_nothing_changes() -> None:
    assert character().limits == Limits()
    assert JoystickTask(character()).config == JoystickConfig()
    assert TargetTask(character()).config == TargetTask.config_type()
    assert TimedTargetTask(character()).config == TimedTargetTask.config_type()


def test_hips_may_be_as_low_as_the_captured_ones() -> None:
    dog = with_limits(lowest_hips=0.1, highest_hips=0.6)
    state = puppet().reset(1)
    column = dog.layout.hip_height
    for height, fallen in ((0.42, False), (0.05, True), (0.7, True)):
        state.pose[:, column] = height - float(dog.model.normalizer.mean[column])
        assert bool(dog.alive(state)) != fallen, height


@pytest.mark.parametrize(
    "stated", [{"forward_speed": 0.0}, {"forward_speed": math.nan}, {"wings": 2.0}, [1.0], "fast"]
)
def test_limits_that_make_no_sense_are_refused(stated: Any) -> None:
    with pytest.raises(CheckpointError, match=r"limits"):
        Limits.of({"limits": stated})
