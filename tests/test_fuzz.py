"""A slice of `python -m tests.fuzz`, always with the same inputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.run import Fuzzer, kinds

INPUTS = 40
"""Of each kind: seconds in all."""


@pytest.mark.parametrize("kind", kinds())
def test_damaged_inputs_are_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    tally = Fuzzer(tmp_path).chunk(kind, 0, INPUTS, float("inf"))
    assert not tally.failures
    assert tally.outcomes.total() == INPUTS and tally.outcomes["refused"] > INPUTS / 8
