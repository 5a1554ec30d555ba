"""Monte Carlo control: the best of many tries, and nothing trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from synthetic import anywhere, character, data, layout, puppet, refusal
from torch import Tensor

from controller.control.folder import CharacterFolder
from controller.control.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.core import batch
from controller.core.errors import ConfigError
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.figures import evaluate as figures_of
from controller.evaluation.results import evaluate
from controller.evaluation.trials import target
from controller.model import variants
from controller.model.mixture import MotionVAEConfig
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.simulation import Simulation
from controller.tasks.target import TargetGoal, TargetTask


def test_it_acts_as_the_best_of_its_tries_began() -> None:
    """One frame deep, no other of the tries would have paid more."""
    simulation = Simulation(character(), TargetTask(character()))
    state = anywhere(0, 3)
    goal = simulation.task.draw_goal(state, torch.Generator().manual_seed(0))
    config = MonteCarloConfig(samples=50, horizon=1, seed=4)
    chosen = MonteCarlo(simulation, config)(state, goal)
    tried = torch.randn(150, 6, generator=torch.Generator().manual_seed(4))
    rows = torch.arange(3).repeat_interleave(50)
    with torch.inference_mode():
        reward = simulation.advance(
            batch.select(state, rows), batch.select(goal, rows), tried
        ).reward.view(3, 50)
        torch.testing.assert_close(
            simulation.advance(state, goal, chosen).reward, reward.amax(dim=1)
        )
    assert (reward.amax(dim=1) > reward.median(dim=1).values).all()


def test_a_puppet_on_its_strings_reaches_its_target() -> None:
    """With the default settings. It has no legs, so gliding must cost it nothing."""
    simulation = Simulation(puppet(), TargetTask(puppet()))
    simulation.task.penalties.ground = 0.0
    simulation.task.penalties.gliding = 0.0
    state, goal = simulation.reset(3, torch.Generator().manual_seed(0))
    goal = type(goal)(torch.tensor([[0.0, 2.0], [1.5, 0.0], [-1.0, -1.0]]))
    acts = MonteCarlo(simulation)
    before = (state.position - goal.position).norm(dim=-1)
    for _ in range(90):
        state = simulation.move(state, acts(state, goal))
    assert ((state.position - goal.position).norm(dim=-1) < 0.5 * before).all()


def test_a_try_goes_on_at_the_mean_so_that_later_luck_decides_nothing() -> None:
    """Three frames deep: no other first latent would have earned more with nothing after it."""
    simulation = Simulation(character(), TargetTask(character()))
    state = anywhere(1, 2)
    goal = simulation.task.draw_goal(state, torch.Generator().manual_seed(1))
    chosen = MonteCarlo(simulation, MonteCarloConfig(samples=30, horizon=3, seed=5))(state, goal)
    tried = torch.randn(60, 6, generator=torch.Generator().manual_seed(5))

    def worth(states: CharacterState, goals: TargetGoal, first: Tensor) -> Tensor:
        total = torch.zeros(len(first))
        for latent in (first, torch.zeros_like(first), torch.zeros_like(first)):
            step = simulation.advance(states, goals, latent)
            states = step.state
            total = total + step.reward
        return total

    rows = torch.arange(2).repeat_interleave(30)
    with torch.inference_mode():
        all_of_them = worth(batch.select(state, rows), batch.select(goal, rows), tried).view(2, 30)
        torch.testing.assert_close(worth(state, goal, chosen), all_of_them.amax(dim=1))


def test_codes_are_tried_as_they_are() -> None:
    config = MotionVAEConfig(variant="codes", codes=5, latent=6, hidden=24, experts=3)
    built = variants.build(layout().size, config, data().normalizer())
    coded = Character(built, layout(), character().reset_poses)
    simulation = Simulation(coded, TargetTask(coded))
    state, goal = simulation.reset(3, torch.Generator().manual_seed(0))
    chosen = MonteCarlo(simulation, MonteCarloConfig(samples=8, horizon=2, deviation=3.0))(
        state, goal
    )
    assert torch.cdist(chosen, coded.codes).amin(dim=1).max() == 0


def test_the_default_is_better_than_one_frame_deep_with_a_real_character() -> None:
    """Asked to walk at 1 m/s. A single frame does not show what a step is worth."""
    who = Character.load(CharacterFolder.open().mvae)
    simulation = Simulation(who, JoystickTask(who))
    goal = JoystickGoal(torch.tensor([[0.0, 1.0]] * 2), torch.zeros(2))
    rewards = []
    for config in (MonteCarloConfig(seed=2), MonteCarloConfig(horizon=1, seed=2)):
        state = who.reset(2, torch.Generator().manual_seed(2))
        acts = MonteCarlo(simulation, config)
        total = 0.0
        for _ in range(60):
            step = simulation.advance(state, goal, simulation.clamp(acts(state, goal)))
            state = step.state
            total = total + float(step.reward.mean()) / 60
        rewards.append(total)
    assert rewards[0] > rewards[1] + 0.02


def test_it_has_a_row_in_the_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "SLACK", 0.2)  # short rounds
    simulation = Simulation(character(), TargetTask(character()))
    config = MonteCarloConfig(samples=4, horizon=2)
    figures = figures_of(simulation, MonteCarlo(simulation, config), 2, 1.0, 1)
    assert "reach_fraction" in figures and "foot_skate_cm_per_frame" in figures


def test_a_seed_decides_what_is_tried() -> None:
    simulation = Simulation(character(), TargetTask(character()))
    state = anywhere(0, 3)
    goal = simulation.task.draw_goal(state, torch.Generator().manual_seed(0))
    one, again, other = (
        MonteCarlo(simulation, MonteCarloConfig(seed=seed))(state, goal) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": 0}, "monte_carlo.samples is 0; allowed: 1 or more"),
        ({"horizon": 0}, "monte_carlo.horizon is 0; allowed: 1 or more"),
        ({"deviation": 0.0}, "monte_carlo.deviation is 0.0; allowed: above 0"),
    ],
)
def test_a_bad_setting_is_refused_by_name(values: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        MonteCarloConfig(**values)  # type: ignore[arg-type]


def test_the_command_refuses_a_bad_setting(
    mvae: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--task",
        "target",
        "--mvae",
        mvae,
        "--control",
        "monte_carlo",
        "--monte-carlo.samples",
        "0",
    ]
    assert (
        refusal(evaluate.main, words, monkeypatch, capsys)
        == "monte_carlo.samples is 0; allowed: 1 or more"
    )
