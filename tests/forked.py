"""Processes that have torch and other packages imported when they begin: each is a fork of one that
does nothing else, and saves the two seconds that a new interpreter takes for them. This project is
not among those packages: every process imports it by itself.

``conftest.py`` keeps the files that use this module in one worker, so that the process to fork is
started once.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from synthetic import ROOT

COMMAND = "from controller.__main__ import console; console()"
"""``motion-vae``, as its console script runs it."""

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["torch", "torch._dynamo", "torch.utils.tensorboard", "numba", "gymnasium", "tyro", "PIL.Image"]
)


def execute(program: str, words: list[str], folder: str) -> None:
    """In the new process: what ``python -c PROGRAM WORDS`` does, with its output in files."""
    for number, name in ((1, "out"), (2, "err")):
        with Path(folder, name).open("w") as file:
            os.dup2(file.fileno(), number)
    os.chdir(ROOT)
    sys.argv = ["-c", *words]
    exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


def start(program: str, *words: str | Path, output: Path) -> ForkServerProcess:
    """Begin ``python -c PROGRAM WORDS``, with the files ``out`` and ``err`` in the folder
    ``output``."""
    output.mkdir(exist_ok=True)
    arguments = (program, [str(word) for word in words], str(output))
    process = SERVER.Process(target=execute, args=arguments, daemon=True)
    process.start()
    return process


def run(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``python -c PROGRAM WORDS``, and wait for it."""
    with tempfile.TemporaryDirectory() as name:
        process = start(program, *words, output=Path(name))
        process.join(120)
        if process.exitcode is None:
            process.kill()
            process.join()
        texts = [Path(name, part).read_text() for part in ("out", "err")]
    assert process.exitcode is not None
    return subprocess.CompletedProcess([program, *words], process.exitcode, *texts)


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``motion-vae WORDS``, and wait for it."""
    return run(COMMAND, *words)
