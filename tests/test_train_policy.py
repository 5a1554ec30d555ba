"""Training policies: both trainers solve what is trivial, and what they write is what they know."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import PUPPET_LATENT, ROOT, character, command, data, layout, puppet, refusal
from torch import Tensor, nn

from controller.control.policy import Policy
from controller.control.sway import SwayConfig
from controller.core import checkpoint
from controller.core.errors import CheckpointError, ConfigError, ControllerError
from controller.core.processes import Workers
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.trials.verdict import FALLS, STANDS, STRAYS
from controller.tasks.joystick import JoystickConfig, JoystickTask
from controller.tasks.random_walk import NoGoal, RandomWalkTask
from controller.tasks.simulation import Simulation
from envs import discriminator, train_policy
from envs.curriculum import Curriculum, rise
from envs.discriminator import DiscriminatorConfig
from envs.episodes import Episodes
from envs.ppo import PpoConfig, PpoTrainer
from envs.shac import Horizon, ShacConfig, ShacTrainer
from envs.train_policy import UNFIT, PolicyConfig, PolicyTraining

# -- what must be learned --------------------------------------------------------------------------


class Glide(RandomWalkTask):
    """Move the puppet at 1 m/s forward and 0.5 m/s to the left while turning right."""

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: NoGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        desired = torch.tensor([1.0, 0.5, -0.5])
        error = (self.character.root_velocity(after.pose) - desired).square().sum(dim=-1)
        return 1 / (1 + error), {"error": error}


class Wage(RandomWalkTask):
    """One a frame, whatever is done."""

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: NoGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return torch.ones(len(after)), {}


def practice(task: type[RandomWalkTask], steps: int = 40, count: int = 32) -> Episodes:
    return Episodes(Simulation(puppet(), task(puppet())), count, steps)


def ppo(episodes: Episodes, folder: Path, **settings: Any) -> PpoTrainer:
    known = {
        "rollout_frames": 16,
        "minibatch": 128,
        "epochs": 6,
        "gamma": 0.5,
        "reward_scale": 1.0,
        "log_std": -0.7,
    }
    rates = {"learning_rate": 3e-3, "final_learning_rate": 1e-3}
    return PpoTrainer(episodes, PpoConfig(**known | rates | settings), (32,), 0, folder)


def shac(episodes: Episodes, folder: Path, **settings: Any) -> ShacTrainer:
    known = {
        "horizon": 8,
        "actor_rate": 1e-2,
        "critic_rate": 1e-2,
        "gamma": 0.5,
        "target_decay": 0.5,
    }
    return ShacTrainer(episodes, ShacConfig(**known | settings), (32,), 0)


@pytest.mark.parametrize(("make", "iterations"), [(ppo, 30), (shac, 40)])
def test_a_trivial_task_is_solved(make: Any, iterations: int, tmp_path: Path) -> None:
    trainer = make(practice(Glide), tmp_path)
    rewards = [trainer.iterate(number / iterations)["reward"] for number in range(iterations)]
    assert np.mean(rewards[-3:]) > 0.75 > 0.5 > np.mean(rewards[:2])
    latent = trainer.actor()(torch.zeros(1, layout().size))[0]
    torch.testing.assert_close(latent[:3], torch.tensor([1.0, 0.5, -0.5]), atol=0.2, rtol=0)


HASTE: dict[Any, dict[str, float]] = {
    ppo: {"learning_rate": 2e-2, "final_learning_rate": 2e-3},
    shac: {"critic_rate": 2e-2},
}


def worth_learned(make: Any, episodes: Episodes, folder: Path) -> float:
    """What the critic takes a pose to be worth after some practice."""
    trainer = make(episodes, folder, **HASTE[make])
    for number in range(20):
        trainer.iterate(number / 20)
    observation = torch.zeros(1, layout().size)
    with torch.no_grad():
        return float(
            trainer.policy.predict_values(observation)
            if make is ppo
            else trainer.critic(observation)
        )


@pytest.mark.parametrize("make", [ppo, shac])
def test_the_end_of_the_time_is_not_the_end_of_the_world(make: Any, tmp_path: Path) -> None:
    """With one a frame and γ = 0.5 every state is worth 2, for who knows that a truncated episode
    goes on; who does not would find 1.5 in the middle of four frames."""
    assert worth_learned(make, practice(Wage, steps=4), tmp_path) == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("make", [ppo, shac])
def test_a_fall_is_the_end_of_the_world(make: Any, tmp_path: Path) -> None:
    """Whoever falls in every frame earns one and no more."""
    frail = copy.copy(puppet())
    frail.alive = lambda state: torch.zeros(len(state), dtype=torch.bool)  # type: ignore[method-assign]
    episodes = Episodes(Simulation(frail, Wage(frail)), 32, 1000)
    assert worth_learned(make, episodes, tmp_path) == pytest.approx(1.0, abs=0.1)


def fall_in_the_middle() -> Horizon:
    """Three frames of one character that falls at the second; the first column of what follows is
    its value."""
    observation, following = torch.zeros(2, 3, 1, layout().size)
    observation[[0, 1, 2], 0, [0, 1, 2]] = 3.0
    following[:, 0, 0] = torch.tensor([8.0, 9.0, 6.0])
    fell = torch.tensor([[False], [True], [False]])
    return Horizon(
        observation, following, torch.tensor([[1.0], [2.0], [4.0]]), terminated=fell, ended=fell
    )


TARGETS = torch.tensor([[3.5], [2.0], [7.0]])


def test_td_lambda_targets_by_hand(tmp_path: Path) -> None:
    """With γ = λ = 0.5: 4 + 0.5·6 = 7 for the last; 2 for the fall; 1 + 0.5·(0.5·8 + 0.5·2) = 3.5
    for the first."""
    trainer = shac(practice(Wage, count=1), tmp_path, gamma=0.5, td_lambda=0.5)
    trainer.target = nn.Identity()
    torch.testing.assert_close(trainer.targets(fall_in_the_middle()), TARGETS)


def test_the_critic_learns_its_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = shac(practice(Wage, count=1), tmp_path, critic_steps=1)
    record = fall_in_the_middle()
    monkeypatch.setattr(trainer, "targets", lambda record: TARGETS)
    for number in range(400):
        trainer.critic_optimizer.param_groups[0]["lr"] = 3e-2 if number < 200 else 1e-3
        trainer.improve_critic(record)
    with torch.no_grad():
        torch.testing.assert_close(
            trainer.critic(record.observation[:, 0])[:, 0], TARGETS[:, 0], atol=0.1, rtol=0
        )


# -- runs ------------------------------------------------------------------------------------------

SMALL = PolicyConfig(
    steps=128, algorithm="ppo", characters=8, hidden=(16, 8), episode_frames=20,
    evaluate_every=10_000, ppo=PpoConfig(rollout_frames=8, minibatch=32, epochs=2),
    shac=ShacConfig(horizon=8, critic_steps=2),
)  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations, which take their time, are left out."""
    monkeypatch.setattr(
        train_policy,
        "evaluate",
        lambda *ignored, **settings: {"alive_fraction": 1.0, "speed_m_s_p95": 1.0},
    )


@pytest.fixture
def config(mvae: Path, tmp_path: Path) -> PolicyConfig:
    return replace(SMALL, mvae=mvae, out=tmp_path / "run")


def observations(count: int) -> Tensor:
    return 3 * torch.randn(count, layout().size + 4, generator=torch.Generator().manual_seed(0))


def test_the_policy_acts_as_stable_baselines3_predicts(
    config: PolicyConfig, tmp_path: Path
) -> None:
    training = PolicyTraining(config)
    training.trainer.iterate(0.0)
    with torch.no_grad():
        training.trainer.policy.head.weight.mul_(100)  # type: ignore[union-attr] - a young policy hardly acts
    training.policy().save(tmp_path / "policy.safetensors")
    policy = Policy.load(tmp_path / "policy.safetensors", character(), "joystick")
    observation = observations(64)
    actions, _ = training.trainer.ppo.predict(observation.numpy(), deterministic=True)  # type: ignore[union-attr]
    np.testing.assert_allclose(policy(observation).numpy(), 2 * actions, atol=1e-5)
    assert actions.std() > 0.1
    assert (
        policy.header["actor"]["hidden"] == [16, 8]
        and policy.header["training"]["ppo"]["minibatch"] == 32
    )
    assert JoystickConfig(**policy.header["settings"]) == JoystickTask(character()).config


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("algorithm", ["ppo", "shac"])
def test_a_resumed_run_goes_on_counting_and_learning(config: PolicyConfig, algorithm: str) -> None:
    config = replace(config, algorithm=algorithm)
    first = PolicyTraining(config)
    path = first.run()
    assert path == config.out / "joystick.safetensors" and first.frames == 128
    longer = replace(config, steps=320, resume=True)
    second = PolicyTraining(longer)
    assert second.frames == 128 and second.history == first.history
    before = first.trainer.tensors()
    after = second.trainer.tensors()
    assert before.keys() == after.keys() and any(
        name.startswith(("optimizer", "actor_opt")) for name in before
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    observation = observations(8)
    assert torch.equal(
        second.policy()(observation), Policy.load(path, character(), "joystick")(observation)
    )
    second.run()
    assert second.frames == 320
    policy = Policy.load(path, character(), "joystick")
    assert policy.header["frames"] == 320 and policy.header["training"]["algorithm"] == algorithm
    assert not torch.equal(policy(observation), first.policy()(observation))
    history = json.loads((config.out / "history.json").read_text())
    assert [row["frames"] for row in history] == [128, 320]


@pytest.mark.usefixtures("quick")
def test_a_finished_run_that_is_resumed_changes_nothing(config: PolicyConfig) -> None:
    path = PolicyTraining(config).run()
    before = path.read_bytes()
    assert PolicyTraining(replace(config, resume=True)).run() == path
    assert path.read_bytes() == before


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("algorithm", ["ppo", "shac"])
def test_the_same_seed_trains_the_same_policy(
    config: PolicyConfig, tmp_path: Path, algorithm: str
) -> None:
    acts = []
    for number, seed in enumerate((1, 1, 2)):
        training = PolicyTraining(
            replace(config, algorithm=algorithm, seed=seed, out=tmp_path / str(number))
        )
        training.run()
        acts.append(training.policy()(observations(8)))
    assert torch.equal(acts[0], acts[1]) and not torch.equal(acts[0], acts[2])


@pytest.mark.parametrize("algorithm", ["ppo", "shac"])
def test_a_run_may_start_from_a_policy(
    config: PolicyConfig, tmp_path: Path, algorithm: str
) -> None:
    first = PolicyTraining(replace(config, algorithm=algorithm, seed=5))
    first.trainer.iterate(0.0)
    path = tmp_path / "started.safetensors"
    first.policy().save(path)
    second = PolicyTraining(replace(config, algorithm=algorithm, start=path))
    observation = observations(8)
    assert torch.equal(second.policy()(observation), first.policy()(observation))
    assert second.policy().header["started_from"]["frames"] == 0


@pytest.mark.parametrize("algorithm", ["ppo", "shac"])
@pytest.mark.parametrize("task", ["target", "path"])
def test_a_run_may_start_from_a_policy_for_the_task_that_its_own_extends(
    config: PolicyConfig, tmp_path: Path, algorithm: str, task: str
) -> None:
    """It acts as that one does, whatever the columns that are new show."""
    first = PolicyTraining(replace(config, algorithm=algorithm, seed=5))
    first.trainer.iterate(0.0)
    path = tmp_path / "joystick.safetensors"
    first.policy().save(path)
    second = PolicyTraining(
        replace(config, algorithm=algorithm, task=task, out=tmp_path / task, start=path)
    )
    new = second.judge.observation_size - first.judge.observation_size
    assert new > 0
    observation = observations(8)
    wider = torch.cat((observation, torch.randn(8, new)), dim=-1)
    torch.testing.assert_close(
        second.policy()(wider), first.policy()(observation), atol=1e-5, rtol=0
    )
    second.save()
    untrained = Policy.load_for(path, second.judge)
    torch.testing.assert_close(untrained(wider), first.policy()(observation), atol=1e-5, rtol=0)
    assert untrained.header["task"] == "joystick"
    with pytest.raises(
        CheckpointError, match=f"policy for the task {task!r} found; 'joystick' is expected"
    ):
        PolicyTraining(replace(config, out=tmp_path / "other", start=second.policy_path))


def test_a_trained_actor_waits_for_a_new_critic(config: PolicyConfig) -> None:
    """For the frames that are asked for; an actor that begins by itself does not wait."""
    frames = 2 * SMALL.characters * SMALL.ppo.rollout_frames
    training = PolicyTraining(replace(config, ppo=replace(config.ppo, critic_frames=frames)))
    observation = observations(8)
    acts = [training.policy()(observation)]
    worth = []
    training.iterate()
    acts.append(training.policy()(observation))
    assert not torch.equal(acts[0], acts[1])
    training.trainer.start_from(training.trainer.actor())
    for _ in range(3):
        training.iterate()
        acts.append(training.policy()(observation))
        worth.append(training.trainer.policy.predict_values(observation).detach())  # type: ignore[union-attr]
    assert torch.equal(acts[1], acts[2]) and torch.equal(acts[2], acts[3])
    assert not torch.equal(acts[3], acts[4])
    assert not torch.equal(worth[0], worth[1])


def test_an_actor_that_waits_for_its_critic_still_waits_after_a_resume(
    config: PolicyConfig,
) -> None:
    config = replace(config, steps=1024, ppo=replace(config.ppo, critic_frames=512))
    first = PolicyTraining(config)
    first.trainer.start_from(first.trainer.actor())
    for _ in range(3):
        first.iterate()
    first.save()
    second = PolicyTraining(replace(config, resume=True))
    second.iterate()
    assert torch.equal(second.policy()(observations(8)), first.policy()(observations(8)))


@pytest.mark.parametrize("algorithm", ["ppo", "shac"])
def test_the_feets_penalties_rise_to_their_full_weight(
    config: PolicyConfig, algorithm: str
) -> None:
    curriculum = Curriculum(ground=(0.0, 0.5), glide=(0.5, 0.5))
    training = PolicyTraining(
        replace(config, algorithm=algorithm, curriculum=curriculum, steps=256)
    )
    penalties = training.episodes.simulation.task.penalties
    scales = []
    for _ in range(4):
        training.iterate()
        scales.append((penalties.ground, penalties.gliding))
    assert scales == [(0.0, 0.0), (0.5, 0.0), (1.0, 1.0), (1.0, 1.0)]


def test_who_starts_from_a_policy_has_all_penalties_at_once(
    config: PolicyConfig, tmp_path: Path
) -> None:
    path = tmp_path / "started.safetensors"
    PolicyTraining(config).policy().save(path)
    training = PolicyTraining(replace(config, start=path, curriculum=Curriculum(ground=(0.5, 1.0))))
    training.iterate()
    penalties = training.episodes.simulation.task.penalties
    assert penalties.ground == penalties.gliding == 1.0


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_rise_is_a_straight_line_between_two_levels(
    progress: float, one: float, other: float
) -> None:
    begin, end = sorted((one, other))
    height = rise(progress, begin, end)
    assert 0 <= height <= 1 and rise(1.0, begin, end) == 1
    if begin < progress < end:
        assert height == pytest.approx((progress - begin) / (end - begin))


@pytest.mark.usefixtures("quick")
def test_another_task_algorithm_or_an_older_run_is_refused(config: PolicyConfig) -> None:
    path = config.out / "training.safetensors"
    PolicyTraining(config).run()
    with pytest.raises(ControllerError) as caught:
        PolicyTraining(config)
    assert (
        str(caught.value)
        == f"{path} already exists: continue with --resume, replace it with --overwrite, or "
        "choose another --out"
    )
    with pytest.raises(
        ControllerError, match="its algorithm is 'ppo', not 'shac'; choose another --out"
    ):
        PolicyTraining(replace(config, algorithm="shac", resume=True))
    with pytest.raises(
        ControllerError, match="its task is 'joystick', not 'random'; choose another --out"
    ):
        PolicyTraining(replace(config, task="random", resume=True))


@pytest.mark.usefixtures("quick")
def test_resuming_with_another_network_is_refused(config: PolicyConfig) -> None:
    PolicyTraining(config).run()
    with pytest.raises(ControllerError):
        PolicyTraining(replace(config, hidden=(16, 4), resume=True))


@pytest.mark.usefixtures("quick")
def test_resuming_on_another_model_is_refused(config: PolicyConfig, tmp_path: Path) -> None:
    """A policy's weights mean nothing to another decoder."""
    PolicyTraining(config).run()
    other = Character(character().model, layout(), character().reset_poses)
    with torch.no_grad():
        state = {name: value.clone() for name, value in other.model.state_dict().items()}
        state["decoder.output.bias"] += 0.1
    path = tmp_path / "other.safetensors"
    changed = type(other.model)(layout().size, other.model.config, data().normalizer())
    changed.load_state_dict(state)
    Character(changed, layout(), character().reset_poses).save(path)
    with pytest.raises(ControllerError):
        PolicyTraining(replace(config, mvae=path, resume=True))


class ThreadWorkers(Workers):
    """Two workers in threads of this process, which average what they put into ``slots``."""

    def __init__(self, rank: int, slots: list[Tensor], barrier: threading.Barrier) -> None:
        super().__init__()
        self.count = 2
        self.rank = rank
        self.slots = slots
        self.barrier = barrier

    def average(self, tensors: Iterable[Tensor]) -> None:
        own = list(tensors)
        self.slots[self.rank] = torch.cat([tensor.flatten() for tensor in own])
        self.barrier.wait()
        mean = torch.stack(self.slots).sum(dim=0) / 2
        self.barrier.wait()
        for tensor, part in zip(own, mean.split([t.numel() for t in own]), strict=True):
            tensor.copy_(part.view_as(tensor))


def trained_in_threads(config: PolicyConfig) -> Policy:
    """What two workers learn together when they are no processes."""
    slots = [torch.empty(0), torch.empty(0)]
    barrier = threading.Barrier(2, timeout=60)
    trainings = [PolicyTraining(config, ThreadWorkers(rank, slots, barrier)) for rank in (0, 1)]

    def train(training: PolicyTraining) -> None:
        torch.set_num_threads(config.threads)
        while training.frames < config.steps:
            training.iterate()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, trainings))
    return trainings[0].policy()


def test_the_command_trains_a_policy_that_loads(mvae: Path, tmp_path: Path) -> None:
    """With two workers, and again in this process: what they share leaves nothing to chance, and is
    the mean of what both have learned."""
    out = tmp_path / "run"
    done = command(
        "envs.train_policy", "--mvae", mvae, "--out", out, "--steps", "256", "--characters",
        "8", "--workers", "2", "--shac.horizon", "8", "--hidden", "16",
    )  # fmt: skip
    assert done.returncode == UNFIT, done.stderr  # after so few frames it cannot do its task
    hint, first, second = done.stdout.splitlines()
    assert hint.startswith("no --data: no clips are imitated")
    assert first == f"policy: {out / 'joystick.safetensors'}"
    verdict = second.removeprefix("verdict: ")
    assert verdict.partition(":")[0] in (FALLS, STANDS, STRAYS)

    policy = Policy.load(out / "joystick.safetensors", character(), "joystick")
    assert policy.header["verdict"] == verdict
    assert policy.header["frames"] == 256 and policy.header["training"]["algorithm"] == "shac"
    latent = policy(observations(16))
    assert latent.shape == (16, character().latent) and 0 < float(latent.abs().max()) <= 2
    config = PolicyConfig(
        mvae=mvae, out=tmp_path / "threads", steps=256, characters=8, workers=2, hidden=(16,),
        shac=ShacConfig(horizon=8),
    )  # fmt: skip
    assert torch.equal(trained_in_threads(config)(observations(16)), latent)

    (row,) = json.loads((out / "history.json").read_text())
    assert row["frames"] == 256 and 0 <= row["alive_fraction"] <= 1 and row["response_s"] > 0
    assert any((out / "tensorboard").iterdir())
    with pytest.raises(CheckpointError, match="trained on another motion VAE"):
        Policy.load(out / "joystick.safetensors", puppet(), "joystick")


MEAN = """
import torch
from controller.core import processes
workers = processes.Workers(2)
with workers.joined():
    tensors = [torch.full((2, 2), 1.0 + workers.rank), torch.tensor([float(workers.rank ** 2)])]
    processes.average(tensors)
    print([tensor.tolist() for tensor in tensors])
"""


def test_workers_average_their_tensors() -> None:
    """(1 + 2) / 2 and (0 + 1) / 2; only the first one prints."""
    done = subprocess.run(
        [sys.executable, "-c", MEAN], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[[[1.5, 1.5], [1.5, 1.5]], [0.5]]\n", done.stderr


def test_bad_requests_are_one_sentence(
    mvae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--mvae", mvae, "--out", tmp_path / "run", "--algorithm", "ppo", "--steps", "1"]
    for words, expected in (
        (["--task", "dance"], "task is 'dance'; allowed: joystick, target, "),
        (
            ["--resume", "--characters", "8", "--ppo.minibatch", "32"],
            "training.safetensors: no such checkpoint",
        ),
        (["--start", tmp_path / "none.safetensors"], "none.safetensors: no such checkpoint"),
        (["--start", mvae], "a motion-vae checkpoint found; a policy checkpoint is expected"),
        (
            ["--ppo.minibatch", "512", "--characters", "2"],
            "ppo.minibatch is 512; allowed: up to characters × ppo.roll",
        ),
    ):
        assert expected in refusal(train_policy.main, [*where, *words], monkeypatch, capsys)
    missing = ["--mvae", tmp_path / "none.safetensors", "--out", tmp_path / "other", "--steps", "1"]
    assert "no such checkpoint" in refusal(train_policy.main, missing, monkeypatch, capsys)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "words", [["--steps", "0"], ["--ppo.gamma", "1.5"], ["--shac.horizon", "0"]]
)
def test_bad_settings_are_one_sentence(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "; allowed: " in refusal(train_policy.main, list(words), monkeypatch, capsys)


def test_a_file_in_the_place_of_the_folder_is_one_sentence(
    mvae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").write_text("a file")
    words = ["--mvae", mvae, "--out", tmp_path / "run", "--ppo.minibatch", "8", "--steps", "1"]
    assert str(tmp_path / "run") in refusal(train_policy.main, words, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (PolicyConfig, "steps", 0),
        (PolicyConfig, "characters", -1),
        (PolicyConfig, "episode_frames", 0),
        (PolicyConfig, "threads", 0),
        (PolicyConfig, "evaluate_every", 0),
        (PolicyConfig, "workers", 3),
        (PolicyConfig, "hidden", ()),
        (PolicyConfig, "hidden", (16, 0)),
        (PpoConfig, "rollout_frames", 0),
        (PpoConfig, "minibatch", 0),
        (PpoConfig, "epochs", 0),
        (PpoConfig, "gamma", 1.0),
        (PpoConfig, "gamma", float("nan")),
        (PpoConfig, "gae_lambda", 1.1),
        (PpoConfig, "learning_rate", 0.0),
        (PpoConfig, "reward_scale", 0.0),
        (ShacConfig, "horizon", 0),
        (ShacConfig, "gamma", 0.0),
        (ShacConfig, "td_lambda", -0.5),
        (ShacConfig, "noise", -0.1),
        (Curriculum, "glide", (0.5, 0.4)),
        (Curriculum, "ground", (0.0, 1.5)),
        (ShacConfig, "target_decay", 1.0),
        (PpoConfig, "clip_range", -0.2),
        (PpoConfig, "final_learning_rate", -1e-5),
        (PpoConfig, "critic_frames", -1),
        (ShacConfig, "critic_steps", 0),
        (ShacConfig, "actor_rate", -1e-3),
        (ShacConfig, "gradient_norm", 0.0),
    ],
)
def test_a_bad_setting_is_refused_by_name(kind: type, field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(**{field: value})
    assert f"{field} is {value!r}; allowed: " in str(caught.value)


def test_the_puppet_has_as_many_strings_as_these_tests_think() -> None:
    assert puppet().latent == PUPPET_LATENT


# -- interruptions ---------------------------------------------------------------------------------


def interrupted(config: PolicyConfig, frames: int) -> PolicyTraining:
    """A run that dies when it has passed this many frames, in the middle of the next iteration."""
    training = PolicyTraining(config)
    iterate = training.trainer.iterate

    def dies(progress: float) -> dict[str, float]:
        figures = iterate(progress)
        if training.frames > frames:
            raise KeyboardInterrupt
        return figures

    training.trainer.iterate = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        training.run()
    return training


def weights(path: Path) -> dict[str, Tensor]:
    return checkpoint.load(path, "policy")[1]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["ppo", "crowd", "imitation"])
def test_a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one(
    config: PolicyConfig,
    tmp_path: Path,
    data_file: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = replace(config, steps=320, evaluate_every=100, characters=4)
    if kind != "ppo":
        config = replace(config, algorithm="shac", shac=replace(config.shac, horizon=4))
    if kind == "crowd":
        config = replace(config, task="crowd")
    if kind == "imitation":
        imitation = replace(config.imitation, sway=SwayConfig(0.3), memory=50, frames=9, rows=32)
        monkeypatch.setattr(discriminator, "STRETCHES", 16)
        critic = DiscriminatorConfig(weight=0.3, frames=4, hidden=(8,), steps=1)
        config = replace(config, data=data_file, imitation=imitation, discriminator=critic)
    config = replace(config, episode_frames=11)
    whole = PolicyTraining(replace(config, out=tmp_path / "whole"))
    expected = weights(whole.run())

    broken = replace(config, out=tmp_path / "broken")
    first = interrupted(broken, 200)
    assert first.kept() == f"{first.state_path} has the state after {first.saved} frames; " + (
        "--resume goes on there"
    )
    torch.manual_seed(99)
    second = PolicyTraining(replace(broken, resume=True))
    assert 0 < second.frames < config.steps
    found = weights(second.run())
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    own, other = (
        [{**row, "wall_s": 0} for row in training.history] for training in (whole, second)
    )
    assert own == other and len(own) > 2


@pytest.mark.usefixtures("quick")
def test_a_run_of_other_characters_is_resumed_with_new_episodes(
    config: PolicyConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(config, algorithm="shac")
    PolicyTraining(config).run()
    capsys.readouterr()
    PolicyTraining(replace(config, resume=True, characters=2 * config.characters))
    assert "of other characters or workers" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_a_finished_policy_is_replaced_only_on_request(config: PolicyConfig) -> None:
    path = PolicyTraining(config).run()
    for left in ("training.safetensors", "history.json"):
        (config.out / left).unlink()
        with pytest.raises(ControllerError, match="--overwrite"):
            PolicyTraining(config)
    before = path.read_bytes()
    PolicyTraining(replace(config, overwrite=True, seed=7)).run()
    assert path.read_bytes() != before
