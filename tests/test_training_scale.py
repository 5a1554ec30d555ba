"""Training that is killed, shared among processes, compiled or done in half precision."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import forked
import pytest
import torch
from synthetic import command, data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from controller.core import checkpoint, processes
from controller.core.errors import ConfigError
from controller.model.kl import kl_loss, kl_per_unit
from controller.model.mixture import MotionVAEConfig
from controller.training import train_mvae
from controller.training.config import TrainConfig
from controller.training.run_folder import STATE_KIND, RunFolder
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.train_mvae import Options
from controller.training.trainer import Trainer

TINY = TrainConfig.of(
    model=MotionVAEConfig(latent=4, hidden=16, experts=2, gate_hidden=8), epochs=8,
    teacher=TeacherForcing(hold_epochs=2, ramp_epochs=2, coin="sample"), kl=KlWeight(ramp_epochs=2),
    rollouts_per_epoch=8, rollout=3, batch=8, learning_rate=5e-3, beta=0.01, free_from_epoch=2,
    free_steps=3, free_batch=4, free_pool=16, free_renewal=0.1,
)  # fmt: skip
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
        "8",
        "--teacher.hold-epochs",
        "2",
        "--teacher.ramp-epochs",
        "2",
        "--teacher.coin",
        "sample",
    ),
    *("--kl.ramp-epochs", "2", "--rollouts-per-epoch", "8", "--rollout", "3", "--batch", "8"),
    *(
        "--learning-rate",
        "5e-3",
        "--beta",
        "0.01",
        "--free-from-epoch",
        "2",
        "--free-steps",
        "3",
        "--free-batch",
        "4",
    ),
    *("--free-pool", "16", "--free-renewal", "0.1", "--save-every", "1"),
)
"""The same on the command line."""


def state(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of the newest saved state."""
    return checkpoint.load(folder / "training.safetensors", STATE_KIND)


def trained(config: TrainConfig, folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The end state of an uninterrupted run in this process."""
    folder.mkdir()
    trainer = Trainer(data(), config)
    while trainer.epoch < config.epochs:
        trainer.run_epoch()
    RunFolder(folder).save(trainer)
    return state(folder)


def shown(folder: Path, name: str) -> list[tuple[int, float]]:
    """What TensorBoard shows of a figure: steps and values."""
    curves = EventAccumulator(str(folder / "tensorboard")).Reload()
    return [(event.step, event.value) for event in curves.Scalars(name)]


def untimed(header: dict[str, Any]) -> list[dict[str, float]]:
    """The history without what a machine's load decides, and without diagnoses, which a trainer
    alone does not make."""
    left_out = {"rollouts_per_s", "sane_fraction", "spread_m", "spread_deg", "still_mm"}
    return [
        {name: value for name, value in row.items() if name not in left_out}
        for row in header["history"]
    ]


# -- killed ----------------------------------------------------------------------------------------


def run_and_kill(words: list[str | Path], folder: Path, epoch: int, after: float) -> None:
    """Run the command until so many seconds after it saved this epoch, and kill it, at whatever it
    is then."""
    output = folder.with_name("output")
    process = forked.start(forked.COMMAND, "train", *words, output=output)
    path = folder / "training.safetensors"
    while (
        not path.exists() or checkpoint.load_header(path, STATE_KIND)["epoch"] < epoch
    ):  # whole whenever it is read
        assert process.is_alive(), (output / "err").read_text()
        time.sleep(0.002)
    time.sleep(after)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path, data_file: Path) -> None:
    """At three moments drawn at random: while a state is saved, before or after it, in an epoch or
    between two."""
    moments = random.Random(1)
    out = tmp_path / "killed"
    words: list[str | Path] = ["--data", data_file, "--out", out, *WORDS]
    for epoch in sorted(moments.sample(range(TINY.epochs - 1), 3)):
        run_and_kill(words, out, epoch, moments.uniform(0, 0.3))
        words = [*words, "--resume"] if "--resume" not in words else words
    done = forked.command("train", *words)
    assert done.returncode == 0, done.stderr
    (result, tensors), (expected, whole) = state(out), trained(TINY, tmp_path / "whole")
    assert tensors.keys() == whole.keys()
    for name, value in whole.items():
        assert torch.equal(tensors[name], value), name
    assert untimed(result) == untimed(expected) and len(result["history"]) == TINY.epochs
    assert json.loads((out / "history.json").read_text()) == result["history"]
    assert [step for step, _ in shown(out, "reconstruction")] == list(range(1, TINY.epochs + 1))
    assert not list(out.glob(".*"))  # nothing is left of what was half-written


KILLED_WHILE_SAVING = """
import os, signal, sys
from controller.core import checkpoint
from controller.training import train_mvae

save = checkpoint.save_file

def die_halfway(tensors, path, metadata):
    save(tensors, path, metadata=metadata)
    if '"epoch": 3' in metadata["header"][:200]:
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.save_file = die_halfway
train_mvae.main()
"""


def test_a_state_that_was_half_written_is_not_mistaken_for_one(
    tmp_path: Path, data_file: Path
) -> None:
    out = tmp_path / "killed"
    done = forked.run(KILLED_WHILE_SAVING, "--data", data_file, "--out", out, *WORDS)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert state(out)[0]["epoch"] == 2
    assert [path.suffix for path in out.glob(".training-*")] == [".safetensors"]
    trainer = Trainer(data(), TINY)
    RunFolder(out).resume(trainer)
    assert trainer.epoch == 2 and not list(out.glob(".*"))
    while trainer.epoch < TINY.epochs:
        trainer.run_epoch()
    _, whole = trained(TINY, tmp_path / "whole")
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, whole[f"model.{name}"]), name


def test_a_run_can_be_resumed_from_its_very_start(tmp_path: Path, data_file: Path) -> None:
    """A state is there before the first epoch."""
    trainer = train_mvae.start(
        Options(data=data_file, out=tmp_path, config=TINY), torch.device("cpu")
    )
    assert trainer.epoch == 0 and state(tmp_path)[0]["epoch"] == 0
    trainer.run_epoch()
    again = train_mvae.start(
        Options(data=data_file, out=tmp_path, config=TINY, resume=True), torch.device("cpu")
    )
    again.run_epoch()
    for one, other in zip(trainer.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


# -- several processes -----------------------------------------------------------------------------


def torchrun(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in two processes."""
    launch = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    return command(*launch, "-m", "controller", "--", "train", *words, timeout=300)


@pytest.mark.parametrize(("through_time", "free_bits"), [(True, 0.0), (False, 0.1)])
def test_two_processes_train_as_one_with_the_same_batch(
    tmp_path: Path, data_file: Path, through_time: bool, free_bits: float
) -> None:
    out = tmp_path / "two"
    words = ["--free-bits", str(free_bits), *([] if through_time else ["--no-through-time"])]
    done = torchrun("--data", data_file, "--out", out, *WORDS, *words)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.count("epoch   8/8") == 1
        and done.stdout.count(str(out / "mvae.safetensors")) == 1
    )
    config = TINY.with_changes(through_time=through_time, free_bits=free_bits)
    (result, tensors), (expected, whole) = state(out), trained(config, tmp_path / "one")
    for row, other in zip(untimed(result), untimed(expected), strict=True):
        assert row == pytest.approx(other, rel=1e-3), row["epoch"]
    for name, value in whole.items():
        torch.testing.assert_close(tensors[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_a_batch_that_cannot_be_shared_is_one_sentence(
    tmp_path: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "count", lambda: 3)
    with pytest.raises(ConfigError) as caught:
        train_mvae.start(Options(data=data_file, out=tmp_path, config=TINY), torch.device("cpu"))
    assert str(caught.value) == "batch is 8; allowed: multiples of 3, the number of processes"
    with pytest.raises(ConfigError, match="free_batch is 4; allowed: multiples of 3"):
        train_mvae.check(
            Options(data=data_file, out=tmp_path, config=TINY.with_changes(batch=9)),
            torch.device("cpu"),
        )


def test_more_processes_than_cards_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for local, word in (("0", "auto"), ("1", "cuda")):
        monkeypatch.setenv("LOCAL_RANK", local)
        assert processes.own_device(word) == torch.device("cuda", int(local))
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(
        ConfigError, match="--nproc-per-node is 3; allowed: 1 to 2, as many as there are GPUs"
    ):
        processes.own_device("auto")
    assert processes.own_device("cpu") == torch.device("cpu")


def test_alone_a_process_has_everything() -> None:
    rows = torch.arange(6.0).reshape(3, 2).requires_grad_()
    assert processes.rank() == 0 and processes.count() == 1 and processes.speaks()
    assert processes.share(rows).equal(rows) and processes.gathered(rows) is rows
    assert processes.mean(rows).equal(rows) and not processes.mean(rows).requires_grad
    processes.average([rows])
    assert rows.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert processes.agreed(True, rows.device) and not processes.agreed(False, rows.device)
    assert processes.of_first({"a": 1.0}, rows.device) == {"a": 1.0}
    with processes.joined(rows.device):
        processes.meet()


def test_free_bits_cost_nothing_below_their_number() -> None:
    mean = torch.tensor([[0.1, 2.0], [0.3, -2.0]], requires_grad=True)
    log_variance = torch.zeros(2, 2)
    units = kl_per_unit(mean, log_variance)
    assert units.tolist() == pytest.approx([0.025, 2.0])
    loss = kl_loss(mean, log_variance, 0.5)
    assert loss.item() == pytest.approx((0.5 + 2.0) / 2)
    loss.backward()
    assert mean.grad is not None and mean.grad[:, 0].eq(0).all() and mean.grad[:, 1].ne(0).all()
    assert kl_loss(mean, log_variance, 0.0).item() == pytest.approx(float(units.mean().detach()))


# -- other ways to compute -------------------------------------------------------------------------


def test_half_precision_trains_and_leaves_the_weights_in_single() -> None:
    losses = []
    for precision in ("float32", "bf16"):
        trainer = Trainer(data(), TINY.with_changes(free_from_epoch=0), precision=precision)  # type: ignore[arg-type]
        losses.append(trainer.run_epoch()["reconstruction"])
        assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())
        assert trainer.free_running.poses.dtype == torch.float32
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.02)


def test_half_precision_on_a_card_without_it_is_one_sentence(
    tmp_path: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Abacus 3")
    options = Options(data=data_file, out=tmp_path, config=TINY, precision="bf16")
    with pytest.raises(
        ConfigError,
        match="precision is 'bf16', which Abacus 3 does not have; allowed here: float32",
    ):
        train_mvae.check(options, torch.device("cuda"))
    train_mvae.check(options, torch.device("cpu"))


def test_no_compiler_is_one_sentence(
    tmp_path: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*words: Any, **settings: Any) -> Any:
        raise RuntimeError("No working C++ compiler found\nand much more")

    monkeypatch.setattr(torch, "compile", none)
    with pytest.raises(ConfigError) as caught:
        train_mvae.check(
            Options(data=data_file, out=tmp_path, config=TINY, compile=True), torch.device("cpu")
        )
    message = (
        "compile is True, but torch cannot compile for cpu here (No working C++ compiler found)"
    )
    assert str(caught.value) == message
