"""Golden rollouts: where every shipped policy takes four characters in two seconds of each task, to
the centimetre.

``python -m controller golden --out tests/golden.json`` writes them anew, which
is due whenever weights, a task or the dynamics have changed on purpose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from controller.control import shipped
from controller.control.monte_carlo import MonteCarloConfig
from controller.control.policy import model_fingerprint
from controller.core import files
from controller.dynamics.character import Character
from controller.dynamics.rollout import drawn_latents
from controller.evaluation.figures import acting
from controller.evaluation.results.suite import Entry, SuiteConfig, entries
from controller.motion import geometry

CHARACTERS = 4
FRAMES = 60
EVERY = 20
"""Characters of a rollout, its frames, and after how many of them it is looked at."""
TOLERANCE_M = 0.01
TOLERANCE_RAD = 0.01
"""How far another machine, whose sums are rounded in another order, may come out elsewhere after
two seconds."""

Places = dict[str, list[Any]]
"""``position``: (K, B) pairs of x and z in metres; ``yaw``: (K, B) radians. K looks at B
characters."""


@dataclass(frozen=True)
class Options:
    """Where to."""

    out: Path
    """The JSON file."""


@torch.inference_mode()
def rollout(entry: Entry) -> Places:
    """Where an entry's characters are, every 20 frames; goals are followed and none is drawn
    anew."""
    simulation = entry.simulation
    generator = torch.Generator().manual_seed(1)
    state, goal = simulation.reset(CHARACTERS, generator)
    drawn = drawn_latents(simulation.character, generator)
    act = acting(simulation, entry.control) if entry.control else drawn
    seen = []
    for frame in range(FRAMES):
        state = simulation.move(state, act(state, goal))
        goal = simulation.task.follow_goal(state, goal)
        if (frame + 1) % EVERY == 0:
            seen.append(state)
    return {
        "position": [_rounded(state.position) for state in seen],
        "yaw": [_rounded(state.yaw) for state in seen],
    }


def rollouts(character: Character) -> dict[str, Places]:
    """Those of all shipped policies, and of z at random, by task and name."""
    config = SuiteConfig(tries_tasks=())
    everybody = entries(character, config, MonteCarloConfig(), left_out=[])
    return {f"{entry.task}: {entry.who}": rollout(entry) for entry in everybody}


def apart(one: Places, other: Places) -> tuple[float, float]:
    """The largest distance, in metres, and the largest angle, in radians, between two rollouts."""
    places = torch.tensor(one["position"]) - torch.tensor(other["position"])
    turned = geometry.wrap_angle(torch.tensor(one["yaw"]) - torch.tensor(other["yaw"]))
    return float(places.norm(dim=-1).max()), float(turned.abs().max())


def _rounded(value: Tensor) -> list[Any]:
    plain: list[Any] = (1e4 * value.double()).round().div(1e4).tolist()
    return plain


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    character = Character.load(shipped.MVAE)
    record = {"model": model_fingerprint(character), "rollouts": rollouts(character)}
    files.write(options.out, json.dumps(record) + "\n")
    print(options.out)
