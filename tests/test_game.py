"""Tasks in the user's hands: keys switch them, clicks and lines set their goals, sliders set z."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch
from test_play import PuppetPolicy, hold, named, untrained

from controller.control.actors import Actor
from controller.control.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.control.policy import Policy
from controller.dynamics.character import Character
from controller.evaluation.trials.crowd import overlapping
from controller.games import GAMES
from controller.games.crowd import STAY_SENT, TOUCH, CrowdGame
from controller.games.named_policy import NamedPolicy
from controller.games.player import Player
from controller.games.random_walk import RandomGame, effect
from controller.games.settings import Settings
from controller.tasks import TASKS
from controller.tasks.crowd import REACHED, TORSO
from controller.tasks.shapes import SHAPES
from controller.tasks.simulation import Simulation
from controller.viewer.gl.marks import CLOCK, FLAG, PLAIN, SOFT, crowd_marks, ground_marks
from controller.viewer.input.keys import STEERING_KEYS
from controller.viewer.scene.camera import FollowCamera

OURS = [name for name, game in GAMES.items() if game.__module__.startswith("controller.")]
"""Games without those of tasks that examples register."""
SETTINGS = Settings(characters=12, monte_carlo=MonteCarloConfig(samples=20, horizon=2))


@pytest.fixture
def player() -> Player:
    return Player(synthetic.puppet(), [named("only")], settings=SETTINGS)


# -- which task, which policy ----------------------------------------------------------------------


def test_each_key_switches_the_task_in_mid_walk(player: Player) -> None:
    hold(player, {"w"})
    keys = [GAMES.key(task) for task in OURS]
    assert keys == [str(number) for number in range(1, len(OURS) + 1)]
    for task in (*OURS, "joystick"):
        key = GAMES.key(task)
        assert key in STEERING_KEYS
        before = player.now
        root = player.root
        player.step({key})
        assert player.game.name == task
        # Puppets fall over strings that are drawn at random.
        assert task in ("random", "monte_carlo") or float((player.root - root)[[0, 2]].norm()) < 0.1
        assert (player.now.facing is not None) == (task == "joystick")
        if task != "crowd":
            assert len(player.state) == 1 and (
                player.before is before or player.before is player.now
            )
        player.step(set())


def test_a_key_without_a_task_changes_nothing(player: Player) -> None:
    for key in set("123456789") - {GAMES.key(task) for task in GAMES}:
        player.step({key})
        assert player.game.name == "joystick"


def trained_for(character: Character, task: str, path: Path | None = None) -> Policy:
    """An untrained policy that says it was trained for a task."""
    simulation = Simulation(character, TASKS[task](character))
    actor = Actor(simulation.observation_size, character.latent, (8,), 1.0)
    policy = Policy.of(
        actor, character, task, simulation.task.settings(), training={"algorithm": "shac"}
    )
    if path:
        policy.save(path)
    return policy


def test_a_policy_trained_for_the_task_plays_it_first_and_sees_all_of_it(player: Player) -> None:
    who = synthetic.puppet()
    policies = [named("stick"), NamedPolicy("own", trained_for(who, "target"))]
    player = Player(who, policies)
    assert [policy.name for policy in player.policies] == ["stick"]
    player.choose("target")
    assert [policy.name for policy in player.policies] == ["own", "stick"]
    assert player.game.policy is policies[1].policy
    player.step({"p"})
    assert player.policy is policies[0]
    player.choose("path")
    assert [policy.name for policy in player.policies] == ["stick"]


def test_a_joystick_policy_is_given_all_columns_of_the_task() -> None:
    """As the evaluation does: it is widened, not shown a part."""
    who = synthetic.puppet()
    player = Player(who, [NamedPolicy("stick", trained_for(who, "joystick"))], task="target")
    assert player.game.policy is not None
    assert player.game.policy.actor.sizes["observation"] == player.game.simulation.observation_size
    player.step(set())


def test_the_policy_of_a_task_is_its_own_or_else_the_one_it_extends(tmp_path: Path) -> None:
    folder = synthetic.folder_of(synthetic.puppet(), tmp_path)
    for name in ("joystick.safetensors", "joystick_ppo.safetensors"):
        (tmp_path / name).touch()
    assert folder.policy("target").stem == "joystick"
    (tmp_path / "target.safetensors").touch()
    assert [path.stem for path in folder.policies("target")] == [
        "target",
        "joystick",
        "joystick_ppo",
    ]
    assert folder.policy("timed_target").stem == "joystick"


def test_without_a_policy_the_task_stays_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = synthetic.puppet()
    synthetic.in_place_of_woody(who, tmp_path, monkeypatch)
    player = Player(who, [NamedPolicy("own", trained_for(who, "target"))], task="target")
    player.step({"1"})
    assert (
        player.game.name == "target"
        and "there is no policy for the task 'joystick'" in player.complaint
    )
    player.step({"7"})
    assert player.game.name == "random" and player.complaint == ""


def test_policies_shipped_for_another_model_are_no_policies(tmp_path: Path, mvae: Path) -> None:
    untrained(mvae, tmp_path / "own.safetensors")
    player = Player.load(mvae, [tmp_path / "own.safetensors"], 0)
    for task in OURS:
        player.choose(task)
        assert player.game.name == task


# -- flags -----------------------------------------------------------------------------------------


def test_it_walks_to_the_flag_ahead_and_then_to_where_somebody_points(player: Player) -> None:
    player.choose("target")
    assert hold(player, set(), 6.0) == pytest.approx((0, 0), abs=0.03)
    assert player.root[[0, 2]].numpy() == pytest.approx((0, 3), abs=0.3)
    player.point(-2.0, 1.0)
    player.step(set())
    assert player.now.stage.flag == pytest.approx((-2, 1))
    hold(player, set(), 6.0)
    assert player.root[[0, 2]].numpy() == pytest.approx((-2, 1), abs=0.3)


def test_a_timed_target_is_reached_when_its_clock_has_run_down(player: Player) -> None:
    player.choose("timed_target")
    assert player.game.clock == "4.5 s"
    hold(player, set(), 3.0)
    assert player.game.clock == "1.5 s" and player.now.stage.clock == pytest.approx(1 / 3, abs=1e-5)
    assert float(player.root[2]) < 2.5
    hold(player, set(), 1.5)
    assert player.game.clock == "0.0 s" and float(player.root[2]) == pytest.approx(3, abs=0.45)


def test_monte_carlo_control_plays_the_target_without_a_policy() -> None:
    player = Player(synthetic.character(), settings=SETTINGS, task="monte_carlo")
    assert player.policies == [] and player.policy is None
    state = player.state
    goal = player.game.goal
    control = MonteCarlo(player.game.simulation, SETTINGS.monte_carlo)
    for _ in range(5):
        player.step({"p"})
        state = player.game.simulation.move(state, control(state, goal))
        torch.testing.assert_close(player.state.pose, state.pose)
    player.point(1.0, -2.0)
    assert player.game.goal.position.tolist() == [[1.0, -2.0]]
    assert player.game.status == "best of 20 tries, 2 frames deep"


# -- paths -----------------------------------------------------------------------------------------


def test_each_press_takes_the_next_shape_and_a_reset_keeps_it(player: Player) -> None:
    names = []
    for _ in range(len(SHAPES) + 1):
        player.step({"4"})
        player.step(set())
        names.append(player.game.status)
    assert names == [*SHAPES, next(iter(SHAPES))]
    player.reset()
    assert player.game.status == names[0]
    hold(player, set(), 4.0)
    line = player.now.stage.line
    assert line is not None
    error = np.hypot(*(line - player.root[[0, 2]].numpy()).T)
    assert error.min() < 0.25 and error.argmin() > 20  # points, 0.1 m each


def test_a_drawn_line_is_shown_as_it_grows_and_then_walked_along(player: Player) -> None:
    player.choose("path")
    before = player.now.stage.line
    trembling = [(0.4 * math.sin(t / 4) + 0.01 * (-1) ** t, t / 10) for t in range(60)]
    player.trace(trembling[:30], done=False)
    player.step(set())
    assert player.game.status == "drawing" and player.now.stage.line is not before
    player.trace(trembling[30:], done=True)
    assert player.game.status.startswith("drawn, 6.")
    error = []
    for _ in range(200):
        player.step(set())
        error.append(float(np.hypot(*(np.array(trembling) - player.root[[0, 2]].numpy()).T).min()))
    assert float(np.mean(error)) < 0.15
    assert player.root[[0, 2]].numpy() == pytest.approx(trembling[-1], abs=0.3)


@pytest.mark.parametrize(
    "line", [[], [(0.0, 0.0)], [(1.0, 1.0), (1.1, 1.1)], [(900.0, 0.0), (910.0, 5.0)]]
)
def test_a_line_too_short_or_on_the_horizon_is_refused_in_words(
    player: Player, line: list[tuple[float, float]]
) -> None:
    player.choose("path")
    goal = player.game.goal
    player.trace(line, done=True)
    assert player.game.status == "too short: draw 0.5 m or more" and player.game.goal is goal
    player.step(set())


# -- random walk -----------------------------------------------------------------------------------


def test_nobody_steers_a_random_walk(player: Player) -> None:
    player.choose("random")
    assert player.policies == []
    before = player.root
    player.step({"w"})
    assert float((player.root - before).abs().max()) > 0


def test_sliders_hold_z_and_the_others_are_drawn_or_nothing(player: Player) -> None:
    player.choose("random")
    sliders = player.game.sliders
    assert isinstance(player.game, RandomGame) and sliders is not None
    sliders.clamp(0, 1.2)  # the puppet's first string: m/s ahead
    sliders.clamp(3, 0.0)  # which holds it up
    points = set()
    for _ in range(5):
        player.step(set())
        assert sliders.values[0] == 1.2
        points.add(float(sliders.values[1]))
    assert len(points) == 5 and "2 of 5 of z held, the others drawn at random" in player.game.status
    player.step({"n"})
    assert list(sliders.values) == [1.2, 0.0, 0.0, 0.0, 0.0]
    assert np.hypot(*hold(player, set(), 1.0)) == pytest.approx(1.2, abs=0.01)
    player.step({"0"})
    assert not sliders.clamped.any() and hold(player, set(), 1.0) == pytest.approx((0, 0), abs=1e-3)
    sliders.clamp(1, 99.0)
    assert sliders.values[1] == sliders.limit == 2.0


def test_the_units_that_move_most_are_the_brightest() -> None:
    """Of the puppet's strings only the hips' height moves a joint where it stands, 1 m for each
    unit."""
    share = effect(synthetic.puppet())
    assert share.shape == (5,) and share[3] == 1.0 and share[4] == 0.0 and share.argmax() == 3


# -- crowd -----------------------------------------------------------------------------------------


@pytest.fixture
def crowd(player: Player) -> Player:
    hold(player, {"w"})
    player.step({"6"})
    return player


def test_a_crowd_gathers_around_the_one_that_walks(crowd: Player) -> None:
    assert (
        isinstance(crowd.game, CrowdGame)
        and crowd.game.status == "12 characters, following number 1"
    )
    others = crowd.now.others
    assert others is not None and others.root.shape == (11, 3)
    assert not overlapping(crowd.state).any()
    assert float(
        (crowd.state.position - crowd.state.position[0]).norm(dim=-1).max()
    ) < crowd.game.task.side(12)
    crowd.step({"1"})
    assert len(crowd.state) == 1 and crowd.now.others is None


@pytest.mark.parametrize("count", [1, 2, 200])
def test_any_crowd_from_one_to_two_hundred(count: int) -> None:
    player = Player(
        synthetic.puppet(), [named("only")], task="crowd", settings=Settings(characters=count)
    )
    for _ in range(3):
        player.step(set())
    others = player.now.others
    assert len(player.state) == count and (0 if others is None else len(others.root)) == count - 1
    assert len(crowd_marks(player.now)) == 2 * (count - 1)


def test_each_goes_from_one_point_to_the_next_without_bumping(crowd: Player) -> None:
    first = crowd.game.goal.position.clone()
    touched = 0
    for _ in range(600):
        crowd.step(set())
        touched += int(overlapping(crowd.state).sum())
    assert (crowd.game.goal.position != first).any(dim=1).float().mean() > 0.7
    assert touched < 0.02 * 600 * 12 and TORSO == 0.25


def test_n_or_a_click_follows_another_one_and_no_scene_lies_between_two_people(
    crowd: Player,
) -> None:
    crowd.step({"n"})
    assert crowd.game.followed == 1 and crowd.before is crowd.now
    other = crowd.state.position[7].tolist()
    crowd.point(other[0] + 0.5 * TOUCH, other[1])
    crowd.step(set())
    assert crowd.game.followed == 7
    assert crowd.root[[0, 2]].numpy() == pytest.approx(crowd.state.position[7].numpy(), abs=1e-5)
    assert crowd.now.others is not None and len(crowd.now.others.root) == 11


def test_a_click_sends_one_there_and_from_above_everybody(crowd: Player) -> None:
    crowd.point(20.0, 20.0)
    crowd.step(set())
    assert crowd.now.stage.flag == pytest.approx((20, 20))
    assert (crowd.game.goal.position == torch.tensor([20.0, 20.0])).all(dim=1).sum() == 1
    middle = crowd.state.position.mean(dim=0) + 3.0
    crowd.point(*middle.tolist(), overlooking=True)
    points = crowd.game.goal.position
    apart = torch.cdist(points, points).fill_diagonal_(9.0)
    assert float((points - middle).norm(dim=-1).max()) < 3.5 and float(apart.min()) > 2 * TORSO
    best = torch.full((12,), 9.0)
    for _ in range(30 * 12):
        crowd.step(set())
        best = best.minimum((crowd.state.position - points).norm(dim=-1))
    assert (best < REACHED).float().mean() > 0.7 and STAY_SENT > 1


def test_whoever_falls_in_a_crowd_stands_up_where_it_lies(crowd: Player) -> None:
    class Drops(PuppetPolicy):
        def __call__(self, observation):  # type: ignore[no-untyped-def]
            strings = super().__call__(observation)
            strings[5, 3] = -2.0
            return strings

    who = synthetic.puppet()
    place = crowd.state.position[5]
    crowd.game.policy = Drops(who)  # type: ignore[assignment]
    crowd.step(set())
    assert bool(who.alive(crowd.state).all()) and len(crowd.state) == 12
    assert crowd.state.position[5].numpy() == pytest.approx(place.numpy(), abs=0.1)


# -- what is shown ---------------------------------------------------------------------------------


def test_back_at_the_joystick_it_stands_until_steered(player: Player) -> None:
    player.choose("target")
    hold(player, set(), 2.0)
    player.choose("joystick")
    player.point(5.0, 5.0)  # no task to point for
    assert hold(player, set()) == pytest.approx((0, 0), abs=0.03)


def test_flag_clock_line_and_crowd_are_marked_on_the_ground(player: Player) -> None:
    player.choose("target")
    player.step(set())
    ((place, paint),) = ground_marks(player.now)
    assert place == pytest.approx((0, 3, 0, FLAG), abs=1e-6) and paint[3] == PLAIN
    player.choose("timed_target")
    player.step(set())
    _, (_, dial) = ground_marks(player.now)
    assert CLOCK - 1 < dial[3] < CLOCK - 0.9
    for _ in SHAPES:
        player.choose("path")
        player.step(set())
        line = player.now.stage.line
        marks = ground_marks(player.now)
        assert line is not None and len(marks) > 20
        (x, z, yaw, _), _ = marks[0]
        assert (x, z) == pytest.approx(line[0], abs=1e-6)
        assert (math.sin(yaw), math.cos(yaw)) == pytest.approx((line[1] - line[0]) / 0.1, abs=0.05)
    player.choose("crowd")
    player.step(set())
    kinds = crowd_marks(player.now)[:, 1, 3]
    assert (kinds == SOFT).sum() == (kinds == PLAIN).sum() == 11


def test_the_ground_under_a_pixel() -> None:
    """From 4 m up, looking along +Z and down at 45°: the middle hits 4 m ahead; 18° above it, 4/tan
    27°; +X is left."""
    camera = FollowCamera(0.0, math.radians(45), math.hypot(4 - 0.86, 4 - 0.86))
    camera.jump(np.array((0.0, 0.0, 4 - 0.86)))
    assert camera.eye == pytest.approx((0, 4, 0), abs=1e-9)
    assert camera.ground_at((200, 100), (400, 200)) == pytest.approx((0, 4))
    assert camera.ground_at((200, 0), (400, 200)) == pytest.approx(
        (0, 4 / math.tan(math.radians(27)))
    )
    across = 4 * math.sqrt(2) * math.tan(math.radians(18))
    assert camera.ground_at((100, 100), (400, 200)) == pytest.approx((across, 4))


def test_there_is_no_ground_above_the_horizon() -> None:
    camera = FollowCamera(0.3, 0.0, 4.0)
    camera.jump(np.zeros(3))
    assert camera.ground_at((160, 0), (320, 180)) is None
    assert camera.ground_at((160, 90), (320, 180)) is None  # on it
    assert camera.ground_at((160, 170), (320, 180)) is not None
