"""How many tries, and how deep, Monte Carlo control needs: ``python -m controller.results.tries --write FILE``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from controller import assets, files, markdown
from controller.character import Character
from controller.errors import require, run_command
from controller.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.simulation import Simulation
from controller.tasks import task_type

SAMPLES, HORIZONS = (50, 100, 200), (1, 4, 8, 16)


@dataclass(frozen=True)
class Options:
    """What is compared."""

    tasks: tuple[str, ...] = ("joystick", "target")
    """At which tasks."""
    characters: int = 4
    """Characters at once."""
    frames: int = 150
    """Frames, of which the rewards are averaged."""
    mvae: Path = assets.MVAE
    """The motion VAE."""
    write: Path | None = None
    """The page whose block <!-- tries --> gets the table."""

    def __post_init__(self) -> None:
        for name in ("characters", "frames"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")


@torch.inference_mode()
def mean_reward(simulation: Simulation, config: MonteCarloConfig, characters: int, frames: int) -> float:
    """The task's reward a frame under Monte Carlo control, goals drawn as in training, always the same ones."""
    generator, control = torch.Generator().manual_seed(3), MonteCarlo(simulation, config)
    state, goal = simulation.reset(characters, generator)
    total = 0.0
    for _ in range(frames):
        goal = simulation.task.next_goal(state, goal, generator)
        step = simulation.advance(state, goal, simulation.hold(control(state, goal)))
        state, total = step.state, total + float(step.reward.mean())
    return total / frames


def table(options: Options) -> str:
    """Mean rewards, a line for each task and number of samples, a column for each depth."""
    character, lines = Character.load(options.mvae), []
    for name in options.tasks:
        simulation = Simulation(character, task_type(name)(character))
        for samples in SAMPLES:
            rewards = (
                mean_reward(simulation, MonteCarloConfig(samples, depth), options.characters, options.frames)
                for depth in HORIZONS
            )
            lines.append([name, str(samples), *(f"{reward:.3f}" for reward in rewards)])
    return markdown.table(["task", "tries", *(f"{depth} deep" for depth in HORIZONS)], lines)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    text = table(options)
    print(text)
    if options.write:
        files.fill(options.write, "tries", text)


if __name__ == "__main__":
    run_command(main)
