"""Training runs as one page of HTML, side by side and one by one: ``python -m
controller report RUN… --data F``.

The page holds its pictures and asks nothing of the network. A run is a folder of
`controller.training.train_mvae`, finished or not. Needs matplotlib: ``pip install -e ".[plots]"``.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor

from controller.core import files
from controller.core.errors import require
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation import charts
from controller.evaluation.diagnosis import held_out, verdict
from controller.evaluation.extractor import Extractor
from controller.studies import strips
from controller.studies.runs import Run, differing, read

MAIN = (
    ("epoch", "epochs", "g"),
    ("kl_nats", "KL, nats", ".2f"),
    ("active_units", "active units", "g"),
    ("one_step_mm", "1 step, mm", ".2f"),
    ("eight_step_mm", "8 steps, mm", ".2f"),
    ("free_running_mm.60", "60 steps, mm", ".1f"),
    ("free_running_mm.630", "630 steps, mm", ".1f"),
    ("teacher_forced_mm", "teacher-forced, mm", ".2f"),
    ("free_skate_cm_per_frame", "foot skate, cm/frame", ".3f"),
    ("spread_m", "spread, m", ".2f"),
    ("sane_fraction", "sane", ".0%"),
    ("frechet_distance", "Fréchet distance", ".3g"),
)
"""Figures of the table of runs: name, column, format."""
STRIPS = 6
"""Strips of a run: the latent units that tell most, one a strip, or the codes that are drawn most
often, several."""
CODES_DRAWN = 4096
"""Codes drawn to see which are drawn most often."""
FRAMES = (1, *held_out.WINDOWS)
"""Frames at which the free-running error is marked."""
HELD_OUT = "Held-out windows over training: errors after one step (dotted) and after a whole rollout, and the KL."
STYLE = """
:root { --ink: #26261f; --soft: #6d6d64; --line: #dddcd4; --paper: #f6f5f1; }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1240px; margin: 0 auto; padding: 28px 24px 60px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 21px; margin: 0 } h3 { font-size: 15px; margin: 0 0 2px }
p { margin: 4px 0; max-width: 90ch } .soft, figcaption { color: var(--soft); font-size: 13px }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; margin-top: 22px }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px 26px }
.pictures { margin-top: 14px }
figure { margin: 0; min-width: 0 } figure img { width: 100%; height: auto; display: block }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: 13.5px; margin-top: 10px }
th, td { padding: 5px 12px 5px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; white-space: normal }
th:first-child, td:first-child, td.words { text-align: left }
td { font-variant-numeric: tabular-nums }
.verdict { display: inline-block; border-radius: 999px; padding: 1px 11px; font-size: 13px; font-weight: 600 }
.healthy { background: #e0f0e4; color: #20643a } .ill { background: #fbe3dd; color: #97301a }
.unknown { background: #ecebe5; color: #6d6d64 }
header { display: flex; align-items: center; gap: 14px } .strips { margin-top: 20px }
.unit { display: flex; align-items: center; gap: 12px; border-top: 1px solid var(--line) }
.unit b { flex: 0 0 92px; font-size: 13px } .unit b span { display: block; font-weight: 400; color: var(--soft) }
.strip { flex: 1; min-width: 0 }
.strip text { font: 10px system-ui, sans-serif; fill: var(--soft); text-anchor: middle }
.strip path { stroke-linecap: round; stroke-linejoin: round }
details { margin-top: 14px } summary { cursor: pointer; color: var(--soft) }
pre { font-size: 12.5px; overflow-x: auto; background: var(--paper); padding: 12px; border-radius: 6px }
"""


@dataclass(frozen=True)
class Options:
    """Which runs, and what is known of the motion that they learned."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of `controller.training.train_mvae`."""
    data: Path | None = None
    """The data set they were trained on, for all figures on captured motion."""
    out: Path = Path("report.html")
    """The page."""

    def __post_init__(self) -> None:
        require(len(self.runs) > 0, "runs", self.runs, "one folder or more")


# -- the page --------------------------------------------------------------------------------------


def page(runs: Sequence[Run]) -> str:
    """The whole page, which is XML as well as HTML."""
    together = [side_by_side(runs), *([comparison(runs)] if len(runs) > 1 else [])]
    parts = "\n".join([*together, *(chapter(run) for run in runs)])
    title = "Motion VAE training: " + ", ".join(run.name for run in runs)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta name="viewport" content="width=device-width"/>'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>Motion VAE training</h1>\n{parts}\n</main></body></html>\n"
    )


def side_by_side(runs: Sequence[Run]) -> str:
    """A table with a line a run: verdict, main figures, and the settings in which the runs
    differ."""
    settings = differing(runs)
    head = ["run", "verdict", *(title for _, title, _ in MAIN), *settings]
    lines = [
        [
            escape(run.name),
            badge(run),
            *(told(run.figure(name), form) for name, _, form in MAIN),
            *(escape(plain(values[index])) for values in settings.values()),
        ]
        for index, run in enumerate(runs)
    ]
    captured = next(
        (run.report for run in runs if run.report.get("captured_frechet_distance") is not None),
        None,
    )
    note = (
        ""
        if captured is None
        else f"Captured motion itself: foot skate {captured['captured_skate_cm_per_frame']:.3f} cm/frame; "
        f"held-out clips lie at a Fréchet distance of {captured['captured_frechet_distance']:.3g}."
    )
    return (
        "<section id='runs'><h2>Runs side by side</h2><div "
        f"class='scroll'>{table(head, lines)}</div>"
        "<p class='soft'>Errors are mean joint distances on held-out clips; a model that runs "
        "free for so many frames "
        "sees no captured pose, but its z is encoded from the captured next one. Skate, spread "
        "and sanity are of "
        f"rollouts with z ~ N(0, I). {note}</p></section>"
    )


def comparison(runs: Sequence[Run]) -> str:
    """All runs in the same charts."""
    pictures = [picture(charts.held_out({run.name: run.history for run in runs}), HELD_OUT)]
    measured = [run for run in runs if run.errors]
    if measured:
        pictures.append(error_picture(measured))
    return (
        f"<section id='comparison'><h2>Runs in one picture</h2>{pictures_block(pictures)}</section>"
    )


def chapter(run: Run) -> str:
    """One run: its verdict, its charts, its latent, all its figures."""
    pictures = [
        picture(
            charts.loss(run.history),
            "Terms of the loss before they are weighed, and what is scheduled.",
        ),
        picture(charts.held_out({run.name: run.history}), HELD_OUT),
    ]
    if run.report.get("kl_per_unit"):
        units = charts.units(run.report["kl_per_unit"], run.report["posterior_mean_variance"])
        pictures.append(
            picture(
                units, "What each latent unit tells of a held-out step; grey ones tell nothing."
            )
        )
    if run.errors:
        pictures.append(error_picture([run]))
    return (
        "<section "
        f"class='run'><header><h2>{escape(run.name)}</h2>{badge(run)}</header>{findings(run)}"
        f"{pictures_block(pictures)}{traversals(run)}{everything(run)}</section>"
    )


def findings(run: Run) -> str:
    """The verdict's sentences, or why there is none."""
    if run.character is None:
        return "<p>There is no model in this folder yet: only the history of its training is shown.</p>"
    said = [
        f"<p><b>{escape(f['name'].capitalize())}.</b> {escape(f['reason'])} "
        f"{escape(f['advice'])}</p>"
        for f in run.report["findings"]
    ]
    if not said:
        said = ["<p>Nothing that was measured is wrong with this model.</p>"]
    if run.report["not_judged"]:
        missing = ", ".join(run.report["not_judged"])
        said.append(
            f"<p class='soft'>Not judged, for want of figures (give --data): {escape(missing)}.</p>"
        )
    return "".join(said)


def traversals(run: Run) -> str:
    """Stick figures of what z does to a pose; nothing without a model."""
    character = run.character
    if character is None:
        return ""
    if character.codes is None:
        what = "one unit of z held at a value and all others at 0"
        lines = unit_strips(run, character)
    else:
        what = "one code held"
        lines = code_strips(character, character.codes)
    return (
        f"<div class='strips'><h3>Latent traversals</h3><p class='soft'>From the grey pose, {what} "
        f"for {strips.FRAMES} "
        "frames; cm: how far neighbouring values take the joints apart. Left limbs red, right "
        "ones blue; dashed: the "
        f"way over the ground.</p>{''.join(lines)}</div>"
    )


def unit_strips(run: Run, character: Character) -> list[str]:
    """A strip for each of the units that tell most: by their KL, or without data by what they
    do."""
    pose = strips.walking_pose(character)
    made = [
        strips.traverse(character, pose, strips.unit_values(character, n))
        for n in range(character.latent)
    ]
    nats: list[float] = run.report.get("kl_per_unit") or []
    order = sorted(
        range(character.latent),
        key=lambda unit: -(nats[unit] if nats else strips.effect(made[unit])),
    )
    labels = [f"z = {value:g}".replace("-", "−") for value in strips.VALUES]
    return [
        strip_line(
            f"unit {unit}", f"{nats[unit]:.2f} nats" if nats else "", character, made[unit], labels
        )
        for unit in order[:STRIPS]
    ]


def code_strips(character: Character, codes: Tensor) -> list[str]:
    """Strips of the codes that are drawn most often."""
    drawn = character.draw_latents(CODES_DRAWN, torch.Generator().manual_seed(0))
    counts = torch.cdist(drawn, codes).argmin(dim=-1).bincount(minlength=len(codes))
    cells = len(strips.VALUES)
    order = counts.argsort(descending=True, stable=True)[: STRIPS * cells]
    pose = strips.walking_pose(character)
    lines = []
    for part in order.split(cells):
        made = strips.traverse(character, pose, codes[part])
        labels = [
            f"code {code}: {100 * counts[code] / CODES_DRAWN:.1f} %" for code in part.tolist()
        ]
        lines.append(strip_line("codes", "", character, made, labels))
    return lines


def strip_line(
    name: str, tells: str, character: Character, made: strips.Traversal, labels: Sequence[str]
) -> str:
    """A strip with its name, what it tells and what it does."""
    does = f"{100 * strips.effect(made):.1f} cm" if len(labels) > 1 else ""
    drawn = strips.strip(character.skeleton, made, labels)
    return f"<div class='unit'><b>{name}<span>{tells}</span><span>{does}</span></b>{drawn}</div>"


def everything(run: Run) -> str:
    """All settings and figures, folded away."""
    if not run.settings and not run.report:
        return ""
    whole = escape(json.dumps({"settings": run.settings, "figures": run.report}, indent=1))
    return f"<details><summary>All settings and figures</summary><pre>{whole}</pre></details>"


# -- its parts -------------------------------------------------------------------------------------


def error_picture(runs: Sequence[Run]) -> str:
    forced = {run.name: run.report["teacher_forced_mm"] for run in runs}
    drawn = charts.free_running({run.name: run.errors for run in runs}, forced, FRAMES)
    return picture(
        drawn,
        "Error of a rollout that feeds itself, over its frames; dashed: steps from captured poses.",
    )


def picture(svg: bytes, caption: str) -> str:
    """An SVG file inside the page, with what it shows."""
    data = base64.b64encode(svg).decode()
    return (
        f"<figure><img src='data:image/svg+xml;base64,{data}' alt='{escape(caption)}'/>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def pictures_block(pictures: Iterable[str]) -> str:
    return f"<div class='pictures'>{''.join(pictures)}</div>"


def badge(run: Run) -> str:
    name = run.report.get("verdict", "no model yet")
    kind = "unknown" if not run.report else "healthy" if name == verdict.HEALTHY else "ill"
    return f"<span class='verdict {kind}'>{escape(name)}</span>"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """``head`` as text, ``lines`` as HTML."""
    cells = "".join(f"<th>{escape(title)}</th>" for title in head)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def told(value: Any, form: str) -> str:
    return "–" if value is None else format(value, form)


def plain(value: Any) -> str:
    """A setting's value."""
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def escape(text: str) -> str:
    """Text as HTML, without the characters that XML forbids."""
    return html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "�", text))


# -- the command -----------------------------------------------------------------------------------


def report(options: Options) -> Path:
    """Measure the runs and write the page; returns its path."""
    data = MotionDataset.load(options.data) if options.data else None
    extractor = Extractor.shipped()
    runs = [read(folder, data, extractor) for folder in options.runs]
    files.write(options.out, page(runs))
    return options.out


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    print(f"report: {report(options)}")
