"""Training the motion VAE: it learns, it stays alive, and it goes on exactly where it was
interrupted."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest
import torch
from synthetic import character, command, data, layout, model, refusal, strict_json
from torch import Tensor

from controller.control.policy import model_fingerprint
from controller.core import processes
from controller.core.errors import CheckpointError, ControllerError, DataError
from controller.dynamics.character import Character
from controller.evaluation import diagnostics
from controller.model.mixture import MotionVAE, MotionVAEConfig, Variant
from controller.motion.pose import PoseLayout
from controller.training import publish, train_encoder, train_mvae
from controller.training.config import ENCODER, TrainConfig
from controller.training.run_folder import RunFolder
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.trainer import Trainer

SMALL = TrainConfig.of(
    model=MotionVAEConfig(latent=8, hidden=48, experts=2, gate_hidden=16),
    epochs=4, teacher=TeacherForcing(hold_epochs=2, ramp_epochs=1), kl=KlWeight(ramp_epochs=2),
    rollouts_per_epoch=60, rollout=4, batch=32, learning_rate=5e-3, beta=0.01,
)  # fmt: skip
TINY = SMALL.with_changes(
    model=MotionVAEConfig(latent=4, hidden=16, experts=2, gate_hidden=8),
    rollouts_per_epoch=3,
    rollout=3,
    batch=8,
)
ALONE = TeacherForcing("constant", start=0.0)
"""No step begins from a captured pose but the first."""


@cache
def learned() -> tuple[dict[str, float], Trainer]:
    """Figures before training, and what 240 small rollouts made of it."""
    trainer = Trainer(data(), SMALL)
    before = trainer.validate()
    for _ in range(SMALL.epochs):
        trainer.run_epoch()
    return before, trainer


def test_a_small_model_learns_a_few_walks_by_heart() -> None:
    before, trainer = learned()
    first = trainer.history[0]
    last = trainer.history[-1]
    assert last["reconstruction"] < 0.05  # in squared deviations: an untrained model is above 1
    assert (
        last["reconstruction"] < first["reconstruction"] / 3 and last["feet"] < first["feet"] / 10
    )
    assert last["one_step_mm"] < before["one_step_mm"] / 8
    assert last["rollout_mm"] < before["rollout_mm"] / 6
    assert [row["epoch"] for row in trainer.history] == [1, 2, 3, 4]
    assert [row["teacher_forcing"] for row in trainer.history] == pytest.approx([1, 1, 1 / 60, 0])
    assert [row["beta"] for row in trainer.history] == pytest.approx(
        [0.01 * 59 / 120, 0.01 * 119 / 120, 0.01, 0.01]
    )
    rates = [row["learning_rate"] for row in trainer.history]
    assert rates == sorted(rates, reverse=True) and rates[-1] < 5e-3 / 200


def test_its_latent_units_are_active_and_say_which_step_was_made() -> None:
    _, trainer = learned()
    assert trainer.history[-1]["active_units"] >= 4
    assert trainer.history[-1]["kl_nats"] > 1
    model = trainer.model
    windows = trainer.held_out.draw(64, torch.Generator().manual_seed(0))
    scores = model.normalizer.normalize(windows)
    with torch.no_grad():
        latent, _ = model.encode(scores[:, 0], scores[:, 1])
        errors = [
            float((model.decode(z, scores[:, 0]) - scores[:, 1]).square().mean())
            for z in (latent, latent.roll(1, 0))
        ]
    assert errors[1] > 3 * errors[0]


def test_active_units_are_counted_by_the_variance_of_their_means() -> None:
    class TwoOfThree(MotionVAE):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

        def encode(self, previous: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
            wave = torch.linspace(-1, 1, 101)
            return torch.stack((wave, 0.12 * wave + 5, 0.17 * wave + 5), dim=-1), torch.zeros(
                101, 3
            )

    # variances of ±1, ±0.12 and ±0.17 even spreads: 0.34, 0.0049 and 0.0098, against a threshold of
    # 0.01
    figures = diagnostics.latent_figures(TwoOfThree(), torch.zeros(101, 2, 1))
    assert figures["active_units"] == 1
    # KL of a unit with σ = 1 is mean² / 2
    assert figures["kl_nats"] == pytest.approx((0.34 + 0.0049 + 25 + 0.0098 + 25) / 2, rel=1e-3)


def tensors(trainer: Trainer) -> dict[str, Tensor]:
    """Everything that decides how training goes on."""
    result = {f"model {name}": value.clone() for name, value in trainer.model.state_dict().items()}
    for index, state in trainer.optimizer.state_dict()["state"].items():
        result |= {f"optimizer {index} {name}": value.clone() for name, value in state.items()}
    return result | {
        "generator": trainer.generator.get_state(),
        "pool": trainer.free_running.poses.clone(),
    }


FREE = TINY.with_changes(
    free_from_epoch=1, free_steps=2, free_batch=4, free_pool=16, free_renewal=0.1
)
"""With free steps, which begin before an interruption."""


def started(config: TrainConfig, model: Character | None) -> Trainer:
    """A new training, or one of a model that is trained already."""
    trainer = Trainer(data(), config)
    if model:
        trainer.start_from(model)
    return trainer


@pytest.mark.parametrize(
    ("through_time", "model", "frozen"),
    [
        *(
            (through_time, model, False)
            for through_time in (True, False)
            for model in (None, "of other data")
        ),
        (False, "of other data", True),
    ],
)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, through_time: bool, model: str | None, frozen: bool
) -> None:
    config = FREE.with_changes(through_time=through_time, freeze_decoder=frozen)
    other = replace(data(), poses=1.1 * data().poses)
    begin = Trainer(other, config).character() if model else None
    whole = started(config, begin)
    for _ in range(4):
        whole.run_epoch()

    first = started(config, begin)
    for _ in range(2):
        first.run_epoch()
    folder = RunFolder(tmp_path)
    folder.save(first)
    torch.manual_seed(99)  # another process has another state of everything
    second = Trainer(data(), config)
    folder.resume(second)
    assert second.epoch == 2 and second.history == first.history
    for _ in range(2):
        second.run_epoch()

    expected = tensors(whole)
    result = tensors(second)
    assert expected.keys() == result.keys()
    for name, value in expected.items():
        assert torch.equal(result[name], value), name
    timeless = [{k: v for k, v in row.items() if k != "rollouts_per_s"} for row in whole.history]
    assert [
        {k: v for k, v in row.items() if k != "rollouts_per_s"} for row in second.history
    ] == timeless
    assert len(json.loads((tmp_path / "history.json").read_text())) == 2


def test_a_model_to_start_from_keeps_its_statistics_and_free_poses_have_them_too() -> None:
    other = replace(data(), poses=1.1 * data().poses)
    trainer = started(FREE, Trainer(other, FREE).character())
    assert torch.equal(trainer.model.normalizer.std, other.normalizer().std)
    pool = trainer.model.normalizer.denormalize(trainer.free_running.poses)
    captured, _ = data().split(held_out=False)
    assert (
        float(torch.cdist(pool, captured).amin(dim=1).max()) < 0.02
    )  # as they were captured, but for rounding
    assert trainer.unroll.distance is trainer.free_running.distance


@pytest.mark.parametrize("variant", ["mixture", "codes"])
def test_an_encoder_by_itself_follows_more_closely_and_leaves_the_rest_as_it_is(
    variant: Variant,
) -> None:
    whole = SMALL.with_changes(
        model=replace(SMALL.model, variant=variant),
        epochs=1,
        teacher=ALONE,
        kl=KlWeight("none"),
    )
    trainer = started(whole, None)
    trainer.run_epoch()
    before = trainer.character()

    free = {"free_steps": 2, "free_from_epoch": 0, "free_batch": 4, "free_pool": 16}
    alone = started(whole.with_changes(freeze_decoder=True, beta=0.001, epochs=4, **free), before)
    pool = alone.free_running.poses.clone()
    followed = alone.validate()["rollout_mm"]
    for _ in range(4):
        alone.run_epoch()
    assert alone.history[-1]["rollout_mm"] < 0.97 * followed
    assert "slip" not in alone.history[-1] and torch.equal(alone.free_running.poses, pool)
    states = before.model.state_dict(), alone.model.state_dict()
    changed = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    assert changed == {name for name in states[0] if name.startswith("encoder.")}
    assert model_fingerprint(alone.character()) == model_fingerprint(
        before
    )  # so policies go on fitting


def test_the_command_for_the_encoder_has_the_defaults_for_it(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    begin = tmp_path / "whole.safetensors"
    received = list[train_mvae.Options]()
    monkeypatch.setattr(train_encoder, "train_and_print", received.append)
    words = ["--data", data_file, "--start", begin, "--out", tmp_path / "run", "--epochs", "7"]
    monkeypatch.setattr(sys, "argv", ["train_encoder", *map(str, words)])
    train_encoder.main()
    config = ENCODER.with_changes(epochs=7)
    assert received == [
        train_mvae.Options(data=data_file, out=tmp_path / "run", start=begin, config=config)
    ]
    assert (
        ENCODER.freeze_decoder
        and ENCODER.loss.beta < TrainConfig().loss.beta
        and ENCODER.teacher(0) == 0
    )
    monkeypatch.setattr(sys, "argv", ["train_encoder", "--data", str(data_file), "--out", "run"])
    with pytest.raises(SystemExit) as left:
        train_encoder.main()
    assert left.value.code == 2 and "--start" in capsys.readouterr().err


def test_what_a_killed_process_left_is_swept_away_and_nothing_else(tmp_path: Path) -> None:
    trainer = Trainer(data(), TINY)
    folder = RunFolder(tmp_path)
    folder.save(trainer)
    left = tmp_path / ".training-00112233445566ab.partial.safetensors"
    other = tmp_path / ".history-00112233445566ab.partial.json"
    left.write_bytes((tmp_path / "training.safetensors").read_bytes()[:1000])
    other.write_text("[")
    folder.resume(trainer)
    assert not left.exists() and not other.exists()
    assert {path.name for path in tmp_path.iterdir()} == {
        "training.safetensors",
        "good.safetensors",
        "history.json",
    }


def test_gradients_through_time_and_step_by_step_train_differently() -> None:
    """One optimiser step a rollout, or one a step of it."""
    steps = []
    weights = []
    for through_time in (True, False):
        trainer = Trainer(data(), TINY.with_changes(through_time=through_time))
        trainer.run_epoch()
        steps.append(int(next(iter(trainer.optimizer.state.values()))["step"]))
        weights.append(trainer.model.decoder.output.weight.detach().clone())
    assert steps == [TINY.rollouts_per_epoch, TINY.rollouts_per_epoch * TINY.rollout]
    assert not torch.equal(*weights)


def test_another_seed_trains_another_model() -> None:
    one, other, same = (Trainer(data(), TINY.with_changes(seed=seed)) for seed in (1, 2, 1))
    for trainer in (one, other, same):
        trainer.run_epoch()
    assert torch.equal(one.model.decoder.output.weight, same.model.decoder.output.weight)
    assert not torch.equal(one.model.decoder.output.weight, other.model.decoder.output.weight)


def test_resuming_with_other_settings_or_data_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save(Trainer(data(), TINY))
    path = tmp_path / "training.safetensors"
    with pytest.raises(ControllerError) as caught:
        folder.resume(Trainer(data(), TINY.with_changes(beta=0.5)))
    assert str(caught.value) == f"{path}: its settings are not this run's; start in another folder"
    other = replace(data(), poses=data().poses * 1.01)
    with pytest.raises(ControllerError) as caught:
        folder.resume(Trainer(other, TINY))
    assert str(caught.value) == f"{path}: its data are not this run's; start in another folder"
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        RunFolder(tmp_path / "nowhere").resume(Trainer(data(), TINY))


WORDS = (
    *(
        "--model.latent",
        "4",
        "--model.hidden",
        "16",
        "--model.experts",
        "2",
        "--model.gate-hidden",
        "8",
    ),
    *(
        "--epochs",
        "2",
        "--teacher.hold-epochs",
        "1",
        "--teacher.ramp-epochs",
        "0",
        "--kl.ramp-epochs",
        "1",
    ),
    *("--rollouts-per-epoch", "3", "--rollout", "3", "--batch", "8"),
)


def test_the_command_trains_a_model_that_plays_and_does_not_write_over_it(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    words = ["--data", data_file, "--out", out, *WORDS]
    done = command("controller", "train", *words)
    assert done.returncode == 0, done.stderr
    *report, last = done.stdout.rstrip().splitlines()
    assert last == str(out / "mvae.safetensors")
    figures = strict_json(
        "\n".join(line for line in report if not line.startswith(("epoch", "  diagnosis")))
    )
    assert (
        isinstance(figures, dict)
        and 0 <= figures["active_units"] <= 4
        and figures["rollout_mm"] > 0
    )
    assert "epoch   2/2" in done.stdout + done.stderr

    character = Character.load(out / "mvae.safetensors")
    assert character.latent == 4 and character.header["figures"] == figures
    assert character.header["data"] == {"source": "synthetic", "fingerprint": data().fingerprint()}
    assert (
        character.header["training"]["batch"] == 8
        and character.header["training"]["epochs_done"] == 2
    )
    assert character.header["captured"]["foot_skate_cm_per_frame"] > 0
    assert torch.equal(character.model.normalizer.mean, data().normalizer().mean)
    # no captured frame is shipped: every reset pose is one the model made
    captured = character.model.normalizer.normalize(data().split(held_out=True)[0])
    assert len(character.reset_poses) > 0
    assert float(torch.cdist(character.reset_poses, captured).min()) > 1e-3
    assert len(json.loads((out / "history.json").read_text())) == 2
    assert any((out / "tensorboard").iterdir())

    message = refusal(train_mvae.main, words, monkeypatch, capsys)
    assert message.startswith(
        f"{out / 'training.safetensors'} is there already: go on with --resume"
    )


def test_every_setting_has_its_flag_and_its_words_in_the_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train_mvae", "--help"])
    with pytest.raises(SystemExit) as left:
        train_mvae.main()
    assert left.value.code == 0
    output = capsys.readouterr().out
    groups = {"model": MotionVAEConfig, "teacher": TeacherForcing, "kl": KlWeight}
    names = [name for name in TrainConfig().flat() if name not in groups]
    names += [
        f"{group}.{field.name}" for group, settings in groups.items() for field in fields(settings)
    ]
    for name in names:
        assert (
            f"--{name.replace('_', '-')} " in output or f"--{name.replace('_', '-')}," in output
        ), name
    assert "Weight of the KL term" in output


def test_bad_requests_are_one_sentence(
    tmp_path: Path,
    data_file: Path,
    mvae: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    holed = tmp_path / "holed.npz"
    poses = data().poses.clone()
    poses[7, 7] = torch.nan
    replace(data(), poses=poses).save(holed)
    short = tmp_path / "short.safetensors"
    bones = layout().skeleton
    smaller = PoseLayout(replace(bones, offsets=0.9 * bones.offsets))
    Character(model(), smaller, character().reset_poses).save(short)
    for words, expected in (
        (["--data", tmp_path / "none.npz"], "no such data file; make one with"),
        (["--data", holed], "some of its poses are not finite"),
        (["--beta", "-1"], "beta is -1.0; allowed: 0 or more"),
        (["--beta", "nan"], "beta is nan; allowed: a finite number"),
        (["--learning-rate", "inf"], "learning_rate is inf; allowed: a finite number"),
        (
            ["--epochs", "5", "--teacher.hold-epochs", "2", "--teacher.ramp-epochs", "4"],
            "teacher.ramp_epochs is",
        ),
        (["--epochs", "30", "--kl.ramp-epochs", "31"], "kl.ramp_epochs is 31"),
        (["--rollout", "1000"], "the longest has 90 poses, a window needs 1001"),
        (
            ["--free-batch", "8", "--free-pool", "4"],
            "free_pool is 4; allowed: free_batch (8) or more",
        ),
        (["--roll-backs", "-1"], "roll_backs is -1; allowed: 0 or more"),
        (["--start", tmp_path / "none.safetensors"], "none.safetensors: no such checkpoint"),
        (["--start", short], "are of another skeleton than the model to start from"),
        (["--start", mvae, *WORDS], "the model to start from has"),
        (
            ["--freeze-decoder"],
            "start is None; allowed: with freeze_decoder, the model whose decoder is to stay",
        ),
        (["--resume", *WORDS], "training.safetensors: no such checkpoint"),
    ):
        received = [] if "--data" in words else ["--data", data_file]
        message = refusal(
            train_mvae.main, [*received, *words, "--out", tmp_path / "run"], monkeypatch, capsys
        )
        assert expected in message
        assert not (tmp_path / "run" / "training.safetensors").exists()


ZERO = (
    "--threads",
    "--save-every",
    "--diagnose-every",
    "--epochs",
    "--batch",
    "--model.hidden",
    "--model.latent",
)


@pytest.mark.parametrize("words", [[name, "0"] for name in ZERO])
def test_bad_settings_are_one_sentence(
    tmp_path: Path,
    data_file: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    message = refusal(
        train_mvae.main, ["--data", data_file, "--out", tmp_path, *words], monkeypatch, capsys
    )
    assert "is 0; allowed: 1" in message


def test_a_file_in_the_place_of_the_folder_is_one_sentence(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "run").write_text("a file")
    message = refusal(
        train_mvae.main,
        ["--data", data_file, "--out", tmp_path / "run", *WORDS],
        monkeypatch,
        capsys,
    )
    assert str(tmp_path / "run") in message


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert processes.own_device("auto") == processes.own_device("cpu") == torch.device("cpu")
    with pytest.raises(ControllerError, match="'cuda', but torch finds no CUDA GPU"):
        processes.own_device("cuda")


def test_a_data_set_without_held_out_clips_cannot_be_trained_on() -> None:
    training = replace(data(), clips=tuple(replace(clip, held_out=False) for clip in data().clips))
    with pytest.raises(DataError, match="no held-out clips"):
        Trainer(training, TINY)


def test_a_small_body_is_not_taken_for_a_fallen_one() -> None:
    walks = data()
    part = walks.layout
    poses = walks.poses.clone()
    poses[:, part.positions] *= 0.4  # the hips are below those of any person who stands
    trainer = Trainer(replace(walks, poses=poses), TINY)
    captured = trainer.character()
    assert captured.limits == trainer.limits
    assert bool(captured.alive(captured.reset(64, torch.Generator().manual_seed(0))).all())


def test_a_model_whose_rollouts_all_fall_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(data(), TINY)
    monkeypatch.setattr(publish, "own_poses", lambda character, count: torch.zeros(0, 1))
    with pytest.raises(DataError, match="no free rollout"):
        publish.export(trainer, tmp_path / "mvae.safetensors")
    assert "without a model" in train_mvae.export_or_say(trainer, tmp_path / "mvae.safetensors")
    assert not list(tmp_path.iterdir())
