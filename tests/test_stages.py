"""A chain of commands: what is done stays done, what fails stops it, what was interrupted
continues."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.core.errors import ControllerError
from envs.stages import RECORD, Chain, Stage, StageError

APPEND = """
import shutil, sys
product, *words = sys.argv[1:]
with open(product + ".log", "a") as log:
    log.write(" ".join(words) + "|")
shutil.copy(product + ".log", product)
"""
"""A command whose product has the arguments of each of its runs, and so shows how often it ran."""


def appending(folder: Path, name: str, *words: str, state: Path | None = None) -> Stage:
    product = folder / name
    return Stage(name, f"making {name}", ("-c", APPEND, str(product), *words), product, 1.0, state)


def test_each_stage_runs_once(tmp_path: Path) -> None:
    stages = [appending(tmp_path, "a", "one"), appending(tmp_path, "b", "two")]
    Chain(tmp_path, stages).run()
    again = Chain(tmp_path, stages)
    again.run()
    assert [stage.product.read_text() for stage in stages] == ["one|", "two|"]
    assert again.minutes_left() == 0


def test_a_missing_product_is_made_again_and_so_is_what_follows(tmp_path: Path) -> None:
    stages = [appending(tmp_path, name) for name in "abc"]
    Chain(tmp_path, stages).run()
    stages[1].product.unlink()
    Chain(tmp_path, stages).run()
    assert [stage.product.read_text() for stage in stages] == ["|", "||", "||"]


def test_a_failure_stops_the_chain_with_its_exit_status(tmp_path: Path) -> None:
    failing = Stage("b", "failing", ("-c", "raise SystemExit(3)"), tmp_path / "b")
    stages = [appending(tmp_path, "a"), failing, appending(tmp_path, "c")]
    with pytest.raises(StageError, match=r"stage 2 of 3, failing.*exit status 3") as caught:
        Chain(tmp_path, stages).run()
    assert caught.value.status == 3
    assert not (tmp_path / "c").exists()
    stages[1] = appending(tmp_path, "b")
    Chain(tmp_path, stages).run()  # the stage that failed may be mended
    assert [stage.product.read_text() for stage in stages] == ["|", "|", "|"]


def test_a_command_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    stage = Stage("a", "doing nothing", ("-c", "pass"), tmp_path / "a")
    with pytest.raises(StageError, match="without writing"):
        Chain(tmp_path, [stage]).run()


def test_other_options_are_refused(tmp_path: Path) -> None:
    Chain(tmp_path, [appending(tmp_path, "a", "one")]).run()
    with pytest.raises(ControllerError, match="'a' differs"):
        Chain(tmp_path, [appending(tmp_path, "a", "two")])
    assert (tmp_path / "a").read_text() == "one|"


def test_an_interrupted_stage_resumes(tmp_path: Path) -> None:
    state = tmp_path / "state"
    stage = appending(tmp_path, "a", state=state)
    state.touch()
    Chain(tmp_path, [stage]).run()
    assert stage.product.read_text() == "--resume|"


def test_what_a_stage_prints_is_kept_only_if_it_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    stage = Stage("a", "printing", ("-c", "print('{}')"), path, printed=path)
    Chain(tmp_path, [stage]).run()
    assert path.read_text() == "{}\n"
    other = tmp_path / "other.json"
    failing = ("-c", "print('no'); raise SystemExit(1)")
    with pytest.raises(StageError):
        Chain(tmp_path / "b", [Stage("b", "printing", failing, other, printed=other)]).run()
    assert not other.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_a_damaged_record_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(ControllerError, match=RECORD):
        Chain(tmp_path, [appending(tmp_path, "a")])


def test_time_left_follows_the_stages_that_are_done(tmp_path: Path) -> None:
    stages = [appending(tmp_path, "a"), appending(tmp_path, "b")]
    chain = Chain(tmp_path, stages)
    assert chain.minutes_left() == 2
    stages[0].product.touch()
    chain.seconds["a"] = 120  # twice as long as planned
    assert chain.minutes_left() == 2


def test_a_fault_of_the_product_stops_the_chain_and_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "verdict"
    command = ("-c", "print('bad'); raise SystemExit(1)")
    stage = Stage(
        "a", "judging", command, path, printed=path, statuses=(0, 1), fault=Path.read_text
    )
    for _ in range(2):
        with pytest.raises(StageError, match="stopped after judging: bad") as caught:
            Chain(tmp_path, [stage, appending(tmp_path, "b")]).run()
        assert caught.value.status == 1
    assert not (tmp_path / "b").exists()


def test_a_new_product_makes_what_was_begun_from_the_old_one_begin_anew(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = appending(tmp_path, "a")
    second = appending(tmp_path, "b")
    last = appending(tmp_path, "c", state=state)
    Chain(tmp_path, [first, second, last]).run()
    state.touch()
    first.product.unlink()
    with pytest.raises(StageError):  # the last stage is not reached
        Chain(tmp_path, [first, replace(second, fault=lambda path: "bad"), last]).run()
    assert not state.exists()
    Chain(tmp_path, [first, second, last]).run()
    assert last.product.read_text() == "||"  # made again, and not with --resume
