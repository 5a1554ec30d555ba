"""The steps that are timed: parts of one, a game's, a crowd's, and an environment's without any
library around it."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from controller.benchmark.limits import Limits, Work
from controller.benchmark.plan import Plan
from controller.benchmark.timing import Call, Timing, measure, synchronized, threads
from controller.control.policy import Policy
from controller.dynamics.character import Character
from controller.tasks.simulation import LATENT_LIMIT, Simulation

CROWD = 500
CORE_BATCHES = (100, 1000)
CORE_CALLS = 10
"""Steps in a sample of the core: goals are drawn in some steps and not in others, and a training's
speed depends on their mean."""
LATENTS = 16
"""Random latents, used in rotation."""


class Control:
    """What a game does 30 times a second for ``batch`` characters that keep their goals: observe,
    act, move, and compute the joints to draw."""

    def __init__(self, simulation: Simulation, policy: Policy, batch: int) -> None:
        self.simulation = simulation
        self.policy = policy
        self.state, self.goal = simulation.reset(batch, _generator(simulation.character))

    def __call__(self) -> None:
        simulation = self.simulation
        latent = self.policy(simulation.observe(self.state, self.goal))
        self.state = simulation.move(self.state, latent)
        simulation.character.joints(self.state)


class Core:
    """One step of an environment of ``batch`` characters without a library's interface: decode,
    integrate, reward, check for falls, draw the next goals, observe. The latents are random and
    drawn beforehand: no policy is part of it."""

    def __init__(self, simulation: Simulation, batch: int) -> None:
        self.simulation = simulation
        self.generator = _generator(simulation.character)
        self.state, self.goal = simulation.reset(batch, self.generator)
        self.latents = random_latents(simulation.character, batch)
        self.steps = 0

    def latent(self) -> Tensor:
        """The next latents, ``(batch, latent)``."""
        self.steps += 1
        return self.latents[self.steps % LATENTS]

    def __call__(self) -> None:
        simulation = self.simulation
        self.state = simulation.advance(self.state, self.goal, self.latent()).state
        self.goal = simulation.task.next_goal(self.state, self.goal, self.generator)
        simulation.observe(self.state, self.goal)


class Dynamics(Core):
    """The part of :class:`Core` that moves: decode and integrate."""

    def __call__(self) -> None:
        self.state = self.simulation.move(self.state, self.latent())


def _generator(character: Character) -> torch.Generator:
    return torch.Generator(character.reset_poses.device).manual_seed(0)


def random_latents(character: Character, batch: int) -> Tensor:
    """(``LATENTS``, batch, latent), uniform within the limit."""
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(LATENTS, batch, character.latent, generator=generator)
    return (LATENT_LIMIT * (2 * uniform - 1)).to(character.reset_poses.device)


@torch.inference_mode()
def timings(simulation: Simulation, policy: Policy, plan: Plan) -> dict[tuple[str, int], Timing]:
    """The timing of each step, by its name and its number of characters."""
    device = simulation.character.reset_poses.device
    results = {}
    for batch in plan.batches:
        for name, call in _calls(simulation, policy, batch).items():
            timing = measure(synchronized(call, device), plan.seconds, least=plan.samples)
            results[name, batch] = timing

    for batch in CORE_BATCHES:
        core = synchronized(Core(simulation, batch), device)
        results["core", batch] = measure(core, 2 * plan.seconds, CORE_CALLS, plan.samples)
    return results


def _calls(simulation: Simulation, policy: Policy, batch: int) -> dict[str, Call]:
    """The steps of a game and its parts for ``batch`` characters, by their names."""
    character = simulation.character
    state, goal = simulation.reset(batch, _generator(character))
    observation = simulation.observe(state, goal)
    latent = random_latents(character, batch)[0]
    return {
        "decoder": partial(character.model.decode, latent, state.pose),
        "policy": partial(policy, observation),
        "dynamics": Dynamics(simulation, batch),
        "control_step": Control(simulation, policy, batch),
    }


def figures(
    timings: dict[tuple[str, int], Timing], limits: Limits, simulation: Simulation, policy: Policy
) -> dict[str, Any]:
    """The timings with their floors, by key: ``NAME_us_bBATCH`` and so on."""
    decoder = simulation.character.model.decoder
    decoding = Work.of(decoder)
    work = {"policy": Work.of(policy.actor), "control_step": Work.of(decoder, policy.actor)}
    keys: dict[str, Any] = {}
    for (name, batch), timing in timings.items():
        floor = work.get(name, decoding).floor_us(batch, limits)
        keys[f"{name}_us_b{batch}"] = timing.median_us
        keys[f"{name}_us_b{batch}_p99"] = timing.p99_us
        keys[f"{name}_floor_us_b{batch}"] = floor
        keys[f"{name}_floor_ratio_b{batch}"] = floor / timing.median_us
        if name in ("core", "dynamics"):
            keys[f"{name}_steps_per_s_b{batch}"] = timing.per_s(batch)

    keys["floor_ratio_b1"] = keys["control_step_floor_ratio_b1"]
    for batch in CORE_BATCHES:
        keys[f"floor_ratio_b{batch}"] = keys[f"core_floor_ratio_b{batch}"]
    return keys


@torch.inference_mode()
def crowd(
    simulation: Simulation, policy: Policy, cores: int, seconds: float, samples: int = 5
) -> dict[str, Any]:
    """ms of one step of a crowd on two threads, or on one if there is only one core."""
    count = min(2, cores)
    device = simulation.character.reset_poses.device
    step = synchronized(Control(simulation, policy, CROWD), device)
    with threads(count):
        timing = measure(step, seconds, least=samples)
    return {
        f"crowd{CROWD}_ms": timing.median_us / 1e3,
        f"crowd{CROWD}_ms_p99": timing.p99_us / 1e3,
        f"crowd{CROWD}_threads": count,
    }
