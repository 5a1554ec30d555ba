"""What is shipped does today what it did when it was shipped."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic import character as tiny
from synthetic import in_place_of_woody, strict_json

from controller.control.folder import CharacterFolder
from controller.control.monte_carlo import MonteCarloConfig
from controller.control.policy import model_fingerprint
from controller.dynamics.character import Character
from controller.evaluation.figures import acting
from controller.evaluation.results import golden, suite
from controller.evaluation.results.golden import TOLERANCE_M, TOLERANCE_RAD
from controller.evaluation.results.suite import Entry, SuiteConfig
from controller.evaluation.results.symmetry import symmetry_figures
from controller.evaluation.trials import TRIALS

FILE = Path(__file__).with_name("golden.json")
AGAIN = "after a change on purpose: python -m controller golden --out tests/golden.json"


@cache
def character() -> Character:
    return Character.load(CharacterFolder.open().mvae)


@cache
def entries() -> dict[str, Entry]:
    """All shipped policies, at every task."""
    shipped_entries = suite.entries(
        character(), SuiteConfig(tries_tasks=()), MonteCarloConfig(), []
    )
    return {f"{entry.task}: {entry.who}": entry for entry in shipped_entries}


def test_rollouts_are_the_golden_ones() -> None:
    """Within a centimetre and half a degree after two seconds: 5 cm of walking are a frame."""
    saved = json.loads(FILE.read_text(encoding="utf-8"))
    assert saved["model"] == model_fingerprint(character()), (
        f"another motion VAE is shipped; {AGAIN}"
    )
    assert set(saved["rollouts"]) == set(entries()), f"other policies are shipped; {AGAIN}"
    for name, entry in entries().items():
        metres, radians = golden.apart(saved["rollouts"][name], golden.rollout(entry))
        assert metres < TOLERANCE_M and radians < TOLERANCE_RAD, (
            f"{name}: {metres:.3f} m, {radians:.3f} rad; {AGAIN}"
        )


def test_the_tolerance_is_wide_enough_for_rounding_and_narrow_enough_for_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = entries()["joystick: joystick"]
    reset = Character.reset
    as_it_is = golden.rollout(entry)

    def apart_if(change: float) -> float:
        def changed(self, batch, generator=None):  # type: ignore[no-untyped-def]
            state = reset(self, batch, generator)
            return type(state)(state.pose * (1 + change), state.position, state.yaw)

        monkeypatch.setattr(Character, "reset", changed)
        return golden.apart(as_it_is, golden.rollout(entry))[0]

    assert apart_if(1e-6) < TOLERANCE_M / 5  # ten times what single precision rounds by
    assert apart_if(0.1) > TOLERANCE_M


ROUNDS: dict[str, dict[str, Any]] = {
    "joystick": {"strafe_figures": lambda *_: {}, "stop_figures": lambda *_: {}},
    "target": {"SLACK": 0.7},
    "timed_target": {"SLACK_S": 0.0},
    "path": {"SLOWEST": 1.0},
    "maze": {"SLOWEST": 0.8},
}
"""What to change in the modules of trials so that they do not go on when everyone has arrived, and
measure no figures that are not compared. The figures that are compared stay the same."""


@pytest.mark.parametrize("task", [name for name, trial in TRIALS.items() if trial.symmetry])
def test_left_and_right_are_within_a_tenth(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy of each task that has one of its own; docs/results.md has all of them at all
    tasks."""
    entry = entries().get(f"{task}: {task}")
    if entry is None:
        pytest.skip("none is shipped")
    assert entry.control is not None
    for name, value in ROUNDS.get(task, {}).items():
        monkeypatch.setattr(f"controller.evaluation.trials.{task}.{name}", value)
    seconds = 20.0 if task == "joystick" else 1.0  # of the others a round, however long it is

    with torch.inference_mode():
        act = acting(entry.simulation, entry.control)
        as_it_is = TRIALS[task](entry.simulation, act, 12, seconds, 1)
        judged = as_it_is[str(TRIALS[task].symmetry)]
        figures = symmetry_figures(entry.simulation, act, 12, seconds, 1, judged)
    for arrived in as_it_is.keys() & {"reach_fraction", "finish_fraction", "solved_fraction"}:
        assert as_it_is[arrived] == 1, "so short a round misses somebody; change ROUNDS"
    assert figures["left_right_ratio"] == pytest.approx(1, abs=0.1)


def test_distances_are_the_largest_and_angles_go_the_short_way() -> None:
    one = {"position": [[[0.0, 0.0], [1.0, 1.0]]], "yaw": [[3.1, 0.0]]}
    other = {"position": [[[0.3, 0.4], [1.0, 1.1]]], "yaw": [[-3.1, 0.01]]}
    assert golden.apart(one, other) == pytest.approx((0.5, 2 * 3.14159265 - 6.2), abs=1e-6)


def test_the_command_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_place_of_woody(tiny(), tmp_path, monkeypatch)
    monkeypatch.setattr("sys.argv", ["golden", "--out", str(tmp_path / "golden.json")])
    golden.main()
    written = strict_json((tmp_path / "golden.json").read_text())
    assert isinstance(written, dict) and written["model"] == model_fingerprint(tiny())
    assert list(written["rollouts"]) == ["random: random"]
    assert golden.apart(*[written["rollouts"]["random: random"]] * 2) == (0, 0)
