"""Charts of a motion VAE's training as SVG files in memory. Needs matplotlib: ``pip install -e
".[plots]"``."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controller.core.errors import ControllerError
from controller.evaluation.diagnostics import ACTIVE_VARIANCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Sequence[Mapping[str, float]]
"""The figures of each epoch, oldest first."""

TERMS = {
    "reconstruction": "reconstruction",
    "kl": "KL, mean over units",
    "feet": "feet",
    "joints": "joints",
    "bones": "bones",
    "slip": "free steps: slip",
    "spread": "free steps: spread",
    "free_bones": "free steps: bones",
}
"""Terms of the loss, before they are weighed, and what they are called."""
COLOURS = (
    "#2e6cb8",
    "#ce543c",
    "#3f8f5f",
    "#a06bb0",
    "#c9922e",
    "#4b9fa8",
    "#8a6d5a",
    "#6b6b6b",
    "#d1739b",
    "#7d8f2e",
)
MARKERS = ("o", "s", "^", "D", "v")
SILENT = "#c9c9c4"
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "motion VAE",  # the same runs give the same file
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.labelcolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e9e9e5",
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "lines.linewidth": 1.5,
    "axes.prop_cycle": "cycler(color=[" + ", ".join(map(repr, COLOURS)) + "])",
    "legend.frameon": False,
    "legend.fontsize": 8,
}
SIZE = (5.6, 3.4)
"""Inches."""
LEAST = 1e-5
"""What a logarithmic axis shows at least: a silent unit's variance is nearly 0."""


def chart(draw: Callable[[Figure], None], size: tuple[float, float] = SIZE) -> bytes:
    """The SVG file of what ``draw`` draws; ControllerError if matplotlib is not installed."""
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ControllerError('drawing needs matplotlib: pip install -e ".[plots]"') from error
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def column(history: History, name: str) -> list[float]:
    """One figure of every epoch; NaN, which leaves a gap, where an epoch has none."""
    return [row.get(name, float("nan")) for row in history]


def loss(history: History) -> bytes:
    """The terms of the loss over epochs, and under them teacher forcing and the KL term's weight
    β."""

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        epochs = column(history, "epoch")
        for name, label in TERMS.items():
            if any(name in row for row in history):
                above.plot(epochs, column(history, name), label=label)
        above.set(yscale="log", ylabel="loss")
        above.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
        below.plot(
            epochs, column(history, "teacher_forcing"), color=COLOURS[3], label="teacher forcing"
        )
        below.set(ylim=(-0.05, 1.05), xlabel="epoch", ylabel="teacher", xlim=(0, None))
        weight = below.twinx()
        weight.plot(epochs, column(history, "beta"), color=COLOURS[4], linestyle="--", label="β")
        weight.set(ylabel="β", ylim=(0, None))
        weight.grid(visible=False)
        handles = [line for axis in (below, weight) for line in axis.get_lines()]
        below.legend(handles, ["teacher forcing", "KL weight β"], loc="center right")
        below.locator_params(axis="x", integer=True)

    return chart(draw)


def held_out(histories: Mapping[str, History]) -> bytes:
    """Of one or more runs by name, over epochs: errors after one (dotted) and after all steps of a
    rollout, and the KL."""

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.4, 1))
        for colour, (name, history) in zip(_cycle(), histories.items(), strict=False):
            epochs = column(history, "epoch")
            above.plot(epochs, column(history, "rollout_mm"), color=colour, label=name)
            above.plot(epochs, column(history, "one_step_mm"), color=colour, linestyle=":")
            below.plot(epochs, column(history, "kl_nats"), color=colour)
        above.set(yscale="log", ylabel="error, mm")
        _plain_numbers(above)
        below.set(ylabel="KL, nats", xlabel="epoch", xlim=(0, None), ylim=(0, None))
        below.locator_params(axis="x", integer=True)
        if len(histories) > 1:
            figure.legend(loc="outside lower center", ncols=3)

    return chart(draw)


def units(kl: Sequence[float], variance: Sequence[float]) -> bytes:
    """Each latent unit's KL in nats, the greatest first, and under it what decides whether the unit
    is active: the variance of its posterior mean over the data, with the threshold."""

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        order = sorted(range(len(kl)), key=lambda unit: -kl[unit])
        places = range(len(order))
        colours = [COLOURS[0] if variance[unit] > ACTIVE_VARIANCE else SILENT for unit in order]
        above.bar(places, [kl[unit] for unit in order], color=colours)
        above.set(ylabel="KL, nats")
        below.bar(
            places,
            [max(variance[unit], LEAST) - LEAST / 2 for unit in order],
            bottom=LEAST / 2,
            color=colours,
        )
        below.axhline(ACTIVE_VARIANCE, color=COLOURS[1], linestyle="--", linewidth=1.2)
        below.text(
            len(kl) - 0.5,
            1.2 * ACTIVE_VARIANCE,
            f"active above {ACTIVE_VARIANCE}",
            color=COLOURS[1],
            ha="right",
        )
        below.set(yscale="log", ylim=(LEAST, None), ylabel="variance of mean", xlabel="latent unit")
        below.set_xticks(places, [str(unit) for unit in order], fontsize=6)
        for axis in (above, below):
            axis.grid(visible=False, axis="x")

    return chart(draw)


def free_running(
    curves: Mapping[str, Sequence[float]], forced: Mapping[str, float], frames: Sequence[int]
) -> bytes:
    """Error in mm of one or more runs by name over the frames of a rollout that feeds itself
    (``curves``, from frame 1 on), marked at some ``frames``, and dashed that of steps from captured
    poses."""

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        for colour, (name, errors) in zip(_cycle(), curves.items(), strict=False):
            axis.plot(range(1, len(errors) + 1), errors, color=colour, label=name)
            marked = [frame for frame in frames if frame <= len(errors)]
            axis.plot(
                marked, [errors[frame - 1] for frame in marked], "o", color=colour, markersize=4
            )
            for frame in marked if len(curves) == 1 else ():
                error = errors[frame - 1]
                axis.annotate(
                    f"{error:.3g}", (frame, error), (0, 6), textcoords="offset points", ha="center"
                )
            axis.axhline(forced[name], color=colour, linestyle="--", linewidth=1.2)
        axis.set(
            xscale="log",
            yscale="log",
            xlabel="frames without a captured pose",
            ylabel="joint error, mm",
        )
        axis.set(xlim=(0.65, 1.5 * frames[-1]))
        axis.set_xticks(frames, [str(frame) for frame in frames])
        axis.set_xticks([], minor=True)
        axis.margins(y=0.1)
        _plain_numbers(axis)
        if len(curves) > 1:
            figure.legend(loc="outside lower center", ncols=3)

    return chart(draw)


def scatter(
    runs: Sequence[Mapping[str, str]], places: Sequence[tuple[float, float]], axes: tuple[str, str]
) -> bytes:
    """A mark for each run at its two figures, which ``axes`` name. Of a run's settings, by name,
    the colour tells the value of the first, the shape that of the second, and a filled or hollow
    mark that of the third."""
    values = {name: list(dict.fromkeys(run[name] for run in runs)) for name in runs[0]}
    looks: list[tuple[str, Sequence[str]]] = [
        ("color", _cycle()),
        ("marker", MARKERS),
        ("fillstyle", ("full", "none")),
    ]

    def look(run: Mapping[str, str]) -> dict[str, Any]:
        """How a run is marked, as far as its settings tell."""
        told = zip(values, looks, strict=False)
        chosen = {
            key: ways[values[name].index(run[name]) % len(ways)]
            for name, (key, ways) in told
            if name in run
        }
        return {"color": "#666666", "marker": "o", "linestyle": "", "markersize": 7} | chosen

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        for run, (x, y) in zip(runs, places, strict=True):
            axis.plot(x, y, **look(run))
        for name, found in values.items():
            for value in found:
                axis.plot([], [], label=f"{name}: {value}", **look({name: value}))
        axis.set(xlabel=axes[0], ylabel=axes[1])
        figure.legend(loc="outside right center")

    return chart(draw, (7.4, 3.8))


def _plain_numbers(axis: Axes) -> None:
    """6 in place of 6 × 10⁰ beside a logarithmic axis of millimetres."""
    from matplotlib.ticker import LogFormatter

    for which in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        which(LogFormatter(minor_thresholds=(1.5, 0.5)))


def _cycle() -> list[Any]:
    """More colours than anybody tells apart."""
    return [*COLOURS] * 4
