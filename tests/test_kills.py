"""A training that kills itself while it writes, ten times, ends as if nothing had happened. The
script ``python -m tests.kills`` does the same to every command, at random moments."""

from __future__ import annotations

import signal
from pathlib import Path

import forked
import torch
from kills import jobs

from controller.core import checkpoint

KILLED = """
import os, pathlib, signal, sys
from envs import train_policy

train_policy.evaluate = lambda *_, **__: {"alive_fraction": 1.0, "speed_m_s_p95": 1.0}
left = int(sys.argv.pop(1))
after = sys.argv.pop(1) == "after"
replace = pathlib.Path.replace

def die(path, target):
    global left
    left -= 1
    if left == 0 and not after:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    replace(path, target)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

pathlib.Path.replace = die
sys.exit(train_policy.main() > 1)
"""
MOMENTS = [(1, "before"), (1, "after"), (2, "before"), (2, "after"), (3, "before"), (3, "after"),
           (1, "after"), (2, "after"), (4, "before"), (3, "after")]  # fmt: skip
"""Which of its files a start is writing when it is killed, and whether the file has its name."""


def test_ten_kills_change_nothing(tmp_path: Path, mvae: Path) -> None:
    words: list[str | Path] = [
        "--mvae", mvae, "--characters", "4", "--hidden", "8", "--episode-frames", "9",
        "--shac.horizon", "4", "--workers", "1", "--steps", "128", "--evaluate-every", "16",
    ]  # fmt: skip
    whole = tmp_path / "whole"
    killed = tmp_path / "killed"
    done = forked.run(KILLED, "0", "before", *words, "--out", whole)
    assert done.returncode == 0, done.stderr
    for which, when in MOMENTS:
        resume = ["--resume"] if (killed / "training.safetensors").is_file() else ["--overwrite"]
        done = forked.run(KILLED, str(which), when, *words, "--out", killed, *resume)
        assert done.returncode == -signal.SIGKILL, done.stderr
        jobs.check(killed)
    done = forked.run(KILLED, "0", "before", *words, "--out", killed, "--resume")
    assert done.returncode == 0, done.stderr
    assert not jobs.leftovers(killed)
    expected, found = (
        checkpoint.load(folder / "joystick.safetensors", "policy")[1] for folder in (whole, killed)
    )
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
