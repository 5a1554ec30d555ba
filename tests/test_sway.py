"""Slow noise on latents: its size, its memory, and who has it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from synthetic import character

from controller.control.actors import Actor
from controller.control.policy import Policy
from controller.control.sway import Sway, SwayConfig
from controller.core.errors import CheckpointError, ConfigError
from controller.tasks.joystick import JoystickConfig

LATENT = torch.zeros(4000, 3)
STAND = torch.zeros(4000, 2)
WALK = torch.full((4000, 2), 0.5)


def test_noise_has_its_deviation_and_its_memory() -> None:
    """An Ornstein-Uhlenbeck process of deviation s and time constant τ correlates by exp(−t/τ) over
    t frames. It begins at zero: its variance is s²·(1 − exp(−2t/τ)) after t frames."""
    sway = Sway(SwayConfig(deviation=0.4, frames=8.0))
    values = torch.stack([sway(LATENT, STAND) for _ in range(60)])
    for frames in (1, 4, 60):
        expected = 0.4 * math.sqrt(1 - math.exp(-2 * frames / 8))
        assert float(values[frames - 1].std()) == pytest.approx(expected, abs=0.01)
    assert values.mean().abs() < 0.01
    for later in (1, 5, 16):
        together = float((values[40] * values[40 + later]).mean()) / 0.4**2
        assert together == pytest.approx(math.exp(-later / 8), abs=0.03)


def test_noise_dies_away_while_one_walks() -> None:
    sway = Sway(SwayConfig(deviation=0.4, frames=8.0))
    for _ in range(40):
        last = sway(LATENT, STAND)
    wish = torch.where(torch.arange(4000)[:, None] < 2000, STAND, WALK)
    for _ in range(8):
        values = sway(LATENT, wish)
    torch.testing.assert_close(values[2000:], last[2000:] / math.e)
    assert float(values[:2000].std()) == pytest.approx(0.4, abs=0.01)


def test_characters_and_units_sway_apart() -> None:
    sway = Sway(SwayConfig(deviation=0.4))
    for _ in range(20):
        values = sway(LATENT, STAND)
    pairs = torch.corrcoef(values.T)
    assert (pairs - torch.eye(3)).abs().max() < 0.06
    assert abs(float((values[:-1] * values[1:]).mean())) < 0.01


def test_no_deviation_is_no_noise() -> None:
    sway = Sway(SwayConfig(deviation=0.0))
    assert torch.equal(sway(LATENT, STAND), LATENT)


def test_settings_are_checked_by_name() -> None:
    with pytest.raises(ConfigError, match=r"sway.deviation is -1; allowed: 0 to 2"):
        SwayConfig(deviation=-1)
    with pytest.raises(ConfigError, match=r"sway.frames is 0; allowed: above 0"):
        SwayConfig(frames=0)


def policy(**header: object) -> Policy:
    torch.manual_seed(3)
    who = character()
    actor = Actor(who.layout.size + 4, who.latent, (8,), 3.0)
    return Policy.of(actor, who, "joystick", vars(JoystickConfig()), **header)


def test_a_policy_that_was_trained_with_it_sways_from_its_file_on(tmp_path: Path) -> None:
    path = tmp_path / "joystick.safetensors"
    policy(sway={"deviation": 0.5, "frames": 10.0}).save(path)
    observation = torch.zeros(64, character().layout.size + 4)
    runs = []
    for _ in range(2):
        loaded = Policy.load(path, character(), "joystick")
        runs.append(torch.stack([loaded(observation) for _ in range(60)])[-1])
    assert torch.equal(runs[0], runs[1])  # from file to file the same
    away = runs[0] - policy()(observation)
    assert float(away.std()) == pytest.approx(0.5, abs=0.05)
    loaded.sway = None
    assert torch.equal(loaded(observation), loaded(observation))


@pytest.mark.parametrize("sway", [{"deviation": 9.0}, {"depth": 1.0}, 3])
def test_a_file_with_a_wrong_sway_is_refused(tmp_path: Path, sway: object) -> None:
    good = policy()
    path = tmp_path / "joystick.safetensors"
    good.header["sway"] = sway
    good.save(path)
    with pytest.raises(CheckpointError, match=r"not a complete policy checkpoint .*sway"):
        Policy.load(path, character(), "joystick")
