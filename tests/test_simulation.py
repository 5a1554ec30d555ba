"""A character with a task: what it sees of its wish, what it is paid, and when it has fallen."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import PUPPET_LATENT, anywhere, character, data, latents, layout, puppet, turned
from torch import Tensor

from controller.core import batch
from controller.core.errors import ConfigError
from controller.dynamics.character import CharacterState
from controller.motion import geometry
from controller.motion.feet import Feet
from controller.tasks import TASKS, task_type
from controller.tasks.joystick import JoystickConfig, JoystickGoal, JoystickTask
from controller.tasks.penalties import Penalties, PenaltyWeights
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation


def joystick() -> Simulation:
    return Simulation(character(), JoystickTask(character()))


def standing(yaw: float, x: float = 0.0, z: float = 0.0) -> CharacterState:
    state = puppet().reset(1)
    return CharacterState(state.pose, torch.tensor([[x, z]]), torch.tensor([yaw]))


def wish(x: float, z: float, facing: float) -> JoystickGoal:
    return JoystickGoal(torch.tensor([[x, z]]), torch.tensor([facing]))


def pulled(forward: float = 0.0, left: float = 0.0, turn: float = 0.0, lift: float = 0.0) -> Tensor:
    """The puppet's strings."""
    return torch.tensor([[forward, left, turn, lift, 0.0]])


# -- what is seen ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("velocity", "forward", "left"),
    [((1.5, 0.0), 1.5, 0), ((0.0, -1.5), 0, 1.5), ((0.0, 1.5), 0, -1.5), ((-1.5, 0.0), -1.5, 0)],
)
def test_a_wish_is_seen_from_where_one_faces(
    velocity: tuple[float, float], forward: float, left: float
) -> None:
    """Facing +X: +X is ahead, −Z to the left, +Z to the right, −X behind."""
    observation = JoystickTask(puppet()).observe_goal(
        standing(math.pi / 2, 3, 4), wish(*velocity, math.pi / 2)
    )
    torch.testing.assert_close(
        observation, torch.tensor([[forward, left, 1.0, 0.0]]), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("facing", "cosine", "sine"), [(0.5, 1, 0), (0.5 + math.pi / 2, 0, 1), (0.5 - math.pi, -1, 0)]
)
def test_a_wished_facing_is_seen_as_an_angle_positive_to_the_left(
    facing: float, cosine: float, sine: float
) -> None:
    observation = JoystickTask(puppet()).observe_goal(standing(0.5), wish(0, 0, facing))
    torch.testing.assert_close(
        observation, torch.tensor([[0.0, 0.0, cosine, sine]]), atol=1e-6, rtol=0
    )


def test_an_observation_is_the_pose_and_the_wish() -> None:
    simulation = joystick()
    state, goal = simulation.reset(7, torch.Generator().manual_seed(0))
    observation = simulation.observe(state, goal)
    assert (
        observation.shape == (7, layout().size + 4)
        and simulation.observation_size == layout().size + 4
    )
    assert torch.equal(observation[:, : layout().size], state.pose)
    assert torch.equal(observation[:, layout().size :], simulation.task.observe_goal(state, goal))


@torch.no_grad()
def test_observations_stay_within_their_bounds() -> None:
    simulation = joystick()
    low, high = simulation.observation_bounds()
    assert low.isfinite().all() and high.isfinite().all()
    generator = torch.Generator().manual_seed(1)
    state, goal = simulation.reset(50, generator)
    for _ in range(20):
        state = simulation.advance(state, goal, 5 * torch.randn(50, 6, generator=generator)).state
        goal = simulation.task.draw_goal(state, generator)
        observation = simulation.observe(state, goal)
        assert (observation >= low - 1e-5).all() and (observation <= high + 1e-5).all()


# -- what is paid ----------------------------------------------------------------------------------


def test_the_joystick_reward_by_hand() -> None:
    """Facing +X it walks 1 m/s ahead and 0.5 m/s to its left, along (1, −0.5), and turns; the wish
    is (1.3, −0.9)."""
    simulation = Simulation(puppet(), JoystickTask(puppet()))
    goal = wish(1.3, -0.9, 2.0)
    step = simulation.advance(standing(math.pi / 2), goal, pulled(1.0, 0.5, 0.6))
    assert float(step.terms["velocity"]) == pytest.approx(
        0.55 * math.exp(-2 * math.hypot(0.3, 0.4)), abs=1e-4
    )
    faces = math.pi / 2 + 0.02
    error = 2.0 - faces
    facing = 0.3 * (1 - abs(error) / math.pi) + 0.25 * math.exp(-4 * 2 * math.sin(abs(error) / 2))
    assert float(step.terms["facing"]) == pytest.approx(facing, abs=1e-5)
    penalties = sum(
        float(step.terms[name])
        for name in ("latent", "range", "skate", "glide", "floating", "sinking")
    )
    assert float(step.reward) == pytest.approx(
        float(step.terms["velocity"] + step.terms["facing"]) - penalties
    )
    assert len(step.terms) == 8


def test_creeping_costs_a_standing_wish_more_than_a_walking_one() -> None:
    simulation = Simulation(puppet(), JoystickTask(puppet()))
    stand = simulation.advance(standing(0.0), wish(0, 0, 0.0), pulled(0.05, 0, 0)).terms["velocity"]
    walk = simulation.advance(standing(0.0), wish(0, 1, 0.0), pulled(1.05, 0, 0)).terms["velocity"]
    assert float(stand) == pytest.approx(
        0.3 * math.exp(-0.1) + 0.15 * math.exp(-2) + 0.1 * math.exp(-10), abs=1e-3
    )
    assert float(walk) == pytest.approx(0.55 * math.exp(-0.1), abs=1e-3)


def test_doing_just_what_is_wished_pays_in_full_less_the_penalties() -> None:
    simulation = Simulation(puppet(), JoystickTask(puppet()))
    step = simulation.advance(standing(0.7), wish(0, 0, 0.7), pulled())
    assert float(step.terms["velocity"] + step.terms["facing"]) == pytest.approx(1.1, abs=3e-3)
    assert float(step.terms["latent"]) == 0


def toe_height(state: CharacterState) -> float:
    """cm; the puppet stands on both toes alike, nearly."""
    feet = Feet(layout()).positions(puppet().model.normalizer.denormalize(state.pose))
    return 100 * float(feet[..., 1].amin())


def lowered(height_cm: float) -> CharacterState:
    """The puppet with its lower toe at that height, having stood still."""
    state = standing(0.0)
    pose = state.pose.clone()
    pose[:, layout().positions.start + 1] += (height_cm - toe_height(state)) / 100
    return CharacterState(pose, state.position, state.yaw)


@pytest.mark.parametrize(
    ("height", "floating", "sinking"),
    [
        (0.0, 0, 0),
        (1.5, 0, 0),
        (2.5, 0.06, 0),
        (30, 0.18, 0),
        (-0.5, 0, 0),
        (-1.5, 0, 0.06),
        (-30, 0, 0.18),
    ],
)
def test_hovering_and_sinking_cost_by_the_centimetre(
    height: float, floating: float, sinking: float
) -> None:
    penalties = Penalties(puppet()).terms(lowered(height), pulled(), lowered(height))
    assert float(penalties["floating"]) == pytest.approx(floating, abs=1e-4)
    assert float(penalties["sinking"]) == pytest.approx(sinking, abs=1e-4)


def test_sliding_on_the_floor_costs_and_sliding_in_the_air_does_not() -> None:
    """A rigid figure that glides at 0.3 m/s slides by 1 cm a frame with both feet; the heights
    decide what it costs."""

    def skate(height: float, speed: float) -> float:
        state = lowered(height)
        pose = state.pose.clone()
        pose[:, 0] += speed
        after = CharacterState(pose, state.position, state.yaw)
        return float(Penalties(puppet()).terms(state, pulled(), after)["skate"])

    def both(height: float) -> float:
        feet = Feet(layout()).positions(
            puppet().model.normalizer.denormalize(lowered(height).pose)
        )[0, :, 1]
        return sum(2 - 2 ** min(max(h / 0.033, 0), 1) for h in feet.tolist()) / 2

    assert both(-10.0) == 1 and 0.5 < both(0.0) < 1 and both(20.0) == 0
    for height in (-10.0, 0.0, 20.0):
        assert skate(height, 0.3) == pytest.approx(0.25 * both(height), abs=1e-4)
        assert skate(height, 0.0) == pytest.approx(0, abs=1e-3)
    assert skate(-10.0, 3.0) == pytest.approx(0.5)  # no more than 2 cm a frame count


def test_gliding_costs_at_whatever_height() -> None:
    """What skate does not see: both feet of a rigid figure move 1 cm a frame at 0.3 m/s."""
    for height in (0.0, 20.0):
        state = lowered(height)
        pose = state.pose.clone()
        pose[:, 0] += 0.3
        moved = CharacterState(pose, state.position, state.yaw)
        assert float(Penalties(puppet()).terms(state, pulled(), moved)["glide"]) == pytest.approx(
            0.3, abs=1e-3
        )
        assert float(Penalties(puppet()).terms(state, pulled(), state)["glide"]) == pytest.approx(
            0, abs=1e-3
        )


def test_large_latents_and_poses_out_of_range_cost() -> None:
    state = standing(0.0)
    latent = torch.tensor([[1.0, -2.0, 0.0, 0.0, 0.0]])
    pose = state.pose.clone()
    pose[:, 50], pose[:, 60], pose[:, 70] = 6.0, -5.0, 4.0
    penalties = Penalties(puppet()).terms(
        state, latent, CharacterState(pose, state.position, state.yaw)
    )
    assert float(penalties["latent"]) == pytest.approx(0.05 * 5 / 5)
    assert float(penalties["range"]) == pytest.approx(0.02 * (4 + 1))
    pose[:, 50] = 1000
    penalties = Penalties(puppet()).terms(
        state, latent, CharacterState(pose, state.position, state.yaw)
    )
    assert float(penalties["range"]) == pytest.approx(0.02 * 50)
    assert all(
        float(value) == 0
        for value in Penalties(puppet(), PenaltyWeights(0, 0, 0, 0, 0, 0))
        .terms(state, latent, state)
        .values()
    )


@torch.no_grad()
def test_penalties_are_never_a_gift() -> None:
    simulation = joystick()
    state, goal = simulation.reset(100, torch.Generator().manual_seed(2))
    step = simulation.advance(state, goal, latents(2, 100, 6))
    for name in ("latent", "range", "skate", "glide", "floating", "sinking"):
        assert (step.terms[name] >= 0).all()
    total = step.terms["velocity"] + step.terms["facing"]
    assert (step.reward <= total).all() and (total <= 1).all()


@torch.no_grad()
def test_a_random_walk_pays_one_less_the_penalties_and_shows_no_goal() -> None:
    simulation = Simulation(character(), RandomWalkTask(character()))
    state, goal = simulation.reset(5, torch.Generator().manual_seed(0))
    assert torch.equal(simulation.observe(state, goal), state.pose)
    step = simulation.advance(state, goal, latents(0, 5, 6))
    torch.testing.assert_close(step.reward, 1 - torch.stack(list(step.terms.values())).sum(dim=0))
    assert set(step.terms) == {"latent", "range", "skate", "glide", "floating", "sinking"}


@torch.no_grad()
@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    yaw=st.floats(-math.pi, math.pi),
    x=st.floats(-50, 50),
    z=st.floats(-50, 50),
)
def test_moving_and_turning_the_world_changes_no_reward_and_nothing_seen(
    seed: int, yaw: float, x: float, z: float
) -> None:
    simulation = joystick()
    here = anywhere(seed, 6)
    goal = simulation.task.draw_goal(here, torch.Generator().manual_seed(seed))
    there = turned(here, yaw, x, z)
    other = JoystickGoal(geometry.turn(goal.velocity, torch.tensor(yaw)), goal.facing + yaw)
    torch.testing.assert_close(
        simulation.observe(there, other), simulation.observe(here, goal), atol=2e-5, rtol=0
    )
    one, two = (
        simulation.advance(s, g, latents(seed, 6, 6)) for s, g in ((here, goal), (there, other))
    )
    torch.testing.assert_close(two.reward, one.reward, atol=2e-5, rtol=0)
    assert torch.equal(two.state.pose, one.state.pose)
    torch.testing.assert_close(
        two.state.position, turned(one.state, yaw, x, z).position, atol=1e-4, rtol=0
    )


@torch.no_grad()
def test_reward_and_termination_do_not_depend_on_neighbours() -> None:
    simulation = joystick()
    state, goal = simulation.reset(40, torch.Generator().manual_seed(3))
    together = simulation.advance(state, goal, latents(3, 40, 6))
    for row in (0, 17, 39):
        only = slice(row, row + 1)
        alone = simulation.advance(
            batch.select(state, only), batch.select(goal, only), latents(3, 40, 6)[only]
        )
        torch.testing.assert_close(alone.reward[0], together.reward[row], atol=1e-5, rtol=0)
        torch.testing.assert_close(alone.state.pose[0], together.state.pose[row], atol=1e-5, rtol=0)
        assert alone.terminated[0] == together.terminated[row]


@torch.no_grad()
def test_latents_are_held_to_two() -> None:
    simulation = joystick()
    state, goal = simulation.reset(10, torch.Generator().manual_seed(4))
    wild = 10 * latents(4, 10, 6)
    one, other = (simulation.advance(state, goal, latent) for latent in (wild, wild.clamp(-2, 2)))
    assert torch.equal(one.state.pose, other.state.pose) and torch.equal(one.reward, other.reward)
    assert torch.equal(simulation.move(state, wild).pose, one.state.pose)
    assert float(one.terms["latent"].max()) <= 0.05 * 4 + 1e-6
    inner = simulation.advance(state, goal, 0.5 * wild.clamp(-2, 2))
    assert not torch.equal(inner.state.pose, one.state.pose)


# -- the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lift", "fallen"),
    [(0.0, False), (-0.39, False), (-0.41, True), (0.39, False), (0.41, True), (-2.0, True)],
)
def test_hips_below_half_a_metre_or_above_a_metre_thirty_are_a_fall(
    lift: float, fallen: bool
) -> None:
    simulation = Simulation(puppet(), RandomWalkTask(puppet()))
    state, goal = simulation.reset(1, torch.Generator())
    step = simulation.advance(state, goal, pulled(lift=lift))
    assert bool(step.terminated) is fallen and bool(puppet().alive(step.state)) is not fallen


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", [0, 4, 200])
def test_a_pose_that_is_no_number_is_a_fall(value: float, column: int) -> None:
    state = puppet().reset(3)
    pose = state.pose.clone()
    pose[1, column] = value
    alive = puppet().alive(CharacterState(pose, state.position, state.yaw))
    assert alive.tolist() == [True, False, True]


def test_a_pose_that_is_not_finite_ends_that_character_alone() -> None:
    simulation = Simulation(puppet(), RandomWalkTask(puppet()))
    state, goal = simulation.reset(3, torch.Generator())
    state.pose[1, 0] = math.nan
    step = simulation.advance(state, goal, torch.zeros(3, PUPPET_LATENT))
    assert step.terminated.tolist() == [False, True, False]
    assert step.reward[[0, 2]].isfinite().all() and step.state.position[[0, 2]].isfinite().all()


# -- wishes ----------------------------------------------------------------------------------------


def test_the_fastest_wish_is_half_an_ellipse_each_way() -> None:
    task = JoystickTask(
        puppet(), JoystickConfig(forward_speed=2.0, sideways_speed=0.6, backward_speed=0.75)
    )
    quarter = math.pi / 2
    angles = torch.tensor([0.0, quarter, -quarter, math.pi, -math.pi, 0.5, -0.5, 2.5])
    limits = task.config.speed_limit(angles)
    torch.testing.assert_close(limits[:5], torch.tensor([2.0, 0.6, 0.6, 0.75, 0.75]))
    for angle, limit, ahead in (
        (0.5, limits[5], 2.0),
        (-0.5, limits[6], 2.0),
        (2.5, limits[7], 0.75),
    ):
        forward = float(limit) * math.cos(angle)
        left = float(limit) * math.sin(angle)
        assert (forward / ahead) ** 2 + (left / 0.6) ** 2 == pytest.approx(1, abs=1e-5)


def test_wishes_go_everywhere_at_every_speed_and_some_stand_or_look_aside() -> None:
    task = JoystickTask(character())
    state = anywhere(0, 20_000)
    goal = task.draw_goal(state, torch.Generator().manual_seed(0))
    speed = goal.velocity.norm(dim=-1)
    still = speed == 0
    assert float(still.float().mean()) == pytest.approx(task.config.stand, abs=0.015)
    going = ~still
    direction = torch.atan2(goal.velocity[:, 0], goal.velocity[:, 1])
    share = torch.histc(direction[going], 4, -math.pi, math.pi) / going.sum()
    torch.testing.assert_close(share, torch.full((4,), 0.25), atol=0.02, rtol=0)
    offset = geometry.wrap_angle(goal.facing - direction)[going]
    aside = offset.abs() > 1e-4
    assert float(aside.float().mean()) == pytest.approx(task.config.strafe, abs=0.015)
    assert float((speed[going] - task.config.speed_limit(offset)).max()) < 1e-5
    ahead = speed[going][~aside]
    assert float(ahead.max()) > 0.98 * task.config.forward_speed and float(ahead.min()) < 0.05
    assert float(ahead.mean()) == pytest.approx(task.config.forward_speed / 2, abs=0.03)
    assert (goal.facing.abs() <= math.pi + 1e-6).all()


def test_wishes_change_now_and_then_and_the_others_stay_bit_by_bit() -> None:
    task = JoystickTask(character(), JoystickConfig(redraw_frames=50))
    state = anywhere(0, 2000)
    generator = torch.Generator().manual_seed(1)
    goal = task.draw_goal(state, generator)
    changed = []
    for _ in range(50):
        after = task.next_goal(state, goal, generator)
        same = (after.velocity == goal.velocity).all(dim=-1) & (after.facing == goal.facing)
        changed.append(1 - float(same.float().mean()))
        goal = after
    assert sum(changed) / 50 == pytest.approx(1 / 50, rel=0.1)
    one, other = (task.next_goal(state, goal, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.velocity, other.velocity) and torch.equal(one.facing, other.facing)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("forward_speed", 0.0),
        ("forward_speed", 11.0),
        ("sideways_speed", -1.0),
        ("backward_speed", math.nan),
        ("redraw_frames", 0.5),
        ("stand", -0.1),
        ("stand", 1.1),
        ("strafe", 2.0),
    ],
)
def test_a_bad_joystick_setting_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^{field} is {value!r}; allowed: "):
        JoystickConfig(**{field: value})


def test_settings_of_the_task_are_all_a_policy_needs_to_make_it_again() -> None:
    task = JoystickTask(character(), JoystickConfig(stand=0.5, sideways_speed=0.3))
    assert JoystickConfig(**task.settings()) == task.config


def test_tasks_are_known_by_name() -> None:
    assert {name: kind.name for name, kind in TASKS.items()} == {name: name for name in TASKS}
    assert task_type("joystick") is JoystickTask
    with pytest.raises(ConfigError, match="task is 'dance'; allowed: joystick, target, "):
        task_type("dance")


def test_what_captured_feet_do_in_most_steps_costs_nothing() -> None:
    who = character()
    poses = who.model.normalizer.normalize(data().poses[data().clips[0].rows])
    before = poses[:-1]
    after = poses[1:]
    penalties = Penalties(who)
    penalties.allow(before, after)

    place = torch.zeros(len(before), 2)
    yaw = torch.zeros(len(before))
    own = penalties.terms(
        CharacterState(before, place, yaw),
        torch.zeros(len(before), who.latent),
        CharacterState(after, place, yaw),
    )
    for name, share in {"glide": 0.94, "sinking": 0.94, "floating": 0.74}.items():
        assert float((own[name] == 0).float().mean()) >= share, name
    usual = Penalties(who).terms(
        CharacterState(before, place, yaw),
        torch.zeros(len(before), who.latent),
        CharacterState(after, place, yaw),
    )
    assert float(own["glide"].mean()) < 0.2 * float(usual["glide"].mean())
    skate, glide, lower = penalties.ground_motion(before, after)
    allowed = penalties.allowed
    assert float((glide > allowed.glide).float().mean()) == pytest.approx(0.05, abs=0.02)
    assert float((skate > allowed.skate).float().mean()) == pytest.approx(0.05, abs=0.02)
    assert allowed.low <= float(lower.median()) <= allowed.high
