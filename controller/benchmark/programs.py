"""What is measured in other processes: whole programs, and those of which this package must know
nothing."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any

from controller.benchmark import memory, viewer
from controller.control import shipped

ROOT = shipped.FOLDER.parent
UNBUFFERED = {**os.environ, "PYTHONUNBUFFERED": "1"}
ENVIRONMENT_KEYS = (
    "vecenv_steps_per_s_b100", "gym_steps_per_s_b100", "vecenv_us_b100", "vecenv_us_b100_p99",
    "gym_us_b100", "gym_us_b100_p99", "vecenv_core_us_b100", "vecenv_overhead_percent",
    "gym_overhead_percent", "ppo_rollout_samples_per_s", "ppo_update_samples_per_s",
    "ppo_samples_per_s", "shac_frames_per_s",
)  # fmt: skip
"""What ``envs.benchmark`` measures."""


def _run(words: Iterable[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def _without(what: str, said: str) -> None:
    """Tell a person why something could not be measured, in a line."""
    lines = said.strip().splitlines() or ["it says nothing"]
    print(f"{what} not measured: {lines[-1].removeprefix('error: ')}", file=sys.stderr)


def figures(module: str, keys: Iterable[str], *words: str) -> dict[str, Any]:
    """The keys that ``python -m MODULE WORDS`` prints as JSON; None for each if it fails."""
    done = _run(("-m", module, *words))
    if done.returncode == 0:
        found = json.loads(done.stdout)
        return {key: found[key] for key in keys}
    _without(module, done.stderr)
    return dict.fromkeys(keys)


def environment_figures(*words: str) -> dict[str, Any]:
    """Those of the environments' faces and of the policy's training."""
    return figures("envs.benchmark", ENVIRONMENT_KEYS, "--json", *words)


def process_figures(quick: bool) -> dict[str, Any]:
    """Those of memory, of the viewer, and of a start of ``play.py``: the latter last, when the
    files it reads are in the system's memory and its functions compiled, as in every start but the
    first."""
    found = figures(
        "controller.benchmark.memory", memory.KEYS, "--steps", "6000" if quick else "20000"
    )
    found |= figures(
        "controller.benchmark.viewer", viewer.KEYS, "--frames", "100" if quick else "1000"
    )
    return found | {"cold_start_s": cold_start_s(1 if quick else 3)}


def cold_start_s(repeats: int) -> float | None:
    """From the start of a process until ``play.py`` has loaded everything, stepped once and drawn
    its first picture, which is when it reports: the median. None if it cannot draw."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        command = [sys.executable, "play.py", "--headless", "--frames", "1", "--fps-report"]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=UNBUFFERED,
        ) as program:
            assert program.stdout is not None
            report = program.stdout.readline()
            times.append(time.perf_counter() - began)
            _, said = program.communicate()
        if not report:
            _without("cold start", said)
            return None
    return statistics.median(times)
