"""The speed of the environments and of policy training, as one JSON object.

A part of ``python -m controller benchmark``, which must not import environments and runs this as a
program.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from controller.benchmark.options import Options
from controller.benchmark.steps import Core, random_latents
from controller.benchmark.timing import Call, Timing, alternate, measure, synchronized
from controller.control.folder import CharacterFolder
from controller.core import command_line, devices
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


def interfaces(device: torch.device, mvae: Path) -> dict[str, Call]:
    """One step of :data:`CHARACTERS` characters, by name: the bare core, and the same latents
    through each library's interface."""
    vecenv = CharacterVecEnv(Episodes.make("joystick", CHARACTERS, EPISODE_FRAMES, mvae, device))
    gym = VectorCharacterEnv(CHARACTERS, "joystick", str(mvae), EPISODE_FRAMES, str(device))
    # All three share one set of weights: three sets would push each other out of the cache.
    simulation = vecenv.episodes.simulation
    gym.episodes = Episodes(simulation, CHARACTERS, EPISODE_FRAMES)

    vecenv.seed(0)
    vecenv.reset()
    gym.reset(seed=0)
    vecenv.episodes.spread_clocks()
    gym.episodes.spread_clocks()

    latents = random_latents(simulation.character, CHARACTERS)
    actions = list((latents / LATENT_LIMIT).cpu().numpy())

    def repeat(step: Callable[[NDArray[Any]], Any]) -> Call:
        endless = cycle(actions)
        return lambda: step(next(endless))

    return {
        "core": synchronized(Core(simulation, CHARACTERS), device),
        "vecenv": repeat(vecenv.step),
        "gym": repeat(gym.step),
    }


@torch.inference_mode()
def interface_figures(device: torch.device, seconds: float, mvae: Path) -> dict[str, Any]:
    """Steps a second through each interface, and how much longer they take than the core's; the
    three alternate."""
    timings = alternate(interfaces(device, mvae), seconds, CALLS)
    core_us = timings["core"].median_us
    keys: dict[str, Any] = {"vecenv_core_us_b100": core_us}
    for name in ("vecenv", "gym"):
        timing = timings[name]
        keys[f"{name}_us_b100"] = timing.median_us
        keys[f"{name}_us_b100_p99"] = timing.p99_us
        keys[f"{name}_steps_per_s_b100"] = timing.per_s(CHARACTERS)
        keys[f"{name}_overhead_percent"] = 100 * (timing.median_us / core_us - 1)
    return keys


def ppo_figures(config: PolicyConfig, device: torch.device, repeats: int) -> dict[str, Any]:
    """Frames of experience a second: rollouts alone, updates alone, and both one after the
    other."""
    episodes = Episodes.make(
        config.task, config.characters, config.episode_frames, config.mvae, device
    )
    wholes = []
    updates = []
    with tempfile.TemporaryDirectory() as folder:
        trainer = PpoTrainer(episodes, config.ppo, config.hidden, config.seed, Path(folder))
        update = synchronized(trainer.ppo.train, device)

        def timed_update() -> None:
            start = time.perf_counter_ns()
            update()
            updates.append(time.perf_counter_ns() - start)

        trainer.ppo.train = timed_update  # type: ignore[method-assign]
        for _ in range(1 + repeats):
            start = time.perf_counter_ns()
            trainer.iterate(0.5)
            wholes.append(time.perf_counter_ns() - start)

    wholes = wholes[1:]  # the first iteration warms up
    updates = updates[1:]
    rollouts = [whole - part for whole, part in zip(wholes, updates, strict=True)]
    samples = {"ppo": wholes, "ppo_update": updates, "ppo_rollout": rollouts}
    return {
        f"{name}_samples_per_s": Timing.of(times).per_s(trainer.frames_per_iteration)
        for name, times in samples.items()
    }


def shac_figures(config: PolicyConfig, device: torch.device, repeats: int) -> dict[str, Any]:
    """Frames of experience a second in one process, including everything that is learned from
    them."""
    episodes = Episodes.make(
        config.task, config.characters, config.episode_frames, config.mvae, device
    )
    trainer = ShacTrainer(episodes, config.shac, config.hidden, config.seed)
    iterate = synchronized(lambda: trainer.iterate(0.5), device)
    timing = measure(iterate, 0.0, least=repeats)
    return {"shac_frames_per_s": timing.per_s(trainer.frames_per_iteration)}


def figures(options: Options, config: PolicyConfig | None = None) -> dict[str, Any]:
    """All figures, by their keys; ``config`` is the training that is timed, by default the
    default one."""
    mvae = CharacterFolder.open(options.character).mvae
    config = config or PolicyConfig(mvae=mvae)
    device = devices.find(options.device)
    torch.set_num_threads(options.threads)
    seconds = 0.5 if options.quick else 15.0
    repeats = 2 if options.quick else 15
    keys = interface_figures(device, seconds, mvae)
    keys |= ppo_figures(config, device, repeats)
    return keys | shac_figures(config, device, repeats)


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    options.check()
    keys = figures(options)
    print(json.dumps(keys, allow_nan=False) if options.json else table(keys))
