"""A task of one's own: the example of docs/new-task.md does what the page says, by its one
registration."""

from __future__ import annotations

import math
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3
from synthetic import ROOT, anywhere, character, latents, puppet, refusal, turned

from controller.dynamics.character import CharacterState
from controller.evaluation.results import evaluate
from controller.motion import geometry
from controller.tasks import task_type
from controller.tasks.simulation import Simulation
from envs import train_policy
from envs.episodes import Episodes
from envs.shac import ShacConfig, ShacTrainer
from examples.companion import CompanionGoal, CompanionTask

NAME = "examples.companion:companion"


def beside(x: float, z: float) -> tuple[CharacterState, CompanionGoal]:
    """A character at (x, z) facing +X, and a companion at the origin who walks along +X: its left
    is −Z."""
    state = puppet().reset(1)
    quarter = torch.tensor([math.pi / 2])
    return CharacterState(state.pose, torch.tensor([[x, z]]), quarter), CompanionGoal(
        torch.zeros(1, 2), quarter
    )


def test_the_page_shows_the_file_as_it_is() -> None:
    page, source = (
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("docs/new-task.md", "examples/companion.py")
    )
    example = source[source.index("@dataclass") :]
    assert f"```python\n{example}```\n" in page
    assert 30 <= example.count("\n") <= 50


def test_the_place_beside_the_companion_is_seen() -> None:
    """Two metres ahead and one to the left."""
    state, goal = beside(-2.0, 0.0)
    far = math.sqrt(5)
    faded = math.sqrt(5 + 0.01)
    expected = torch.tensor([[2 / faded, 1 / faded, far / (1 + far), 1.0, 0.0]])
    torch.testing.assert_close(
        CompanionTask(puppet()).observe_goal(state, goal), expected, atol=1e-5, rtol=0
    )


def test_walking_along_beside_it_pays_in_full() -> None:
    state, goal = beside(0.0, -1.0)
    task = CompanionTask(puppet())
    pull = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]])
    _, terms = task.reward(state, pull, puppet().step(state, pull), goal)
    assert float(terms["velocity"]) == pytest.approx(0.55, abs=1e-3)
    assert float(terms["facing"]) == pytest.approx(0.55, abs=1e-5)


@torch.no_grad()
def test_moving_and_turning_the_world_changes_nothing() -> None:
    simulation = Simulation(character(), CompanionTask(character()))
    here = anywhere(0, 8)
    yaw = torch.tensor(2.0)
    goal = simulation.task.draw_goal(here, torch.Generator().manual_seed(0))
    there = turned(here, 2.0, 3.0, -4.0)
    other = CompanionGoal(
        geometry.turn(goal.position, yaw) + torch.tensor([3.0, -4.0]), goal.yaw + yaw
    )
    torch.testing.assert_close(
        simulation.observe(there, other), simulation.observe(here, goal), atol=2e-5, rtol=0
    )
    one, two = (
        simulation.advance(s, g, latents(0, 8, 6)).reward for s, g in ((here, goal), (there, other))
    )
    torch.testing.assert_close(one, two, atol=2e-5, rtol=0)


def test_it_is_registered_everywhere_by_one_line(mvae: Path) -> None:
    assert task_type("companion") is task_type(NAME) is CompanionTask
    env = gymnasium.make("examples.companion:MotionVAE/Companion-v0", mvae=str(mvae))
    check_env(env.unwrapped)
    check_env_for_sb3(env.unwrapped)
    batch = gymnasium.make_vec("MotionVAE/Companion-v0", num_envs=3, mvae=str(mvae))
    assert np.isfinite(batch.reset(seed=0)[0]).all()


def test_the_puppet_learns_to_keep_its_companion_company() -> None:
    trainer = ShacTrainer(
        Episodes(Simulation(puppet(), CompanionTask(puppet())), 64, 200),
        ShacConfig(horizon=16, actor_rate=5e-3, gamma=0.9), (64,), 0,
    )  # fmt: skip
    rewards = [trainer.iterate(number / 60)["reward"] for number in range(60)]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.2


def test_it_is_trained_and_measured_by_the_commands(
    mvae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = [
        "--task",
        NAME,
        "--mvae",
        str(mvae),
        "--out",
        str(tmp_path),
        "--characters",
        "8",
        "--steps",
        "192",
    ]
    monkeypatch.setattr("sys.argv", ["train", *run, "--workers", "1", "--hidden", "8"])
    train_policy.main()
    policy = tmp_path / "companion.safetensors"
    assert policy.is_file()
    capsys.readouterr()
    words = [
        "--task",
        NAME,
        "--mvae",
        str(mvae),
        "--policy",
        str(policy),
        "--characters",
        "2",
        "--seconds",
        "1",
    ]
    monkeypatch.setattr("sys.argv", ["evaluate", *words, "--json"])
    evaluate.main()
    assert '"task": "companion"' in capsys.readouterr().out


def test_a_module_that_is_not_there_is_one_sentence(
    mvae: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--task", "examples.nobody:companion", "--mvae", mvae]
    said = refusal(evaluate.main, words, monkeypatch, capsys)
    assert said == "task is 'examples.nobody:companion': No module named 'examples.nobody'"
    words = ["--task", "examples.companion:nobody", "--mvae", mvae]
    assert "task is 'examples.companion:nobody'; allowed: joystick, " in refusal(
        evaluate.main, words, monkeypatch, capsys
    )
