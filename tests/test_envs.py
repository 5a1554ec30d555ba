"""The environments as their libraries see them: one character, a batch, stable-baselines3's
batch."""

from __future__ import annotations

import math
import sys
import time
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3
from synthetic import PUPPET_LATENT, layout, puppet

import envs
from controller.core.errors import CheckpointError, ConfigError
from controller.tasks.joystick import JoystickConfig
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation
from envs import EPISODE_FRAMES
from envs.character_env import CharacterEnv, VectorCharacterEnv
from envs.episodes import Episodes
from envs.sb3 import CharacterVecEnv

JOYSTICK = "MotionVAE/Joystick-v0"
RANDOM_WALK = "MotionVAE/RandomWalk-v0"
TARGET = "MotionVAE/Target-v0"
TIMED_TARGET = "MotionVAE/TimedTarget-v0"
PATH = "MotionVAE/Path-v0"
MAZE = "MotionVAE/Maze-v0"
CROWD = "MotionVAE/Crowd-v0"
ALL = (JOYSTICK, TARGET, TIMED_TARGET, PATH, MAZE, CROWD, RANDOM_WALK)
HEIGHT = layout().positions.start + 1  # column of an observation


def pulled(count: int, **strings: float) -> np.ndarray:
    """Actions that pull the puppet's strings: half of what they are to be, since z = 2·action."""
    action = np.zeros((count, PUPPET_LATENT), np.float32)
    for name, value in strings.items():
        action[:, ("forward", "left", "turn", "lift").index(name)] = value / 2
    return action


def vec_env(
    path: Path, count: int, steps: int = 20, task: str = "joystick", **options: float
) -> CharacterVecEnv:
    return CharacterVecEnv(Episodes.make(task, count, steps, str(path)), **options)


# -- what the libraries ask ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_both_libraries_checkers_are_content(name: str, mvae: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, mvae=str(mvae)).unwrapped)
        check_env_for_sb3(gymnasium.make(name, mvae=str(mvae)).unwrapped)


def test_a_checker_would_have_noticed(mvae: Path) -> None:
    env = CharacterEnv(mvae=str(mvae))
    env.observation_space = gymnasium.spaces.Box(
        -0.01, 0.01, env.observation_space.shape, np.float32
    )
    with pytest.raises(AssertionError):
        check_env(env)


@pytest.mark.parametrize(
    ("name", "task", "goal"),
    [
        (JOYSTICK, "joystick", 4),
        (TARGET, "target", 5),
        (TIMED_TARGET, "timed_target", 6),
        (PATH, "path", 15),
        (MAZE, "maze", 27),
        (CROWD, "crowd", 29),
        (RANDOM_WALK, "random", 0),
    ],
)
def test_environments_are_made_by_name(
    name: str, task: str, goal: int, mvae: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert envs is sys.modules["envs"]
    env = gymnasium.make(name, mvae=str(mvae))
    assert (
        isinstance(env.unwrapped, CharacterEnv)
        and env.unwrapped.episodes.simulation.task.name == task
    )
    assert env.action_space == gymnasium.spaces.Box(-1, 1, (6,), np.float32)
    assert env.observation_space.shape == (layout().size + goal,)
    # the prefix imports the package, which registers
    for registered in ALL:
        monkeypatch.delitem(gymnasium.registry, registered)
    monkeypatch.delitem(sys.modules, "envs")
    with pytest.raises(gymnasium.error.Error):
        gymnasium.make(name, mvae=str(mvae))
    assert gymnasium.make(f"envs:{name}", mvae=str(mvae)).reset(seed=0)[0].shape == (
        layout().size + goal,
    )


@pytest.mark.parametrize("name", ALL)
def test_batches_are_made_by_name(name: str, mvae: Path) -> None:
    env = gymnasium.make_vec(f"envs:{name}", num_envs=3, mvae=str(mvae), max_episode_steps=7)
    assert isinstance(env.unwrapped, VectorCharacterEnv) and env.num_envs == 3
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation) and env.single_observation_space.contains(
        observation[0]
    )
    for frame in range(1, 15):
        action = env.action_space.sample()
        assert env.action_space.contains(action) and action.shape == (3, 6)
        observation, reward, terminated, truncated, _ = env.step(action)
        assert env.observation_space.contains(observation)
        assert reward.shape == terminated.shape == truncated.shape == (3,)
        assert truncated.all() == truncated.any() == (frame % 7 == 0)
    env.close()


@pytest.mark.parametrize("steps", [5, EPISODE_FRAMES + 20])
def test_the_number_of_steps_asked_of_gymnasium_is_kept(mvae: Path, steps: int) -> None:
    """Fewer than the environment's own 1,200, and more."""
    env = gymnasium.make(RANDOM_WALK, mvae=str(mvae), max_episode_steps=steps)
    env.reset(seed=0)
    still = np.zeros(6, np.float32)
    count = 0
    over = False
    while not over:
        _, _, terminated, truncated, _ = env.step(still)
        count = count + 1
        over = terminated or truncated
    assert count == steps


def test_bad_requests_are_refused_by_name(mvae: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="task is 'dance'; allowed: joystick, target, "):
        CharacterEnv(task="dance", mvae=str(mvae))
    with pytest.raises(ConfigError, match="max_episode_steps is 0; allowed: 1 or more"):
        CharacterEnv(mvae=str(mvae), max_episode_steps=0)
    with pytest.raises(ConfigError, match="num_envs is 0; allowed: 1 or more"):
        VectorCharacterEnv(0, mvae=str(mvae))
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        CharacterEnv(mvae=str(tmp_path / "none.safetensors"))


def test_settings_reach_the_task(mvae: Path) -> None:
    env = gymnasium.make_vec(
        JOYSTICK, num_envs=200, mvae=str(mvae), config=JoystickConfig(stand=1.0)
    )
    observation, _ = env.reset(seed=0)
    assert not observation[:, layout().size : layout().size + 2].any()
    observation, _ = gymnasium.make_vec(
        JOYSTICK, num_envs=200, mvae=str(mvae), config=JoystickConfig(stand=0.0)
    ).reset(seed=0)
    assert observation[:, layout().size : layout().size + 2].any(axis=1).all()


# -- actions, rewards, ends ------------------------------------------------------------------------


def test_z_is_twice_the_action_and_never_beyond_two(puppet_mvae: Path) -> None:
    env = CharacterEnv(task="random", mvae=str(puppet_mvae))
    for action, speed in ((0.25, 0.5), (-1.0, -2.0), (1.0, 2.0), (30.0, 2.0)):
        env.reset(seed=0)
        observation, *_ = env.step(np.array([action, 0, 0, 0, 0], np.float32))
        assert observation[0] == pytest.approx(speed)  # the puppet's poses are in m/s
        position = env.episodes.state.position
        torch.testing.assert_close(position, torch.tensor([[0.0, speed / 30]]))


def test_a_fall_terminates_and_the_clock_truncates(puppet_mvae: Path) -> None:
    env = CharacterEnv(task="random", mvae=str(puppet_mvae), max_episode_steps=3)
    env.reset(seed=0)
    ends = [env.step(pulled(1)[0])[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]
    env.reset()
    ends = [env.step(pulled(1)[0])[2:4], env.step(pulled(1, lift=-0.5)[0])[2:4]]
    assert ends == [(False, False), (True, False)]
    # A fall on the last frame is a fall: there is no later reward that a learner could count on.
    env.reset()
    ends = [
        env.step(pulled(1)[0])[2:4],
        env.step(pulled(1)[0])[2:4],
        env.step(pulled(1, lift=0.5)[0])[2:4],
    ]
    assert ends == [(False, False), (False, False), (True, False)]


def test_the_info_tells_the_rewards_terms(puppet_mvae: Path) -> None:
    env = CharacterEnv(mvae=str(puppet_mvae))
    assert env.reset(seed=0)[1] == {}
    _, reward, _, _, info = env.step(pulled(1, forward=1)[0])
    terms = info["reward_terms"]
    assert set(terms) == {
        "velocity",
        "facing",
        "latent",
        "range",
        "skate",
        "glide",
        "floating",
        "sinking",
    }
    paid = terms["velocity"] + terms["facing"]
    assert reward == pytest.approx(2 * paid - sum(terms.values()), abs=1e-6)
    assert isinstance(reward, float)


def test_a_pose_that_is_not_finite_ends_one_episode_and_shows_numbers(puppet_mvae: Path) -> None:
    env = VectorCharacterEnv(3, task="random", mvae=str(puppet_mvae))
    env.reset(seed=0)
    env.episodes.state.pose[1] = math.nan
    observation, reward, terminated, truncated, info = env.step(pulled(3))
    assert terminated.tolist() == [False, True, False] and not truncated.any()
    assert (
        np.isfinite(observation).all()
        and np.isfinite(reward).all()
        and np.isfinite(info["final_obs"][1]).all()
    )
    observation, reward, terminated, *_ = env.step(pulled(3))
    assert not terminated.any() and np.isfinite(observation).all()


def test_what_ended_is_reset_in_the_same_step_and_its_last_view_is_kept(puppet_mvae: Path) -> None:
    env = VectorCharacterEnv(3, task="random", mvae=str(puppet_mvae), max_episode_steps=4)
    env.reset(seed=0)
    action = pulled(3, forward=1.5)
    action[1, 3] = -0.25  # down to 0.4 m
    observation, _, terminated, truncated, info = env.step(action)
    assert terminated.tolist() == [False, True, False] and not truncated.any()
    assert info["_final_obs"].tolist() == [False, True, False]
    assert info["final_obs"][0] is None and info["final_obs"][2] is None
    assert info["final_obs"][1][HEIGHT] == pytest.approx(-0.5) and info["final_obs"][1][
        0
    ] == pytest.approx(1.5)
    assert not observation[1].any()  # the puppet's one reset pose is all zeros
    assert observation[0, 0] == observation[2, 0] == pytest.approx(1.5)
    position = env.episodes.state.position
    torch.testing.assert_close(position[:, 1], torch.tensor([0.05, 0.0, 0.05]))
    for _ in range(2):
        *_, truncated, info = env.step(pulled(3))
        assert not truncated.any() and "final_obs" not in info
    *_, terminated, truncated, info = env.step(pulled(3))
    assert (
        truncated.tolist() == [True, False, True] and not terminated.any()
    )  # each by its own clock
    assert info["_final_obs"].tolist() == [True, False, True]
    *_, truncated, info = env.step(pulled(3))
    assert truncated.tolist() == [False, True, False]


def test_some_rows_begin_anew_and_the_others_go_on_bit_by_bit(mvae: Path) -> None:
    env = VectorCharacterEnv(4, mvae=str(mvae), max_episode_steps=10)
    env.reset(seed=3)
    env.action_space.seed(3)
    for _ in range(4):
        observation, *_ = env.step(env.action_space.sample())
    mask = np.array([False, True, False, True])
    again, _ = env.reset(options={"reset_mask": mask})
    assert (again[~mask] == observation[~mask]).all()
    assert (again[mask, :20] != observation[mask, :20]).any(axis=1).all()
    assert (
        env.episodes.state.position[mask].eq(0).all()
        and env.episodes.state.position[~mask].ne(0).all()
    )
    ends = [env.step(env.action_space.sample())[3] for _ in range(10)]
    assert [frame.tolist() for frame in ends if frame.any()] == [(~mask).tolist(), mask.tolist()]
    assert [number for number, frame in enumerate(ends, 1) if frame.any()] == [6, 10]


# -- chance ----------------------------------------------------------------------------------------


def actions(count: int, steps: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (steps, count, 6)).astype(np.float32)


def played_alone(path: Path, seed: int | None, steps: int = 30) -> list[np.ndarray]:
    """Everything a person sees of two episodes of 12 frames and more."""
    env = CharacterEnv(mvae=str(path), max_episode_steps=12)
    seen = [env.reset(seed=seed)[0]]
    for action in actions(1, steps):
        observation, reward, terminated, truncated, _ = env.step(action[0])
        seen.append(np.append(observation, reward))
        if terminated or truncated:
            seen.append(env.reset()[0])
    return seen


def played_together(
    path: Path, seed: int | None, steps: int = 30, count: int = 3
) -> list[np.ndarray]:
    env = VectorCharacterEnv(count, mvae=str(path), max_episode_steps=12)
    seen = [env.reset(seed=seed)[0]]
    for action in actions(count, steps):
        observation, reward, *_ = env.step(action)
        seen.append(np.column_stack((observation, reward)))
    return seen


def played_by_sb3(path: Path, seed: int, steps: int = 30) -> list[np.ndarray]:
    env = vec_env(path, 3, steps=12)
    env.seed(seed)
    seen = [env.reset()]
    for action in actions(3, steps):
        observation, reward, *_ = env.step(action)
        seen.append(np.column_stack((observation, reward)))
    return seen


@pytest.mark.parametrize("play", [played_alone, played_together, played_by_sb3])
def test_a_seed_decides_everything(play, mvae: Path) -> None:
    one = play(mvae, 5)
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002 - whatever others do with the global generators
    again = play(mvae, 5)
    other = play(mvae, 6)
    assert len(one) == len(again) == len(other)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0]) and not np.array_equal(one[-1], other[-1])


def test_without_a_seed_no_two_environments_are_alike(mvae: Path) -> None:
    assert not np.array_equal(played_alone(mvae, None, 1)[0], played_alone(mvae, None, 1)[0])
    assert not np.array_equal(played_together(mvae, None, 1)[0], played_together(mvae, None, 1)[0])


def test_characters_of_a_batch_differ(mvae: Path) -> None:
    first = played_together(mvae, 0, 1, count=5)[0]
    assert len(np.unique(first, axis=0)) == 5


def test_episodes_of_one_run_differ(mvae: Path) -> None:
    env = CharacterEnv(mvae=str(mvae))
    starts = [env.reset(seed=0)[0], env.reset()[0], env.reset()[0]]
    assert len(np.unique(starts, axis=0)) == 3


def test_one_character_is_a_batch_of_one(mvae: Path) -> None:
    alone = CharacterEnv(mvae=str(mvae))
    batch = VectorCharacterEnv(1, mvae=str(mvae))
    assert np.array_equal(alone.reset(seed=4)[0], batch.reset(seed=4)[0][0])
    for action in actions(1, 40):
        one = alone.step(action[0])
        other = batch.step(action)
        for a, b in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(np.float32(a), np.float32(b[0]))


# -- stable-baselines3 -----------------------------------------------------------------------------


def test_ends_are_told_as_stable_baselines3_wants_them(puppet_mvae: Path) -> None:
    env = vec_env(puppet_mvae, 3, steps=4, task="random")
    first = env.reset()
    assert first.shape == (3, layout().size) and first.dtype == np.float32
    action = pulled(3, forward=1.5)
    action[1, 3] = -0.25
    observation, rewards, dones, infos = env.step(action)
    total = rewards.copy()
    assert dones.tolist() == [False, True, False] and infos[0] == infos[2] == {}
    assert infos[1]["TimeLimit.truncated"] is False
    assert infos[1]["terminal_observation"][HEIGHT] == pytest.approx(-0.5)
    assert not observation[1].any()
    assert infos[1]["episode"]["l"] == 1 and infos[1]["episode"]["r"] == pytest.approx(rewards[1])
    total[1] = 0
    for _ in range(3):
        observation, rewards, dones, infos = env.step(pulled(3, forward=0.5))
        total += rewards
    assert dones.tolist() == [True, False, True] and infos[1] == {}
    for row in (0, 2):
        assert infos[row]["TimeLimit.truncated"] is True
        assert (
            infos[row]["terminal_observation"][0] == pytest.approx(0.5)
            and not observation[row].any()
        )
        assert infos[row]["episode"]["l"] == 4
        assert infos[row]["episode"]["r"] == pytest.approx(total[row], rel=1e-5)
    *_, dones, infos = env.step(pulled(3))
    assert dones.tolist() == [False, True, False]
    assert infos[1]["episode"]["l"] == 4


def test_a_reset_of_the_batch_forgets_the_returns(puppet_mvae: Path) -> None:
    env = vec_env(puppet_mvae, 2, steps=3, task="random")
    env.reset()
    env.step(pulled(2))
    env.reset()
    for _ in range(3):
        *_, infos = env.step(pulled(2))
    assert [info["episode"]["l"] for info in infos] == [3, 3]


def test_the_seed_is_spent_by_one_reset(mvae: Path) -> None:
    env = vec_env(mvae, 2)
    env.seed(7)
    first = env.reset()
    second = env.reset()
    assert not np.array_equal(first, second)
    env.seed(7)
    assert np.array_equal(env.reset(), first)


def test_the_batch_answers_questions_of_the_library(mvae: Path) -> None:
    env = vec_env(mvae, 2)
    assert env.get_attr("num_envs") == [2, 2] and env.env_is_wrapped(gymnasium.Wrapper) == [
        False,
        False,
    ]
    env.set_attr("mark", 5)
    assert env.get_attr("mark", indices=[0]) == [5]
    env.close()


def test_what_was_seen_stays_as_it_was(mvae: Path) -> None:
    """A learner keeps observations and rewards; later steps must not write into them."""
    env = vec_env(mvae, 4, steps=3)
    stored = [env.reset()]
    for action in actions(4, 6):
        stored += env.step(action)[:3]
    copies = [array.copy() for array in stored]
    for action in actions(4, 6):
        env.step(action)
    assert all(np.array_equal(one, other) for one, other in zip(stored, copies, strict=True))


def test_256_characters_cost_far_less_than_256_times_one() -> None:
    def seconds(count: int) -> float:
        episodes = Episodes(Simulation(puppet(), RandomWalkTask(puppet())), count, 1000)
        episodes.reset(0)
        action = torch.zeros(count, PUPPET_LATENT)
        best = math.inf
        for _ in range(5):
            started = time.perf_counter()
            for _ in range(5):
                episodes.step(action)
            best = min(best, time.perf_counter() - started)
        return best

    assert seconds(256) < 60 * seconds(1)
