"""Run a named set of trainings and compare them.

``python -m controller study --data FILE --out DIR --set grid``

Each training runs in a process of its own and in a folder of its own, DIR/SET/NAME. An interrupted
study goes on from there, and what is finished is not run again. Writes DIR/table.json (every figure
of every run, all sets) and DIR/SET.md (tables). ``controller/studies/sets.py`` lists the sets.
``python -m controller study video`` compares trainings of video networks.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from controller.control.folder import CharacterFolder
from controller.core import command_line, documents, files, headers, jobs
from controller.core.errors import ControllerError, DataError, require
from controller.core.jobs import Job, Table
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation import charts
from controller.evaluation.diagnosis import diagnose
from controller.evaluation.extractor import Extractor
from controller.studies import runs, tables
from controller.studies.cases import USUAL, Case, SetName
from controller.studies.sets import SETS
from controller.studies.tables import Row
from controller.training import train_mvae, watch

OUTCOME = "outcome.json"
TABLE = "table.json"
MOST_CURVES = 6
"""Runs whose learning curves can be told apart in one picture."""

Outcome = dict[str, Any]
"""The result of a case: its ``settings``, the sentence with which it ``stopped`` early or None, and
the ``figures`` of its diagnosis, none if it stopped."""


@dataclass(frozen=True)
class Options:
    """What to compare."""

    data: Path
    """The data set that `python -m controller data build` wrote."""
    out: Path
    """Folder of the study."""
    set: SetName = "grid"
    """The set of trainings."""
    runs: tuple[str, ...] = ()
    """Names of the trainings to run; by default the whole set."""
    rollouts_per_epoch: int | None = None
    """Rollouts in an epoch, in place of the set's own number."""
    best: int = 2
    """How many of the best runs of the short grid the set grid-long repeats."""
    start: Path | None = None
    """The trained model whose decoder the set encoder uses; by default the default character's."""
    processes: int = 1
    """Trainings at once, each on one thread."""
    ray: str | None = None
    """The address of a Ray cluster that runs the trainings, in place of `processes`; auto is the
    one that this machine belongs to. See docs/scale.md."""
    write: Path | None = None
    """The page whose block <!-- SET --> gets the tables. The set failure has the block
    <!-- failure case -->."""
    draw: Path | None = None
    """A picture of the runs, an SVG file. Needs matplotlib."""

    def __post_init__(self) -> None:
        require(self.best >= 1, "best", self.best, "1 or more")
        require(self.processes >= 1, "processes", self.processes, "1 or more")


# -- one training ----------------------------------------------------------------------------------


def finished(case: Case, folder: Path) -> Outcome | None:
    """The outcome of a case, if its run in ``folder`` has ended. Raises ControllerError if that run
    had other settings."""
    path = folder / OUTCOME
    if not path.exists():
        return None
    with documents.loaded(path, "outcome of a run") as found:
        outcome: Outcome = headers.table("outcome", found)
        same = outcome["settings"] == settings(case)
    if not same:
        raise ControllerError(
            f"{path}: a run with other settings than {case.name} has now; choose another --out"
        )
    return outcome


def settings(case: Case) -> dict[str, Any]:
    """The settings of a case as JSON has them."""
    plain: dict[str, Any] = json.loads(json.dumps(case.config.flat()))
    return plain


def run(case: Case, data: Path, folder: Path, start: Path | None = None) -> Outcome:
    """Train a case in ``folder``, or resume it there, diagnose the model, and keep the outcome in
    the folder.

    A case that freezes the decoder begins with ``start``, by default the default character's
    motion VAE. A training goes on to its end even if its
    latent has collapsed; it stops early only if its loss is no longer finite.
    """
    torch.set_num_threads(1)
    options = train_mvae.Options(
        data=data,
        out=folder,
        start=(start or CharacterFolder.open().mvae) if case.config.freeze_decoder else None,
        resume=(folder / runs.STATE).exists(),
        on_fatal="go-on",
        diagnose_every=case.config.epochs,
        config=case.config,
    )
    stopped = None
    figures = {}
    try:
        character = Character.load(train_mvae.train(options))
    except ControllerError as error:
        if not isinstance(error.__cause__, watch.Fatal):
            raise
        stopped = str(error.__cause__)
    else:
        extractor = Extractor.of()
        figures = diagnose.diagnose(character, MotionDataset.load(data), extractor)
    outcome = {"settings": settings(case), "stopped": stopped, "figures": figures}
    files.write(folder / OUTCOME, json.dumps(outcome, indent=1))
    return outcome


# -- a set of trainings ----------------------------------------------------------------------------


def selected(options: Options) -> list[Case]:
    """The cases to run. Raises ConfigError if one of ``options.runs`` is not in the set."""
    cases = SETS[options.set].cases()
    if options.set == "grid-long":
        best = best_of_grid(options.out, options.best)
        cases = [case for case in cases if case.name in best]
    names = [case.name for case in cases]
    for name in options.runs:
        require(name in names, "runs", name, ", ".join(names))
    if options.runs:
        cases = [case for case in cases if case.name in options.runs]
    return [with_length(case, options.rollouts_per_epoch) for case in cases]


def best_of_grid(folder: Path, count: int) -> set[str]:
    """Names of the best runs of the short grid, and of the usual one. Raises ControllerError if the
    grid has not been run in this folder."""
    rows = read_table(folder).get("grid")
    if not rows:
        raise ControllerError(f"{folder}: the grid has not been run there; run --set grid first")
    return {USUAL, *(row["name"] for row in tables.ranked(rows)[:count])}


def with_length(case: Case, rollouts_per_epoch: int | None) -> Case:
    """The case with another number of rollouts in an epoch, unless that is None."""
    if rollouts_per_epoch is None:
        return case
    return replace(case, config=replace(case.config, rollouts_per_epoch=rollouts_per_epoch))


def run_all(cases: list[Case], options: Options) -> list[Row]:
    """Run the cases that are not finished, each in a process of its own; a row for each case."""
    folder = files.make_folder(options.out / options.set)
    rows = {}
    missing = []
    for case in cases:
        outcome = finished(case, folder / case.name)
        if outcome is None:
            missing.append(case)
        else:
            rows[case.name] = row(case, outcome, options)

    work = [
        Job(case.name, run, (case, options.data, folder / case.name, options.start))
        for case in missing
    ]
    table = Table([case.name for case in missing], lambda name: how_far(folder / name))
    for number, outcome in jobs.run(work, options.processes, options.ray, table.look):
        case = missing[number]
        rows[case.name] = row(case, outcome, options)
        table.end(case.name, tables.summary(rows[case.name]))

    return [rows[case.name] for case in cases]


def how_far(folder: Path) -> str:
    """The epoch that a run in a folder has reached; empty if it has not ended its first."""
    path = folder / runs.HISTORY
    return f"epoch {len(runs.read_epochs(path))}" if path.exists() else ""


def row(case: Case, outcome: Outcome, options: Options) -> Row:
    """A case's row of the tables."""
    config = case.config
    rollouts = config.epochs * config.rollouts_per_epoch
    folder = options.out / options.set / case.name
    return {
        "name": case.name,
        "differs": case.differs,
        "rollouts": rollouts,
        "updates": rollouts * (1 if config.optimiser.through_time else config.rollout),
        "stopped": outcome["stopped"],
        **outcome["figures"],
        **SETS[options.set].figures(case, folder),
    }


def read_table(folder: Path) -> dict[str, list[Row]]:
    """The rows of each set that has been run in this folder."""
    path = folder / TABLE
    if not path.exists():
        return {}
    with documents.loaded(path, "table of a study's runs") as table:
        return headers.table("table", table)


def picture(rows: list[Row], folder: Path) -> bytes:
    """The learning curves of a few runs; of many, as in a grid, the two figures by which each of
    them is judged."""
    if len(rows) <= MOST_CURVES:
        histories = {
            row["name"]: runs.read_epochs(folder / row["name"] / runs.HISTORY) for row in rows
        }
        return charts.held_out(histories)
    across, up = tables.JUDGED
    titles = {name: title for name, title, _ in tables.FIGURES}
    measured = [row for row in rows if None not in (row.get(across), row.get(up))]
    settings = [row["differs"] for row in measured]
    places = [(row[across], row[up]) for row in measured]
    return charts.scatter(settings, places, (titles[across], titles[up]))


def study(options: Options) -> str:
    """Run the set and write its tables; returns them."""
    if not options.data.exists():
        raise DataError(f"{options.data}: no such data file")
    rows = run_all(selected(options), options)
    table = read_table(options.out) | {options.set: rows}
    files.write(options.out / TABLE, json.dumps(table, indent=1))

    case_set = SETS[options.set]
    text = case_set.table(rows)
    files.write(options.out / f"{options.set}.md", text + "\n")
    if options.write is not None:
        files.fill(options.write, case_set.block or options.set, text)
    if options.draw is not None:
        files.write(options.draw, picture(rows, options.out / options.set))
    return text


def main() -> None:
    if sys.argv[1:2] == ["video"]:
        from controller.studies import video

        sys.argv = [f"{sys.argv[0]} video", *sys.argv[2:]]
        return video.main()
    print(study(command_line.read(Options, description=__doc__)))
    return None
