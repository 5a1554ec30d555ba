"""Time the environments' faces and the policy's training: ``python -m envs.benchmark --json``.

A part of ``python -m controller benchmark``, which knows nothing of environments and runs this as a
program.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import tyro

from controller.benchmark.options import Options
from controller.benchmark.steps import Core, random_latents
from controller.benchmark.timing import Call, Timing, alternate, finished, measure
from controller.core import devices
from controller.core.errors import run_command
from controller.evaluation.results.evaluate import table
from controller.tasks.simulation import LATENT_LIMIT
from envs import EPISODE_FRAMES
from envs.character_env import VectorCharacterEnv
from envs.episodes import Episodes
from envs.ppo import PpoTrainer
from envs.sb3 import CharacterVecEnv
from envs.shac import ShacTrainer
from envs.train_policy import PolicyConfig

CHARACTERS = 100
CALLS = 10
"""Steps in a sample."""


def faces(device: torch.device) -> dict[str, Call]:
    """One step of :data:`CHARACTERS` characters, by name: the bare core, and the same latents
    through each face."""
    vecenv = CharacterVecEnv(Episodes.make("joystick", CHARACTERS, EPISODE_FRAMES, None, device))
    gym = VectorCharacterEnv(CHARACTERS, "joystick", None, EPISODE_FRAMES, str(device))
    # One set of weights for all: three would push each other out of the cache.
    gym.episodes = Episodes(vecenv.episodes.simulation, CHARACTERS, EPISODE_FRAMES)
    vecenv.seed(0)
    vecenv.reset()
    gym.reset(seed=0)
    vecenv.episodes.spread_clocks()
    gym.episodes.spread_clocks()
    simulation = vecenv.episodes.simulation
    core = Core(simulation, CHARACTERS)
    actions = list((random_latents(simulation.character, CHARACTERS) / LATENT_LIMIT).cpu().numpy())

    def through(step: Any) -> Call:
        steps = iter(range(10**12))
        return lambda: step(actions[next(steps) % len(actions)])

    return {
        "core": finished(core, device),
        "vecenv": through(vecenv.step),
        "gym": through(gym.step),
    }


@torch.inference_mode()
def face_figures(device: torch.device, seconds: float) -> dict[str, Any]:
    """Steps a second through each face, and by how much longer they take than the core's, measured
    in turns."""
    found = alternate(faces(device), seconds, CALLS)
    keys: dict[str, Any] = {"vecenv_core_us_b100": found["core"].median_us}
    for name in ("vecenv", "gym"):
        keys[f"{name}_us_b100"], keys[f"{name}_us_b100_p99"] = (
            found[name].median_us,
            found[name].p99_us,
        )
        keys[f"{name}_steps_per_s_b100"] = found[name].per_s(CHARACTERS)
        keys[f"{name}_overhead_percent"] = 100 * (
            found[name].median_us / found["core"].median_us - 1
        )
    return keys


def ppo_figures(config: PolicyConfig, device: torch.device, repeats: int) -> dict[str, Any]:
    """Frames of experience a second: rollouts by themselves, updates by themselves, both one after
    the other."""
    episodes = Episodes.make(config.task, config.characters, config.episode_frames, None, device)
    wholes = []
    updates = []
    with tempfile.TemporaryDirectory() as folder:
        trainer = PpoTrainer(episodes, config.ppo, config.hidden, config.seed, Path(folder))
        update = finished(trainer.ppo.train, device)

        def timed() -> None:
            began = time.perf_counter_ns()
            update()
            updates.append(time.perf_counter_ns() - began)

        trainer.ppo.train = timed  # type: ignore[method-assign]
        for _ in range(1 + repeats):
            began = time.perf_counter_ns()
            trainer.iterate(0.5)
            wholes.append(time.perf_counter_ns() - began)
    times = {
        "ppo": wholes[1:],
        "ppo_update": updates[1:],
        "ppo_rollout": [whole - part for whole, part in zip(wholes[1:], updates[1:], strict=True)],
    }
    return {
        f"{name}_samples_per_s": Timing.of(t).per_s(trainer.frames_per_iteration)
        for name, t in times.items()
    }


def shac_figures(config: PolicyConfig, device: torch.device, repeats: int) -> dict[str, Any]:
    """Frames of experience a second in one process, with everything that is learned from them."""
    episodes = Episodes.make(config.task, config.characters, config.episode_frames, None, device)
    trainer = ShacTrainer(episodes, config.shac, config.hidden, config.seed)
    timing = measure(finished(lambda: trainer.iterate(0.5), device), 0.0, least=repeats)
    return {"shac_frames_per_s": timing.per_s(trainer.frames_per_iteration)}


def measured(options: Options) -> dict[str, Any]:
    """All figures, by their keys."""
    device = devices.find(options.device)
    config = PolicyConfig()
    torch.set_num_threads(options.threads)
    seconds, repeats = (1.5, 3) if options.quick else (15.0, 15)
    figures = face_figures(device, seconds) | ppo_figures(config, device, repeats)
    return figures | shac_figures(config, device, repeats)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    options.check()
    figures = measured(options)
    print(json.dumps(figures, allow_nan=False) if options.json else table(figures))


if __name__ == "__main__":
    run_command(main)
