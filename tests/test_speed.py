"""The fast paths against a plain one: the same numbers, in a fraction of its time.

Times are compared within one run, alternating, so that the machine and its other load cancel out.
The required factors are about half of the measured ones, which are in `docs/performance.md`.
"""

from __future__ import annotations

from functools import cache

import plain
import pytest
import torch
from synthetic import anywhere, latents

from controller.benchmark.steps import Control, Core
from controller.benchmark.timing import Call, alternate
from controller.control.folder import CharacterFolder
from controller.control.policy import Policy
from controller.dynamics.character import Character, CharacterState
from controller.motion import geometry
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation


@cache
def ours() -> tuple[Simulation, Policy]:
    character = Character.load(CharacterFolder.open().mvae)
    policy = Policy.load(CharacterFolder.open().policy("joystick"), character, "joystick")
    return Simulation(character, JoystickTask(character)), policy


@cache
def theirs() -> plain.PlainSimulation:
    simulation, _ = ours()
    return plain.PlainSimulation(simulation.character, simulation.task, plain.Plain())


class PlainControl(Control):
    """:class:`Control`, all of it plain."""

    def __init__(self, batch: int) -> None:
        super().__init__(theirs(), ours()[1], batch)

    def __call__(self) -> None:
        simulation = theirs()
        written = theirs().plain
        self.state = written.step(
            self.state, written.act(simulation.observe(self.state, self.goal))
        )
        written.joints(self.state)


def close(one: CharacterState, other: CharacterState) -> None:
    torch.testing.assert_close(one.pose, other.pose, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.position, other.position, atol=1e-5, rtol=0)
    assert float(geometry.wrap_angle(one.yaw - other.yaw).abs().max()) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("batch", [1, 2, 10, 100, 257])
def test_what_is_fast_is_what_was_meant(batch: int) -> None:
    """One step from random states, with the policy's latents and with random ones, some of them
    beyond the limit."""
    simulation, policy = ours()
    written = theirs().plain
    for seed in range(5):
        state = anywhere(seed, batch, simulation.character)
        _, goal = simulation.reset(batch, torch.Generator().manual_seed(seed))
        observation = simulation.observe(state, goal)
        acted = policy(observation)
        torch.testing.assert_close(acted, written.act(observation), atol=1e-5, rtol=1e-5)
        for latent in (acted, 1.5 * latents(seed, batch, simulation.character.latent)):
            after = simulation.move(state, latent)
            close(after, written.step(state, latent))
            assert float((after.pose - state.pose).abs().max()) > 0.01
            for mine, expected in zip(
                simulation.character.joints(after), written.joints(after), strict=True
            ):
                torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def times_faster(fast: Call, slow: Call) -> float:
    """How many times as long ``slow`` takes."""
    timings = alternate({"fast": fast, "slow": slow}, seconds=1.0, calls=3)
    return timings["slow"].median_us / timings["fast"].median_us


def test_one_characters_control_step_is_faster_than_plain_torch() -> None:
    simulation, policy = ours()
    assert times_faster(Control(simulation, policy, 1), PlainControl(1)) > 1.5


def test_a_batchs_step_is_faster_than_blending_weights_for_each_character() -> None:
    simulation, _ = ours()
    assert times_faster(Core(simulation, 100), Core(theirs(), 100)) > 3
