"""Imitation in closed loop: what clips must have been asked, and what a policy learns from them."""

from __future__ import annotations

import copy
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import PUPPET_LATENT, character, data, layout, names, puppet, walk
from test_train_policy import ThreadWorkers
from torch import Tensor

from controller.control.actors import Actor
from controller.core.errors import ConfigError, ControllerError, DataError
from controller.data import dataset
from controller.data.hindsight import gait, meant_facing
from controller.dynamics.character import Character, CharacterState
from controller.motion import geometry
from controller.tasks.base import Task
from controller.tasks.joystick import JoystickTask
from controller.tasks.maze import MazeTask
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation
from controller.tasks.target import TargetTask
from envs import train_policy
from envs.episodes import Episodes
from envs.imitation import (
    TARGET_LIMIT,
    Commands,
    Imitation,
    ImitationConfig,
    Memory,
    expresses,
    training_clips,
)
from envs.shac import ShacConfig, ShacTrainer
from envs.train_policy import PolicyConfig, PolicyTraining


def commands(who: Character | None = None, **settings: Any) -> Commands:
    who = who or character()
    config = ImitationConfig(**settings)
    return Commands(training_clips(data(), who, config.smoothing), who, config)


def practice(who: Character | None = None, task: type[Task] = JoystickTask) -> Episodes[Any]:
    """Characters with drawn goals."""
    who = who or character()
    return Episodes(Simulation(who, task(who)), 8, 20)


def one_walk(speed: float, turn: float, aside: float) -> Commands:
    """Commands of a single walk of four seconds, in the poses' own units of the synthetic
    people."""
    clip = walk(next(names(held_out=False)), seconds=4, speed=speed, turn=turn, aside=aside, sway=0)
    built = dataset.build([clip], "one walk", data().layout.skeleton)
    return Commands(training_clips(built, character(), 6.0), character(), ImitationConfig())


# -- commands in hindsight -------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(
    st.floats(0.3, 1.2),
    st.sampled_from([-0.8, -0.3, 0.0, 0.6]),
    st.sampled_from([0.0, 1.57, math.pi]),
)
def test_a_steady_walk_was_asked_for_its_own_speed_and_turn(
    speed: float, turn: float, aside: float
) -> None:
    """In the middle of the clip, far from where the smoothing sees an end."""
    made = one_walk(speed, turn, aside)
    rows = torch.tensor([50, 60])
    ahead = torch.tensor([4, 10])
    goal = made.observe(made.state(rows), rows, ahead)
    angle = turn * ahead / 30
    # The pose's velocity is that of the step into it, half a frame ago.
    direction = aside + turn * (ahead - 0.5) / 30
    expected = torch.stack(
        (
            speed * torch.cos(direction),
            speed * torch.sin(direction),
            torch.cos(angle),
            torch.sin(angle),
        ),
        dim=-1,
    )
    torch.testing.assert_close(goal, expected, atol=0.02, rtol=0)


def test_a_character_beside_its_clip_is_pulled_back() -> None:
    """By half of 0.4 m, to the right of one that stands 0.4 m to the left of where it should be."""
    made = one_walk(speed=0.8, turn=0.0, aside=0.0)
    rows = torch.tensor([50])
    ahead = torch.tensor([7])
    state = made.state(rows)
    left = geometry.turn(torch.tensor([[0.4, 0.0]]), state.yaw)
    aside = CharacterState(state.pose, state.position + left, state.yaw)
    difference = made.observe(aside, rows, ahead) - made.observe(state, rows, ahead)
    torch.testing.assert_close(difference, torch.tensor([[0.0, -0.2, 0.0, 0.0]]), atol=1e-5, rtol=0)


def turning_round(start: int, frames: int, count: int = 90) -> tuple[Tensor, Tensor]:
    """Velocities (count, 2) and yaws (count,) of a body that goes +Z, goes −Z from frame 30 on, and
    turns round from ``start`` on, in ``frames`` frames."""
    time = torch.arange(count)
    velocity = torch.zeros(count, 2)
    velocity[:, 1] = torch.where(time < 30, 1.0, -1.0)
    return velocity, math.pi * ((time - start) / frames).clamp(0, 1)


def test_who_is_about_to_turn_round_meant_the_new_way() -> None:
    """The body goes back from frame 30 and turns in frames 35 to 55: it goes ahead again when 45°
    are left, in frame 51, whose facing is what was meant from frame 30 to the end of the turn."""
    velocity, yaw = turning_round(35, 20)
    meant = meant_facing(velocity, yaw)
    late = meant[30:48]
    assert torch.equal(meant[:30], yaw[:30]) and torch.equal(meant[51:], yaw[51:])
    torch.testing.assert_close(late, torch.full_like(late, float(yaw[51])))


def test_who_walks_backward_meant_to() -> None:
    """A body that turns round two seconds later, or never, or stands, faces as it meant to."""
    for velocity, yaw in (turning_round(75, 10), turning_round(1000, 10)):
        meant = meant_facing(velocity, yaw)
        torch.testing.assert_close(meant[:45], yaw[:45])
    velocity, yaw = turning_round(35, 20)
    assert torch.equal(meant_facing(0.1 * velocity, yaw), yaw)


def test_a_command_is_never_much_faster_than_the_character() -> None:
    made = one_walk(speed=0.8, turn=0.0, aside=0.0)
    rows = torch.tensor([50])
    state = made.state(rows)
    far = CharacterState(state.pose, state.position - 100, state.yaw)
    speed = made.observe(far, rows, torch.tensor([7]))[:, :2].norm(dim=-1)
    assert float(speed) == pytest.approx(1.1 * character().limits.forward_speed, rel=1e-4)


def test_commands_do_not_reach_into_the_next_clip() -> None:
    made = commands()
    clips = data().split(held_out=False)[1]
    ends = {clip.start + clip.length - 1 for clip in clips}
    last = made.reference.last[made.starts]
    assert set(last.tolist()) <= ends
    assert bool((made.starts + ImitationConfig().ahead[1] <= last).all())
    rows = torch.tensor(sorted(ends))
    at_end = made.observe(made.state(rows), rows, torch.full_like(rows, 9))
    torch.testing.assert_close(at_end[:, 3], torch.zeros(len(rows)), atol=1e-5, rtol=0)


# -- what the encoder says -------------------------------------------------------------------------


def test_in_a_captured_pose_the_target_is_the_encoders_answer() -> None:
    made = commands()
    rows = made.starts[::17]
    pose = made.reference.pose
    mean, _ = character().model.encode(pose[rows], pose[rows + 1])
    expected = mean.clamp(-TARGET_LIMIT, TARGET_LIMIT)
    torch.testing.assert_close(made.targets(pose[rows], rows), expected)


@pytest.mark.parametrize("correction", [0.0, 0.25, 1.0])
def test_beside_the_clip_the_encoder_sees_part_of_the_way_back(correction: float) -> None:
    """The puppet's ideal encoder reads the next root velocity; a puppet that is 1 m/s too fast is
    asked for what the correction leaves of it."""
    made = commands(driven(), correction=correction)
    rows = made.starts[:5]
    captured = made.reference.pose
    faster = captured[rows].clone()
    faster[:, 0] += 1
    target = made.targets(faster, rows)[:, 0]
    torch.testing.assert_close(target, captured[rows + 1, 0] + 1 - correction)


def driven() -> Character:
    """The puppet with an encoder that knows its strings."""
    who = copy.copy(puppet())
    who.model = copy.deepcopy(puppet().model)

    def encode(previous: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        latent = following.new_zeros(len(following), PUPPET_LATENT)
        latent[:, :3] = following[:, :3]
        return latent, torch.zeros_like(latent)

    who.model.encode = encode  # type: ignore[method-assign]
    return who


# -- learning --------------------------------------------------------------------------------------


def test_a_policy_learns_what_the_clips_do() -> None:
    """A puppet's latent is its velocity, so commands of captured walks teach to give each command
    as a latent."""
    torch.manual_seed(0)
    who = driven()
    made = commands(who, near=100.0, memory=2000, rows=128)
    learner = Imitation(made, practice(who), 16, torch.Generator().manual_seed(0))
    network = Actor(layout().size + 4, PUPPET_LATENT, (64,), 2.0)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(300):
        learner.practise(network, 1)
        loss = learner.loss(network)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-20:]) < 0.1 * sum(losses[:20])
    latent = learner.captured()[0]
    with torch.no_grad():
        given = network(latent)[:, :2].mean(dim=0)
    asked = latent[:, [layout().size, layout().size + 1]].mean(dim=0)
    torch.testing.assert_close(given, asked, atol=0.1, rtol=0)


def test_who_loses_its_clip_begins_again() -> None:
    """Everyone does if no distance is allowed; then all stand in captured poses."""
    made = commands(near=1e-9)
    learner = Imitation(made, practice(), 8, torch.Generator().manual_seed(0))
    learner.advance(torch.zeros(8, character().latent))
    assert bool((learner.chase.frames == 0).all())
    torch.testing.assert_close(learner.state.pose, made.reference.pose[learner.chase.rows])


def test_who_follows_long_enough_begins_again() -> None:
    made = commands(near=1e9, frames=3)
    learner = Imitation(made, practice(), 32, torch.Generator().manual_seed(0))
    learner.chase = replace(learner.chase, frames=torch.arange(32) % 3)
    before = learner.chase.rows
    learner.advance(torch.zeros(32, character().latent))
    went_on = learner.chase.rows == before + 1
    assert bool(went_on[learner.chase.frames > 0].all())
    assert int((learner.chase.frames == 0).sum()) >= 10


def test_a_memory_keeps_the_newest() -> None:
    memory = Memory(4)
    for number in range(3):
        memory.add(torch.full((2, 1), float(number)), torch.full((2,), 10.0 * number))
    generator = torch.Generator().manual_seed(0)
    one, other = memory.draw(100, generator)
    assert set(one[:, 0].tolist()) == {1.0, 2.0}
    assert torch.equal(other, 10 * one[:, 0])


def test_only_tasks_with_the_joysticks_columns_can_be_asked_for_clips() -> None:
    assert expresses(JoystickTask(character())) and expresses(TargetTask(character()))
    assert expresses(MazeTask(character())) == (MazeTask.extends == "joystick")
    assert not expresses(RandomWalkTask(character()))
    with pytest.raises(ConfigError, match="task is 'random'; allowed: the joystick, or a task"):
        Imitation(commands(), practice(task=RandomWalkTask), 4, torch.Generator())


def test_followers_see_the_further_columns_of_others() -> None:
    """So that a policy cannot tell by them whether it follows a clip."""
    made = commands()
    others = practice(task=TargetTask)
    learner = Imitation(made, others, 6, torch.Generator().manual_seed(0))
    observation = learner.observe(learner.state, learner.chase.rows, learner.chase.ahead)
    assert observation.shape == (6, layout().size + TargetTask.goal_size)
    known = set(TargetTask(character()).observe_goal(others.state, others.goal)[:, 4].tolist())
    seen = set(observation[:, -1].tolist())
    assert seen <= known and len(seen) > 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("alone", 1.5),
        ("share", 0.0),
        ("share", 1.0),
        ("frames", 0),
        ("rows", 0),
        ("memory", 0),
        ("ahead", (0, 4)),
        ("ahead", (5, 4)),
        ("smoothing", 0.0),
        ("near", 0.0),
        ("weight", -1.0),
        ("pull", -0.5),
        ("captured", -0.1),
        ("correction", 1.1),
        ("balance", 1.1),
    ],
)
def test_a_bad_setting_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        ImitationConfig(**{field: value})
    assert f"imitation.{field} is {value!r}; allowed: " in str(caught.value)


def test_clips_that_are_too_short_are_refused() -> None:
    with pytest.raises(DataError, match=r"no clip is long enough to imitate: .* 500 frames ahead"):
        commands(ahead=(4, 500))


# -- a whole training ------------------------------------------------------------------------------


@pytest.fixture
def config(
    mvae: Path, data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PolicyConfig:
    """A few iterations of 96 frames, the first one of followers alone, without evaluations."""
    monkeypatch.setattr(
        train_policy, "evaluate", lambda *_, **__: {"alive_fraction": 1.0, "speed_m_s_p95": 1.0}
    )
    return PolicyConfig(
        steps=384, characters=12, hidden=(16, 8), episode_frames=20, workers=1, mvae=mvae,
        data=data_file, out=tmp_path / "run", shac=ShacConfig(horizon=8, critic_steps=2),
        imitation=ImitationConfig(alone=0.25, rows=32, memory=200, near=100.0),
    )  # fmt: skip


def observations(count: int) -> Tensor:
    return 3 * torch.randn(count, layout().size + 4, generator=torch.Generator().manual_seed(0))


def test_all_follow_clips_at_first_and_some_afterwards(config: PolicyConfig) -> None:
    training = PolicyTraining(config)
    assert (training.followers, training.episodes.count) == (4, 8)
    start = training.episodes.state.pose
    first = training.iterate()
    assert "critic_loss" not in first and first["imitation_loss"] > 0
    assert torch.equal(training.episodes.state.pose, start)
    second = training.iterate()
    assert second["critic_loss"] > 0 and second["imitation_loss"] > 0
    assert training.frames == 192
    penalties = training.episodes.simulation.task.penalties
    assert penalties.ground == penalties.gliding == 1
    assert penalties.allowed.glide > 0  # what captured feet do is free
    assert penalties.latent_cost == pytest.approx(0.2 * penalties.weights.latent)


def test_the_imitations_weight_is_the_gradients(config: PolicyConfig) -> None:
    """With weight 0 and no start the policy is that of another number of clips, too."""
    acts = []
    for weight, rows in ((0.0, 32), (0.0, 8), (1.0, 32)):
        settings = replace(config.imitation, alone=0.0, weight=weight, rows=rows)
        training = PolicyTraining(replace(config, imitation=settings))
        training.iterate()
        acts.append(training.policy()(observations(4)))
    assert torch.equal(acts[0], acts[1]) and not torch.equal(acts[0], acts[2])


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_equal_norms_whatever_the_size_of_the_loss(config: PolicyConfig, size: float) -> None:
    """Otherwise only large gradients are clipped."""
    trainer = PolicyTraining(config).trainer
    assert isinstance(trainer, ShacTrainer)
    latent = trainer.network(observations(4)).square().sum()
    for equalize, expected in ((True, 1.0), (False, min(1.0, size))):
        gradients, norm = trainer.gradients(size * latent, equalize)
        total = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        factor = expected if equalize or size > 1 else norm
        assert float(total) == pytest.approx(factor, rel=0.05)
        latent = trainer.network(observations(4)).square().sum()


def test_both_sides_need_characters(config: PolicyConfig) -> None:
    with pytest.raises(ConfigError, match=r"imitation.share is 0.01; allowed: a share that leaves"):
        replace(config, imitation=replace(config.imitation, share=0.01))
    with pytest.raises(ConfigError, match=r"some of 1 characters in each worker"):
        replace(config, characters=1)


def test_the_same_seed_trains_the_same_policy(config: PolicyConfig, tmp_path: Path) -> None:
    acts = []
    for number, seed in enumerate((1, 1, 2)):
        training = PolicyTraining(replace(config, seed=seed, out=tmp_path / str(number)))
        training.run()
        acts.append(training.policy()(observations(8)))
    assert torch.equal(acts[0], acts[1]) and not torch.equal(acts[0], acts[2])


def test_two_workers_share_the_rows_and_learn_the_same(config: PolicyConfig) -> None:
    config = replace(config, workers=2)
    slots = [torch.empty(0), torch.empty(0)]
    barrier = threading.Barrier(2, timeout=60)
    pair = [PolicyTraining(config, ThreadWorkers(rank, slots, barrier)) for rank in (0, 1)]
    assert [t.trainer.imitation.config.rows for t in pair] == [16, 16]  # type: ignore[union-attr]
    assert [training.followers for training in pair] == [2, 2]

    def learn(training: PolicyTraining) -> Tensor:
        for _ in range(3):
            training.iterate()
        return training.policy()(observations(8))

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(learn, pair)
    assert torch.equal(one, other)


def test_a_run_is_resumed_with_its_data(config: PolicyConfig, tmp_path: Path) -> None:
    first = PolicyTraining(config)
    first.run()
    second = PolicyTraining(replace(config, steps=480, resume=True))
    after = second.trainer.tensors()
    assert all(torch.equal(value, after[name]) for name, value in first.trainer.tensors().items())
    second.run()
    assert second.frames == 480

    other = tmp_path / "other.npz"
    made = replace(data(), clips=data().clips[:-1], poses=data().poses[: data().clips[-1].start])
    made.save(other)
    for path in (None, other):
        with pytest.raises(ControllerError, match="its data is another; choose another --out"):
            PolicyTraining(replace(config, data=path, resume=True))


def test_who_starts_from_a_policy_is_not_alone_with_the_clips(
    config: PolicyConfig, tmp_path: Path
) -> None:
    path = tmp_path / "started.safetensors"
    PolicyTraining(config).policy().save(path)
    training = PolicyTraining(replace(config, task="target", start=path))
    assert "critic_loss" in training.iterate()


def test_data_are_refused_where_nothing_imitates(config: PolicyConfig, puppet_mvae: Path) -> None:
    with pytest.raises(ConfigError, match=r"data is .*; allowed: no data with ppo"):
        replace(config, algorithm="ppo", characters=128)
    with pytest.raises(ConfigError, match="task is 'random'; allowed: the joystick, or a task"):
        PolicyTraining(replace(config, task="random"))
    with pytest.raises(ConfigError, match="allowed: no data for a network that steers a pilot"):
        path = config.out / "pilot.safetensors"
        PolicyTraining(config).policy().save(path)
        PolicyTraining(replace(config, task="target", pilot=path))
    assert PolicyTraining(replace(config, data=None)).lacks_data
    assert not PolicyTraining(config).lacks_data


def test_rare_gaits_are_followed_more_often() -> None:
    """Nine clips in ten walk ahead. With a balance of 1, each velocity is drawn equally often."""
    shares = []
    for balance in (0.0, 1.0):
        own = commands(balance=balance)
        velocity = gait(own.reference, own.starts)
        cells = (velocity / torch.tensor([0.2, 0.2, 0.4])).round()
        _, cell, counts = cells.unique(dim=0, return_inverse=True, return_counts=True)
        assert len(counts) > 2
        drawn = own.draw(20_000, torch.Generator().manual_seed(1))
        place = torch.searchsorted(own.starts, drawn)
        assert torch.equal(own.starts[place], drawn)
        shares.append(torch.bincount(cell[place], minlength=len(counts)) / 20_000)
        expected = counts / counts.sum() if balance == 0 else torch.full((len(counts),), 1.0)
        expected = expected / expected.sum()
        torch.testing.assert_close(shares[-1], expected, atol=0.02, rtol=0)


def test_episodes_begin_in_captured_poses_with_what_was_asked_for_there() -> None:
    made = commands(seated=1.0, pull=0.0)
    episodes = practice()
    learner = Imitation(made, episodes, 4, torch.Generator().manual_seed(0))
    before = episodes.state
    who = torch.arange(episodes.count) % 2 == 0
    learner.seat(who)
    state, goal = episodes.state, episodes.goal
    assert torch.equal(state.pose[~who], before.pose[~who])
    assert torch.equal(state.yaw, before.yaw) and torch.equal(state.position, before.position)
    away = (state.pose[who][:, None] - made.reference.pose).abs().amax(dim=-1)
    assert float(away.min(dim=1).values.max()) == 0
    rows = away.argmin(dim=1)
    local = geometry.turn(goal.velocity[who], -state.yaw[who])
    speeds = torch.stack([
        geometry.turn(made.reference.velocity, -made.reference.yaw[rows][k])[
            rows[k] + made.config.ahead[0] : rows[k] + made.config.ahead[1] + 1
        ]
        for k in range(len(rows))
    ])  # fmt: skip
    nearest = (speeds - local[:, None]).norm(dim=-1).min(dim=1).values
    assert float(nearest.max()) < 1e-4
    left = episodes.max_episode_steps - episodes.frames[who]
    assert int(left.min()) >= 1
