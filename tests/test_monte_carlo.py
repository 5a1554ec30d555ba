"""Monte Carlo control: the best of many tries, and nothing trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from synthetic import anywhere, character, puppet, refusal

from controller import batch, evaluate
from controller.errors import ConfigError
from controller.evaluation import evaluate as figures_of
from controller.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.simulation import Simulation
from controller.tasks.target import TargetTask


def test_it_acts_as_the_best_of_its_tries_began() -> None:
    """One frame deep, no other of the tries would have paid more."""
    simulation = Simulation(character(), TargetTask(character()))
    state = anywhere(0, 3)
    goal = simulation.task.draw_goal(state, torch.Generator().manual_seed(0))
    config = MonteCarloConfig(samples=50, horizon=1, seed=4)
    chosen = MonteCarlo(simulation, config)(state, goal)
    tried = torch.randn(1, 150, 6, generator=torch.Generator().manual_seed(4))[0]
    rows = torch.arange(3).repeat_interleave(50)
    with torch.inference_mode():
        reward = simulation.advance(batch.select(state, rows), batch.select(goal, rows), tried).reward.view(3, 50)
        torch.testing.assert_close(simulation.advance(state, goal, chosen).reward, reward.amax(dim=1))
    assert (reward.amax(dim=1) > reward.median(dim=1).values).all()


def test_a_puppet_on_its_strings_reaches_its_target() -> None:
    """It has no legs, so gliding must cost it nothing; nor inertia, so one frame is as deep as a try need go."""
    simulation = Simulation(puppet(), TargetTask(puppet()))
    simulation.task.quality.ground = simulation.task.quality.gliding = 0.0
    state, goal = simulation.reset(3, torch.Generator().manual_seed(0))
    goal = type(goal)(torch.tensor([[0.0, 2.0], [1.5, 0.0], [-1.0, -1.0]]))
    acts = MonteCarlo(simulation, MonteCarloConfig(samples=200, horizon=1))
    before = (state.position - goal.position).norm(dim=-1)
    for _ in range(90):
        state = simulation.move(state, acts(state, goal))
    assert ((state.position - goal.position).norm(dim=-1) < 0.5 * before).all()


def test_it_has_a_row_in_the_evaluation() -> None:
    simulation = Simulation(character(), TargetTask(character()))
    config = MonteCarloConfig(samples=4, horizon=2)
    one, again = (figures_of(simulation, MonteCarlo(simulation, config), 2, 1.0, 1) for _ in range(2))
    assert one == again and "reach_fraction" in one and "foot_skate_cm_per_frame" in one


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"samples": 0}, "monte_carlo.samples is 0; allowed: 1 or more"),
        ({"horizon": 0}, "monte_carlo.horizon is 0; allowed: 1 or more"),
        ({"deviation": 0.0}, "monte_carlo.deviation is 0.0; allowed: above 0"),
    ],
)
def test_a_bad_setting_is_refused_by_name(values: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}"):
        MonteCarloConfig(**values)  # type: ignore[arg-type]


def test_the_command_refuses_a_bad_setting(
    mvae: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--task", "target", "--mvae", mvae, "--control", "monte_carlo", "--monte-carlo.samples", "0"]
    assert refusal(evaluate.main, words, monkeypatch, capsys) == "monte_carlo.samples is 0; allowed: 1 or more"
