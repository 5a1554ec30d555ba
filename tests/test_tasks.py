"""Target, timed target and path: what is seen of each goal, what is paid, which goals are drawn, by
hand."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import anywhere, character, latents, puppet, turned
from torch import Tensor

from controller.core import batch
from controller.core.errors import ConfigError
from controller.dynamics.character import CharacterState
from controller.motion import geometry
from controller.tasks import polyline, shapes
from controller.tasks.arrival import braking_speed, facing_weight, observe_approach, observe_point
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.path import PathConfig, PathGoal, PathTask
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation
from controller.tasks.target import ARENA, TargetConfig, TargetGoal, TargetTask
from controller.tasks.timed_target import TimedTargetConfig, TimedTargetGoal, TimedTargetTask


def at(x: float, z: float, yaw: float = 0.0) -> CharacterState:
    return CharacterState(puppet().reset(1).pose, torch.tensor([[x, z]]), torch.tensor([yaw]))


def pulled(forward: float = 0.0, left: float = 0.0, turn: float = 0.0) -> Tensor:
    """The puppet's strings."""
    return torch.tensor([[forward, left, turn, 0.0, 0.0]])


def paid(task: Any, state: CharacterState, goal: Any, pull: Tensor) -> dict[str, float]:
    """The terms of one step of the puppet."""
    reward, terms = task.reward(state, pull, puppet().step(state, pull), goal)
    own = float(terms["velocity"] + terms["facing"])
    penalties = [name for name in terms if name not in ("velocity", "facing")]
    assert set(penalties) == {"latent", "range", "skate", "glide", "floating", "sinking"}
    assert float(reward) == pytest.approx(
        own - sum(float(terms[name]) for name in penalties), abs=1e-6
    )
    return {name: float(value) for name, value in terms.items()}


def corner(walked: float = 0.0) -> PathGoal:
    """Two metres along +Z, then two along +X."""
    goal = PathTask.goal_along(torch.tensor([[0.0, 0.0], [0.0, 2.0], [2.0, 2.0]]))
    return replace(goal, walked=torch.tensor([walked]))


# -- all of them -----------------------------------------------------------------------------------


def moved(goal: Any, yaw: float, x: float, z: float) -> Any:
    """The same goal in a world that was turned about the origin and then shifted: whatever has two
    coordinates."""
    angle = torch.tensor(yaw)
    shift = torch.tensor([x, z])
    parts = (getattr(goal, field.name) for field in fields(goal))
    return type(goal)(
        *(geometry.turn(part, angle) + shift if part.shape[-1] == 2 else part for part in parts)
    )


NEW = (TargetTask, TimedTargetTask, PathTask)


@torch.no_grad()
@pytest.mark.parametrize("kind", NEW)
@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    yaw=st.floats(-math.pi, math.pi),
    x=st.floats(-20, 20),
    z=st.floats(-20, 20),
)
def test_moving_and_turning_the_world_changes_nothing(
    kind: Any, seed: int, yaw: float, x: float, z: float
) -> None:
    simulation = Simulation(character(), kind(character()))
    here = anywhere(seed, 6)
    goal = simulation.task.draw_goal(here, torch.Generator().manual_seed(seed))
    there = turned(here, yaw, x, z)
    other = moved(goal, yaw, x, z)
    torch.testing.assert_close(
        simulation.observe(there, other), simulation.observe(here, goal), atol=2e-4, rtol=0
    )
    one, two = (
        simulation.advance(s, g, latents(seed, 6, 6)) for s, g in ((here, goal), (there, other))
    )
    torch.testing.assert_close(two.reward, one.reward, atol=2e-4, rtol=0)
    followed = (
        simulation.task.follow_goal(one.state, goal),
        simulation.task.follow_goal(two.state, other),
    )
    expected = moved(followed[0], yaw, x, z)
    for field in fields(goal):
        torch.testing.assert_close(
            getattr(followed[1], field.name), getattr(expected, field.name), atol=1e-4, rtol=0
        )


@torch.no_grad()
@pytest.mark.parametrize("kind", (JoystickTask, *NEW, RandomWalkTask))
def test_what_is_seen_stays_within_its_bounds(kind: Any) -> None:
    simulation = Simulation(character(), kind(character()))
    low, high = simulation.observation_bounds()
    generator = torch.Generator().manual_seed(1)
    state, goal = simulation.reset(50, generator)
    for _ in range(40):
        observation = simulation.observe(state, goal)
        assert observation.shape == (50, simulation.observation_size)
        assert (observation >= low - 1e-5).all() and (observation <= high + 1e-5).all()
        state = simulation.advance(state, goal, latents(1, 50, 6)).state
        goal = simulation.task.next_goal(state, goal, generator)


@pytest.mark.parametrize("kind", NEW)
def test_the_reward_has_a_gradient_on_top_of_the_goal_and_off_it(kind: Any) -> None:
    goals = {
        TargetTask: TargetTask.goal_at(0.0, 0.0),
        TimedTargetTask: TimedTargetTask.goal_at(0.0, 0.0, 1.0),
    }
    task = kind(puppet())
    goal = goals.get(kind, corner())
    for x, z in ((0.0, 0.0), (0.0, 0.2), (1.0, -2.0)):
        pull = pulled(0.3, 0.2, 0.1).requires_grad_(True)
        state = at(x, z, 0.4)
        reward, _ = task.reward(state, pull, puppet().step(state, pull), goal)
        (slope,) = torch.autograd.grad(reward.sum(), pull)
        assert slope.isfinite().all() and slope[0, :3].abs().sum() > 0


@pytest.mark.parametrize("kind", NEW)
def test_goals_in_a_batch_are_each_judged_alone(kind: Any) -> None:
    simulation = Simulation(character(), kind(character()))
    state, goal = simulation.reset(9, torch.Generator().manual_seed(3))
    with torch.no_grad():
        together = simulation.advance(state, goal, latents(3, 9, 6))
        for row in (0, 4, 8):
            only = slice(row, row + 1)
            alone = simulation.advance(
                batch.select(state, only), batch.select(goal, only), latents(3, 9, 6)[only]
            )
            torch.testing.assert_close(alone.reward[0], together.reward[row], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", NEW)
def test_settings_are_all_a_policy_needs_to_make_its_task_again(kind: Any) -> None:
    task = kind(character(), kind.config_type(hold_frames=7.0))
    assert kind.config_type(**task.settings()) == task.config != kind(character()).config


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (TargetConfig, {"speed": 0.0}, "speed is 0.0; allowed: above 0"),
        (TargetConfig, {"hold_frames": 0.5}, "hold_frames is 0.5; allowed: 1 or more"),
        (TargetConfig, {"near": 1.5}, "near is 1.5; allowed: a share"),
        (TargetConfig, {"near_distance": 0.0}, "near_distance is 0.0; allowed: above 0 m"),
        (
            TimedTargetConfig,
            {"slowest": 2.0},
            r"slowest, fastest, limit is \(2.0, 1.6, 2.0\); allowed: 0 < slowest",
        ),
        (
            TimedTargetConfig,
            {"nearest": 0.4},
            r"nearest, farthest is \(0.4, 10.0\); allowed: above 0.4 m, in order",
        ),
        (TimedTargetConfig, {"hold_frames": 0.0}, "hold_frames is 0.0; allowed: 1 or more"),
        (PathConfig, {"speed": 11.0}, "speed is 11.0; allowed: above 0"),
        (PathConfig, {"longest": 1.0}, "longest is 1.0; allowed: 2.5 to 1000"),
        (PathConfig, {"bend": -1.0}, "bend is -1.0; allowed: 0 or more"),
        (PathConfig, {"corner_every": 0.0}, "corner_every is 0.0; allowed: 1 m or more"),
        (PathConfig, {"sharpest": 4.0}, "sharpest is 4.0; allowed: 0 to π"),
        (PathConfig, {"hold_frames": 0.0}, "hold_frames is 0.0; allowed: 1 or more"),
    ],
)
def test_a_bad_setting_is_refused_by_name(
    kind: type, values: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        kind(**values)


# -- a point ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "z", "ahead", "left"),
    [(5.0, 4.0, 2, 0), (3.0, 2.0, 0, 2), (3.0, 6.0, 0, -2), (1.0, 4.0, -2, 0)],
)
def test_a_point_is_seen_from_where_one_stands_and_faces(
    x: float, z: float, ahead: float, left: float
) -> None:
    """At (3, 4), facing +X, all of them 2 m away."""
    observation = observe_point(at(3, 4, math.pi / 2), torch.tensor([[x, z]]))
    faded = math.hypot(2, 0.1)
    torch.testing.assert_close(
        observation, torch.tensor([[ahead / faded, left / faded, 2 / 3]]), atol=1e-5, rtol=0
    )


def test_the_direction_fades_on_top_of_the_point() -> None:
    observation = observe_point(at(0, 0), torch.tensor([[0.0, 0.1]]))
    torch.testing.assert_close(
        observation, torch.tensor([[math.sqrt(0.5), 0.0, 1 / 11]]), atol=1e-3, rtol=0
    )
    assert observe_point(at(1, 1), torch.ones(1, 2)).abs().max() < 1e-3


def test_braking_leaves_room_to_stop() -> None:
    """(0.2 + v)² = 0.2² + 2·2·(d − 0.1): 0.8 m/s with 0.24 m to go; nothing within 0.1 m."""
    torch.testing.assert_close(
        braking_speed(torch.tensor([0.0, 0.1, 0.34])), torch.tensor([0.0, 0.0, 0.8])
    )
    speeds = braking_speed(torch.linspace(0, 3, 100))
    assert (speeds[1:] >= speeds[:-1]).all()
    # over each millimetre it loses no more than 2 m/s² allow
    fine = braking_speed(torch.linspace(0.1, 3, 2901))
    assert float((fine[1:].square() - fine[:-1].square()).max() / 2 / 0.001) <= 2.01


def test_facing_matters_from_a_metre_on() -> None:
    torch.testing.assert_close(
        facing_weight(torch.tensor([0.3, 0.4, 0.7, 1.0, 9.0])), torch.tensor([0, 0, 0.5, 1, 1])
    )


def test_the_wish_is_seen_as_the_joysticks_is() -> None:
    """At (3, 4), facing +X; the point is 2 m to its left, so that it is to go and to turn there."""
    state = at(3, 4, math.pi / 2)
    point = torch.tensor([[3.0, 2.0]])
    observation = observe_approach(state, point, torch.tensor([0.9]), torch.ones(1))
    torch.testing.assert_close(observation, torch.tensor([[0.0, 0.9, 0.0, 1.0]]), atol=1e-5, rtol=0)
    stick = JoystickGoal(torch.tensor([[0.0, -0.9]]), torch.tensor([math.pi]))
    torch.testing.assert_close(
        JoystickTask(puppet()).observe_goal(state, stick), observation, atol=1e-5, rtol=0
    )
    near = observe_approach(state, point, torch.tensor([0.9]), torch.zeros(1))
    torch.testing.assert_close(near, torch.tensor([[0.0, 0.9, 1.0, 0.0]]), atol=1e-5, rtol=0)


# -- target ----------------------------------------------------------------------------------------


def test_a_target_is_seen_as_a_wish_and_a_distance() -> None:
    observation = TargetTask(puppet()).observe_goal(
        at(3, 4, math.pi / 2), TargetTask.goal_at(3.0, 6.0)
    )
    torch.testing.assert_close(
        observation, torch.tensor([[0.0, -1.4, 0.0, -1.0, 2 / 3]]), atol=1e-5, rtol=0
    )


def test_walking_to_the_target_pays_in_full() -> None:
    terms = paid(TargetTask(puppet()), at(0, 0), TargetTask.goal_at(0.0, 5.0), pulled(1.4))
    assert terms["velocity"] == pytest.approx(0.55, abs=1e-3) and terms["facing"] == pytest.approx(
        0.55, abs=1e-5
    )


def test_the_target_reward_by_hand() -> None:
    """At (1, 0) facing +Z it walks 0.6 m/s ahead and 0.8 to its left; the target, at (4, 0.02), is
    to its right."""
    terms = paid(TargetTask(puppet()), at(1, 0), TargetTask.goal_at(4.0, 0.02), pulled(0.6, 0.8))
    dx = 4 - (1 + 0.8 / 30)
    dz = 0.02 - 0.6 / 30
    wish = 1.4 * dx / math.hypot(dx, dz), 1.4 * dz / math.hypot(dx, dz)
    assert terms["velocity"] == pytest.approx(
        0.55 * math.exp(-2 * math.hypot(0.8 - wish[0], 0.6 - wish[1])), abs=1e-4
    )
    assert terms["facing"] == pytest.approx(
        0.15 + 0.25 * math.exp(-8 * math.sin(math.pi / 4)), abs=1e-4
    )


def test_at_the_target_standing_pays_and_turning_does_not() -> None:
    task = TargetTask(puppet())
    goal = TargetTask.goal_at(0.05, 0.0)
    still = paid(task, at(0, 0), goal, pulled())
    assert still["velocity"] == pytest.approx(0.55, abs=3e-3) and still["facing"] == pytest.approx(
        0.55, abs=1e-5
    )
    assert paid(task, at(0, 0), goal, pulled(turn=0.5))["facing"] == pytest.approx(
        0.55 * math.exp(-0.5), abs=1e-5
    )
    creeping = 0.3 * math.exp(-0.1) + 0.15 * math.exp(-2) + 0.1 * math.exp(-10)
    assert paid(task, at(0, 0), goal, pulled(0.05))["velocity"] == pytest.approx(creeping, abs=1e-3)


def test_between_near_and_far_facing_counts_by_half() -> None:
    terms = paid(TargetTask(puppet()), at(0, 0), TargetTask.goal_at(0.0, 0.7), pulled(turn=0.3))
    expected = 0.5 * (
        0.3 * (1 - 0.01 / math.pi) + 0.25 * math.exp(-8 * math.sin(0.005))
    ) + 0.275 * math.exp(-0.3)
    assert terms["facing"] == pytest.approx(expected, abs=1e-4)


def test_targets_lie_in_the_arena_or_near() -> None:
    state = anywhere(0, 20_000)
    task = TargetTask(character(), TargetConfig(near=0.0))
    goal = task.draw_goal(state, torch.Generator().manual_seed(0)).position
    half = torch.tensor(ARENA) / 2
    assert (goal.abs() <= half).all() and (goal.abs().amax(dim=0) > 0.99 * half).all()
    torch.testing.assert_close(goal.mean(dim=0), torch.zeros(2), atol=0.3, rtol=0)
    task = TargetTask(character(), TargetConfig(near=1.0, near_distance=3.0))
    away = task.draw_goal(state, torch.Generator().manual_seed(0)).position - state.position
    assert float(away.norm(dim=-1).max()) <= 3.001 and float(
        away.norm(dim=-1).mean()
    ) == pytest.approx(1.5, abs=0.02)


def test_a_target_stays_until_it_is_reached_and_then_for_a_while() -> None:
    task = TargetTask(character(), TargetConfig(hold_frames=20))
    state = anywhere(0, 3000)
    near, far = (TargetGoal(state.position + torch.tensor([d, 0.0])) for d in (0.29, 0.31))
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(task.next_goal(state, far, generator).position, far.position)
    changed = (task.next_goal(state, near, generator).position != near.position).any(dim=-1)
    assert float(changed.float().mean()) == pytest.approx(1 / 20, rel=0.2)
    assert task.follow_goal(state, near) is near


# -- timed target ----------------------------------------------------------------------------------


def test_the_desired_speed_is_just_in_time() -> None:
    task = TimedTargetTask(puppet())

    def wished(distance: float, seconds: float) -> float:
        return float(task.desired_speed(torch.tensor([distance]), torch.tensor([seconds])))

    assert wished(3.35, 3.0) == pytest.approx(1.0, abs=1e-5)  # to 0.35 m in three seconds
    assert wished(9.0, 1.0) == pytest.approx(2.0)  # no more than the limit
    assert wished(0.34, 5.0) == 0.0  # early: it waits just inside
    assert wished(0.6, 0.1) == pytest.approx(
        math.sqrt(0.04 + 4 * 0.5) - 0.2, abs=1e-5
    )  # no faster than it can brake
    assert wished(0.6, -0.1) == wished(0.6, 0.1)  # late: as fast as it can
    assert wished(5.0, -0.1) == 2.0
    assert wished(0.05, -3.0) == 0.0  # there


def test_a_timed_target_is_seen_with_its_clock_and_the_speed_it_takes() -> None:
    task = TimedTargetTask(puppet())
    goal = TimedTargetTask.goal_at(0.0, 3.35, 3.0)
    observation = task.observe_goal(at(0, 0), goal)
    torch.testing.assert_close(
        observation[0], torch.tensor([1.0, 0.0, 1.0, 0.0, 3.35 / 4.35, 0.75])
    )
    late = task.observe_goal(at(0, 3.35), TimedTargetTask.goal_at(0.0, 3.35, -1.0))
    torch.testing.assert_close(
        late[0], torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, -0.5]), atol=1e-3, rtol=0
    )


def test_the_clock_is_that_of_after_the_step() -> None:
    """1/30 s and 1/30 m on, it is still a metre a second."""
    goal = TimedTargetTask.goal_at(0.0, 3.35, 3.0)
    assert paid(TimedTargetTask(puppet()), at(0, 0), goal, pulled(1.0))[
        "velocity"
    ] == pytest.approx(0.55, abs=1e-3)
    slow = paid(TimedTargetTask(puppet()), at(0, 0), goal, pulled(0.0))["velocity"]
    assert slow == pytest.approx(0.55 * math.exp(-2 * 3 / (3 - 1 / 30)), abs=1e-3)


def test_timed_targets_are_feasible() -> None:
    task = TimedTargetTask(character())
    state = anywhere(0, 5000)
    goal = task.draw_goal(state, torch.Generator().manual_seed(0))
    distance = (goal.position - state.position).norm(dim=-1)
    pace = distance / (goal.seconds - 1.5)
    assert 0.999 <= float(distance.min()) < 1.1 and 9.9 < float(distance.max()) <= 10.001
    assert 0.299 <= float(pace.min()) < 0.31 and 1.59 < float(pace.max()) <= 1.601


def test_the_clock_ticks_and_a_new_target_comes_after_its_time() -> None:
    task = TimedTargetTask(character(), TimedTargetConfig(hold_frames=20))
    state = anywhere(0, 3000)
    generator = torch.Generator().manual_seed(0)
    goal = TimedTargetGoal(torch.zeros(3000, 2), torch.full((3000,), 1 / 60 + 1 / 30))
    goal = task.next_goal(state, goal, generator)
    torch.testing.assert_close(goal.seconds, torch.full((3000,), 1 / 60))
    assert not goal.position.any()
    goal = task.next_goal(state, goal, generator)
    renewed = goal.seconds > 0
    assert float(renewed.float().mean()) == pytest.approx(1 / 20, rel=0.2)
    torch.testing.assert_close(goal.seconds[~renewed].mean(), torch.tensor(-1 / 60))


# -- path ------------------------------------------------------------------------------------------


def test_a_path_is_walked_by_its_nearest_point() -> None:
    task = PathTask(puppet())
    goal = corner()
    assert float(goal.length) == pytest.approx(4.0)
    for x, z, walked in ((0.05, 0.13, 0.13), (0.2, 0.33, 0.33), (-0.1, 0.2, 0.33), (0.0, 0.6, 0.6)):
        goal = task.follow_goal(at(x, z), goal)
        assert float(goal.walked) == pytest.approx(walked, abs=1e-4)  # and never back
    assert float(task.off_path(at(0.25, 0.7), goal)) == pytest.approx(0.25, abs=1e-3)
    assert float(task.follow_goal(at(0.2, 2.1), corner(1.9)).walked) == pytest.approx(2.2, abs=1e-4)
    assert float(task.follow_goal(at(9.0, 2.0), corner(3.9)).walked) == pytest.approx(4.0, abs=1e-4)


def test_where_a_path_crosses_itself_it_goes_on() -> None:
    line = torch.tensor([[0.0, 0.0], [0.0, 4.0], [2.0, 4.0], [2.0, 2.0], [-2.0, 2.0]])
    goal = replace(PathTask.goal_along(line), walked=torch.tensor([1.9]))
    assert float(PathTask(puppet()).follow_goal(at(0.0, 2.0), goal).walked) == pytest.approx(
        2.0, abs=1e-4
    )


def test_the_points_ahead_are_seen() -> None:
    """At (0.5, 1), facing +X, with the corner a metre ahead: +Z is to the right, +X ahead. The
    point to walk to is behind, 149° to the right, and shown as one at 120°."""
    observation = PathTask(puppet()).observe_goal(at(0.5, 1.0, math.pi / 2), corner(1.0))[0]
    cos = -0.5 / math.hypot(0.5, 0.3)
    sin = -0.3 / math.hypot(0.5, 0.3)
    expected = torch.tensor([1.3 * cos, 1.3 * sin, -0.5, -math.sqrt(0.75)])
    torch.testing.assert_close(observation[:4], expected, atol=1e-4, rtol=0)
    points = [(0, 1.0), (0, 1.6), (0, 2.0), (0.5, 2.0), (1.0, 2.0)]
    for number, (x, z) in enumerate(points, 2):
        ahead = x - 0.5
        left = -(z - 1.0)
        scale = math.sqrt(1 + ahead**2 + left**2)
        expected = torch.tensor([ahead / scale, left / scale])
        torch.testing.assert_close(
            observation[2 * number : 2 * number + 2], expected, atol=1e-4, rtol=0
        )
    assert float(observation[14]) == pytest.approx(3 / 4, abs=1e-4)


def test_the_path_reward_by_hand() -> None:
    task = PathTask(puppet())
    along = paid(task, at(0, 0.5), corner(0.5), pulled(1.3))
    assert along["velocity"] == pytest.approx(0.55, abs=1e-3) and along["facing"] == pytest.approx(
        0.55, abs=1e-3
    )
    # 0.3 m beside the path it is to go back to it at 45°, and to face that way
    beside = paid(task, at(0.3, 0.5), corner(0.5), pulled())
    assert beside["velocity"] == pytest.approx(0.55 * math.exp(-2 * 1.3), abs=1e-3)
    expected = 0.3 * 0.75 + 0.25 * math.exp(-8 * math.sin(math.pi / 8))
    assert beside["facing"] == pytest.approx(expected, abs=2e-3)
    standing = paid(task, at(2.0, 2.0), corner(3.95), pulled())
    assert standing["velocity"] == pytest.approx(0.55, abs=3e-3) and standing[
        "facing"
    ] == pytest.approx(0.55, abs=1e-4)


def test_paths_are_drawn_evenly_spaced_from_near_the_character() -> None:
    task = PathTask(character())
    state = anywhere(0, 200)
    goal = task.draw_goal(state, torch.Generator().manual_seed(0))
    steps = (goal.points[:, 1:] - goal.points[:, :-1]).norm(dim=-1)
    inside = torch.arange(steps.shape[1]) < goal.last[:, None]
    torch.testing.assert_close(
        steps[inside], torch.full_like(steps[inside], 0.1), atol=1e-4, rtol=0
    )
    assert float(steps[~inside].max()) < 1e-6
    assert 5.0 <= float(goal.length.min()) < 6 and 24 < float(goal.length.max()) <= 25
    assert float((goal.points[:, 0] - state.position).norm(dim=-1).max()) <= 0.5 + 1e-4
    assert not goal.walked.any()
    begin = goal.points[:, 1] - goal.points[:, 0]
    assert (begin > 0.05).any(dim=0).all() and (begin < -0.05).any(dim=0).all()


def test_a_path_stays_until_its_end_is_reached_and_then_for_a_while() -> None:
    task = PathTask(character(), PathConfig(hold_frames=20))
    state = CharacterState(
        character().reset(3000).pose, torch.tensor([[2.0, 2.0]]).repeat(3000, 1), torch.zeros(3000)
    )
    one = corner()
    paths = one.points.expand(3000, -1, 2)
    last = one.last.expand(3000)
    underway = PathGoal(paths, last, torch.full((3000,), 3.0))
    assert not (task.renewal(state, task.follow_goal(state, underway)) > 0).any()
    done = task.follow_goal(state, PathGoal(paths, last, torch.full((3000,), 3.8)))
    torch.testing.assert_close(task.renewal(state, done), torch.full((3000,), 1 / 20))


# -- lines -----------------------------------------------------------------------------------------


def test_a_line_is_spaced_evenly() -> None:
    raw = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.25, 0.0], [0.25, 0.0], [0.25, 0.52]])
    points = polyline.resample(raw)
    expected = [
        [0, 0],
        [0.1, 0],
        [0.2, 0],
        [0.25, 0.05],
        [0.25, 0.15],
        [0.25, 0.25],
        [0.25, 0.35],
        [0.25, 0.45],
    ]
    torch.testing.assert_close(points, torch.tensor(expected))


def test_smoothing_takes_the_tremble_and_leaves_the_ends_and_straight_lines() -> None:
    straight = torch.stack((torch.zeros(60), torch.linspace(0, 5.9, 60)), dim=-1)
    torch.testing.assert_close(polyline.smooth(straight, 2.0), straight, atol=1e-5, rtol=0)
    trembling = straight + 0.05 * latents(0, 60, 2)
    calm = polyline.smooth(trembling, 2.0)
    assert float(calm[5:-5, 0].std()) < 0.6 * float(trembling[5:-5, 0].std())
    torch.testing.assert_close(calm[[0, -1]], trembling[[0, -1]], atol=1e-5, rtol=0)


def test_a_drawn_line_leads_from_the_character_along_what_was_drawn() -> None:
    mouse = torch.tensor([[1.0, 1.0], [1.02, 1.31], [0.97, 1.5], [1.01, 3.0]])
    goal = PathTask.goal_along(PathTask.drawn_by_hand(mouse), at(0.0, 1.0))
    torch.testing.assert_close(goal.points[0, 0], torch.tensor([0.0, 1.0]))
    assert float(goal.length) == pytest.approx(3.0, abs=0.15)
    assert float((goal.points[0, 11:, 0] - 1.0).abs().max()) < 0.05


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (torch.zeros(1, 2), "path is '0.00 m long'; allowed: 0.5 m or more"),
        (torch.zeros(9, 2), "path is '0.00 m long'"),
        (torch.tensor([[0.0, 0.0], [0.3, 0.0]]), "path is '0.30 m long'"),
        (
            torch.tensor([[0.0, 0.0], [math.nan, 0.0]]),
            "path is 'not finite everywhere'; allowed: finite points",
        ),
    ],
)
def test_a_line_that_is_no_path_is_refused(points: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        PathTask.goal_along(points)


@pytest.mark.parametrize(
    ("name", "length"), [("figure-8", 20.98), ("heart", 19.2), ("zigzag", 15.0), ("spiral", 29.9)]
)
def test_shapes_start_at_the_origin_and_are_as_long_as_they_should_be(
    name: str, length: float
) -> None:
    points = shapes.SHAPES[name]()
    assert not points[0].any()
    assert float((points[1:] - points[:-1]).norm(dim=-1).sum()) == pytest.approx(length, rel=0.02)
    closed = float(points[-1].norm()) < 1e-3
    assert closed == (name in ("figure-8", "heart"))


def test_a_shape_is_placed_before_the_character() -> None:
    placed = shapes.placed(
        torch.tensor([[0.0, 0.0], [0.0, 1.0]]), torch.tensor([3.0, 4.0]), torch.tensor(math.pi / 2)
    )
    torch.testing.assert_close(placed, torch.tensor([[3.0, 4.0], [4.0, 4.0]]))
