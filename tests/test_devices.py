"""Steps on other devices than the CPU, as far as that can be told without one."""

from __future__ import annotations

import pytest
import torch
from synthetic import anywhere, character, latents, layout, model

from controller.core import batch, devices
from controller.core.errors import ConfigError
from controller.dynamics.character import Character, CharacterState
from controller.model.fast.replay import Replay
from controller.tasks import task_type
from controller.tasks.joystick import JoystickGoal
from controller.tasks.random_walk import NoGoal
from controller.tasks.simulation import Simulation
from envs.episodes import Episodes


@pytest.mark.parametrize("task", ["joystick", "random"])
def test_a_step_on_another_device_stays_there(task: str) -> None:
    """On the device without numbers: whatever fetched one, to decide or to mix it with others,
    would fail."""
    who = Character(model().to("meta"), layout(), torch.zeros(9, layout().size, device="meta"))
    simulation = Simulation(who, task_type(task)(who))
    pose, place, yaw = (torch.zeros(5, *size, device="meta") for size in ([layout().size], [2], []))
    state = CharacterState(pose, place, yaw)
    goal = JoystickGoal(place, yaw) if task == "joystick" else NoGoal(yaw)
    with torch.no_grad():
        moved = simulation.advance(state, goal, torch.zeros(5, who.latent, device="meta"))
        goal = simulation.task.next_goal(moved.state, goal, torch.Generator())
        kept = batch.where(moved.terminated, state, moved.state)
        drawn = who.joints(kept)
    for tensor in (simulation.observe(kept, goal), moved.reward, *moved.terms.values(), *drawn):
        assert tensor.device.type == "meta"


def test_where_there_is_no_recording_a_replay_is_the_function() -> None:
    state = anywhere(0, 3)
    latent = latents(0, 3, character().latent)
    replay = Replay(character()._step, latent, state.pose, state.position, state.yaw)
    with torch.no_grad():
        after = character().step(state, latent)
    for mine, theirs in zip(
        replay(latent, state.pose, state.position, state.yaw), vars(after).values(), strict=True
    ):
        assert torch.equal(mine, theirs) and not mine.requires_grad


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
def test_a_graphics_card_and_a_processor_agree() -> None:
    there = Character(model().to("cuda"), layout(), character().reset_poses.to("cuda"))
    for count in (1, 2, 100):
        state = anywhere(count, count)
        latent = latents(count, count, there.latent)
        moved = type(state)(*(tensor.to("cuda") for tensor in vars(state).values()))
        with torch.inference_mode():
            for _ in range(3):
                state = character().step(state, latent)
                moved = there.step(moved, latent.to("cuda"))
        for mine, theirs in zip(vars(moved).values(), vars(state).values(), strict=True):
            torch.testing.assert_close(mine.cpu(), theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["gpu", "cuda:77", ""])
def test_an_unknown_device_is_one_sentence(name: str) -> None:
    with pytest.raises(ConfigError, match=r"device is '.*'; allowed: cpu"):
        devices.find(name)
    with pytest.raises(ConfigError):
        Episodes.make("joystick", 1, None, None, device=name)
