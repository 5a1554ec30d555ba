"""Golden rollouts: where every shipped policy takes four characters in two seconds of each task.

``python -m controller golden --out tests/golden.json`` writes them again, which is necessary
whenever weights, a task or the dynamics have changed on purpose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller.control.folder import CharacterFolder
from controller.control.monte_carlo import MonteCarloConfig
from controller.control.policy import model_fingerprint
from controller.core import command_line, files
from controller.dynamics.character import Character
from controller.dynamics.rollout import drawn_latents
from controller.evaluation.figures import acting
from controller.evaluation.results.suite import Entry, SuiteConfig, entries
from controller.motion import geometry

CHARACTERS = 4
FRAMES = 60
EVERY = 20
"""Characters of a rollout, its frames, and the frames from one sample to the next."""
TOLERANCE_M = 0.01
TOLERANCE_RAD = 0.01
"""How far another machine, which rounds sums in another order, may deviate after two seconds."""

Places = dict[str, list[Any]]
"""``position``: (K, B) pairs of x and z in metres; ``yaw``: (K, B) radians. K samples of B
characters."""


@dataclass(frozen=True)
class Options:
    """Where to write."""

    out: Path
    """The JSON file."""


@torch.inference_mode()
def rollout(entry: Entry) -> Places:
    """Where an entry's characters are, every 20 frames. Goals move as the task moves them, and no
    new ones are drawn."""
    simulation = entry.simulation
    generator = torch.Generator().manual_seed(1)
    state, goal = simulation.reset(CHARACTERS, generator)
    if entry.control:
        act = acting(simulation, entry.control)
    else:
        act = drawn_latents(simulation.character, generator)
    samples = []
    for frame in range(FRAMES):
        state = simulation.move(state, act(state, goal))
        goal = simulation.task.follow_goal(state, goal)
        if (frame + 1) % EVERY == 0:
            samples.append(state)
    return {
        "position": [_rounded(state.position) for state in samples],
        "yaw": [_rounded(state.yaw) for state in samples],
    }


def rollouts(character: Character) -> dict[str, Places]:
    """The rollouts of all shipped policies, and of random z, by task and name."""
    config = SuiteConfig(tries_tasks=())
    shipped_entries = entries(character, config, MonteCarloConfig(), left_out=[])
    return {f"{entry.task}: {entry.who}": rollout(entry) for entry in shipped_entries}


def apart(one: Places, other: Places) -> tuple[float, float]:
    """The largest distance in metres and the largest angle in radians between two rollouts."""
    shift = torch.tensor(one["position"]) - torch.tensor(other["position"])
    turn = geometry.wrap_angle(torch.tensor(one["yaw"]) - torch.tensor(other["yaw"]))
    return float(shift.norm(dim=-1).max()), float(turn.abs().max())


def _rounded(value: Tensor) -> list[Any]:
    plain: list[Any] = (1e4 * value.double()).round().div(1e4).tolist()
    return plain


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    torch.set_num_threads(1)
    character = Character.load(CharacterFolder.open().mvae)
    record = {"model": model_fingerprint(character), "rollouts": rollouts(character)}
    files.write(options.out, json.dumps(record) + "\n")
    print(options.out)
