"""How long a large data set takes to build, and what memory and time training on it needs.

``python tests/manual/large_data.py --source DIR --hours 20 --out DIR`` repeats the motion of a
folder until it is that long, in folders of links. Then it builds the data set by ``--workers``
processes, unless it is there, and draws windows from it. Prints seconds, the processes' own time,
and memory.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from controller.core.errors import require, run_command
from controller.data import sources
from controller.data.dataset import MotionDataset
from controller.data.windows import Windows
from controller.motion.pose import FPS

BATCH = 64
LENGTH = 10
"""Poses of a window."""


@dataclass(frozen=True)
class Options:
    source: Path
    """A folder of BVH files."""
    out: Path
    """Folder for the links and the data set."""
    hours: float = 20.0
    workers: int = 2
    small: Path | None = None
    """A .npz to compare the drawing of windows with."""

    def __post_init__(self) -> None:
        require(0 < self.hours <= 1000, "hours", self.hours, "up to 1000")


def seconds_of(path: Path) -> float:
    """How long a BVH file's motion takes; 0 if `data build` would not take it."""
    entry = sources.known_file(path)
    if entry is not None and entry[1].use != "locomotion":
        return 0.0
    text = path.read_text()
    frames = re.search(r"Frames:\s*(\d+)", text)
    time_of_one = re.search(r"Frame Time:\s*(\S+)", text)
    return float(frames[1]) * float(time_of_one[1]) if frames and time_of_one else 0.0


def repeat(options: Options) -> Path:
    """Make the folder of links."""
    files = {path: seconds_of(path) for path in sorted(options.source.glob("*.bvh"))}
    files = {path: seconds for path, seconds in files.items() if seconds}
    copies = options.out / "copies"
    total, number = 0.0, 0
    while total < 3600 * options.hours:
        folder = copies / f"{number:04}"
        folder.mkdir(parents=True, exist_ok=True)
        for path, seconds in files.items():
            if total >= 3600 * options.hours:
                break
            if not (folder / path.name).exists():
                (folder / path.name).symlink_to(path.resolve())
            total += seconds
        number += 1
    print(f"{total / 3600:.2f} h in {number} folders")
    return copies


def build(options: Options, copies: Path) -> Path:
    """Build the data set with the project's own command."""
    out = options.out / "data"
    if (out / "index.json").exists():
        return out
    words = ["-m", "controller", "data", "build", "--source", copies, "--out", out]
    began = time.perf_counter()
    command = [sys.executable, *map(str, words), "--workers", str(options.workers)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "wall_s": round(time.perf_counter() - began, 1),
                "processes_s": round(spent.ru_utime + spent.ru_stime, 1),
                "largest_process_mb": spent.ru_maxrss // 1024,
                "load": os.getloadavg()[1],
            }
        )
    )
    return out


def memory() -> dict[str, int]:
    """MB of this process: its own, and of files that can be dropped at any time."""
    text = Path("/proc/self/status").read_text()
    rows = {name: re.search(rf"{name}:\s*(\d+)", text) for name in ("RssAnon", "RssFile")}
    return {name: int(found[1]) // 1024 for name, found in rows.items() if found}


def draw(path: Path) -> None:
    """Print what drawing windows from a data set needs."""
    data = MotionDataset.load(path)
    before = memory()
    windows = Windows(*data.split(held_out=False), LENGTH, balance=0.3)
    after = memory()
    generator = torch.Generator().manual_seed(0)
    best = float("inf")
    for _ in range(10):
        began = time.process_time()
        for _ in range(100):
            windows.draw(BATCH, generator)
        best = min(best, (time.process_time() - began) / 100)
    print(
        f"{path}: {len(data.poses) / FPS / 3600:.2f} h; a batch of {BATCH} windows in "
        f"{1e6 * best:.0f} µs; opened {before}, with windows {after}"
    )


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    draw(build(options, repeat(options)))
    if options.small is not None:
        draw(options.small)


if __name__ == "__main__":
    run_command(main)
