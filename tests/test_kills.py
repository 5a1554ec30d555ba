"""A training that is killed ten times while it writes ends as if nothing had happened. The script
``python -m tests.kills`` does the same to every command, at random moments."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import forked
import torch
from kills import jobs

from controller.core import checkpoint

SETTINGS = (
    "--characters", "4", "--hidden", "8", "--episode-frames", "9", "--shac.horizon", "4",
    "--workers", "1", "--steps", "96", "--evaluate-every", "16",
)  # fmt: skip
MOMENTS = [(1, False), (1, True), (2, False), (2, True), (3, False), (3, True), (1, True),
           (2, True), (4, False), (3, True)]  # fmt: skip
"""Which of its files a run is writing when it is killed, and whether the file has its name by
then. Each save writes three."""


def train(words: list[str], which: int, after: bool) -> int:
    """Run the command in a fork of this process, killed at its ``which``-th file, never if that is
    0; returns its exit status, negative if it was killed."""
    child = os.fork()
    if child == 0:
        die_at(which, after)
        sys.argv = ["train-policy", *words]
        from envs import train_policy

        status = train_policy.main()
        os._exit(0 if status in (0, 1) else 3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(which: int, after: bool) -> None:
    """Kill this process when it gives its ``which``-th file its name: when half of it is written,
    or right after."""
    left = which
    replace = Path.replace

    def replaced(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        result = replace(path, target)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Path.replace = replaced  # type: ignore[method-assign, assignment]


def torment(folder: str, mvae: str) -> None:
    """In a process of its own, which imports once and never trains itself."""
    from envs import train_policy

    def figures(*_: Any, **__: Any) -> dict[str, float]:
        return {"alive_fraction": 1.0, "speed_m_s_p95": 1.0}

    train_policy.evaluate = figures
    whole, killed = Path(folder, "whole"), Path(folder, "killed")
    words = [*SETTINGS, "--mvae", mvae, "--out"]
    assert train([*words, str(whole)], 0, False) == 0
    for which, after in MOMENTS:
        resumes = (killed / "training.safetensors").is_file()
        again = "--resume" if resumes else "--overwrite"
        assert train([*words, str(killed), again], which, after) == -signal.SIGKILL
        jobs.check(killed)
    assert train([*words, str(killed), "--resume"], 0, False) == 0
    assert not jobs.leftovers(killed)


def test_ten_kills_change_nothing(tmp_path: Path, mvae: Path) -> None:
    process = forked.SERVER.Process(target=torment, args=(str(tmp_path), str(mvae)))
    process.start()
    process.join(300)
    assert process.exitcode == 0  # what went wrong is in the captured output
    expected, found = (
        checkpoint.load(tmp_path / name / "joystick.safetensors", "policy")[1]
        for name in ("whole", "killed")
    )
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
