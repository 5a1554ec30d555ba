"""What a trial is: a test of a policy at one task, and what it declares about its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from controller.core.registry import Registry
from controller.dynamics.rollout import Act
from controller.tasks.base import Goal, Task
from controller.tasks.simulation import Simulation

Measure = Callable[[Simulation[Goal], Act, int, float, int], dict[str, float]]
"""Measures a simulation and who acts in it, with so many characters, for at least so many seconds,
from a seed. Returns figures by key."""

ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}


@dataclass(frozen=True)
class Metric:
    """How a figure is shown.

    key     its name in JSON
    title   its name in tables
    unit    its unit in tables
    digits  digits after the point
    factor  what the value is multiplied by to get the unit
    better  whether higher or lower values are better; None if neither is
    bad     a policy whose value is worse than this does not do its task; None if none says so
    """

    key: str
    title: str
    unit: str = ""
    digits: int = 2
    factor: float = 1.0
    better: Literal["higher", "lower"] | None = None
    bad: float | None = None

    @property
    def heading(self) -> str:
        """Title and unit, for an axis or a line of a table."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def text(self, value: float | None) -> str:
        """A value with its unit; a dash for None."""
        if value is None:
            return "–"
        return f"{self.factor * value:.{self.digits}f} {self.unit}".strip()

    @property
    def column(self) -> str:
        """The heading of a table's column, with an arrow towards the better values."""
        return self.heading + ARROWS[self.better]


def share(
    key: str,
    title: str,
    better: Literal["higher", "lower"],
    digits: int = 1,
    bad: float | None = None,
) -> Metric:
    """A metric from 0 to 1, shown in percent."""
    return Metric(key, title, "%", digits, 100, better, bad)


@dataclass(frozen=True)
class Trial:
    """A test of a policy at one task.

    task      the task's name
    measure   the function that runs it
    metrics   the figures that tables show, the most important one first
    summary   one phrase for the overview of tasks, with figures by key in braces
    symmetry  the figure by which left and right are compared: that of goals on one side alone,
              which lie on the other side in the mirror, and one that is never 0; None if goals have
              no side
    """

    task: str
    measure: Measure[Any]
    metrics: tuple[Metric, ...] = ()
    summary: str = ""
    symmetry: str | None = None

    def __call__(
        self, simulation: Simulation[Any], act: Act, characters: int, seconds: float, seed: int
    ) -> dict[str, float]:
        return self.measure(simulation, act, characters, seconds, seed)


TRIALS: Registry[Trial] = Registry("trial")
"""Every trial by the name of its task."""


def trial(
    task: type[Task[Goal, Any]],
    metrics: tuple[Metric, ...] = (),
    summary: str = "",
    symmetry: str | None = None,
) -> Callable[[Measure[Goal]], Measure[Goal]]:
    """Register a function as the trial of a task. Used as a decorator; the arguments are described
    at :class:`Trial`."""

    def register(measure: Measure[Goal]) -> Measure[Goal]:
        TRIALS.add(task.name, Trial(task.name, measure, metrics, summary, symmetry))
        return measure

    return register
