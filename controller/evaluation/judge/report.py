"""The judgement as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from controller.core import files, markdown
from controller.evaluation.judge.gaits import GAITS, SPEEDS, pace

BLOCK = "judge"
"""The block of a page that :func:`fill_page` fills."""
OTHER_DATA = (
    "The motion VAE was trained on other data, or on another build of these: only if it held out "
    "the same files do held-out clips count as such."
)
TITLES = {
    "all": "**generated**, all clips",
    "held out": "… held-out clips, on which nothing was trained",
    "feet": "… by the feet alone",
    "legs": "… by the legs alone",
    "upper body": "… by the upper body alone",
    "encoder-led": "control: the decoder led by its encoder",
    "captured": "control: captured against captured",
}


def text(results: dict[str, Any]) -> str:
    """Both tables, as Markdown."""
    head = (
        f"{results['segments']} stretches, {results['seconds']:.0f} s in all, of "
        f"{results['takes']} clips."
    )
    if results["trained_on_these_data"] is False:
        head += f" {OTHER_DATA}"
    return "\n\n".join((head, verdicts(results), figures(results)))


def verdicts(results: dict[str, Any]) -> str:
    """AUC and accuracy of each verdict that was given, with 95 % intervals."""
    lines = []
    for name, found in results["verdicts"].items():
        if found is not None:
            title = TITLES.get(name, f"… {_gait(name, results)}")
            spans = [_span(found, figure) for figure in ("auc", "accuracy")]
            lines.append((title, *spans, str(found["windows"]), str(found["clips"])))
    return markdown.table(("against captured motion", "AUC", "accuracy", "windows", "clips"), lines)


def figures(results: dict[str, Any]) -> str:
    """The 5, 50 and 95 % percentiles of what was measured."""
    lines = []
    for row in results["figures"]:
        gait = "" if row["gait"] == "all" else f", {_gait(row['gait'], results)}"
        triples = [_triple(row[kind]) for kind in ("captured", "generated")]
        lines.append((f"{row['measure']}{gait}, {row['unit']}", *triples))
    return markdown.table(("5 / 50 / 95 %", "captured", "generated"), lines)


def fill_page(results: dict[str, Any], page: Path) -> None:
    """Fill the block <!-- judge --> of a page with :func:`text`."""
    files.fill(page, BLOCK, text(results))


def _gait(name: str, results: dict[str, Any]) -> str:
    """A gait with its speeds in m/s, for this body."""
    unit = pace(results["hips_m"])
    number = GAITS.index(name) if name in GAITS else 0
    if not 1 <= number <= len(SPEEDS):
        return name
    low = SPEEDS[number - 1] * unit
    if number == len(SPEEDS):
        return f"{name} (from {low:.1f} m/s)"
    return f"{name} ({low:.1f} to {SPEEDS[number] * unit:.1f} m/s)"


def _span(found: dict[str, Any], figure: str) -> str:
    middle = f"{found[figure]:.3f}"
    low = found[f"{figure}_low"]
    high = found[f"{figure}_high"]
    return middle if low is None else f"{middle} ({low:.3f} to {high:.3f})"


def _triple(values: list[float] | None) -> str:
    if values is None:
        return markdown.NONE
    return " / ".join(f"{value:.3g}" for value in values)
