"""The benchmark: its arithmetic by hand, its clock by hand, and one small run of the command."""

from __future__ import annotations

import contextlib
import io
import math
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic import ROOT, character, refusal, strict_json
from torch import nn

from controller.benchmark import machine, memory, programs, report, steps, training, viewer
from controller.benchmark import run as benchmark
from controller.benchmark.limits import Limits, Work
from controller.benchmark.options import Options
from controller.benchmark.plan import QUICK
from controller.benchmark.published import PublishedLoop
from controller.benchmark.timing import Timing, alternate, measure, threads
from controller.control.actors import Actor
from controller.control.folder import CharacterFolder
from controller.control.policy import Policy
from controller.core import files
from controller.core.errors import ControllerError
from controller.dynamics.character import Character
from controller.model.mixture import ExpertLinear, MotionVAE, MotionVAEConfig
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation
from envs import benchmark as envs_benchmark
from envs.ppo import PpoConfig
from envs.shac import ShacConfig
from envs.train_policy import PolicyConfig

PROMISED = (
    "control_step_us_b1", "control_step_us_b1_p99", "core_steps_per_s_b100",
    "core_steps_per_s_b1000", "vecenv_steps_per_s_b100", "crowd500_ms", "gemm_gflops",
    "floor_ratio_b1", "floor_ratio_b100", "floor_ratio_b1000", "mvae_updates_per_s",
    "mvae_reference_updates_per_s", "mvae_updates_ratio",
)  # fmt: skip
DRAWN = (*viewer.KEYS, "cold_start_s")


class Hand:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def takes(self, *nanoseconds: int) -> Any:
        """A function that takes so long, each call the next of these times, the last one for
        ever."""
        times = list(nanoseconds)

        def run() -> None:
            self.now += times.pop(0) if len(times) > 1 else times[0]

        return run


# -- timing ----------------------------------------------------------------------------------------


def test_the_median_and_the_99th_percentile_of_samples() -> None:
    assert Timing.of([1000 * n for n in range(100, 0, -1)]) == Timing(50.5, 99.0)
    assert Timing.of([1000 * n for n in range(1, 1002)]) == Timing(501.0, 991.0)
    assert Timing.of([3000]) == Timing(3.0, 3.0)
    assert Timing(250.0, 300.0).per_s(100) == pytest.approx(400_000)


def test_functions_take_turns_and_one_slow_call_is_no_median() -> None:
    clock = Hand()
    order = []
    ours = clock.takes(1000)
    theirs = clock.takes(*[3000] * 99, 10**6, 3000)
    functions = {
        "ours": lambda: order.append("ours") or ours(),
        "theirs": lambda: order.append("theirs") or theirs(),
    }
    timings = alternate(functions, 1e-3, calls=2, clock=clock)
    assert timings["ours"] == Timing(1.0, 1.0)
    assert timings["theirs"].median_us == 3.0 and timings["theirs"].p99_us == pytest.approx(
        (3 + 1000) / 2
    )
    assert order[:6] == ["ours", "ours", "theirs", "theirs", "ours", "ours"]


def test_the_first_calls_do_not_count_and_the_least_samples_are_taken() -> None:
    clock = Hand()
    calls = []
    slow_at_first = clock.takes(10**9, 5000)

    def counted() -> None:
        calls.append(clock.now)
        slow_at_first()

    assert alternate({"": counted}, 0.0, least=7, clock=clock)[""] == Timing(5.0, 5.0)
    assert len(calls) == 1 + 7


def test_a_sleep_takes_as_long_as_it_takes() -> None:
    timing = measure(lambda: time.sleep(0.002), 0.05)
    assert 2000 <= timing.median_us <= timing.p99_us and timing.median_us < 100_000


def test_threads_are_as_many_as_before() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


# -- floors ----------------------------------------------------------------------------------------


def test_work_and_floors_by_hand() -> None:
    """A linear layer of 3 × 2 and six experts of 5 × 4: 126 weights, 26 biases."""
    work = Work.of(nn.Linear(3, 2), ExpertLinear(6, 5, 4))
    assert work == Work(flops=2 * (6 + 120), weight_bytes=4 * (6 + 2 + 120 + 24))
    limits = Limits(gemm_gflops=2.0, cache_gb_per_s=0.5, copy_gb_per_s=9.0)
    assert work.floor_us(1, limits) == pytest.approx(608 / 0.5e9 * 1e6)
    assert work.floor_us(100, limits) == pytest.approx(100 * 252 / 2e9 * 1e6)


def test_the_shipped_decoders_work_by_hand() -> None:
    gate = 275 * 64 + 64 * 64 + 64 * 6
    experts = 6 * (275 * 256 + 288 * 256 + 288 * 243)
    biases = 64 + 64 + 6 + 6 * (256 + 256 + 243)
    work = Work.of(Character.load(CharacterFolder.open().mvae).model.decoder)
    assert work == Work(flops=2 * (gate + experts), weight_bytes=4 * (gate + experts + biases))


def test_the_better_of_two_measurements_is_the_limit() -> None:
    assert Limits(1.0, 5.0, 3.0).best(Limits(2.0, 4.0, 3.0)) == Limits(2.0, 5.0, 3.0)


def test_the_machines_limits_are_measured() -> None:
    limits = Limits.measure(1_000_000, torch.device("cpu"), 0.01, square=256)
    assert all(0.1 < getattr(limits, field.name) < 1e6 for field in fields(limits))


# -- steps -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> tuple[Simulation, Policy]:
    """An untrained character and an untrained policy."""
    task = JoystickTask(character())
    actor = Actor(character().layout.size + task.goal_size, character().latent, (16,), 1.0)
    return Simulation(character(), task), Policy(actor, {})


def test_figures_are_floors_over_timings(small: tuple[Simulation, Policy]) -> None:
    simulation, policy = small
    limits = Limits(1.0, 1.0, 1.0)
    core = (1000.0, 1200.0)
    control = (100.0, 150.0)
    timings = {
        ("control_step", 1): Timing(*control),
        ("core", 100): Timing(*core),
        ("core", 1000): Timing(*core),
    }
    keys = steps.figures(timings, limits, simulation, policy)
    decoder = Work.of(character().model.decoder)
    both = Work.of(character().model.decoder, policy.actor)
    assert (keys["control_step_us_b1"], keys["control_step_us_b1_p99"]) == control
    assert keys["floor_ratio_b1"] == pytest.approx(both.weight_bytes / 1e3 / 100)
    assert keys["floor_ratio_b100"] == pytest.approx(100 * decoder.flops / 1e3 / 1000)
    assert keys["floor_ratio_b1000"] == pytest.approx(10 * keys["floor_ratio_b100"])
    assert keys["core_steps_per_s_b100"] == pytest.approx(100_000)


def test_every_step_moves_its_characters(small: tuple[Simulation, Policy]) -> None:
    simulation, policy = small
    for step in (
        steps.Control(simulation, policy, 3),
        steps.Core(simulation, 3),
        steps.Dynamics(simulation, 3),
    ):
        before = step.state
        step()
        assert (step.state.pose != before.pose).any() and len(step.state) == 3


def test_a_crowd_leaves_the_threads_as_they_were(small: tuple[Simulation, Policy]) -> None:
    before = torch.get_num_threads()
    keys = steps.crowd(*small, cores=1, seconds=0.0)
    assert keys["crowd500_threads"] == 1 and 0 < keys["crowd500_ms"] <= keys["crowd500_ms_p99"]
    assert torch.get_num_threads() == before


def test_the_published_loop_computes_what_ours_does() -> None:
    """With the same weights the networks agree, and it makes an optimiser step at every step of a
    rollout."""
    config = MotionVAEConfig(latent=5, hidden=24, experts=3, gate_hidden=8)
    ours = MotionVAE(12, config)
    theirs = PublishedLoop(12, config, torch.device("cpu"), beta=0.1)
    theirs.encoder.load_state_dict(ours.encoder.state_dict())
    theirs.decoder.load_state_dict(ours.decoder.state_dict())
    previous = torch.randn(7, 12)
    following = torch.randn(7, 12)
    latent = torch.randn(7, 5)
    torch.testing.assert_close(theirs.decoder(latent, previous), ours.decode(latent, previous))
    for mine, other in zip(
        ours.encode(previous, following), theirs.encoder(previous, following), strict=True
    ):
        torch.testing.assert_close(mine, other)
    theirs.rollout(torch.randn(7, 1 + 4, 12))
    assert {int(state["step"]) for state in theirs.optimizer.state.values()} == {4}


def test_the_made_up_data_can_be_trained_on() -> None:
    data = training.made_up(character())
    assert (
        data.poses.shape == (1100, character().layout.size)
        and torch.isfinite(data.normalizer().std).all()
    )
    assert len(data.select(held_out=True)) == len(data.select(held_out=False)) == 1


# -- other programs --------------------------------------------------------------------------------


def test_what_cannot_be_measured_is_reported_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    program = programs.Program("luck", ("-m", "controller.no_such_module"), ("a", "b"))
    assert program.figures() == {"a": None, "b": None}
    message = capsys.readouterr().err
    assert message.startswith("luck not measured: ") and message.count("\n") == 1
    assert "no_such_module" in message.partition(": ")[2]


def test_the_environments_are_measured_by_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is found and reads its options; what it measures is tested below."""
    flag, code, *words = programs.ENVIRONMENTS.words
    assert flag == "-c"
    message = refusal(lambda: exec(code), [*words, "--device", "abacus"], monkeypatch, capsys)
    assert message.startswith("device is 'abacus'; allowed: cpu")


def test_a_start_that_fails_is_no_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "ROOT", ROOT / "tests")  # where there is no play.py
    assert programs.cold_start_s(2) is None
    assert capsys.readouterr().err.count("\n") == 1


def test_memory_is_counted_on_linux_alone() -> None:
    if not Path("/proc/self/smaps_rollup").is_file():
        pytest.skip("not Linux")
    assert memory.resident() > 10_000
    with pytest.raises(ControllerError, match="only be measured on Linux"):
        memory.kilobytes("status", "NoSuchField")


# -- tables ----------------------------------------------------------------------------------------


def made_up_figures() -> dict[str, Any]:
    keys = {key: 1234.5 for _, pattern in report.OTHERS for key in re.findall(r"{(\w+)", pattern)}
    for batch in (1, 100):
        keys |= {f"core_us_b{batch}": 250.0, f"core_us_b{batch}_p99": 1300.0}
        keys |= {f"core_floor_us_b{batch}": 100.0, f"core_floor_ratio_b{batch}": 0.4}
    where = {"machine": "a computer", "device": "cpu", "threads": 2, "versions": {"python": "3.11"}}
    return keys | where | {"viewer_driver": None, "cold_start_s": None}


def test_tables_hold_what_was_measured_and_say_what_was_not() -> None:
    text = report.tables(made_up_figures())
    assert re.search(
        r"\| core: .* \| +100 \| +250 µs \| 1.3 ms \| 100 µs \| +0.40 \| +400,000 \|", text
    )
    assert text.count("not measured") == 2
    assert text.endswith("Measured on a computer, 2 threads unless stated, python 3.11.")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert (
        len({(line.count("|"), len(line)) for line in rows}) == 2
    )  # two tables, each with straight columns


def test_a_block_of_a_document_is_filled_and_nothing_else_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("above\n<!-- figures -->\nold\n<!-- end figures -->\nbelow\n")
    files.fill(path, "figures", r"new \1")
    assert path.read_text() == "above\n<!-- figures -->\nnew \\1\n<!-- end figures -->\nbelow\n"
    for text in ("none", "<!-- end figures --><!-- figures -->", 2 * path.read_text()):
        path.write_text(text)
        with pytest.raises(
            ControllerError, match="one block from <!-- figures --> to <!-- end figures -->"
        ):
            files.fill(path, "figures", "new")
        assert path.read_text() == text


def test_the_document_has_its_block() -> None:
    before, _, after = files.split_block(ROOT / "docs" / "performance.md", "figures")
    assert "python -m controller benchmark" in before and "## What was tried" in after


# -- the command -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("main", "words", "message"),
    [
        (benchmark.main, ["--threads", "0"], "--threads is 0"),
        (benchmark.main, ["--threads", "9999"], "--threads is 9999"),
        (benchmark.main, ["--device", "abacus"], "device is 'abacus'; allowed: cpu"),
        (benchmark.main, ["--write", "no/such/file.md"], "no/such/file.md: cannot be read"),
        (envs_benchmark.main, ["--threads", "0"], "--threads is 0"),
        (envs_benchmark.main, ["--device", "abacus"], "device is 'abacus'; allowed: cpu"),
        (memory.main, ["--steps", "2000"], "--steps is 2000"),
        (viewer.main, ["--frames", "0"], "--frames is 0"),
    ],
)
def test_options_that_make_no_sense(
    main: Any,
    words: list[str | Path],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in refusal(main, words, monkeypatch, capsys)


SMALL = replace(
    QUICK, seconds=0.01, samples=1, batches=(1, 100), square=256, memory_steps=4000, frames=10
)
TRAINING = PolicyConfig(
    characters=8, hidden=(16,), workers=1, ppo=PpoConfig(rollout_frames=8, minibatch=32, epochs=1),
    shac=ShacConfig(horizon=4, critic_steps=1),
)  # fmt: skip


@pytest.fixture(scope="module")
def quick() -> Iterator[dict[str, Any]]:
    """What ``--quick --json`` prints when everything is small; whatever is missing is reported on
    standard error."""
    output = io.StringIO()
    errors = io.StringIO()

    def environment_figures(program: programs.Program, *words: str) -> dict[str, Any]:
        if program is not programs.ENVIRONMENTS:
            return figures(program, *words)
        character = ("--character", str(CharacterFolder.open().path))
        assert words == ("--threads", "1", "--device", "cpu", "--quick", *character)
        keys = envs_benchmark.figures(Options(quick=True), TRAINING)
        return {key: keys[key] for key in program.keys}

    figures = programs.Program.figures
    with pytest.MonkeyPatch.context() as patch, threads(torch.get_num_threads()):
        patch.setattr(benchmark, "QUICK", SMALL)
        patch.setattr(programs.Program, "figures", environment_figures)
        patch.setattr(sys, "argv", ["benchmark", "--quick", "--json"])
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            benchmark.main()

    values = strict_json(output.getvalue())
    assert isinstance(values, dict) and output.getvalue().count("\n") == 1
    missing = {key for key, value in values.items() if value is None}
    assert missing <= set(DRAWN), errors.getvalue()  # a machine without OpenGL can do all else
    assert bool(missing) == bool(errors.getvalue()), errors.getvalue()
    yield values


def test_a_quick_run_has_every_figure(quick: dict[str, Any]) -> None:
    assert {*PROMISED, *programs.ENVIRONMENT_KEYS, *memory.KEYS, *DRAWN} <= set(quick)
    assert (
        quick["machine"] == machine.processor() and quick["threads"] == 1 and quick["quick"] is True
    )
    assert set(quick["versions"]) == {"python", "torch", "numpy", "numba"}
    signed = {
        "vecenv_overhead_percent",
        "gym_overhead_percent",
        "growth_kb",
        "growth_kb_per_1000_steps",
    }
    for key, value in quick.items():
        if isinstance(value, int | float):
            assert math.isfinite(value) and (value > 0 or key in signed), key


def test_a_quick_runs_figures_agree(quick: dict[str, Any]) -> None:
    for name, batches in (("control_step", SMALL.batches), ("core", steps.CORE_BATCHES)):
        for batch in batches:
            median = quick[f"{name}_us_b{batch}"]
            floor = quick[f"{name}_floor_us_b{batch}"]
            assert quick[f"{name}_floor_ratio_b{batch}"] == pytest.approx(floor / median)
            assert median <= quick[f"{name}_us_b{batch}_p99"]
    flops = Work.of(Character.load(CharacterFolder.open().mvae).model.decoder).flops
    for batch in steps.CORE_BATCHES:
        rate = quick[f"core_steps_per_s_b{batch}"]
        assert quick[f"floor_ratio_b{batch}"] == pytest.approx(
            rate * flops / quick["gemm_gflops"] / 1e9
        )
    seconds = quick["weight_bytes"] / quick["cache_gb_per_s"] / 1e9
    assert quick["floor_ratio_b1"] == pytest.approx(1e6 * seconds / quick["control_step_us_b1"])
    slower = quick["vecenv_us_b100"] / quick["vecenv_core_us_b100"] - 1
    assert quick["vecenv_overhead_percent"] == pytest.approx(100 * slower)
    assert quick["ppo_samples_per_s"] < min(
        quick["ppo_rollout_samples_per_s"], quick["ppo_update_samples_per_s"]
    )
    ratio = quick["mvae_updates_per_s"] / quick["mvae_reference_updates_per_s"]
    assert quick["mvae_updates_ratio"] == pytest.approx(ratio) and ratio > 2
    assert abs(quick["growth_kb_per_1000_steps"]) < 100
