"""The window VAE: what its encoder sees, that it learns and plays, and that each of its faults is
one setting."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from synthetic import data, layout, refusal, strict_json
from torch import Tensor

from controller.core.errors import ConfigError
from controller.dynamics import rollout
from controller.dynamics.character import Character
from controller.evaluation.diagnostics import unclamped
from controller.model import variants
from controller.model.convolutional import ConvolutionalVAE, Halving
from controller.model.mixture import MotionVAEConfig
from controller.studies import failure_case, study
from controller.studies.sets import SETS
from controller.training import train_mvae
from controller.training.config import TrainConfig
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.trainer import Trainer

SMALL = MotionVAEConfig(
    variant="window", latent=6, hidden=48, window_past=5, window_future=3, window_channels=12
)
LEARNING = TrainConfig.of(
    model=SMALL, epochs=4, teacher=TeacherForcing(hold_epochs=2, ramp_epochs=1),
    kl=KlWeight(ramp_epochs=2), rollouts_per_epoch=80, rollout=4, batch=32, learning_rate=5e-3,
    beta=0.01, free_steps=0,
)  # fmt: skip


def window_vae(**settings: object) -> ConvolutionalVAE:
    torch.manual_seed(0)
    vae = variants.build(layout().size, replace(SMALL, **settings), data().normalizer())  # type: ignore[arg-type]
    assert isinstance(vae, ConvolutionalVAE)
    return vae


def scores(model: ConvolutionalVAE, length: int, batch: int = 4) -> Tensor:
    """Captured windows in the units that the model sees, ``(batch, length, D)``."""
    starts = 7 * torch.arange(batch)
    return model.normalizer.normalize(data().poses[starts[:, None] + torch.arange(length)])


@cache
def learned() -> Trainer:
    trainer = Trainer(data(), LEARNING)
    for _ in range(LEARNING.epochs):
        trainer.run_epoch()
    return trainer


# -- the model -------------------------------------------------------------------------------------


def test_the_encoder_sees_so_many_poses_on_either_side_of_the_current_one() -> None:
    model = window_vae()
    windows = torch.arange(20.0).reshape(1, 20, 1)
    assert model.encoder_input(windows, 5).flatten().tolist() == list(range(9))
    assert model.encoder_input(windows, 16).flatten().tolist() == list(range(11, 20))
    default = variants.build(layout().size, MotionVAEConfig(variant="window"))
    assert (default.past, default.future) == (60, 60)
    assert default.encoder_input(torch.zeros(2, 121, 3), 60).shape == (2, 121, 3)


@pytest.mark.parametrize(("past", "future"), [(0, 1), (5, 3), (60, 60)])
@torch.no_grad()
def test_shapes(past: int, future: int) -> None:
    model = window_vae(window_past=past, window_future=future)
    window = scores(model, past + 1 + future)
    mean, log_variance = model.encode(window[:, past], model.encoder_input(window, past))
    assert mean.shape == log_variance.shape == (4, 6)
    assert model.decode(mean, window[:, past]).shape == (4, layout().size)


@pytest.mark.parametrize("length", [1, 2, 9, 121])
@torch.no_grad()
def test_a_halving_is_torchs_convolution(length: int) -> None:
    torch.manual_seed(0)
    ours = Halving(7, 5)
    theirs = torch.nn.Conv1d(7, 5, 3, stride=2, padding=1)
    assert theirs.bias is not None
    theirs.weight.copy_(ours.linear.weight.unflatten(1, (3, 7)).transpose(1, 2))
    theirs.bias.copy_(ours.linear.bias)
    poses = torch.randn(4, length, 7)
    torch.testing.assert_close(ours(poses), theirs(poses.transpose(1, 2)).transpose(1, 2))


@torch.no_grad()
def test_every_pose_of_the_window_and_the_rollouts_own_tell_the_encoder_something() -> None:
    """The captured pose in the middle is not seen: the rollout's own stands in its place."""
    model = window_vae()
    window = scores(model, 9)
    mean, _ = model.encode(window[:, 5], window)
    for place in range(9):
        changed = window.clone()
        changed[:, place] += 1
        difference = float((model.encode(window[:, 5], changed)[0] - mean).abs().max())
        assert (difference == 0) if place == 5 else (difference > 1e-4), place
    assert float((model.encode(window[:, 5] + 1, window)[0] - mean).abs().max()) > 1e-4


def test_it_learns_a_few_walks_by_heart_and_its_latent_is_alive() -> None:
    history = learned().history
    assert history[-1]["reconstruction"] < min(0.1, history[0]["reconstruction"] / 3)
    assert history[-1]["one_step_mm"] < history[0]["one_step_mm"]
    assert history[-1]["active_units"] >= 3


def test_what_it_learned_plays_in_the_frozen_environment_and_stays_sane(tmp_path: Path) -> None:
    walker = learned().character()
    path = tmp_path / "window.safetensors"
    walker.save(path)
    character = Character.load(path)
    assert isinstance(character.model, ConvolutionalVAE) and character.model.config == SMALL
    generator = torch.Generator().manual_seed(0)
    act = rollout.drawn_latents(character, generator)
    loose = unclamped(character)
    run = rollout.record(loose, act, loose.reset(32, generator), lambda *_: None, 300)
    assert bool(run.alive.all())
    crowd = character.reset(5, generator)
    alone = rollout.record(character, act, character.reset(1, generator), lambda *_: None, 3)
    assert bool(alone.alive.all())
    assert character.step(crowd, torch.zeros(5, 6)).pose.shape == (5, layout().size)


# -- settings --------------------------------------------------------------------------------------


def test_windows_longer_than_every_clip_are_refused_before_training(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--data", data_file, "--out", tmp_path / "run", "--model.variant", "window"]
    message = refusal(train_mvae.main, words, monkeypatch, capsys)
    assert "the longest has 90 poses, a window needs 128" in message


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"window_past": -1}, "window_past is -1; allowed: 0 to 4096"),
        ({"window_future": 0}, "window_future is 0; allowed: 1 to 4096"),
        ({"window_channels": 0}, "window_channels is 0; allowed: 1 to 4096"),
        (
            {"variant": "mixture", "latent_once": True},
            "latent_once is True; allowed: False with the variant 'mixture'",
        ),
    ],
)
def test_a_bad_setting_is_one_sentence(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(SMALL, **settings)  # type: ignore[arg-type]
    assert str(caught.value) == expected


def test_without_normalisation_the_networks_see_poses_in_their_own_units_within_their_range() -> (
    None
):
    model = window_vae(normalise=False)
    usual = data().normalizer()
    poses = data().poses[:9]
    torch.testing.assert_close(model.normalizer.normalize(poses), poses)
    assert torch.equal(model.normalizer.low, usual.low) and torch.equal(
        model.normalizer.high, usual.high
    )
    assert torch.equal(window_vae().normalizer.mean, usual.mean)


@pytest.mark.parametrize("once", [True, False])
def test_z_enters_once_or_every_layer(once: bool) -> None:
    """With z cut off from the first layer, the pose follows z only if it enters others."""
    model = window_vae(latent_once=once)
    with torch.no_grad():
        model.decoder.first.weight[:, :6] = 0
    latent = torch.zeros(5, 6, requires_grad=True)
    model.decode(latent, torch.randn(5, layout().size)).square().sum().backward()
    assert latent.grad is not None and bool((latent.grad.abs() > 1e-5).all()) != once


# -- the failure and its cures ---------------------------------------------------------------------

SMALL_CASE = replace(
    failure_case.CASE.model, latent=4, hidden=16, window_past=4, window_future=4, window_channels=8
)
TINY = failure_case.CASE.with_changes(model=SMALL_CASE, rollout=3, batch=8)


def changes(one: TrainConfig, other: TrainConfig) -> set[str]:
    """Names of the settings in which two runs differ."""
    settings = one.flat()
    others = other.flat()
    names = {name for name in settings if settings[name] != others[name]} - {"model"}
    return names | {
        name for name in vars(one.model) if getattr(one.model, name) != getattr(other.model, name)
    }


def test_each_cure_changes_one_setting_and_all_of_them_every_one() -> None:
    expected = {
        "normalised": "normalise", "near-future": "window_future", "every-layer": "latent_once",
        "through-time": "through_time", "decaying-rate": "final_learning_rate",
        "long-ramp": "teacher", "clipped": "gradient_norm", "low-beta": "beta",
    }  # fmt: skip
    case = failure_case.configured("as-it-was")
    assert case == failure_case.CASE
    assert case.model.window_past + 1 + case.model.window_future == 121
    assert set(failure_case.CURES) == set(expected)
    everything = set(expected.values())
    for cure, setting in expected.items():
        assert changes(case, failure_case.configured(f"only-{cure}")) == {setting}
        without = failure_case.configured(f"all-but-{cure}")
        assert changes(case, without) == everything - {setting}
    assert changes(case, failure_case.configured("all-mended")) == everything


def test_the_cases_phases_are_reconstruction_then_kl_then_scheduled_sampling() -> None:
    config = failure_case.CASE
    weights = [config.kl(epoch, config.epochs) for epoch in range(config.epochs)]
    teacher = [config.teacher(epoch) for epoch in range(config.epochs)]
    assert weights == [0.0] * 6 + [1.0] * 18
    assert teacher == pytest.approx([1.0] * 13 + [0.75, 0.5, 0.25] + [0.0] * 8)


def test_losses_around_scheduled_sampling_by_hand() -> None:
    rows = [{"reconstruction": value} for value in [9.0] * 11 + [2.0, 3.0, 8.0, 4.0]]
    assert failure_case.losses(failure_case.CASE, rows) == {
        "before": 2.0,
        "peak": 8.0,
        "ratio": 4.0,
        "final": 4.0,
    }
    early = {"before": 9.0, "peak": None, "ratio": None, "final": 9.0}
    assert failure_case.losses(failure_case.CASE, rows[:3]) == early
    assert failure_case.losses(failure_case.CASE, []) == dict.fromkeys(early)


def test_a_run_that_stopped_has_its_reason_in_the_table() -> None:
    row = {"run": "as-it-was", "before": 0.25, "stopped": "the loss explodes."}
    *_, line = failure_case.table([row]).splitlines()
    assert line.startswith("| as-it-was | 0.25 | – |") and line.endswith("| the loss explodes. |")


@pytest.mark.usefixtures("short_rollouts")
def test_the_set_is_run_by_the_command_and_has_its_own_table(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(failure_case, "CASE", TINY)
    names = ["as-it-was", "only-normalised"]
    for case in SETS["failure"].cases():
        if case.name in names:
            short = study.with_length(case, 1)
            study.run(short, data_file, tmp_path / "failure" / case.name)
    page = tmp_path / "page.md"
    page.write_text("before <!-- failure case --> old <!-- end failure case --> after")
    words = ["study", "--set", "failure", "--data", data_file, "--out", tmp_path, "--write", page]
    words += ["--runs", *names, "--rollouts-per-epoch"]

    monkeypatch.setattr("sys.argv", [*map(str, words), "1"])
    study.main()
    text = (tmp_path / "failure.md").read_text()
    head, _, *lines = text.strip().splitlines()
    assert [line.split("|")[1].strip() for line in lines] == names
    assert head.count("|") == lines[0].count("|") == len(failure_case.COLUMNS) + 1
    assert page.read_text().startswith("before") and lines[1] in page.read_text()
    assert "old" not in page.read_text()
    table = strict_json((tmp_path / "table.json").read_text())
    assert isinstance(table, dict)
    rows = table["failure"]
    assert rows[1]["mended"] == ["normalised"] and rows[0]["stopped"] is None
    assert rows[0]["final"] > 0
    assert len(json.loads((tmp_path / "failure/as-it-was/history.json").read_text())) == 24

    capsys.readouterr()  # what training has printed
    refused = refusal(study.main, [*words[1:], "2"], monkeypatch, capsys)
    assert "a run with other settings than as-it-was has now" in refused
