"""A task of one's own: the example of docs/new-task.md does what the page says, by its one
registration."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import forked
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3
from synthetic import (
    ROOT,
    anywhere,
    character,
    in_place_of_woody,
    latents,
    puppet,
    refusal,
    turned,
)

import play
from controller.control.actors import Actor
from controller.control.policy import Policy
from controller.core.errors import CheckpointError
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.results import evaluate
from controller.games import GAMES, guide
from controller.games.default import DefaultGame
from controller.games.named_policy import NamedPolicy
from controller.games.player import Player
from controller.motion import geometry
from controller.motion.limits import Limits
from controller.tasks import TASKS, task_type
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


@pytest.mark.parametrize("name", ["companion", "Companion", "CompanionTask"])
def test_it_is_registered_everywhere_by_one_line(name: str, mvae: Path) -> None:
    address = f"examples.companion:{name}"
    assert task_type(name) is task_type(address) is CompanionTask
    assert GAMES.find(address).task_type is GAMES["companion"].task_type is CompanionTask
    assert TASKS.address("companion") == NAME and TASKS.address("joystick") == "joystick"
    env = gymnasium.make("examples.companion:MotionVAE/Companion-v0", mvae=str(mvae))
    check_env(env.unwrapped)
    check_env_for_sb3(env.unwrapped)
    batch = gymnasium.make_vec("MotionVAE/Companion-v0", num_envs=3, mvae=str(mvae))
    assert np.isfinite(batch.reset(seed=0)[0]).all()


@pytest.mark.parametrize(
    "lines",
    [
        "import envs, examples.companion; make('MotionVAE/Companion-v0', mvae=MVAE)",
        "import examples.companion, envs; make('MotionVAE/Companion-v0', mvae=MVAE)",
        "make('examples.companion:MotionVAE/Companion-v0', mvae=MVAE)",
    ],
)
def test_gymnasium_finds_it_in_a_process_of_its_own(lines: str, mvae: Path) -> None:
    start = f"from gymnasium import make; MVAE = {str(mvae)!r}; "
    done = forked.run(start + lines)
    assert done.returncode == 0, done.stderr


def test_the_example_itself_needs_no_gymnasium() -> None:
    source = (ROOT / "examples" / "companion.py").read_text(encoding="utf-8")
    assert "envs" not in source and "gymnasium" not in source


def test_the_puppet_learns_to_keep_its_companion_company() -> None:
    trainer = ShacTrainer(
        Episodes(Simulation(puppet(), CompanionTask(puppet())), 64, 200),
        ShacConfig(horizon=16, actor_rate=5e-3, gamma=0.9), (64,), 0,
    )  # fmt: skip
    rewards = [trainer.iterate(number / 60)["reward"] for number in range(60)]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.2


def test_it_is_trained_measured_and_played_by_the_commands(
    mvae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(main: Callable[[], object], words: str) -> str:
        monkeypatch.setattr(
            "sys.argv", ["command", "--task", NAME, "--mvae", str(mvae), *words.split()]
        )
        main()
        return capsys.readouterr().out

    short = "--characters 8 --steps 192 --workers 1 --hidden 8"
    command(train_policy.main, f"--out {tmp_path} {short}")
    policy = tmp_path / "companion.safetensors"
    assert policy.is_file()

    short = "--characters 2 --seconds 1 --json"
    assert '"task": "companion"' in command(evaluate.main, f"--policy {policy} {short}")

    walk = tmp_path / "walk.npz"
    command(play.main, f"--headless --policy {policy} --frames 60 --record {walk}")
    with np.load(walk) as file:
        assert file["root"].shape == (60, 3) and np.isfinite(file["root"]).all()


def test_the_window_knows_it(mvae: Path) -> None:
    key = GAMES.key("companion")
    assert key and int(key) > len(
        [game for game in GAMES.values() if "controller" in game.__module__]
    )
    assert "N\tcompanion: another goal" in guide.window_help(Limits()).splitlines()
    assert guide.window_help(Limits()).splitlines()[0].endswith(", companion")
    assert f"  {key}  companion" in guide.command_help()


def trained(who: Character) -> NamedPolicy:
    """An untrained policy that says it was trained for the companion."""
    task = CompanionTask(who)
    actor = Actor(who.layout.size + task.goal_size, who.latent, (8,), 1.0)
    return NamedPolicy("new", Policy.of(actor, who, task.name, task.settings()))


def test_its_goal_is_drawn_followed_and_drawn_again() -> None:
    player = Player(puppet(), [trained(puppet())], task=NAME)
    game = player.game
    assert game.name == "companion" and isinstance(game, DefaultGame)
    goal = game.goal
    player.step(set())
    ahead = geometry.turn(torch.tensor([0.0, 1.0]), goal.yaw) / 30
    torch.testing.assert_close(game.goal.position, goal.position + ahead)
    assert player.now.stage.flag == pytest.approx(game.goal.position[0].numpy())
    for key in ("n", GAMES.key("companion")):
        player.step({key})
        assert float((game.goal.yaw - goal.yaw).abs()) > 1e-3
        goal = game.goal
        player.step(set())
        assert torch.equal(game.goal.yaw, goal.yaw)


def test_without_a_policy_it_says_how_to_train_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_place_of_woody(puppet(), tmp_path, monkeypatch)
    with pytest.raises(CheckpointError, match=f"envs.train_policy --task {NAME}`"):
        Player(puppet(), task=NAME)


def test_a_module_that_is_not_there_is_one_sentence(
    mvae: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--task", "examples.nobody:companion", "--mvae", mvae]
    message = refusal(evaluate.main, words, monkeypatch, capsys)
    assert message == "task is 'examples.nobody:companion': No module named 'examples.nobody'"
    words = ["--task", "examples.companion:nobody", "--mvae", mvae]
    assert "task is 'examples.companion:nobody'; allowed: joystick, " in refusal(
        evaluate.main, words, monkeypatch, capsys
    )
