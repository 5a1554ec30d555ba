"""Measure Monte Carlo control by tries and depth: ``python -m controller tries --write FILE``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from controller.control.folder import DEFAULT, CharacterFolder
from controller.control.monte_carlo import MonteCarlo, MonteCarloConfig
from controller.core import command_line, files, markdown
from controller.core.errors import require
from controller.dynamics.character import Character
from controller.tasks import task_type
from controller.tasks.simulation import Simulation

SAMPLES = (50, 100, 200)
HORIZONS = (1, 4, 8, 16)


@dataclass(frozen=True)
class Options:
    """What to compare."""

    tasks: tuple[str, ...] = ("joystick", "target")
    """The tasks."""
    characters: int = 4
    """Characters at once."""
    frames: int = 150
    """Frames over which rewards are averaged."""
    character: str = DEFAULT
    """The character: its name, or its folder."""
    mvae: Path | None = None
    """The motion VAE; by default the character's."""
    write: Path | None = None
    """The page whose block <!-- tries --> gets the table."""

    def __post_init__(self) -> None:
        for name in ("characters", "frames"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")


@torch.inference_mode()
def mean_reward(
    simulation: Simulation, config: MonteCarloConfig, characters: int, frames: int
) -> float:
    """The mean reward a frame under Monte Carlo control, with goals drawn as in training and always
    the same."""
    generator = torch.Generator().manual_seed(3)
    control = MonteCarlo(simulation, config)
    state, goal = simulation.reset(characters, generator)
    total = 0.0
    for _ in range(frames):
        goal = simulation.task.next_goal(state, goal, generator)
        step = simulation.advance(state, goal, simulation.clamp(control(state, goal)))
        state = step.state
        total = total + float(step.reward.mean())
    return total / frames


def table(options: Options) -> str:
    """Mean rewards: a line for each task and number of samples, a column for each depth."""
    character = Character.load(options.mvae or CharacterFolder.open(options.character).mvae)
    lines = []
    for name in options.tasks:
        simulation = Simulation(character, task_type(name)(character))
        for samples in SAMPLES:
            rewards = []
            for depth in HORIZONS:
                config = MonteCarloConfig(samples, depth)
                reward = mean_reward(simulation, config, options.characters, options.frames)
                rewards.append(f"{reward:.3f}")
            lines.append([name, str(samples), *rewards])
    return markdown.table(["task", "tries", *(f"{depth} deep" for depth in HORIZONS)], lines)


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    torch.set_num_threads(1)
    text = table(options)
    print(text)
    if options.write:
        files.fill(options.write, "tries", text)
