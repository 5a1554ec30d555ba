"""What guards a training: it judges itself, keeps its last good state, and lets nothing into
it that is not finite."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic import data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer
from torch import Tensor

from controller.core import checkpoint
from controller.core.errors import ControllerError
from controller.dynamics.character import Character
from controller.evaluation.diagnosis import verdict
from controller.model.mixture import MotionVAEConfig
from controller.training import train_mvae, watch
from controller.training.config import TrainConfig
from controller.training.run_folder import STATE_KIND, RunFolder
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.train_mvae import Options
from controller.training.trainer import Trainer
from controller.training.watch import SILENT_EPOCHS, Fatal

TINY = TrainConfig.of(
    model=MotionVAEConfig(latent=4, hidden=16, experts=2, gate_hidden=8),
    epochs=6, teacher=TeacherForcing(hold_epochs=2, ramp_epochs=1), kl=KlWeight("none"),
    rollouts_per_epoch=4, rollout=3, batch=8, learning_rate=5e-3, beta=0.01, free_steps=0,
)  # fmt: skip


# -- what is wrong, and for how long ---------------------------------------------------------------


def row(**figures: float) -> dict[str, float]:
    """An epoch's figures, of a healthy model unless told otherwise."""
    healthy = {
        "latent_units": 32, "active_units": 20, "kl_nats": 4.0, "kl_weight": 1.0,
        "teacher_forcing": 0.0, "reconstruction": 0.1, "one_step_mm": 4.0,
    }  # fmt: skip
    return healthy | figures


SILENT = row(active_units=0, kl_nats=0.0)


def test_nothing_is_wrong_before_the_first_epoch_or_with_a_healthy_model() -> None:
    assert watch.trouble([]) is None and watch.fatal([]) is None
    healthy = [row(sane_fraction=1.0)] * 20
    assert watch.trouble(healthy) is None and watch.fatal(healthy) is None


def test_a_latent_that_sleeps_for_a_while_is_left_alone() -> None:
    for history in (
        [SILENT] * (SILENT_EPOCHS - 1),
        [SILENT] * 9 + [row()] + [SILENT] * (SILENT_EPOCHS - 1),
        [row(active_units=0, kl_nats=0.0, kl_weight=0.9)] * 50,
    ):
        assert watch.fatal(history) is None
        assert watch.trouble(history), "but its state is none to go back to"
    assert watch.trouble([*[SILENT] * 9, row()]) is None


def test_a_latent_that_sleeps_on_has_collapsed() -> None:
    finding = watch.fatal([row(), *[SILENT] * SILENT_EPOCHS])
    assert finding and finding.name == verdict.COLLAPSED
    assert (
        "of 32 latent units 0" in finding.reason.lower()
        and f"last {SILENT_EPOCHS} epochs" in finding.reason
    )
    assert "--beta" in finding.advice


def test_silence_between_cycles_of_the_kl_weight_does_not_count() -> None:
    """A cycle that begins anew gives the latent another chance; silence at the full weight adds up
    if it takes none."""
    cycle = [row(active_units=0, kl_nats=0.0, kl_weight=weight) for weight in (0.0, 0.5, 1.0, 1.0)]
    assert watch.fatal(2 * cycle) is None
    assert watch.fatal(3 * cycle)


@pytest.mark.parametrize(
    ("losses", "fatal"),
    [
        ([15.0, 975.0, 975.0, 975.0], True),  # the public case, whose loss stays above 480
        ([15.0, 300.0, 600.0, 975.0], True),
        ([15.0, 975.0, 900.0, 800.0], True),
        ([15.0, 975.0, 975.0], False),  # not for long yet
        ([15.0, 975.0, 400.0, 200.0], False),  # it falls again
        ([0.03, 0.09, 0.09, 0.09], False),  # where teacher forcing ends, a loss trebles
        ([0.01, 0.9, 0.9, 0.9], False),  # no worse than the mean pose
        ([0.01, 1.1, 1.1, 1.1], True),
    ],
)
def test_a_loss_that_explodes_and_stays_there_is_fatal(losses: list[float], fatal: bool) -> None:
    finding = watch.fatal([row(reconstruction=loss) for loss in losses])
    assert (finding is not None) == fatal
    if finding:
        assert finding.name == watch.EXPLODED and f"{losses[-1]:.3g}" in finding.reason
        assert f"{losses[-1] / losses[0]:.3g} times its best ({losses[0]:.3g})" in finding.reason


@pytest.mark.parametrize(
    ("fractions", "teacher", "fatal"),
    [
        ([0.5, 0.4, 0.4], 0.0, True),
        ([0.0, 0.0, 0.0], 0.2, True),
        ([0.0, 0.0, 0.0], 0.3, False),  # it has not yet learned to live by its own output
        ([0.2, 0.5, 0.7], 0.0, False),  # it is learning to
        ([0.5, 0.4], 0.0, False),
        ([0.5, 0.99, 0.4, 0.4], 0.0, False),
    ],
)
def test_free_rollouts_that_leave_what_a_body_can_do_again_and_again_are_fatal(
    fractions: list[float], teacher: float, fatal: bool
) -> None:
    history = []
    for fraction in fractions:  # one epoch in three is diagnosed
        history += [row(teacher_forcing=teacher, sane_fraction=fraction)] + 2 * [
            row(teacher_forcing=teacher)
        ]
    finding = watch.fatal(history)
    assert (finding is not None) == fatal
    assert bool(watch.trouble(history)) == (teacher <= watch.OWN_OUTPUT), (
        "also between two diagnoses"
    )
    if finding:
        assert (
            finding.name == verdict.DIVERGES
            and f"{100 * fractions[-1]:.3g} % of free rollouts" in finding.reason
        )


def test_a_diagnosis_finds_a_model_that_leaves_what_a_body_can_do() -> None:
    trainer = Trainer(data(), TINY)
    trainer.run_epoch()
    with torch.no_grad():
        for parameter in trainer.model.decoder.output.parameters():
            parameter.mul_(100)
    figures = trainer.diagnose()
    assert figures is trainer.history[-1] and figures["sane_fraction"] == 0
    assert watch.findings(trainer.history)[0].name == verdict.DIVERGES


# -- what is not finite ----------------------------------------------------------------------------


def poison(trainer: Trainer, calls: Callable[[int], bool]) -> None:
    """Make batches NaN where ``calls`` is true of their number, counted from 0."""
    draw = trainer.windows.draw
    count = 0

    def poisoned(*words: Any, **settings: Any) -> Tensor:
        nonlocal count
        windows = draw(*words, **settings)
        count = count + 1
        return windows * torch.nan if calls(count - 1) else windows

    trainer.windows.draw = poisoned  # type: ignore[method-assign]


def tensors(trainer: Trainer) -> dict[str, Tensor]:
    """Weights and the optimiser's state."""
    result = {f"model {name}": value.clone() for name, value in trainer.model.state_dict().items()}
    for index, state in trainer.optimizer.state_dict()["state"].items():
        result |= {f"optimizer {index} {name}": value.clone() for name, value in state.items()}
    return result


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )


def steps(trainer: Trainer) -> int:
    """Optimiser steps made."""
    return int(next(iter(trainer.optimizer.state.values()))["step"])


@pytest.mark.parametrize("what", ["gradient", "loss"])
def test_a_step_that_is_not_finite_does_nothing(what: str) -> None:
    trainer = Trainer(data(), TINY)
    trainer.run_epoch()
    before = tensors(trainer)
    weight = trainer.model.decoder.output.weight
    assert not trainer.optimise(
        (weight * torch.nan).sum() if what == "gradient" else weight.sum() + torch.inf
    )
    assert same(tensors(trainer), before) and weight.grad is None
    assert trainer.optimise(weight.square().mean()) and not same(tensors(trainer), before)


def test_gradients_are_clipped_to_their_norm_and_without_one_are_left_as_they_are() -> None:
    """By the first moment of Adam's first step, which is a tenth of the gradient."""
    norms = []
    for longest in (0.5, 1e6, 0.0):
        trainer = Trainer(data(), TINY.with_changes(gradient_norm=longest))
        assert trainer.optimise(100 * trainer.model.decoder.output.weight.sum())
        moments = [state["exp_avg"] for state in trainer.optimizer.state.values()]
        norms.append(10 * float(torch.stack([moment.norm() for moment in moments]).norm()))
    entries = trainer.model.decoder.output.weight.numel()
    assert norms == pytest.approx([0.5, 100 * entries**0.5, 100 * entries**0.5], rel=1e-4)


@pytest.mark.parametrize("through_time", [True, False])
def test_a_poisoned_batch_stops_training_and_spoils_nothing(through_time: bool) -> None:
    trainer = Trainer(data(), TINY.with_changes(through_time=through_time))
    trainer.run_epoch()
    poison(trainer, lambda call: call == 0)
    before = tensors(trainer)
    with pytest.raises(
        Fatal, match=r"the loss is not finite\. In epoch 2 .* in rollout 1\. .*--learning-rate"
    ):
        trainer.run_epoch()
    assert same(tensors(trainer), before) and trainer.epoch == 1


@pytest.mark.parametrize("through_time", [True, False])
def test_a_poisoned_batch_can_be_skipped_and_counted(through_time: bool) -> None:
    config = TINY.with_changes(through_time=through_time)
    trainer = Trainer(data(), config, skips=True)
    poison(trainer, lambda call: call in (1, 2))
    figures = trainer.run_epoch()
    assert figures["skipped"] == 2 and all(
        torch.isfinite(torch.tensor(value)) for value in figures.values()
    )
    assert all(torch.isfinite(value).all() for value in trainer.model.parameters())
    assert steps(trainer) == (config.rollouts_per_epoch - 2) * (
        1 if through_time else config.rollout
    )
    assert trainer.run_epoch()["skipped"] == 0


def test_an_epoch_without_a_number_is_not_skipped() -> None:
    trainer = Trainer(data(), TINY, skips=True)
    poison(trainer, lambda call: True)
    with pytest.raises(
        Fatal, match="In epoch 1 the loss or its gradient is not finite in every rollout"
    ):
        trainer.run_epoch()


def test_poses_that_are_not_finite_do_not_stay_in_the_pool() -> None:
    config = TINY.with_changes(free_steps=2, free_batch=8, free_pool=8, free_from_epoch=0)
    trainer = Trainer(data(), config)
    trainer.free_running.poses[3] = torch.nan
    assert trainer.rollout(0.01, 0.0) is None  # the NaN is in the loss
    trainer.free_running.draw(8, 2, trainer.model)
    trainer.free_running.put_back(torch.full((8, trainer.layout.size), torch.nan), 2)
    assert torch.isfinite(trainer.free_running.poses).all()


# -- what becomes of the run -----------------------------------------------------------------------

LEARNS = TINY.with_changes(
    model=MotionVAEConfig(latent=8, hidden=48, experts=2, gate_hidden=16),
    rollouts_per_epoch=60,
    batch=32,
)
"""After two epochs its model is worth keeping."""
COLLAPSES = TINY.with_changes(model=MotionVAEConfig(latent=4, hidden=32, experts=2, gate_hidden=8),
    teacher=TeacherForcing("constant"), epochs=30, rollouts_per_epoch=30, learning_rate=1e-2,
    rollout=1, beta=1e4,
)  # fmt: skip


def options(folder: Path, data_file: Path, config: TrainConfig, **settings: Any) -> Options:
    return Options(data=data_file, out=folder, config=config, save_every=1, **settings)


def poisoned_from(monkeypatch: pytest.MonkeyPatch, epoch: int, times: int) -> None:
    """Every run's first rollout after ``epoch`` epochs is NaN, so many times."""
    rollout = Trainer.optimise
    left = times

    def poisoned(self: Trainer, total: Tensor) -> bool:
        nonlocal left
        bad = self.epoch == epoch and left > 0
        left -= bad
        return rollout(self, total * torch.nan if bad else total)

    monkeypatch.setattr(Trainer, "optimise", poisoned)


def wrong_from(monkeypatch: pytest.MonkeyPatch, trouble: int, fatal: int) -> None:
    """Something is found wrong from the epoch ``trouble`` on, and held to be fatal from ``fatal``
    on."""
    finding = verdict.Finding("made up", "It is wrong.", "Mend it.")
    monkeypatch.setattr(
        watch, "trouble", lambda history: finding if len(history) >= trouble else None
    )
    monkeypatch.setattr(watch, "fatal", lambda history: finding if len(history) >= fatal else None)


def state(folder: Path, name: str = "training") -> dict[str, Any]:
    """The header of a saved state."""
    return checkpoint.load_header(folder / f"{name}.safetensors", STATE_KIND)


@pytest.fixture(autouse=True)
def event_files_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard reads files of one second by the number that ends their names, as text: the 10th
    before the 9th."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    """What TensorBoard shows of a figure: steps and values."""
    curves = EventAccumulator(str(folder / "tensorboard")).Reload()
    return [(event.step, event.value) for event in curves.Scalars(name)]


@pytest.mark.usefixtures("short_rollouts")
def test_a_collapsed_training_stops_with_advice_and_keeps_its_last_good_state(
    tmp_path: Path, data_file: Path
) -> None:
    with pytest.raises(ControllerError) as caught:
        train_mvae.train(options(tmp_path, data_file, COLLAPSES))
    message = str(caught.value)
    match = re.match(
        r"training stopped after epoch (\d+): collapsed\. .* nats.* all of the last (\d+) epochs\.",
        message,
    )
    assert match and "Train again with a lower --beta" in message
    assert int(match[2]) >= SILENT_EPOCHS
    last_good = int(match[1]) - int(match[2])
    assert message.endswith(
        f"The last good state, of epoch {last_good}, is in {tmp_path / 'training.safetensors'}."
    )
    assert state(tmp_path)["epoch"] == last_good and not (tmp_path / "mvae.safetensors").exists()
    assert len(json.loads((tmp_path / "history.json").read_text())) == int(
        match[1]
    )  # of what happened all is told


@pytest.mark.usefixtures("short_rollouts")
def test_the_model_of_the_last_good_state_is_exported(
    tmp_path: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned_from(monkeypatch, epoch=2, times=1)
    with pytest.raises(ControllerError) as caught:
        train_mvae.train(options(tmp_path, data_file, LEARNS))
    model = tmp_path / "mvae.safetensors"
    assert str(caught.value).startswith(
        "training stopped after epoch 2: the loss is not finite. In epoch 3"
    )
    assert str(caught.value).endswith(f"{tmp_path / 'training.safetensors'}, its model in {model}.")
    assert state(tmp_path)["epoch"] == Character.load(model).header["training"]["epochs_done"] == 2


@pytest.mark.usefixtures("short_rollouts")
def test_states_in_which_something_is_wrong_are_not_good(
    tmp_path: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_from(monkeypatch, trouble=3, fatal=5)
    with pytest.raises(
        ControllerError,
        match=r"after epoch 5: made up\. It is wrong\. Mend it\. .* of epoch 2, is in",
    ):
        train_mvae.train(options(tmp_path, data_file, TINY))
    assert state(tmp_path)["epoch"] == state(tmp_path, "good")["epoch"] == 2


@pytest.mark.usefixtures("short_rollouts")
def test_a_training_told_to_go_on_says_so_and_does(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    poisoned_from(monkeypatch, epoch=1, times=2)
    wrong_from(monkeypatch, trouble=3, fatal=5)
    train_mvae.train(options(tmp_path, data_file, TINY, on_fatal="go-on"))
    assert capsys.readouterr().out.count("going on in spite of this: made up: It is wrong.") == 2
    assert state(tmp_path)["epoch"] == 6 and state(tmp_path, "good")["epoch"] == 2
    assert [row["skipped"] for row in state(tmp_path)["history"]] == [0, 2, 0, 0, 0, 0]


@pytest.mark.usefixtures("short_rollouts")
def test_rolling_back_halves_the_rate_and_draws_anew(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = Trainer(data(), TINY)
    for _ in range(TINY.epochs):
        whole.run_epoch()
    poisoned_from(monkeypatch, epoch=3, times=2)
    train_mvae.train(
        replace(options(tmp_path, data_file, TINY, on_fatal="roll-back"), save_every=2)
    )
    assert capsys.readouterr().out.count("Rolled back to epoch 2") == 2
    header = state(tmp_path)
    assert header["roll_backs"] == 2 and header["epoch"] == TINY.epochs
    assert [row["epoch"] for row in header["history"]] == [1, 2, 3, 4, 5, 6]
    rates = [row["learning_rate"] for row in whole.history]
    quartered = [rate / (1 if epoch < 2 else 4) for epoch, rate in enumerate(rates)]
    assert [row["learning_rate"] for row in header["history"]] == pytest.approx(quartered)
    undisturbed, losses = (
        [row["reconstruction"] for row in rows] for rows in (whole.history, header["history"])
    )
    assert losses[:2] == undisturbed[:2] and losses[2] != undisturbed[2]
    assert curve(tmp_path, "reconstruction") == [
        (n, pytest.approx(loss)) for n, loss in enumerate(losses, start=1)
    ]


@pytest.mark.usefixtures("short_rollouts")
def test_it_rolls_back_so_often_and_no_more(
    tmp_path: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned_from(monkeypatch, epoch=1, times=99)
    with pytest.raises(ControllerError, match="training stopped after epoch 1"):
        train_mvae.train(options(tmp_path, data_file, TINY, on_fatal="roll-back", roll_backs=2))
    assert state(tmp_path)["roll_backs"] == 2 and state(tmp_path)["epoch"] == 1
    with pytest.raises(ControllerError, match="training stopped after epoch 1"):
        train_mvae.train(
            options(tmp_path, data_file, TINY, on_fatal="roll-back", roll_backs=2, resume=True)
        )


def test_a_rolled_back_run_goes_on_exactly_after_an_interruption(
    tmp_path: Path, data_file: Path
) -> None:
    trainers = []
    for interrupted in (False, True):
        folder = RunFolder(tmp_path / str(interrupted))
        folder.path.mkdir()
        trainer = Trainer(data(), TINY)
        trainer.run_epoch()
        folder.save(trainer)
        trainer.run_epoch()
        folder.roll_back(trainer)
        if interrupted:
            trainer = Trainer(data(), TINY)
            folder.resume(trainer)
        trainer.run_epoch()
        trainers.append(trainer)
    assert trainers[0].epoch == trainers[1].epoch == 2 and trainers[1].roll_backs == 1
    assert same(tensors(trainers[0]), tensors(trainers[1]))
