"""Draw the schedules of a motion VAE's training: ``python -m controller schedules --out FILE.svg``.

Needs matplotlib: ``pip install -e ".[plots]"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.core import command_line, files
from controller.core.errors import require
from controller.evaluation import charts
from controller.training.schedules import KlWeight, TeacherForcing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EPOCHS = 91
"""Epochs of the run that is drawn."""
PER_EPOCH = 50
"""Points drawn for each epoch: enough for a drop between two epochs to look vertical."""
SIZE = (9.0, 6.2)
"""Inches."""

TEACHERS = {
    "phases: 1 for 10 epochs,\nto 0 over 15": TeacherForcing("phases"),
    "constant: 0.6": TeacherForcing("constant", start=0.6),
    "steps: 0.8 for 30 epochs,\n0.1 an epoch, floor 0.2": TeacherForcing(
        "steps", start=0.8, hold_epochs=30, floor=0.2
    ),
    "linear: 0.015 an epoch,\nfloor 0.1": TeacherForcing("linear", step=0.015, floor=0.1),
    "exponential: k = 0.9": TeacherForcing("exponential"),
    "inverse-sigmoid: k = 10": TeacherForcing("inverse-sigmoid", sharpness=10.0),
}
"""One schedule of each kind, with settings that keep the lines apart."""
WEIGHTS = {
    "none": KlWeight("none"),
    "monotonic: 20 epochs": KlWeight("monotonic", ramp_epochs=20),
    "cyclical: 4 cycles, ratio 0.5": KlWeight("cyclical"),
    "linear-then-cyclical: 8 epochs,\n2 cycles, ratio 0.5": KlWeight(
        "linear-then-cyclical", ramp_epochs=8, cycles=2
    ),
}
WIDTHS = (7.0, 4.0, 1.8, 1.8)
"""Line widths in points. Weights are 1 for most of a run; a wide line shows behind a narrow one."""


@dataclass(frozen=True)
class Options:
    """Where to draw."""

    out: Path = Path("schedules.svg")
    """The picture, an SVG file."""

    def __post_init__(self) -> None:
        require(self.out.suffix == ".svg", "out", str(self.out), "a name that ends in .svg")


def draw_lines(
    axis: Axes,
    schedules: Mapping[str, Callable[[float], float]],
    colours: list[str],
    widths: tuple[float, ...],
) -> None:
    """Draw a line for each schedule over the run's epochs, with a legend to the right of the
    panel."""
    epochs = [point / PER_EPOCH for point in range(EPOCHS * PER_EPOCH + 1)]
    for (name, schedule), colour, width in zip(schedules.items(), colours, widths, strict=True):
        values = [schedule(epoch) for epoch in epochs]
        axis.plot(epochs, values, color=colour, linewidth=width, label=name)
    axis.set(xlim=(0, EPOCHS), ylim=(-0.03, 1.05))
    axis.set_xticks([*range(0, EPOCHS, 10)])
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), labelspacing=0.9)


def draw() -> bytes:
    """The SVG file: teacher forcing above, the KL term's weight below."""

    def panels(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        colours = list(charts.COLOURS[: len(TEACHERS)])
        draw_lines(above, TEACHERS, colours, (1.8,) * len(TEACHERS))
        weights = {name: lambda epoch, kl=kl: kl(epoch, EPOCHS) for name, kl in WEIGHTS.items()}
        colours = [charts.SILENT, *charts.COLOURS[: len(WEIGHTS) - 1]]
        draw_lines(below, weights, colours, WIDTHS)
        above.set(title="Teacher forcing", ylabel="chance of a captured pose")
        below.set(title="Weight of the KL term", ylabel="share of β", xlabel="epoch")

    return charts.chart(panels, SIZE)


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    files.write(options.out, draw())
    print(f"schedules: {options.out}")
