"""What changes over training: values by hand, what holds for every setting, refusals, and the
picture of it."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import refusal

from controller.core.errors import ConfigError
from controller.studies import plot_schedules
from controller.training import schedules
from controller.training.schedules import Coin, KlKind, KlWeight, TeacherForcing, TeacherKind

SHARES = st.floats(0, 1)
EPOCHS = st.floats(0, 200)
LENGTHS = st.integers(0, 60)


@st.composite
def teachers(draw: st.DrawFn) -> TeacherForcing:
    start = draw(SHARES)
    return TeacherForcing(
        draw(st.sampled_from(get_args(TeacherKind))), start, draw(LENGTHS), draw(LENGTHS),
        draw(st.floats(1e-3, 1)), draw(st.floats(0, start)), draw(st.floats(0.01, 0.99)),
        draw(st.floats(1, 50)),
    )  # fmt: skip


@st.composite
def weights(draw: st.DrawFn) -> KlWeight:
    kind = draw(st.sampled_from(get_args(KlKind)))
    return KlWeight(
        kind, draw(LENGTHS), draw(LENGTHS), draw(st.integers(1, 9)), draw(st.floats(0.01, 1))
    )


# -- by hand ---------------------------------------------------------------------------------------


def test_the_learning_rate_falls_in_a_straight_line() -> None:
    for step, expected in ((0, 1.0), (25, 0.8), (100, 0.2), (500, 0.2)):
        assert schedules.linear_decay(step, 100, 1.0, 0.2) == pytest.approx(expected)


CONSTANT = TeacherForcing("constant", start=0.7)
PHASES = TeacherForcing("phases", hold_epochs=10, ramp_epochs=5)
RAISED = TeacherForcing("phases", start=0.9, hold_epochs=4, ramp_epochs=8, floor=0.1)
SUDDEN = TeacherForcing("phases", hold_epochs=10, ramp_epochs=0)
STEPS = TeacherForcing("steps", start=0.8, hold_epochs=5, step=0.3, floor=0.1)
LINEAR = TeacherForcing("linear", start=0.8, hold_epochs=5, step=0.3, floor=0.1)
EXPONENTIAL = TeacherForcing("exponential", start=0.8, hold_epochs=5, decay=0.5, floor=0.15)
SIGMOID = TeacherForcing("inverse-sigmoid", hold_epochs=3, sharpness=2)


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (CONSTANT, {0: 0.7, 10: 0.7, 90.5: 0.7}),
        (PHASES, {0: 1, 9.9: 1, 10: 1, 12.5: 0.5, 14: 0.2, 15: 0, 100: 0}),
        (RAISED, {0: 0.9, 4: 0.9, 6: 0.7, 8: 0.5, 12: 0.1, 50: 0.1}),
        (SUDDEN, {9.99: 1, 10: 0, 11: 0}),
        (STEPS, {0: 0.8, 5: 0.8, 5.99: 0.8, 6: 0.5, 6.5: 0.5, 7: 0.2, 8: 0.1, 50: 0.1}),
        (LINEAR, {0: 0.8, 5: 0.8, 5.5: 0.65, 6: 0.5, 7: 0.2, 7.5: 0.1, 50: 0.1}),
        (
            EXPONENTIAL,
            {0: 0.8, 5: 0.8, 5.5: 0.8 * math.sqrt(0.5), 6: 0.4, 7: 0.2, 8: 0.15, 50: 0.15},
        ),
        # 3 / (2 + e^(i/2)): 1 at i = 0, and e + 2 = 4.7183, e² + 2 = 9.3891 below it at i = 2 and
        # 4; 1/2 at 2 ln 4
        (SIGMOID, {0: 1, 3: 1, 5: 0.635825, 7: 0.319520, 3 + 2 * math.log(4): 0.5, 1e6: 0}),
    ],
)
def test_teacher_forcing_by_hand(teacher: TeacherForcing, expected: dict[float, float]) -> None:
    for epoch, value in expected.items():
        assert teacher(epoch) == pytest.approx(value, abs=1e-6), epoch


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (KlWeight("none"), {0: 1, 40: 1}),
        (KlWeight("monotonic", ramp_epochs=4), {0: 0, 1: 0.25, 3.5: 0.875, 4: 1, 40: 1}),
        (KlWeight("monotonic", ramp_epochs=0), {0: 1, 40: 1}),
        (
            KlWeight("monotonic", hold_epochs=10, ramp_epochs=4),
            {0: 0, 9.9: 0, 10: 0, 12: 0.5, 14: 1, 40: 1},
        ),
        # two cycles of 20 epochs, each with a rise of 10
        (
            KlWeight("cyclical", cycles=2),
            {0: 0, 2: 0.2, 10: 1, 19.9: 1, 20: 0, 25: 0.5, 30: 1, 40: 1, 50: 1},
        ),
        (
            KlWeight("cyclical", cycles=4, ratio=1.0),
            {0: 0, 5: 0.5, 9.9: 0.99, 10: 0, 15: 0.5, 40: 1},
        ),
        # after 10 epochs two cycles of 15, each with a rise of 3
        (
            KlWeight("cyclical", hold_epochs=10, cycles=2, ratio=0.2),
            {5: 0, 10: 0, 11.5: 0.5, 13: 1, 24: 1, 25: 0, 40: 1},
        ),
        # a rise of 5 and a hold of 5; then three cycles of 10, each with a rise of 5
        (
            KlWeight("linear-then-cyclical", ramp_epochs=5, cycles=3),
            {0: 0, 1: 0.2, 5: 1, 9.9: 1, 10: 0, 12.5: 0.5, 15: 1, 20: 0, 35: 1, 40: 1},
        ),
        (KlWeight("linear-then-cyclical", ramp_epochs=0, cycles=2), {0: 0, 5: 0.5, 10: 1, 20: 0}),
    ],
)
def test_the_kl_weight_by_hand_in_a_run_of_40_epochs(
    weight: KlWeight, expected: dict[float, float]
) -> None:
    for epoch, value in expected.items():
        assert weight(epoch, 40) == pytest.approx(value), epoch


# -- for every setting -----------------------------------------------------------------------------


@given(teacher=teachers(), epochs=st.tuples(EPOCHS, EPOCHS), share=SHARES)
def test_teacher_forcing_holds_its_start_and_never_rises(
    teacher: TeacherForcing, epochs: tuple[float, float], share: float
) -> None:
    early, late = sorted(epochs)
    assert teacher.floor <= teacher(late) <= teacher(early) + 1e-12 <= teacher.start + 1e-12
    if teacher.hold_epochs:
        assert teacher(share * teacher.hold_epochs * (1 - 1e-9)) == teacher.start
    if teacher.kind != "phases" or teacher.ramp_epochs:  # else it falls at once
        assert teacher(teacher.hold_epochs) == pytest.approx(teacher.start)


@given(teacher=teachers())
def test_teacher_forcing_comes_to_its_floor(teacher: TeacherForcing) -> None:
    end = teacher.start if teacher.kind == "constant" else teacher.floor
    assert teacher(1e7) == pytest.approx(end, abs=1e-9)


@given(i=EPOCHS, step=st.floats(1e-3, 1), start=SHARES)
def test_the_staircase_meets_the_line_at_every_epochs_end(
    i: float, step: float, start: float
) -> None:
    stairs, line = (fall(i, step, start, 0.0) for fall in (schedules.steps, schedules.linear))
    assert line <= stairs <= line + step + 1e-12
    assert schedules.steps(math.floor(i), step, start, 0.0) == schedules.linear(
        math.floor(i), step, start, 0.0
    )


@given(weight=weights(), epoch=EPOCHS, epochs=st.integers(1, 200))
def test_the_kl_weight_is_a_share_and_ends_at_1(
    weight: KlWeight, epoch: float, epochs: int
) -> None:
    assert 0 <= weight(epoch, epochs) <= 1
    try:
        weight.check(epochs)
    except ConfigError:
        return
    assert weight(epochs, epochs) == weight(epochs + 5, epochs) == 1


@given(ramp=LENGTHS, hold=LENGTHS, early=EPOCHS, late=EPOCHS)
def test_the_monotonic_weight_never_falls(ramp: int, hold: int, early: float, late: float) -> None:
    weight = KlWeight("monotonic", hold, ramp)
    early, late = sorted((early, late))
    assert weight(early, 200) <= weight(late, 200)


@given(
    cycles=st.integers(1, 9),
    length=st.integers(1, 20),
    ratio=st.floats(0.05, 0.95),
    share=st.floats(0.001, 0.999),
)
def test_every_cycle_is_alike_and_holds_1_after_its_rise(
    cycles: int, length: int, ratio: float, share: float
) -> None:
    weight = KlWeight("cyclical", cycles=cycles, ratio=ratio)
    epochs = cycles * length
    result = [weight((cycle + share) * length, epochs) for cycle in range(cycles)]
    assert result == pytest.approx([min(1.0, share / ratio)] * cycles, abs=1e-9)
    assert [weight(cycle * length, epochs) for cycle in range(cycles)] == [0.0] * cycles
    assert [weight((cycle + 0.9999) * length, epochs) for cycle in range(cycles)] == [1.0] * cycles


@given(ramp=st.integers(1, 20), cycles=st.integers(1, 9), share=SHARES)
def test_a_first_rise_and_hold_go_before_the_cycles(ramp: int, cycles: int, share: float) -> None:
    both = KlWeight("linear-then-cyclical", ramp_epochs=ramp, cycles=cycles)
    epochs = 91
    assert both(share * ramp, epochs) == pytest.approx(share)
    assert both(ramp * (1 + share * 0.999), epochs) == 1
    left = epochs - 2 * ramp
    assert both(2 * ramp + share * left, epochs) == pytest.approx(
        KlWeight("cyclical", cycles=cycles)(share * left, left), abs=1e-6
    )


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"kind": "cosine"},
            f"teacher.kind is 'cosine'; allowed: {', '.join(get_args(TeacherKind))}",
        ),
        ({"coin": "window"}, f"teacher.coin is 'window'; allowed: {', '.join(get_args(Coin))}"),
        ({"start": 1.1}, "teacher.start is 1.1; allowed: 0 to 1"),
        ({"start": math.nan}, "teacher.start is nan; allowed: 0 to 1"),
        ({"start": 0.5, "floor": 0.6}, "teacher.floor is 0.6; allowed: 0 to teacher.start, 0.5"),
        ({"floor": -0.1}, "teacher.floor is -0.1; allowed: 0 to teacher.start, 1.0"),
        ({"hold_epochs": -1}, "teacher.hold_epochs is -1; allowed: 0 or more epochs"),
        ({"ramp_epochs": -1}, "teacher.ramp_epochs is -1; allowed: 0 or more epochs"),
        ({"step": 0.0}, "teacher.step is 0.0; allowed: above 0, to 1"),
        ({"decay": 1.0}, "teacher.decay is 1.0; allowed: above 0 and below 1"),
        ({"decay": 0.0}, "teacher.decay is 0.0; allowed: above 0 and below 1"),
        ({"sharpness": 0.9}, "teacher.sharpness is 0.9; allowed: 1 or more"),
        ({"sharpness": math.inf}, "teacher.sharpness is inf; allowed: 1 or more"),
    ],
)
def test_bad_settings_of_teacher_forcing_are_one_sentence(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        TeacherForcing(**settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "sigmoid"}, f"kl.kind is 'sigmoid'; allowed: {', '.join(get_args(KlKind))}"),
        ({"hold_epochs": -1}, "kl.hold_epochs is -1; allowed: 0 or more epochs"),
        ({"ramp_epochs": -1}, "kl.ramp_epochs is -1; allowed: 0 or more epochs"),
        ({"cycles": 0}, "kl.cycles is 0; allowed: 1 or more"),
        ({"ratio": 0.0}, "kl.ratio is 0.0; allowed: above 0, to 1"),
        ({"ratio": math.nan}, "kl.ratio is nan; allowed: above 0, to 1"),
    ],
)
def test_bad_settings_of_the_kl_weight_are_one_sentence(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        KlWeight(**settings)
    assert str(caught.value) == message


CYCLES = KlWeight("linear-then-cyclical", ramp_epochs=5, cycles=4)


@pytest.mark.parametrize(
    ("schedule", "fits", "message"),
    [
        (
            TeacherForcing(hold_epochs=10, ramp_epochs=15),
            25,
            "teacher.hold_epochs + teacher.ramp_epochs is 25; allowed: at most the run's 24 epochs",
        ),
        (
            TeacherForcing("linear", hold_epochs=9),
            9,
            "teacher.hold_epochs is 9; allowed: at most the run's 8 epochs",
        ),
        (
            KlWeight(ramp_epochs=3),
            3,
            "kl.ramp_epochs is 3; allowed: at most 2 of the run's 2 epochs",
        ),
        (
            KlWeight(hold_epochs=2, ramp_epochs=5),
            7,
            "kl.ramp_epochs is 5; allowed: at most 4 of the run's 6 epochs",
        ),
        (
            KlWeight("none", hold_epochs=2),
            3,
            "kl.hold_epochs is 2; allowed: less than the run's 2 epochs",
        ),
        (
            KlWeight("cyclical", cycles=4),
            4,
            "kl.cycles is 4; allowed: at most 3: a cycle takes 1 epoch or longer",
        ),
        (CYCLES, 14, "kl.cycles is 4; allowed: at most 3: a cycle takes 1 epoch or longer"),
    ],
)
def test_a_schedule_that_does_not_fit_its_run_is_one_sentence(
    schedule: TeacherForcing | KlWeight, fits: int, message: str
) -> None:
    schedule.check(fits)
    with pytest.raises(ConfigError) as caught:
        schedule.check(fits - 1)
    assert str(caught.value) == message


def test_a_first_rise_without_room_for_a_cycle_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        CYCLES.check(10)
    assert str(caught.value) == (
        "kl.ramp_epochs is 5; allowed: at most 4 of the run's 10 epochs: a hold as long and a "
        "cycle follow"
    )


def test_settings_that_a_kind_does_not_use_do_not_matter_to_the_run() -> None:
    TeacherForcing("constant", hold_epochs=99, ramp_epochs=99).check(1)
    TeacherForcing("steps", hold_epochs=1, ramp_epochs=99).check(1)
    KlWeight("none", ramp_epochs=99, cycles=99).check(1)
    KlWeight("cyclical", ramp_epochs=99, cycles=1).check(1)


# -- the picture -----------------------------------------------------------------------------------


def test_the_command_draws_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = []
    for name in ("one.svg", "again.svg"):
        monkeypatch.setattr(sys, "argv", ["plot_schedules", "--out", str(tmp_path / name)])
        plot_schedules.main()
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    root = ElementTree.fromstring(pictures[0])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = "\n".join(text for text in root.itertext() if text.strip())
    for kind in (*get_args(TeacherKind), *get_args(KlKind)):
        assert kind in words, kind


def test_drawing_without_matplotlib_or_to_another_format_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refusal(plot_schedules.main, ["--out", tmp_path / "s.png"], monkeypatch, capsys)
    assert "allowed: a name that ends in .svg" in message
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    message = refusal(plot_schedules.main, ["--out", tmp_path / "s.svg"], monkeypatch, capsys)
    assert (
        'drawing needs matplotlib: pip install -e ".[plots]"' in message
        and not (tmp_path / "s.svg").exists()
    )
