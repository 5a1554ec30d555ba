"""The crowd: who is seen, which velocity leads past them, what is paid, how it is measured."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from synthetic import anywhere, character, latents, puppet, turned
from torch import Tensor

from controller.core.errors import ConfigError
from controller.dynamics.character import CharacterState
from controller.evaluation.trials.crowd import crowd_figures, on_circle, overlapping
from controller.motion import geometry
from controller.tasks.avoidance import HORIZON, NEAREST, ROOM, avoid, choices, danger, neighbours
from controller.tasks.crowd import CrowdConfig, CrowdGoal, CrowdTask
from controller.tasks.simulation import Simulation


def people(*places: tuple[float, float, float]) -> CharacterState:
    """Puppets at (x, z), facing a yaw."""
    table = torch.tensor(places, dtype=torch.float32)
    return CharacterState(
        puppet().reset(len(places)).pose, table[:, :2].clone(), table[:, 2].clone()
    )


def alone(*offset: float) -> tuple[Tensor, Tensor]:
    """One other at an offset from the origin, who stands, and nobody else."""
    others = torch.full((1, NEAREST, 2), 1e3)
    others[0, 0] = torch.tensor(offset)
    return others, torch.zeros(1, NEAREST, 2)


def test_the_nearest_are_seen_nearest_first_and_who_is_missing_is_far_away() -> None:
    state = people((0, 0, 0), (3, 0, 0), (0, 1, 0))
    others, paces = neighbours(state, torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]))
    assert others.shape == paces.shape == (3, NEAREST, 2)
    assert others[0, :2].tolist() == [[0, 1], [3, 0]] and paces[0, :2, 0].tolist() == [3, 2]
    assert (others[:, 2:].norm(dim=-1) > 900).all() and not paces[:, 2:].any()
    assert neighbours(people((0, 0, 0)), torch.zeros(1, 2))[0].norm(dim=-1).min() > 900
    crowd = anywhere(0, 40)
    others, _ = neighbours(crowd, torch.zeros(40, 2))
    away = (others - crowd.position[:, None]).norm(dim=-1)
    assert (away[:, 1:] >= away[:, :-1]).all()


@pytest.mark.parametrize(
    ("place", "velocity", "expected"),
    [
        ((0.0, 2.0 + ROOM), (0.0, 1.0), 1 / 2),  # 2 s until they touch
        ((0.0, 2.0 + ROOM), (0.0, -1.0), 0),  # going apart
        ((0.0, 2.0 + ROOM), (1.0, 1.0), 0),  # passing by
        ((0.0, 1.1 * HORIZON + ROOM), (0.0, 1.0), 0),  # later
        ((0.0, 0.5 * ROOM), (0.0, 0.3), 3.0),  # there already, and nearer still
        ((0.0, 0.5 * ROOM), (0.0, -0.3), 0),
        ((0.0, 0.5 * ROOM), (0.0, 0.0), 0),
    ],
)
def test_the_danger_of_a_meeting(place: Any, velocity: Any, expected: float) -> None:
    assert float(danger(torch.tensor(place), torch.tensor(velocity))) == pytest.approx(
        expected, abs=1e-3
    )


def test_with_nobody_in_the_way_the_wish_is_kept() -> None:
    state = people((0, 0, 0.3))
    wish = torch.tensor([[0.2, 1.27]])
    for offset in ((-3.0, 0.0), (0.0, -1.0), (50.0, 50.0)):
        assert torch.equal(avoid(state, wish, *alone(*offset), wish), wish)


def test_somebody_in_the_way_is_passed() -> None:
    """The choice leads ahead, and past."""
    state = people((0, 0, 0.1))
    wish = torch.tensor([[0.0, 1.3]])
    others, paces = alone(0.1, 3.0)
    chosen = avoid(state, wish, others, paces, wish)
    assert float(chosen[0, 1]) > 0.6 and not torch.equal(chosen, wish)
    relative = 2 * chosen - wish
    assert float(danger(others[:, 0], relative)) < float(danger(others[:, 0], wish))


def test_all_velocities_that_are_weighed_differ() -> None:
    weighed = choices(torch.tensor([0.7]))[0]
    apart = torch.cdist(weighed, weighed) + 10 * torch.eye(len(weighed))
    assert float(apart.min()) > 0.1 and float(weighed.norm(dim=-1).min()) == 0


def test_what_is_seen_of_a_crowd_by_hand() -> None:
    """At (1, 1), facing +X, the target 2 m ahead, another one 1 m to the left who walks away at 1
    m/s."""
    task = CrowdTask(puppet())
    state = people((1, 1, math.pi / 2))
    others, paces = alone(1.0, 0.0)
    paces[0, 0] = torch.tensor([0.0, -1.0])
    goal = CrowdGoal(torch.tensor([[3.0, 1.0]]), others, paces, torch.tensor([[1.3, 0.0]]))
    observation = task.observe_goal(state, goal)[0]
    own = puppet().world_velocity(state)[0]
    assert not own.any()
    torch.testing.assert_close(
        observation[:5], torch.tensor([1.3, 0.0, 1.0, 0.0, 2 / 3]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        observation[5:9], torch.tensor([0.0, 0.8, 0.0, 0.2]), atol=1e-4, rtol=0
    )
    assert not observation[9:].any()


def test_being_in_somebody_costs() -> None:
    task = CrowdTask(puppet())
    still = torch.zeros(1, 5)
    for apart, cost in ((2.0, 0.0), (0.7, 0.0), (0.6, 0.25), (0.5, 0.5), (0.2, 0.5)):
        state = people((0, 0, 0))
        goal = CrowdGoal(torch.zeros(1, 2), *alone(apart, 0.0), torch.zeros(1, 2))
        reward, terms = task.reward(state, still, state, goal)
        assert float(terms["crowding"]) == pytest.approx(-cost, abs=1e-4)
        own = sum(float(terms[name]) for name in ("velocity", "facing", "crowding"))
        penalties = [
            float(terms[name])
            for name in ("latent", "range", "skate", "glide", "floating", "sinking")
        ]
        assert float(reward) == pytest.approx(own - sum(penalties), abs=1e-5)


@torch.no_grad()
def test_moving_and_turning_the_world_changes_nothing() -> None:
    simulation = Simulation(character(), CrowdTask(character()))
    here = anywhere(3, 12)
    yaw = torch.tensor(2.0)
    shift = torch.tensor([3.0, -4.0])
    here = replace(here, position=here.position / 4)
    there = turned(here, 2.0, 3.0, -4.0)
    points = 3 * latents(5, 12, 2)
    goal = simulation.task.goal_at(here, points)
    other = simulation.task.goal_at(there, geometry.turn(points, yaw) + shift)
    near = goal.others.norm(dim=-1) < 900
    torch.testing.assert_close(
        other.others[near], (geometry.turn(goal.others, yaw) + shift)[near], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(other.wish, geometry.turn(goal.wish, yaw), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        simulation.observe(there, other), simulation.observe(here, goal), atol=1e-4, rtol=0
    )
    one, two = (
        simulation.advance(s, g, latents(0, 12, 6)).reward
        for s, g in ((here, goal), (there, other))
    )
    torch.testing.assert_close(one, two, atol=1e-4, rtol=0)


@torch.no_grad()
def test_what_is_seen_stays_within_its_bounds_and_nobody_begins_in_another() -> None:
    simulation = Simulation(character(), CrowdTask(character()))
    low, high = simulation.observation_bounds()
    generator = torch.Generator().manual_seed(1)
    state, goal = simulation.reset(50, generator)
    apart = torch.cdist(state.position, state.position) + 10 * torch.eye(50)
    assert (
        float(apart.min()) > 1.0
        and float(state.position.abs().max()) <= simulation.task.side(50) / 2
    )
    for _ in range(30):
        observation = simulation.observe(state, goal)
        assert (observation >= low - 1e-5).all() and (observation <= high + 1e-5).all()
        state = simulation.advance(state, goal, latents(1, 50, 6)).state
        goal = simulation.task.next_goal(state, goal, generator)


def test_the_others_are_followed() -> None:
    task = CrowdTask(puppet())
    state = people((0, 0, 0), (2, 0, 0))
    goal = task.goal_at(state, torch.zeros(2, 2))
    later = task.follow_goal(people((0, 0, 0), (0, 3, 0)), goal)
    assert torch.equal(later.position, goal.position)
    assert later.others[0, 0].tolist() == [0, 3] and later.others[1, 0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": 0.0}, "speed is 0.0; allowed: above 0"),
        ({"space": 0.5}, "space is 0.5; allowed: 1 to 1000"),
        ({"hold_frames": 0.0}, "hold_frames is 0.0; allowed: 1 or more"),
    ],
)
def test_a_bad_setting_is_refused_by_name(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        CrowdConfig(**values)


def test_overlapping_is_two_torsos_in_one_place() -> None:
    assert overlapping(people((0, 0, 0), (0.49, 0, 0), (2, 0, 0), (2, 0.51, 0))).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_a_circle_faces_its_middle_and_crosses_it() -> None:
    state, goal = on_circle(CrowdTask(puppet()), puppet().reset(8), torch.Generator())
    ahead = torch.stack((torch.sin(state.yaw), torch.cos(state.yaw)), dim=-1)
    radius = state.position.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(ahead, -state.position / radius, atol=1e-5, rtol=0)
    torch.testing.assert_close(goal.position, -state.position)


def test_who_heeds_the_wish_passes_and_who_does_not_walks_through() -> None:
    """A puppet moves exactly as it is told."""
    simulation = Simulation(puppet(), CrowdTask(puppet(), CrowdConfig(space=8.0)))

    def go(state: CharacterState, velocity: Tensor) -> Tensor:
        local = geometry.turn(velocity, -state.yaw)
        still = torch.zeros(len(state))
        return torch.stack((local[:, 1], local[:, 0], still, still, still), dim=-1)

    def straight(state: CharacterState, goal: CrowdGoal) -> Tensor:
        offset = goal.position - state.position
        return go(state, offset / offset.norm(dim=-1, keepdim=True).clamp(min=0.1))

    heeding = crowd_figures(simulation, lambda state, goal: go(state, goal.wish), 16, 10.0, 1)
    blind = crowd_figures(simulation, straight, 16, 10.0, 1)
    assert heeding["overlap_fraction"] < 0.005 < 0.02 < blind["overlap_fraction"]
    assert heeding["circle_overlap_fraction"] < 0.01 < 0.05 < blind["circle_overlap_fraction"]
    assert heeding["circle_reach_fraction"] == blind["circle_reach_fraction"] == 1.0
    assert heeding["targets_per_min"] > 2 and heeding["progress_m_s"] > 0.6
