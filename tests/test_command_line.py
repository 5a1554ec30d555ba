"""Options that no computer can meet are refused in one sentence, whatever the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import refusal

import play
from controller.__main__ import main as controller
from controller.core import command_line
from controller.core.errors import ConfigError, run_command
from envs import train_policy

LONG = "a" * 300
REFUSED = [
    (play.main, ["--threads", 2147483648]),
    (play.main, ["--seed", 10**20]),
    (play.main, ["--frames", 2**31]),
    (play.main, ["--characters", 2**31]),
    (play.main, ["--mvae", f"{LONG}.safetensors"]),
    (play.main, ["--headless", "--frames", 1, "--character", LONG]),
    (play.main, ["--headless", "--frames", 1, "--record", f"{LONG}.bvh"]),
    (play.main, ["--headless", "--frames", 1, "--task", "..:x"]),
    (play.main, ["--headless", "--frames", 1, "--ground", f"{LONG}.png"]),
    (train_policy.main, ["--out", f"/tmp/{LONG}"]),
    (train_policy.main, ["--task", "..:x", "--out", "/nowhere/x"]),
    (train_policy.main, ["--hidden", 2**31]),
    (train_policy.main, ["--seed", -1]),
    (controller, ["data", "build", "--source", LONG, "--out", "a.npz"]),
    (controller, ["data", "fetch", "--mirror", LONG]),
    (controller, ["train", "--data", "x.npz", "--out", "x", "--seed", 10**20]),
    (controller, ["train", "--data", "x.npz", "--out", "x", "--threads", 2**31]),
    (controller, ["train-extractor", "--data", "x.npz", "--out", LONG, "--steps", 1]),
    (controller, ["diagnose", LONG]),
    (controller, ["evaluate", "--task", "..:x"]),
    (controller, ["evaluate", "--seed", 10**20]),
    (controller, ["body", "make", "--out", LONG]),
    (controller, ["export", "glb", "--out", f"{LONG}.glb"]),
    (controller, ["export", "web", "--out", "x", "--port", 2**31]),
    (controller, ["benchmark", "--threads", 2147483648]),
    (controller, ["golden", "--out", LONG]),
    (controller, ["report", LONG]),
]


@pytest.mark.parametrize(("main", "words"), REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(
    main: Callable[[], int | None],
    words: list[str | int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refusal(main, list(map(str, words)), monkeypatch, capsys)
    assert len(said) < 1100 and not list(tmp_path.iterdir())


def test_numbers_are_checked_at_any_depth() -> None:
    config = train_policy.PolicyConfig
    command_line.check(config())
    for wrong, option in (
        (config(seed=2**63), "--seed"),
        (config(hidden=(256, 2**31)), "--hidden"),
        (config(mvae=Path("x/" * 3000)), "--mvae"),
    ):
        with pytest.raises(ConfigError, match=f"^{option}"):
            command_line.check(wrong)


def test_ctrl_c_says_that_it_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        run_command(main)
    assert left.value.code == 130 and capsys.readouterr().err == "stopped\n"
