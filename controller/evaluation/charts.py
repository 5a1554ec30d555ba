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
"""Terms of the loss, without their weights, and their labels."""
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
"""Lower end of a logarithmic axis: a silent unit's variance is nearly 0."""


def need_matplotlib() -> None:
    """Raise ControllerError if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ControllerError('drawing needs matplotlib: pip install -e ".[plots]"') from error


def chart(draw: Callable[[Figure], None], size: tuple[float, float] = SIZE) -> bytes:
    """The SVG file of a figure that ``draw`` fills. Raises ControllerError if matplotlib is not
    installed."""
    need_matplotlib()
    import matplotlib.figure

    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def column(history: History, name: str) -> list[float]:
    """One figure of every epoch; NaN, which leaves a gap, if an epoch lacks it."""
    return [row.get(name, float("nan")) for row in history]


def loss(history: History) -> bytes:
    """The terms of the loss over epochs, and below them teacher forcing and β, the weight of the KL
    term."""

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
    """Errors of one or more runs, by name, over epochs: after one step (dotted) and after all steps
    of a rollout; below them the KL."""

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
    """Each latent unit's KL in nats, the greatest first. Below it the variance of the unit's
    posterior mean over the data, with the threshold above which a unit is active."""

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        order = sorted(range(len(kl)), key=lambda unit: -kl[unit])
        places = range(len(order))
        colours = [COLOURS[0] if variance[unit] > ACTIVE_VARIANCE else SILENT for unit in order]
        above.bar(places, [kl[unit] for unit in order], color=colours)
        above.set(ylabel="KL, nats")
        heights = [max(variance[unit], LEAST) - LEAST / 2 for unit in order]
        below.bar(places, heights, bottom=LEAST / 2, color=colours)
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
    """Errors in mm of one or more runs, by name, over the frames of a rollout that feeds itself.

    ``curves`` begin at frame 1 and are marked at ``frames``. Dashed lines show ``forced``, the
    errors of single steps from captured poses.
    """

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        for colour, (name, errors) in zip(_cycle(), curves.items(), strict=False):
            axis.plot(range(1, len(errors) + 1), errors, color=colour, label=name)
            marked = [frame for frame in frames if frame <= len(errors)]
            axis.plot(
                marked, [errors[frame - 1] for frame in marked], "o", color=colour, markersize=4
            )
            if len(curves) == 1:
                _label(axis, {frame: errors[frame - 1] for frame in marked})
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
    """A mark for each run at its two figures, whose names are in ``axes``.

    ``runs`` has the settings of each run by name. The colour of a mark stands for the value of the
    first setting, its shape for the second, and a filled or hollow mark for the third.
    """
    values = {name: list(dict.fromkeys(run[name] for run in runs)) for name in runs[0]}
    looks: list[tuple[str, Sequence[str]]] = [
        ("color", _cycle()),
        ("marker", MARKERS),
        ("fillstyle", ("full", "none")),
    ]

    def look(run: Mapping[str, str]) -> dict[str, Any]:
        """The style of a mark, for those settings that ``run`` has."""
        style: dict[str, Any] = {
            "color": "#666666",
            "marker": "o",
            "linestyle": "",
            "markersize": 7,
        }
        for name, (key, ways) in zip(values, looks, strict=False):
            if name in run:
                style[key] = ways[values[name].index(run[name]) % len(ways)]
        return style

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        for run, (x, y) in zip(runs, places, strict=True):
            axis.plot(x, y, **look(run))
        for name in values:
            for value in values[name]:
                axis.plot([], [], label=f"{name}: {value}", **look({name: value}))
        axis.set(xlabel=axes[0], ylabel=axes[1])
        figure.legend(loc="outside right center")

    return chart(draw, (7.4, 3.8))


def _label(axis: Axes, errors: Mapping[int, float]) -> None:
    """Write the error of each frame above its mark."""
    for frame, error in errors.items():
        axis.annotate(
            f"{error:.3g}", (frame, error), (0, 6), textcoords="offset points", ha="center"
        )


def _plain_numbers(axis: Axes) -> None:
    """Write 6 instead of 6 × 10⁰ beside a logarithmic axis of millimetres."""
    from matplotlib.ticker import LogFormatter

    for which in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        which(LogFormatter(minor_thresholds=(1.5, 0.5)))


def _cycle() -> list[Any]:
    """More colours than the eye can tell apart."""
    return [*COLOURS] * 4
