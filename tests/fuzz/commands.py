"""Command lines with values that nobody expects, up to where work would begin."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from random import Random

from controller.core.errors import run_command

NASTY = (
    "", "x", "-1", "0", "1", "2147483648", "1e20", "1e400", "nan", "inf", "--", "\n", "..:x", ":",
    "a:b", "x" * 300, "/", ".", "nowhere/a.safetensors", "nowhere", "ä\ud800", "True", "1,2", "a=b",
    "0-9:w", "0:1/2", "99999999999999999999", "/dev/null", "1x1", "0x0", "99999x99999",
)  # fmt: skip
"""Values. None of them makes a command that has all it needs."""
PROGRAMS: dict[str, tuple[str, str, str]] = {
    "data build": (
        "controller.data.commands:main", "build --source nowhere --out nowhere/a.npz",
        "--source --out --fps --roles --unit",
    ),
    "train": (
        "controller.training.train_mvae:main", "--data nowhere.npz --out nowhere",
        "--data --out --epochs --seed --batch --model.latent --beta",
    ),
    "train-extractor": (
        "controller.training.train_extractor:main",
        "--data nowhere.npz --out nowhere/a.safetensors", "--data --out --steps --seed",
    ),
    "evaluate": (
        "controller.evaluation.results.evaluate:main", "--character nowhere",
        "--task --policy --seed --seconds --characters --mvae",
    ),
    "diagnose": (
        "controller.evaluation.diagnosis.diagnose:main", "nowhere.safetensors --data nowhere.npz",
        "--data --seed --character",
    ),
    "body": ("controller.control.bodies:main", "make --character nowhere", "--character --out"),
    "card": ("controller.studies.card:main", "nowhere.safetensors", "--seed --task"),
    "curves": ("controller.studies.curves:main", "a=nowhere", "--out --write"),
    "report": ("controller.studies.report:main", "nowhere", "--out"),
    "train_policy": (
        "envs.train_policy:main", "--mvae nowhere.safetensors --out nowhere",
        "--task --mvae --steps --characters --seed --start --hidden --workers",
    ),
}  # fmt: skip
"""Name → function, arguments with which it says in a sentence what is missing, and options."""


def drawn(random: Random) -> list[str]:
    """A command: the name of a program, and its arguments."""
    name = random.choice(list(PROGRAMS))
    _, base, options = PROGRAMS[name]
    words = base.split()
    for _ in range(random.choice((1, 1, 2, 4))):
        kind = random.randrange(4)
        if kind == 0 and words:
            words[random.randrange(len(words))] = random.choice(NASTY)
        elif kind == 1:
            words.insert(random.randrange(len(words) + 1), random.choice(NASTY))
        else:
            words += [random.choice(options.split()), random.choice(NASTY)]
    return [name, *words]


def use(command: list[str]) -> Callable[[], None]:
    """A function that runs the command in this process. It leaves with SystemExit."""
    module, _, function = PROGRAMS[command[0]][0].partition(":")

    def run() -> None:
        main = getattr(importlib.import_module(module), function)
        before = sys.argv
        sys.argv = ["fuzz", *command[1:]]
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                run_command(main)
        finally:
            sys.argv = before

    return run
