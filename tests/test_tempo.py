"""Copies of clips at another tempo: as many times as fast, and on the same side of the split."""

from __future__ import annotations

import pytest
from synthetic import walk

from controller.core.errors import ConfigError, DataError
from controller.data import tempo
from controller.data.dataset import build


def test_a_copy_travels_as_far_in_less_time() -> None:
    clip = walk("walk1")
    data = build(list(tempo.with_copies([clip], [("walk", 1.25)])), "both")
    own, copy = data.clips
    assert copy.name == "walk1@1.25"
    assert copy.length == pytest.approx(own.length / 1.25, abs=1)
    speeds = [
        data.poses[entry.rows, data.layout.root_velocity][5:-5, :2].norm(dim=-1).mean()
        for entry in (own, copy)
    ]
    assert float(speeds[1] / speeds[0]) == pytest.approx(1.25, rel=0.02)


def test_copies_are_on_the_side_of_their_clips() -> None:
    clips = [walk(f"walk{number}") for number in range(30)]
    data = build(list(tempo.with_copies(clips, [("walk", 0.9)])), "many")
    sides = {entry.name: entry.held_out for entry in data.clips}
    assert len(sides) == 60
    assert 0 < sum(sides.values()) < 60
    for clip in clips:
        assert sides[f"{clip.name}@0.9"] == sides[clip.name]


def test_names_and_factors_are_read_and_checked() -> None:
    assert tempo.parse(["16_=1.12", "a=b=0.9"]) == [("16_", 1.12), ("a=b", 0.9)]
    for wrong in ("run", "run=", "=1.1", "run=0.4", "run=2.1", "run=nan", "run=-1"):
        with pytest.raises(ConfigError, match=r"tempo is .*; allowed: NAME=FACTOR"):
            tempo.parse([wrong])
    with pytest.raises(DataError, match="no clip is named like 'gallop'"):
        list(tempo.with_copies([walk("walk1")], [("gallop", 1.1)]))


def test_only_a_number_after_the_mark_means_a_copy() -> None:
    assert tempo.original("run@1.1[3:60]") == "run[3:60]"
    assert tempo.factor("run@1.1[3:60]") == 1.1
    assert tempo.original("anna@home") == "anna@home"
    assert tempo.factor("anna@home") == 1.0
    assert tempo.original("run@1") == "run"  # a copy at its own tempo is one, too
    for name in ("walk@60", "walk@1.2.3", "walk@."):
        assert tempo.original(name) == name and tempo.factor(name) == 1.0
