"""Measurements in other processes: whole programs, and those that this package must not import."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from controller.benchmark import memory, viewer
from controller.core.paths import ASSETS

ROOT = ASSETS.parent
UNBUFFERED = {**os.environ, "PYTHONUNBUFFERED": "1"}
ENVIRONMENT_KEYS = (
    "vecenv_steps_per_s_b100", "gym_steps_per_s_b100", "vecenv_us_b100", "vecenv_us_b100_p99",
    "gym_us_b100", "gym_us_b100_p99", "vecenv_core_us_b100", "vecenv_overhead_percent",
    "gym_overhead_percent", "ppo_rollout_samples_per_s", "ppo_update_samples_per_s",
    "ppo_samples_per_s", "shac_frames_per_s",
)  # fmt: skip
"""What ``envs.benchmark`` measures."""
RUN_ENVIRONMENTS = """
from controller.core.errors import run_command
from envs.benchmark import main
run_command(main)
"""


@dataclass(frozen=True)
class Program:
    """A program that prints its figures as one JSON object.

    name    what it measures, for a message
    words   what follows ``python`` on its command line
    keys    the figures to take from it
    """

    name: str
    words: tuple[str, ...]
    keys: tuple[str, ...]

    def figures(self, *options: str) -> dict[str, Any]:
        """The figures by their keys; None for each of them if the program fails."""
        command = [sys.executable, *self.words, *options]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            _warn(self.name, run.stderr)
            return dict.fromkeys(self.keys)
        figures = json.loads(run.stdout)
        return {key: figures[key] for key in self.keys}


ENVIRONMENTS = Program("environments", ("-c", RUN_ENVIRONMENTS, "--json"), ENVIRONMENT_KEYS)
MEMORY = Program("memory", ("-m", "controller", "benchmark-memory"), memory.KEYS)
VIEWER = Program("viewer", ("-m", "controller", "benchmark-viewer"), viewer.KEYS)


def _warn(name: str, output: str) -> None:
    """Print one line that says why something could not be measured."""
    lines = output.strip().splitlines() or ["the program printed nothing"]
    print(f"{name} not measured: {lines[-1].removeprefix('error: ')}", file=sys.stderr)


def cold_start_s(repeats: int, *options: str) -> float | None:
    """The median seconds from the start of ``play.py`` until it has loaded everything, made one
    step, drawn its first picture and reported. None if it cannot draw.

    Measure it last: then the files that it reads are in the system's memory and its functions are
    compiled, as in every start but the first.
    """
    command = [sys.executable, "play.py", "--headless", "--frames", "1", "--fps-report", *options]
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
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
            times.append(time.perf_counter() - start)
            _, errors = program.communicate()

        if not report:
            _warn("cold start", errors)
            return None
    return statistics.median(times)
