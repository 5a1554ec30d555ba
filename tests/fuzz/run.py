"""Inputs by number, in processes that may die."""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from . import commands, guard
from .targets import TARGETS, Target, quiet

COMMANDS = "commands"
CHUNK = 200
"""Inputs of one process."""


@dataclass
class Tally:
    """What became of the inputs of one kind."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Inputs, as ``KIND:NUMBER``, and what was wrong."""


def kinds() -> list[str]:
    """All kinds of inputs."""
    return [*TARGETS, COMMANDS]


class Fuzzer:
    """Damages files below ``folder`` and uses them. The same seed gives the same inputs."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.seed = seed
        self.good: dict[str, bytes] = {}

    def random(self, kind: str, number: int) -> Random:
        """The generator of one input."""
        return Random(f"{self.seed}:{kind}:{number}")

    def prepare(self, kind: str) -> None:
        """Make a good file, and see that it is taken."""
        if kind == COMMANDS or kind in self.good:
            return
        target = TARGETS[kind]
        place = self.folder / kind
        place.mkdir(parents=True, exist_ok=True)
        data = target.good(place)
        path = place / f"whole{target.suffix}"
        path.write_bytes(data)
        quiet(lambda: target.reader(place)(path))
        self.good[kind] = data

    def input(self, kind: str, number: int) -> bytes | list[str]:
        """The input of this number: a file's bytes, or a command."""
        random = self.random(kind, number)
        if kind == COMMANDS:
            return commands.drawn(random)
        return TARGETS[kind].damage(self.good[kind], random)

    def use(self, kind: str, number: int) -> str:
        """Make and use one input: see :func:`guard.outcome`."""
        made = self.input(kind, number)
        if isinstance(made, list):
            return guard.outcome(commands.use(made))
        return guard.outcome(self._reading(TARGETS[kind], kind, made))

    def _reading(self, target: Target, kind: str, data: bytes) -> Callable[[], None]:
        place = self.folder / kind
        path = place / f"damaged{target.suffix}"
        path.write_bytes(data)
        use = target.reader(place)
        return lambda: quiet(lambda: use(path))

    def chunk(self, kind: str, first: int, count: int, until: float) -> Tally:
        """Use ``count`` inputs from number ``first``, or as many as there is time for, in a process
        of their own. One that dies has failed at the input that it was using."""
        self.prepare(kind)
        log = self.folder / "log"
        log.write_text("")
        process = os.fork()
        if process == 0:
            status = 1
            try:
                self._child(kind, range(first, first + count), until, log)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(process, 0)
        return self._tally(kind, log, status)

    def _child(self, kind: str, numbers: range, until: float, log: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as place, log.open("a") as out:
            os.chdir(place)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            guard.limit_memory()
            for number in numbers:
                if time.monotonic() > until:
                    break
                out.write(json.dumps([number, None]) + "\n")
                out.flush()
                said = self.use(kind, number)
                grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
                if grown > guard.MEMORY:
                    said = f"{grown >> 20} MB of memory ({said})"
                out.write(json.dumps([number, said]) + "\n")

    def _tally(self, kind: str, log: Path, status: int) -> Tally:
        tally = Tally()
        outcomes: dict[int, str | None] = {}
        for line in log.read_text().splitlines():
            number, said = json.loads(line)
            outcomes[number] = said
        for number, said in outcomes.items():
            word = said or f"the process died with status {status}"
            if word in ("good", "refused"):
                tally.outcomes[word] += 1
            else:
                tally.outcomes["failed"] += 1
                tally.failures.append((f"{kind}:{number}", word))
        return tally


def run(fuzzer: Fuzzer, chosen: list[str], seconds: float, first: int = 0,
        chunk: int = CHUNK) -> dict[str, Tally]:  # fmt: skip
    """Inputs of the chosen kinds in turn until the time is over."""
    until = time.monotonic() + seconds
    tallies = {kind: Tally() for kind in chosen}
    begin = first
    while time.monotonic() < until:
        for kind in chosen:
            if time.monotonic() >= until:
                break
            made = fuzzer.chunk(kind, begin, chunk, until)
            tallies[kind].outcomes += made.outcomes
            tallies[kind].failures += made.failures
        begin += chunk
    return tallies
