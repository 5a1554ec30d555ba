"""Run a named set of trainings and compare them: ``python -m controller study --data FILE
--out DIR --set grid``.

Each training is a process of its own with a folder of its own, DIR/SET/NAME, from which an
interrupted study goes on; what is finished is not run again. Writes DIR/table.json (every figure of
every run, all sets) and DIR/SET.md (tables); ``controller/studies/cases.py`` has the sets.
"""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from controller.control import shipped
from controller.core import files
from controller.core.errors import ControllerError, DataError, require
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation import charts
from controller.evaluation.diagnosis import diagnose
from controller.evaluation.extractor import Extractor
from controller.studies import runs, tables
from controller.studies.cases import SETS, USUAL, Case, SetName
from controller.training import train_mvae, watch

OUTCOME = "outcome.json"
TABLE = "table.json"
CURVES = 6
"""Runs whose learning curves can be told apart in one picture."""


@dataclass(frozen=True)
class Options:
    """What to compare."""

    data: Path
    """The data set that `python -m controller data build` wrote."""
    out: Path
    """Folder of the study."""
    set: SetName = "grid"
    """The set of trainings."""
    best: int = 2
    """How many of the short grid's best the set grid-long runs."""
    start: Path = shipped.MVAE
    """The trained model with whose decoder the set encoder begins."""
    processes: int = 1
    """Trainings at once, each on one thread."""
    write: Path | None = None
    """The page whose block <!-- SET --> gets the tables."""
    draw: Path | None = None
    """A picture of the runs, an SVG file. Needs matplotlib."""

    def __post_init__(self) -> None:
        require(self.best >= 1, "best", self.best, "1 or more")
        require(self.processes >= 1, "processes", self.processes, "1 or more")


# -- one training ----------------------------------------------------------------------------------


def finished(case: Case, folder: Path) -> dict[str, Any] | None:
    """What a case came to, if its run in ``folder`` has ended; ControllerError if that run had
    other settings."""
    path = folder / OUTCOME
    if not path.exists():
        return None
    outcome: dict[str, Any] = json.loads(path.read_text())
    if outcome["settings"] != settings(case):
        raise ControllerError(
            f"{path}: a run with other settings than {case.name} has now; choose another --out"
        )
    return outcome


def settings(case: Case) -> dict[str, Any]:
    """The settings of a case as JSON has them."""
    plain: dict[str, Any] = json.loads(json.dumps(case.config.flat()))
    return plain


def run(case: Case, data: Path, folder: Path, start: Path = shipped.MVAE) -> dict[str, Any]:
    """Train a case in ``folder``, or go on with it there, and diagnose the model; what it came to
    is kept there, too.

    A case that freezes the decoder begins with ``start``. A training goes on to its end even if its
    latent has collapsed. If its loss is no number any more, that is what it came to.
    """
    torch.set_num_threads(1)
    resume = (folder / runs.STATE).exists()
    options = train_mvae.Options(
        data=data, out=folder, start=start if case.config.freeze_decoder else None, resume=resume,
        on_fatal="go-on", diagnose_every=case.config.epochs, config=case.config,
    )  # fmt: skip
    stopped = None
    figures = {}
    try:
        character = Character.load(train_mvae.train(options))
    except ControllerError as error:
        if not isinstance(error.__cause__, watch.Fatal):
            raise
        stopped = str(error.__cause__)
    else:
        extractor = Extractor.shipped()
        figures = diagnose.diagnose(character, MotionDataset.load(data), extractor)
    outcome = {"settings": settings(case), "stopped": stopped, "figures": figures}
    files.write(folder / OUTCOME, json.dumps(outcome, indent=1))
    return outcome


# -- a set of them ---------------------------------------------------------------------------------


def chosen(options: Options) -> list[Case]:
    """The cases of the set; of the long grid the best of the short one, which must have been run,
    and the usual one."""
    cases = SETS[options.set]()
    if options.set != "grid-long":
        return cases
    short = read_table(options.out).get("grid")
    if not short:
        raise ControllerError(
            f"{options.out}: the grid has not been run there; run --set grid first"
        )
    names = {USUAL, *(row["name"] for row in tables.ranked(short)[: options.best])}
    return [case for case in cases if case.name in names]


def run_all(cases: list[Case], options: Options) -> list[dict[str, Any]]:
    """Run what is not finished, each in a process of its own, and return a row for each case."""
    folder = files.make_folder(options.out / options.set)
    done = {case.name: outcome for case in cases if (outcome := finished(case, folder / case.name))}
    todo = [case for case in cases if case.name not in done]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, spawn, max_tasks_per_child=1) as pool:
        running = [
            pool.submit(run, case, options.data, folder / case.name, options.start) for case in todo
        ]
        for number, (case, future) in enumerate(zip(todo, running, strict=True), start=1):
            done[case.name] = future.result()
            print(
                f"{number}/{len(todo)} {case.name}: {tables.summary(row(case, done[case.name]))}",
                flush=True,
            )
    return [row(case, done[case.name]) for case in cases]


def row(case: Case, outcome: dict[str, Any]) -> dict[str, Any]:
    """What the tables are made of."""
    config = case.config
    rollouts = config.epochs * config.rollouts_per_epoch
    return {
        "name": case.name,
        "differs": case.differs,
        "rollouts": rollouts,
        "updates": rollouts * (1 if config.optimiser.through_time else config.rollout),
        "stopped": outcome["stopped"],
        **outcome["figures"],
    }


def read_table(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each set that has been run in this folder."""
    path = folder / TABLE
    if not path.exists():
        return {}
    table: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
    return table


def picture(rows: list[dict[str, Any]], folder: Path) -> bytes:
    """Learning curves of the runs; of many, as a grid has, where each came to in the figures by
    which it is judged."""
    if len(rows) <= CURVES:
        return charts.held_out(
            {run["name"]: runs.read_history(folder / run["name"] / runs.HISTORY) for run in rows}
        )
    (across, x, _), (up, y, _) = (column for column in tables.FIGURES if column[0] in tables.JUDGED)
    ended = [run for run in rows if None not in (run.get(across), run.get(up))]
    return charts.scatter(
        [run["differs"] for run in ended], [(run[across], run[up]) for run in ended], (x, y)
    )


def study(options: Options) -> str:
    """Run the set and write its tables; returns them."""
    if not options.data.is_file():
        raise DataError(f"{options.data}: no such data file")
    cases = chosen(options)
    rows = run_all(cases, options)
    table = read_table(options.out) | {options.set: rows}
    files.write(options.out / TABLE, json.dumps(table, indent=1))
    text = tables.tables(rows, tables.MORE.get(options.set, ()))
    files.write(options.out / f"{options.set}.md", text + "\n")
    if options.write is not None:
        files.fill(options.write, options.set, text)
    if options.draw is not None:
        drawn = picture(rows, options.out / options.set)
        files.write(options.draw, drawn)
    return text


def main() -> None:
    print(study(tyro.cli(Options, description=__doc__)))
