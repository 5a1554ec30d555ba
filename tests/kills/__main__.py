"""Kill commands at random moments: ``python -m tests.kills --kills 100``.

Each command first runs to its end, which says how long it takes and what its result is. Then it is
started again and again in a folder of its own, and killed (SIGKILL, the whole process group) after
a random time. After each kill every file must be whole. At last it runs to its end: its result must
have the same bits as the first one, and no temporary file may be left. Exit status 1 if anything
is not so.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from kills import jobs  # noqa: E402 - the path comes first
from kills.jobs import Job, Workshop  # noqa: E402

ROUND = 3
"""Kills of one run before it may come to its end."""


class Trouble(Exception):
    """What a kill has broken."""


def start(job: Job, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a command, or continue it if it can."""
    words = [str(word) for word in job.words(folder)]
    if job.resumes and (folder / "training.safetensors").is_file():
        words.append("--resume")
    elif job.overwrites:
        words.append("--overwrite")
    environment = os.environ | {"SDL_VIDEODRIVER": "offscreen", "PYOPENGL_PLATFORM": "egl"}
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


def finish(job: Job, folder: Path, log: Path) -> str:
    """Run a command to its end; returns the fingerprint of its result."""
    # 1: a policy that was trained for seconds does not do its task
    if start(job, folder, log).wait() not in (0, 1):
        raise Trouble(f"it fails: {log.read_text()[-2000:]}")
    jobs.check(folder)
    left = jobs.leftovers(folder)
    if left:
        raise Trouble(f"temporary files are left: {', '.join(map(str, left))}")
    return jobs.fingerprint(folder / job.result)


def kill_once(job: Job, folder: Path, log: Path, after: float) -> bool:
    """Kill a command after so many seconds; False if it had come to its end by then."""
    process = start(job, folder, log)
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    jobs.check(folder)
    return True


def torment(job: Job, place: Path, kills: int, moments: random.Random) -> int:
    """Kill a command ``kills`` times; returns how many of the kills hit."""
    whole = place / "whole"
    whole.mkdir(parents=True)
    log = place / "log"
    began = time.perf_counter()
    expected = finish(job, whole, log)
    seconds = time.perf_counter() - began
    hits = 0
    for number in range(-(-kills // ROUND)):
        folder = place / str(number)
        folder.mkdir()
        for _ in range(min(ROUND, kills - ROUND * number)):
            # The first second is imports.
            hits += kill_once(job, folder, log, moments.uniform(0.2, 1) * seconds)
        if finish(job, folder, log) != expected:
            raise Trouble(f"{folder / job.result} is another than {whole / job.result}")
    print(f"{job.name}: {seconds:.1f} s, {hits} kills, every file whole, the same bits", flush=True)
    return hits


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="commands whose names contain this")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    failed = hits = 0
    with tempfile.TemporaryDirectory() as name:
        shop = Workshop.make(Path(name) / "shop")
        chosen = [job for job in jobs.jobs(shop) if options.only in job.name]
        for number, job in enumerate(chosen):
            share = options.kills // len(chosen) + (number < options.kills % len(chosen))
            try:
                hits += torment(job, Path(name) / job.name.replace(" ", "-"), share, moments)
            except Exception as error:
                failed += 1
                print(f"{job.name}: {type(error).__name__}: {error}", flush=True)
    print(f"{hits} kills hit a running command; {failed} of {len(chosen)} commands failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
