"""Damage files of every format and command lines, and use them: nothing may crash.

python -m tests.fuzz --minutes 10
python -m tests.fuzz --only policy:1234
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' own modules

from . import guard
from .run import CHUNK, Fuzzer, kinds, run


@dataclass(frozen=True)
class Options:
    """How long, and what."""

    minutes: float = 10.0
    """Minutes for all kinds together."""
    seed: int = 0
    """Seed of the inputs. The same seed gives the same ones."""
    kinds: tuple[str, ...] = ()
    """Kinds of inputs; all of them by default."""
    first: int = 0
    """The number of the first input of each kind."""
    only: str = ""
    """One input, KIND:NUMBER. It runs in this process, so a debugger or a traceback can show where
    it fails, and its file stays."""


def main() -> int:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    if options.only:
        kind, _, number = options.only.partition(":")
        fuzzer = Fuzzer(Path(tempfile.mkdtemp()), options.seed)
        fuzzer.prepare(kind)
        print(fuzzer.folder, guard.outcome(lambda: None))
        print(fuzzer.use(kind, int(number)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder), options.seed)
        chosen = list(options.kinds or kinds())
        tallies = run(fuzzer, chosen, 60 * options.minutes, options.first, CHUNK)
    columns = ("good", "refused", "failed")
    print(f"{'kind':18}", "inputs", *columns, sep="\t")
    for kind, tally in tallies.items():
        counts = tally.outcomes
        print(f"{kind:18}", counts.total(), *(counts[name] for name in columns), sep="\t")
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    for name, word in failures:
        print(f"{name}: {word}")
    total = sum(tally.outcomes.total() for tally in tallies.values())
    print(f"{total} inputs, {len(failures)} failures, seed {options.seed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
