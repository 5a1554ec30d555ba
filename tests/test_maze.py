"""The maze: labyrinths and their exits, rays, what is seen and paid, who steers, how it is
measured, the shipped policy."""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import anywhere, character, latents, puppet, turned
from test_play import named
from torch import Tensor

import envs  # noqa: F401 - registers the environments
from controller.control.actors import Actor
from controller.control.folder import CharacterFolder
from controller.control.navigator import Navigator
from controller.control.policy import Policy
from controller.core import batch
from controller.core.errors import CheckpointError, ConfigError
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.results import evaluate
from controller.evaluation.trials.maze import maze_figures, touches, unseen_mazes
from controller.games.maze import MazeGame
from controller.games.player import Player
from controller.motion import geometry
from controller.tasks import sight
from controller.tasks.joystick import JoystickConfig, JoystickTask
from controller.tasks.labyrinth import Labyrinth, edges
from controller.tasks.maze import REACHED, ROOM, THICKNESS, TORSO, MazeConfig, MazeGoal, MazeTask
from controller.tasks.simulation import Simulation
from controller.tasks.target import TargetTask
from controller.viewer.gl.walls import HEIGHT, beams, faces
from envs.shac import ShacConfig
from envs.train_policy import PolicyConfig, PolicyTraining

SIDE = MazeConfig().cell


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def opened(rows: int, columns: int, *passages: tuple[int, int]) -> Labyrinth:
    """One labyrinth, with these passages alone."""
    pairs = [tuple(pair) for pair in edges(rows, columns).tolist()]
    assert set(passages) <= set(pairs)
    return Labyrinth(rows, columns, torch.tensor([[pair in passages for pair in pairs]]))


def elbow() -> Labyrinth:
    """Two rows of two cells, 2 3 over 0 1: from 0 along +Z to 2, on along +X to 3; a wall between 0
    and 1 and 3."""
    return opened(2, 2, (0, 2), (2, 3), (1, 3))


def at(x: float, z: float, yaw: float = 0.0) -> CharacterState:
    return CharacterState(puppet().reset(1).pose, torch.tensor([[x, z]]), torch.tensor([yaw]))


def flooded(passages: list[bool], pairs: list[list[int]], start: int, cells: int) -> list[float]:
    """How many passages away from ``start`` each cell is, by hand."""
    steps = [math.inf] * cells
    todo = deque([start])
    steps[start] = 0
    while todo:
        cell = todo.popleft()
        for (one, two), passable in zip(pairs, passages, strict=True):
            for here, there in ((one, two), (two, one)):
                if passable and here == cell and math.isinf(steps[there]):
                    steps[there] = steps[cell] + 1
                    todo.append(there)
    return steps


# -- labyrinths ------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    count=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_a_drawn_labyrinth_is_perfect_and_the_same_for_the_same_seed(
    rows: int, columns: int, count: int, seed: int
) -> None:
    """All cells hang together by one passage fewer than there are cells: one way between any two,
    and no loop."""
    if rows * columns == 1:
        return
    labyrinths = Labyrinth.draw(count, rows, columns, generator(seed))
    pairs = edges(rows, columns).tolist()
    cells = rows * columns
    assert labyrinths.passages.sum(dim=1).tolist() == [cells - 1] * count
    exit = seed % cells
    steps = labyrinths.steps_to(torch.full((count,), exit))
    for passages, counted in zip(labyrinths.passages.tolist(), steps.tolist(), strict=True):
        assert counted == flooded(passages, pairs, exit, cells) and max(counted) < math.inf
    following = labyrinths.following(steps)
    onward = steps.gather(1, following)
    assert torch.equal(onward, (steps - 1).clamp(min=0)) and (following[:, exit] == exit).all()
    assert torch.equal(
        Labyrinth.draw(count, rows, columns, generator(seed)).passages, labyrinths.passages
    )
    walls = 2 * (rows + columns) + len(pairs) - (cells - 1)
    assert labyrinths.walls().shape == (count, walls, 2, 2)


def test_labyrinths_of_other_seeds_differ_and_their_passages_are_not_all_alike() -> None:
    many = Labyrinth.draw(200, 5, 5, generator(1)).passages
    assert len({tuple(row) for row in many.tolist()}) == 200
    share = many.float().mean(dim=0)
    assert float(share.min()) > 0.3 and float(share.max()) < 0.9


def test_the_walls_of_an_elbow_by_hand() -> None:
    """All four sides, two cells long, and one wall between the cells 0 and 1."""
    walls = {tuple(map(tuple, sorted(wall))) for wall in elbow().walls()[0].tolist()}
    outer = {((i, e), (i + 1, e)) for i in (0, 1) for e in (0, 2)} | {
        ((e, i), (e, i + 1)) for i in (0, 1) for e in (0, 2)
    }
    assert walls == outer | {((1.0, 0.0), (1.0, 1.0))}


def test_a_batch_may_hold_labyrinths_with_more_and_with_fewer_walls() -> None:
    both = Labyrinth(2, 2, torch.tensor([[True] * 4, [False, True, True, True]]))
    walls = both.walls()
    assert walls.shape == (2, 9, 2, 2) and float(walls[0, 0].min()) > 900
    assert walls[1, 0].tolist() == [[1.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("exit", "message"),
    [
        (None, "exit is None; allowed: a row from 0 to 1 and a column from 0 to 1"),
        ((2, 0), r"exit is \(2, 0\); allowed: a row from 0 to 1 and a column from 0 to 1"),
        ((0, -1), r"exit is \(0, -1\); allowed: a row from 0 to 1 and a column from 0 to 1"),
        (
            (0, 1),
            r"exit is \(0, 1\); allowed: a cell to which a way leads from the entrance \(0, 0\)",
        ),
    ],
)
def test_a_maze_without_an_exit_one_can_come_to_is_refused(exit: Any, message: str) -> None:
    task = MazeTask(puppet())
    cut_off = opened(2, 2, (0, 2), (2, 3))
    with pytest.raises(ConfigError, match=f"^{message}$"):
        task.goal_in(at(0, 0), cut_off, exit=exit)
    with pytest.raises(ConfigError, match=r"^entrance is"):
        task.goal_in(at(0, 0), cut_off, entrance=(5, 5), exit=(1, 1))
    assert task.goal_in(at(0, 0), cut_off, exit=(1, 1)).left[0, 0] == 2 * SIDE


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Labyrinth(1, 1, torch.zeros(1, 0, dtype=torch.bool)),
            "rows is 1; allowed: 1 to 20, two cells or more",
        ),
        (lambda: Labyrinth(5, 21, torch.zeros(1, 4)), "columns is 21; allowed: 1 to 20"),
        (
            lambda: Labyrinth(2, 2, torch.zeros(1, 3)),
            r"passages is \(1, 3\); allowed: \(labyrinths, 4\), one for each",
        ),
        (lambda: MazeConfig(rows=0), "rows is 0; allowed: 1 to 20, two cells or more"),
        (lambda: MazeConfig(cell=0.5), "cell is 0.5; allowed: 0.8 to 20 m"),
        (lambda: MazeConfig(narrowest=2.0), "narrowest is 2.0; allowed: up to widest = 1.6 m"),
        (lambda: MazeConfig(speed=0.0), "speed is 0.0; allowed: above 0"),
        (lambda: MazeConfig(hold_frames=0.0), "hold_frames is 0.0; allowed: 1 or more"),
    ],
)
def test_a_bad_setting_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        make()


# -- sight -----------------------------------------------------------------------------------------


def wall(*ends: float) -> Tensor:
    return torch.tensor(ends).view(1, 1, 2, 2)


def test_rays_meet_a_wall_ahead_where_trigonometry_says() -> None:
    """A long wall 2 m ahead: a ray at an angle a is 2/cos a long; those that look back meet
    nothing."""
    for yaw in (0.0, 1.0, -2.5):
        ends = geometry.turn(
            torch.tensor([[-50.0, 2.0], [50.0, 2.0]]), torch.tensor(yaw)
        ) + torch.tensor([3.0, 4.0])
        distances = sight.cast(
            torch.tensor([[3.0, 4.0]]), torch.tensor([yaw]), ends.view(1, 1, 2, 2)
        )[0]
        for angle, result in zip(sight.ray_angles().tolist(), distances.tolist(), strict=True):
            expected = (
                min(2 / math.cos(angle), sight.REACH) if math.cos(angle) > 1e-3 else sight.REACH
            )
            assert result == pytest.approx(expected, rel=1e-3)


def test_a_ray_stops_at_the_nearest_wall_and_passes_beside_one() -> None:
    near = wall(-9.0, 1.0, 9.0, 1.0)
    far = wall(-9.0, 3.0, 9.0, 3.0)
    here = torch.zeros(1, 2), torch.zeros(1)
    assert torch.equal(sight.cast(*here, torch.cat((far, near), dim=1)), sight.cast(*here, near))
    left = wall(0.5, 1.0, 9.0, 1.0)  # ends half a metre left of straight ahead
    angles = sight.ray_angles()
    distances = sight.cast(*here, left)[0]
    meets = (angles > math.atan(0.5)) & (angles < math.atan(9.0))
    assert torch.equal(distances < sight.REACH, meets)
    assert float(distances[meets][0]) == pytest.approx(
        1 / math.cos(float(angles[meets][0])), rel=1e-4
    )


def test_rays_come_in_the_order_right_to_left_and_mirror_with_the_world() -> None:
    walls = torch.randn(1, 7, 2, 2, generator=generator(3)) * 3
    here = torch.zeros(1, 2), torch.zeros(1)
    mirrored = walls * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(
        sight.cast(*here, mirrored), sight.cast(*here, walls).flip(-1), atol=1e-4, rtol=0
    )
    beside = sight.cast(*here, wall(-1.0, -9.0, -1.0, 9.0))[0]  # -X is to the right
    assert float(beside[1]) < 1.1 and float(beside[-2]) == sight.REACH


def test_rays_end_on_walls() -> None:
    walls = wall(-9.0, 1.5, 9.0, 1.5)
    ends = sight.ray_ends(torch.zeros(1, 2), torch.zeros(1), walls)[0]
    ahead = sight.ray_angles().cos() > 0.2
    torch.testing.assert_close(
        ends[ahead, 1], torch.full((int(ahead.sum()),), 1.5), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("x", "z", "expected"), [(0.0, 0.5, 0.5), (0.7, -0.3, 0.3), (2.0, 0.0, 1.0), (-4.0, 4.0, 5.0)]
)
def test_how_far_a_wall_is(x: float, z: float, expected: float) -> None:
    """A wall from (-1, 0) to (1, 0)."""
    result = sight.wall_distance(
        torch.tensor([[[x, z]]]), torch.cat((wall(-1, 0, 1, 0), wall(50, 50, 60, 60)), dim=1)
    )
    assert float(result) == pytest.approx(expected, abs=1e-4)


# -- the task --------------------------------------------------------------------------------------


def laid(
    yaw: float = 0.0, exit: tuple[int, int] = (1, 1), **config: float
) -> tuple[MazeTask, MazeGoal]:
    """The elbow around the origin, which is the middle of its first cell, cells 2 m wide."""
    task = MazeTask(puppet(), MazeConfig(2, 2, **{"cell": 2.0} | config))
    return task, task.goal_in(at(0, 0), elbow(), exit=exit, yaw=yaw)


def test_a_maze_is_laid_around_its_entrance() -> None:
    _, goal = laid()
    torch.testing.assert_close(goal.middles[0], torch.tensor([[0.0, 0], [2, 0], [0, 2], [2, 2]]))
    assert goal.following.tolist() == [[2, 3, 3, 3]] and goal.left.tolist() == [[4, 2, 2, 0]]
    assert goal.exit.tolist() == [[2.0, 2.0]]
    assert goal.walls.amin(dim=(0, 1, 2)).tolist() == [-1.0, -1.0] and goal.walls.amax(
        dim=(0, 1, 2)
    ).tolist() == [3, 3]
    _, quarter = laid(yaw=math.pi / 2)  # its rows lead along +X, so its columns along -Z
    torch.testing.assert_close(quarter.middles[0, 2], torch.tensor([2.0, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(quarter.middles[0, 1], torch.tensor([0.0, -2.0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("x", "z", "cell", "left"),
    [(0.0, 0.0, 0, 4), (0.0, 0.5, 0, 3.5), (0.0, 1.5, 2, 2.0616), (1.0, 2.0, 2, 1), (2, 2, 3, 0)],
)
def test_the_way_that_is_left(x: float, z: float, cell: int, left: float) -> None:
    task, goal = laid()
    state = at(x, z)
    assert goal.cell(state.position).tolist() == [cell]
    assert float(goal.to_go(state.position)) == pytest.approx(left, abs=1e-3)
    assert bool(task.reached(state, goal)) == (left < REACHED)


def test_what_is_seen_of_a_maze_by_hand() -> None:
    """In the first cell of the elbow, facing +X: the way leads to the right, 2 m, and then 2 m
    along +X."""
    task, goal = laid()
    observation = task.observe_goal(at(0.0, 0.0, math.pi / 2), goal)[0]
    squash = math.sqrt(1 + 8)
    by_hand = [
        0,
        -1.3,
        0,
        -1,
        0,
        -2 / math.sqrt(5),
        2 / squash,
        -2 / squash,
        2 / squash,
        -2 / squash,
        4 / 5,
    ]
    torch.testing.assert_close(observation[:11], torch.tensor(by_hand), atol=1e-4, rtol=0)
    angles = sight.ray_angles()
    assert observation.shape == (11 + sight.RAYS,) and task.goal_size == len(observation) == len(
        task.goal_bounds()
    )
    # Walls: one ahead at x = 1 that ends at z = 1, behind it one at x = 3; behind at x = -1, left z
    # = -1, right z = 3.
    for number, angle in enumerate(angles.tolist()):
        passes = math.tan(-angle) > 1 and math.cos(angle) > 0
        ahead = (3 if passes else 1) / abs(math.cos(angle))
        walls = [ahead, 1 / math.sin(angle) if angle > 0 else -3 / math.sin(angle)]
        assert float(observation[11 + number]) == pytest.approx(
            min(walls) / (1 + min(walls)), abs=1e-3
        ), math.degrees(angle)


def test_what_is_paid_in_a_maze_by_hand() -> None:
    """A puppet in the first cell, 2 m wide, that walks along +Z, as it should, at half the pace,
    facing 90° off."""
    task, goal = laid()
    state = at(0.0, 0.0, math.pi / 2)
    pull = torch.tensor([[0.0, -0.65, 0.0, 0.0, 0.0]])
    _, terms = task.reward(state, pull, puppet().step(state, pull), goal)
    assert float(terms["progress"]) == pytest.approx(0.55 * 0.5, abs=1e-4)
    assert float(terms["facing"]) == pytest.approx(
        0.5 * (0.3 * 0.5 + 0.25 * math.exp(-8 * math.sin(math.pi / 4))), abs=1e-4
    )
    assert float(terms["walls"]) == 0
    there = at(2.0, 2.0)
    reward, terms = task.reward(there, torch.zeros(1, 5), there, goal)
    assert float(terms["progress"]) == pytest.approx(0.55, abs=5e-3) and float(
        terms["facing"]
    ) == pytest.approx(0.275)
    penalties = [
        float(terms[name]) for name in ("latent", "range", "skate", "glide", "floating", "sinking")
    ]
    own = sum(float(terms[name]) for name in ("progress", "facing", "walls"))
    assert float(reward) == pytest.approx(own - sum(penalties), abs=1e-5)


def test_nobody_is_paid_more_for_running_than_for_the_wished_pace() -> None:
    task, goal = laid()
    walk, run = (torch.tensor([[pace, 0.0, 0.0, 0.0, 0.0]]) for pace in (1.3, 2.0))
    paid = [
        task.reward(at(0, 0), pull, puppet().step(at(0, 0), pull), goal)[1]["progress"]
        for pull in (walk, run)
    ]
    assert float(paid[0]) == pytest.approx(0.55, abs=1e-4) and torch.equal(*paid)


@pytest.mark.parametrize(
    ("apart", "near"), [(ROOM + 0.1, 0), (ROOM / 2, 0.5), (0.0, 1.0), (-0.2, 1.5)]
)
def test_being_near_a_wall_costs_and_touching_it_ends_the_episode(
    apart: float, near: float
) -> None:
    """``apart`` between the face of the wall at x = -1 and the torso, towards which the back is
    turned."""
    task, goal = laid()
    state = at(-1 + THICKNESS / 2 + TORSO + apart, 0.0, math.pi / 2)
    assert float(task.clearance(state, goal)) == pytest.approx(apart, abs=1e-3)
    _, terms = task.reward(state, torch.zeros(1, 5), state, goal)
    assert float(terms["walls"]) == pytest.approx(-0.5 * (near + near**2), abs=0.02)
    closer = at(-1 + THICKNESS / 2 + TORSO + apart - 0.01, 0.0, math.pi / 2)
    assert bool(Simulation(puppet(), task).advance(closer, goal, torch.zeros(1, 5)).terminated) == (
        apart <= 0
    )


def moved(goal: MazeGoal, yaw: float, x: float, z: float) -> MazeGoal:
    angle = torch.tensor(yaw)
    shift = torch.tensor([x, z])
    return replace(
        goal,
        walls=geometry.turn(goal.walls, angle) + shift,
        middles=geometry.turn(goal.middles, angle) + shift,
    )


@torch.no_grad()
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 1000),
    yaw=st.floats(-math.pi, math.pi),
    x=st.floats(-20, 20),
    z=st.floats(-20, 20),
)
def test_moving_and_turning_the_world_changes_nothing(
    seed: int, yaw: float, x: float, z: float
) -> None:
    simulation = Simulation(character(), MazeTask(character()))
    here = anywhere(seed, 6)
    goal = simulation.task.draw_goal(here, generator(seed))
    there = turned(here, yaw, x, z)
    other = moved(goal, yaw, x, z)
    observation = simulation.observe(there, other)
    expected = simulation.observe(here, goal)
    assert (
        float(((observation - expected).abs() > 1e-3).float().mean()) < 0.01
    )  # a ray may just miss a wall's end, or not
    torch.testing.assert_close(
        observation[:, : -sight.RAYS], expected[:, : -sight.RAYS], atol=1e-3, rtol=0
    )
    one, two = (
        simulation.advance(s, g, latents(seed, 6, 6)) for s, g in ((here, goal), (there, other))
    )
    torch.testing.assert_close(two.reward, one.reward, atol=1e-3, rtol=0)


@torch.no_grad()
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 6), columns=st.integers(2, 6))
def test_a_drawn_maze_has_its_character_inside_clear_of_the_walls_and_its_exit_elsewhere(
    seed: int, rows: int, columns: int
) -> None:
    task = MazeTask(character(), MazeConfig(rows, columns))
    state = anywhere(seed, 20)
    goal = task.draw_goal(state, generator(seed))
    hips = sight.wall_distance(state.position[:, None], goal.walls)[:, 0]
    assert (hips > THICKNESS / 2 + TORSO + 0.19).all()
    cell = goal.cell(state.position)
    left = goal.left.gather(1, cell[:, None])[:, 0]
    assert (left > 0).all() and left.isfinite().all() and (goal.left == 0).sum(dim=1).eq(1).all()


@torch.no_grad()
def test_what_is_seen_stays_within_its_bounds() -> None:
    simulation = Simulation(character(), MazeTask(character(), MazeConfig(hold_frames=1.0)))
    low, high = simulation.observation_bounds()
    draw = generator(1)
    state, goal = simulation.reset(50, draw)
    for _ in range(40):
        observation = simulation.observe(state, goal)
        assert (observation >= low - 1e-5).all() and (observation <= high + 1e-5).all()
        state = simulation.advance(state, goal, latents(1, 50, 6)).state
        goal = simulation.task.next_goal(state, goal, draw)


def test_the_reward_has_a_slope_everywhere() -> None:
    task, goal = laid()
    for x, z in ((0.0, 0.0), (2.0, 2.0), (-0.7, 0.3), (2.0, 1.6), (5.0, 5.0)):
        pull = torch.tensor([[0.3, 0.2, 0.1, 0.0, 0.0]], requires_grad=True)
        state = at(x, z, 0.4)
        reward, _ = task.reward(state, pull, puppet().step(state, pull), goal)
        (slope,) = torch.autograd.grad(reward.sum(), pull)
        assert slope.isfinite().all() and slope[0, :3].abs().sum() > 0


# -- who steers ------------------------------------------------------------------------------------


def navigator(task: MazeTask, limit: float = 2.0, seed: int = 0) -> Navigator:
    """Untrained, over an untrained joystick policy."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pose = task.character.layout.size
        latent = task.character.latent
        pilot = Actor(pose + 4, latent, [8], limit)
        model = Navigator(
            pose + task.goal_size, [8], pilot.sizes, JoystickTask(task.character).settings()
        )
        model.pilot.load_state_dict(pilot.state_dict())
    return model


@torch.no_grad()
def test_an_untrained_navigator_passes_the_wish_on() -> None:
    model = navigator(MazeTask(character()))
    model.head.weight.zero_(), model.head.bias.zero_()
    observation = latents(1, 50, model.sizes["observation"])
    pose = character().layout.size
    observation[:, pose : pose + 2] = observation[:, pose : pose + 2].clamp(-0.4, 0.4)
    torch.testing.assert_close(model.wish(observation), observation[:, pose : pose + 4])
    torch.testing.assert_close(model(observation), model.pilot(observation[:, : pose + 4]))


@torch.no_grad()
def test_a_navigator_turns_a_wish_to_the_left_and_slows_it_down() -> None:
    """Its three outputs by hand: a wish to go ahead at 0.4 m/s facing there, at half the pace,
    turned by 45° and, for the way alone, by 30° back."""
    model = navigator(MazeTask(character()))
    model.head.weight.zero_()
    turn = math.radians(45)
    aside = math.radians(-30)
    half = [math.atanh(angle / (math.pi / 2)) for angle in (turn, aside)]
    model.head.bias.copy_(torch.tensor([math.log(1 / 3), *half]))  # 2·sigmoid = 0.5
    observation = torch.zeros(1, model.sizes["observation"])
    pose = character().layout.size
    observation[0, pose : pose + 4] = torch.tensor([0.4, 0.0, 1.0, 0.0])
    go = turn + aside
    by_hand = [0.2 * math.cos(go), 0.2 * math.sin(go), math.cos(turn), math.sin(turn)]
    torch.testing.assert_close(model.wish(observation)[0], torch.tensor(by_hand), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_navigator_wishes_nothing_faster_than_its_pilot_was_trained_for() -> None:
    model = navigator(MazeTask(character()))
    observation = 30 * latents(1, 400, model.sizes["observation"])
    forward, left, cos, sin = model.wish(observation).unbind(dim=-1)
    aside = torch.atan2(left, forward) - torch.atan2(sin, cos)
    speed = torch.hypot(forward, left)
    limit = JoystickConfig().speed_limit(aside)
    assert (speed <= limit + 1e-4).all() and float(speed.max()) > 1.5


def test_a_navigator_learns_and_its_pilot_does_not() -> None:
    model = navigator(MazeTask(character()))
    model(latents(1, 3, model.sizes["observation"])).sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith("pilot.")


def test_a_navigator_is_saved_and_read_with_its_pilot(tmp_path: Any) -> None:
    task = MazeTask(character())
    simulation = Simulation(character(), task)
    policy = Policy.of(navigator(task), character(), task.name, task.settings())
    policy.save(tmp_path / "maze.safetensors")
    again = Policy.load_for(tmp_path / "maze.safetensors", simulation)
    observation = latents(2, 5, simulation.observation_size)
    assert isinstance(again.actor, Navigator) and torch.equal(
        again(observation), policy(observation)
    )
    other = Simulation(character(), TargetTask(character()))
    with pytest.raises(
        CheckpointError,
        match="a policy for the task 'maze' found; 'target' or 'joystick' is expected",
    ):
        Policy.load_for(tmp_path / "maze.safetensors", other)


def test_a_navigator_is_trained_over_its_pilot_and_a_run_goes_on(tmp_path: Path) -> None:
    """A few horizons by the command's own means: the navigator changes, the pilot stays, both are
    in the checkpoint."""
    character().save(tmp_path / "mvae.safetensors")
    joystick = JoystickTask(character())
    stick = Actor(character().layout.size + 4, character().latent, [8], 2.0)
    Policy.of(stick, character(), "joystick", joystick.settings()).save(
        tmp_path / "joystick.safetensors"
    )
    config = PolicyConfig(
        task="maze", mvae=tmp_path / "mvae.safetensors", pilot=tmp_path / "joystick.safetensors",
        out=tmp_path / "run", steps=200, characters=4, hidden=(8,), workers=1,
        shac=ShacConfig(horizon=4),
    )  # fmt: skip
    training = PolicyTraining(config)
    before = training.trainer.actor()
    while training.frames < config.steps:
        training.iterate()
    training.save()
    after = Policy.load(training.policy_path, character(), "maze").actor
    assert isinstance(before, Navigator) and isinstance(after, Navigator)
    assert not torch.equal(after.head.weight, before.head.weight)
    for name, value in stick.state_dict().items():
        assert torch.equal(after.pilot.state_dict()[name], value)
    resumed = PolicyTraining(replace(config, resume=True))
    assert resumed.frames == training.frames and "pilot" in resumed.policy().header
    with pytest.raises(
        ConfigError,
        match=r"^start is 'actor'; allowed: a policy of the same kind, navigator$",
    ):
        PolicyTraining(
            replace(config, start=tmp_path / "joystick.safetensors", out=tmp_path / "other")
        )


# -- how it is measured ----------------------------------------------------------------------------


def ghost(task: MazeTask, pace: float = 3.0) -> Any:
    """Who glides along the cells' middles on the puppet's strings, turned to none of them."""

    def act(state: CharacterState, goal: MazeGoal) -> Tensor:
        cell = goal.cell(state.position)
        here = goal.middles.gather(1, cell[:, None, None].expand(-1, 1, 2))[:, 0]
        ahead = goal.ahead(state.position, 1)[:, 0]
        way = torch.nn.functional.normalize(ahead - here, dim=1)
        offset = here - state.position
        velocity = pace * way + 8 * (offset - (offset * way).sum(dim=1, keepdim=True) * way)
        arrived = goal.left.gather(1, cell[:, None])[:, 0] == 0
        velocity = torch.where(arrived[:, None], 2 * offset, velocity).clamp(-2, 2)
        local = geometry.turn(velocity, -state.yaw)
        rest = torch.zeros(len(state), 3)
        return torch.cat((local.flip(-1), rest), dim=1)

    return act


def test_who_keeps_to_the_middle_solves_every_maze_and_who_goes_straight_does_not() -> None:
    task = MazeTask(puppet(), MazeConfig(2, 3, cell=1.4))
    simulation = Simulation(puppet(), task)
    good = maze_figures(simulation, ghost(task), 8, 1.0, 1)
    assert good["solved_fraction"] == good["reach_fraction"] == 1 and good["touch_fraction"] == 0
    assert good["torso_touch_fraction"] == 0 and 1.0 < good["maze_speed_m_s"] < 3.5
    assert good["solve_time_mirrored_s"] == pytest.approx(good["solve_time_original_s"], rel=0.05)

    def straight(state: CharacterState, goal: MazeGoal) -> Tensor:
        local = geometry.turn(
            torch.nn.functional.normalize(goal.exit - state.position, dim=1), -state.yaw
        )
        return torch.cat((local.flip(-1), torch.zeros(len(state), 3)), dim=1)

    bad = maze_figures(simulation, straight, 8, 1.0, 1)
    assert bad["solved_fraction"] == 0 and bad["touch_fraction"] == bad["torso_touch_fraction"] == 1
    nobody = maze_figures(simulation, lambda state, goal: torch.zeros(len(state), 5), 3, 1.0, 1)
    assert nobody["reach_fraction"] == nobody["touch_fraction"] == 0 and math.isnan(
        nobody["solve_time_s"]
    )


def test_hands_and_feet_count_as_well_as_the_torso() -> None:
    """Of a captured pose whose joint farthest from the hips is a hand or a foot, at any distance
    from a wall: what touches by its predicted joints, touches as it is drawn."""
    task = MazeTask(character(), MazeConfig(2, 2, cell=2.0))
    state = character().reset(40, generator(1))
    state = replace(
        state, position=torch.stack((torch.linspace(-0.95, -0.3, 40), torch.zeros(40)), dim=1)
    )
    goal = batch.select(
        task.goal_in(at(0, 0), elbow(), exit=(1, 1)), torch.zeros(40, dtype=torch.long)
    )
    torso, anything = touches(character(), state, goal)
    assert torch.equal(torso, state.position[:, 0] < -1 + THICKNESS / 2 + TORSO)
    assert (
        (anything | ~torso).all() and bool((anything & ~torso).any()) and not bool(anything.all())
    )
    assert (
        float((task.failed(state, goal) == anything).float().mean()) > 0.9
    )  # bones have one length when drawn


def test_the_mazes_of_the_trial_come_in_mirrored_pairs_from_corner_to_corner() -> None:
    task = MazeTask(character())
    state = character().reset(7, generator(0))
    goal = unseen_mazes(task, state, generator(4))
    torch.testing.assert_close(goal.walls[4:] * torch.tensor([-1.0, 1.0]), goal.walls[:3])
    assert (
        torch.equal(goal.left[4:], goal.left[:3]) and goal.cell(state.position).tolist() == [0] * 7
    )
    assert (goal.left[:, 24] == 0).all() and torch.equal(
        unseen_mazes(task, state, generator(4)).walls, goal.walls
    )
    assert not torch.equal(unseen_mazes(task, state, generator(5)).left, goal.left)


# -- in the window ---------------------------------------------------------------------------------


@pytest.fixture
def player() -> Player:
    return Player(puppet(), [named("only")], task="maze")


def test_each_press_lays_the_next_maze_around_the_character(player: Player) -> None:
    first = player.now.stage
    assert first.walls is not None and first.flag is not None and first.rays is None
    assert first.walls.shape == (36, 2, 2) and player.game.status.startswith("number 1, ")
    player.step({"5"})
    second = player.now.stage
    assert second.walls is not None and not np.array_equal(first.walls, second.walls)
    assert player.game.status.startswith("number 2, ")
    again = Player(
        puppet(), [named("only")], seed=9, task="maze"
    ).now.stage  # a number is always the same maze
    assert again.walls is not None and np.allclose(again.walls, first.walls, atol=1e-5)


def test_whoever_points_or_drags_sets_the_exit_and_v_shows_the_rays(player: Player) -> None:
    game = player.game
    assert isinstance(game, MazeGame)
    for cell, pick in (
        (7, player.point),
        (12, lambda x, z: player.trace([(0.0, 0.0), (x, z)], True)),
    ):
        x, z = game.goal.middles[0, cell].tolist()
        pick(x + 0.3, z - 0.3)
        assert torch.equal(game.goal.exit[0], game.goal.middles[0, cell])
    player.step({"v"})
    rays = player.now.stage.rays
    walls = player.now.stage.walls
    assert rays is not None and walls is not None and rays.shape == (sight.RAYS, 2, 2)
    apart = sight.wall_distance(torch.tensor(rays[None, :, 1]), torch.tensor(walls[None]))
    assert float(apart.max()) < 1e-3
    player.step({"v"})
    assert player.now.stage.rays is not None  # still held
    player.step(set())
    player.step({"v"})
    assert player.now.stage.rays is None


def test_a_wall_is_drawn_as_a_box_around_its_line_seen_from_outside() -> None:
    """Of a wall from (1, 2) to (1, 4): five faces, whose normals point away from its middle."""
    corners = faces(np.array([[[1.0, 2.0], [1.0, 4.0]]]))
    corner, first, second = (corners[:, row, :3] for row in range(3))
    middle = corner + (first + second) / 2
    normal = np.cross(first, second)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    away = ((middle - (1.0, HEIGHT / 2, 3.0)) * normal).sum(axis=1)
    half = THICKNESS / 2
    assert sorted(away.round(4).tolist()) == pytest.approx(
        sorted([half, half, 1 + half, 1 + half, HEIGHT / 2]), abs=1e-4
    )
    assert faces(None).shape == beams(None).shape == (0, 4, 4)


def test_a_ray_is_drawn_as_a_band_from_its_start_to_its_end() -> None:
    band = beams(np.array([[[1.0, 1.0], [4.0, 5.0]]]))[0, :3, :3]
    start = band[0] + band[2] / 2
    end = band[0] + band[1] + band[2] / 2
    assert start[[0, 2]].tolist() == pytest.approx([1, 1]) and end[
        [0, 2]
    ].tolist() == pytest.approx([4, 5])
    assert float(np.cross(band[1], band[2])[1]) > 0  # the camera is above


# -- the environment and the shipped policy --------------------------------------------------------


def test_a_batch_begins_anew_where_a_wall_was_touched() -> None:
    env = gymnasium.make_vec("MotionVAE/Maze-v0", num_envs=16)
    env.reset(seed=1)
    env.action_space.seed(1)
    touched = np.zeros(16, bool)
    for _ in range(120):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        assert not truncated.any() and env.observation_space.contains(observation)
        touched |= terminated
    assert touched.any()


@pytest.fixture(scope="module")
def shipped() -> tuple[Simulation, Policy]:
    walker = Character.load(CharacterFolder.open().mvae)
    simulation = Simulation(walker, MazeTask(walker))
    return simulation, Policy.load_for(CharacterFolder.open().policy("maze"), simulation)


def test_mazes_that_nobody_saw_are_solved(shipped: tuple[Simulation, Policy]) -> None:
    """Twelve of them, by a navigator; all figures are in the model card."""
    simulation, policy = shipped
    assert isinstance(policy.actor, Navigator)
    figures = maze_figures(
        simulation, lambda state, goal: policy(simulation.observe(state, goal)), 12, 1.0, 3
    )
    assert figures["solved_fraction"] >= 11 / 12 and figures["torso_touch_fraction"] == 0


def test_the_command_measures_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["evaluate", "--task", "maze", "--characters", "2", "--seconds", "1", "--json"]
    monkeypatch.setattr("sys.argv", words)
    evaluate.main()
    figures = json.loads(capsys.readouterr().out)
    assert figures["task"] == "maze" and {
        "solved_fraction",
        "touch_fraction",
        "solve_time_s",
    } <= set(figures)
