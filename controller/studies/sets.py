"""The sets of cases that ``python -m controller study`` runs, and how each one is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from controller.studies import cases, failure_case, tables
from controller.studies.cases import Case, SetName
from controller.studies.tables import Row


def no_figures(case: Case, folder: Path) -> dict[str, Any]:
    """Add nothing to the figures of the diagnosis."""
    return {}


@dataclass(frozen=True)
class CaseSet:
    """A set of cases and its presentation.

    cases    makes the cases
    figures  figures of a case beside those of its diagnosis, from the folder of its training
    table    the rows of all cases as Markdown
    block    name of the block of a page that takes the table; by default the set's own name
    """

    cases: Callable[[], list[Case]]
    figures: Callable[[Case, Path], dict[str, Any]] = no_figures
    table: Callable[[list[Row]], str] = tables.tables
    block: str | None = None


SETS: dict[SetName, CaseSet] = {
    "reference": CaseSet(cases.reference),
    "gradient": CaseSet(cases.gradient),
    "gradient-long": CaseSet(cases.gradient_long),
    "grid": CaseSet(cases.grid),
    "seeds": CaseSet(cases.seeds),
    "grid-long": CaseSet(cases.grid_long),
    "variants": CaseSet(cases.variants),
    "encoder": CaseSet(cases.encoder, table=partial(tables.tables, more=tables.AGGREGATE)),
    "failure": CaseSet(
        failure_case.cases, failure_case.figures, failure_case.table, block="failure case"
    ),
}
