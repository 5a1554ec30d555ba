"""The shipped weights: they load, fit each other, stay on their feet and go where they are sent."""

from __future__ import annotations

import re
import statistics
import time
import zipfile
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from controller.control.folder import CharacterFolder
from controller.control.policy import Policy
from controller.core.paths import ASSETS
from controller.dynamics.character import Character
from controller.dynamics.rollout import record
from controller.evaluation.figures import evaluate
from controller.games.player import Player
from controller.tasks.joystick import JoystickConfig, JoystickGoal, JoystickTask
from controller.tasks.simulation import Simulation

WOODY = CharacterFolder.open()
WEIGHTS = (WOODY.mvae, *sorted(WOODY.path.glob("joystick*.safetensors")))


@cache
def character() -> Character:
    return Character.load(WOODY.mvae)


@cache
def policy() -> Policy:
    return Policy.load(WOODY.policy("joystick"), character(), "joystick")


def simulation() -> Simulation:
    return Simulation(
        character(), JoystickTask(character(), JoystickConfig(**policy().header["settings"]))
    )


def test_nothing_pickled_is_shipped() -> None:
    """Neither by its name nor inside: a pickle starts with its protocol, torch's archive is a zip
    that holds one."""
    files = [path for path in ASSETS.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert path.suffix not in {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"}, path
        assert not re.match(rb"\x80[\x01-\x05]", path.read_bytes()[:2]), path
        if zipfile.is_zipfile(path):
            assert not [
                name for name in zipfile.ZipFile(path).namelist() if name.endswith(".pkl")
            ], path


def test_every_checkpoint_has_its_card() -> None:
    for path in WEIGHTS:
        card = path.with_suffix(".md")
        assert card.is_file(), card
        assert len(card.read_text(encoding="utf-8")) > 500


def test_the_model_was_measured_and_its_latent_is_alive() -> None:
    header = character().header
    assert header["figures"]["active_units"] >= 8
    assert header["figures"]["free_alive_fraction"] > 0.9
    assert header["data"]["source"] and len(header["data"]["fingerprint"]) == 64
    assert header["captured"]["foot_skate_cm_per_frame"] > 0
    assert len(character().reset_poses) >= 100


def test_the_model_and_the_policy_fit_each_other() -> None:
    state, goal = simulation().reset(3, torch.Generator().manual_seed(0))
    latent = policy()(simulation().observe(state, goal))
    assert latent.shape == (3, character().latent) and float(latent.abs().max()) <= 2


def test_every_shipped_policy_can_be_switched_to() -> None:
    player = Player.load(WOODY.mvae, [], seed=0)
    assert len(player.policies) == len(WOODY.policies("joystick"))
    for _ in player.policies:
        start = float(player.root[2])
        for _ in range(60):
            player.step({"w"})
        assert float(player.root[2]) > start + 0.5  # one that fell would be back at the origin
        player.next_policy()


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_the_weights_are_numbers(path: Path) -> None:
    for name, value in load_file(path).items():
        assert torch.isfinite(value.float()).all(), name


def test_sixteen_characters_stay_alive_on_a_wild_stick() -> None:
    figures = evaluate(simulation(), policy(), characters=16, seconds=10.0, seed=7)
    assert figures["alive_fraction"] == 1.0
    assert figures["foot_skate_cm_per_frame"] < 1.5 and figures["sink_fraction"] < 0.5
    assert figures["response_s"] < 4 and figures["stop_s"] < 4


@torch.inference_mode()
def test_a_person_who_steers_ahead_gets_ahead() -> None:
    play = simulation()
    ahead = JoystickGoal(torch.tensor([[0.0, 1.2]] * 8), torch.zeros(8))
    start = character().reset(8, torch.Generator().manual_seed(0))
    run = record(
        character(),
        lambda state, goal: policy()(play.observe(state, goal)),
        start,
        lambda *_: ahead,
        300,
    )
    assert run.alive.all()
    assert float(run.position[-1, :, 1].min()) > 5
    assert float(run.position[-1, :, 0].abs().max()) < 3


@torch.inference_mode()
def test_a_control_step_leaves_a_screens_frame_its_time() -> None:
    play = simulation()
    state, goal = play.reset(1, torch.Generator().manual_seed(0))
    times = []
    for _ in range(100):
        started = time.perf_counter()
        state = play.move(state, policy()(play.observe(state, goal)))
        character().joints(state)
        times.append(time.perf_counter() - started)
    assert statistics.median(times) < 0.005
