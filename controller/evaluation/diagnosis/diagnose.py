"""Say whether a motion VAE is healthy, and what to change: ``python -m controller diagnose``. The
exit status is 1 if it is not.

``controller/evaluation/diagnosis/verdict.py`` defines the verdicts. The figures are defined in
``controller/evaluation/diagnostics.py`` and in the modules beside this one.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from controller.control.folder import DEFAULT, CharacterFolder
from controller.core import command_line, markdown
from controller.data.dataset import MotionDataset
from controller.data.measures import captured_figures
from controller.dynamics.character import Character
from controller.dynamics.rollout import Rollout
from controller.evaluation import diagnostics
from controller.evaluation.diagnosis import body, rates, verdict
from controller.evaluation.diagnosis.free_running import (
    frechet_figures,
    rollout_figures,
    sensitivity,
    settled_poses,
)
from controller.evaluation.diagnosis.held_out import held_out_figures
from controller.evaluation.extractor import Extractor

FROM_HEADER = ("active_units", "kl_nats", "one_step_mm")
"""Held-out figures that a checkpoint carries, used if there are no data."""
WITH_DATA = (
    "kl_per_unit", "posterior_mean_variance", "aggregate_mean", "aggregate_deviation",
    "aggregate_kl_nats", "free_running_mm", "still_mm", "teacher_forced_mm", "exposure_ratio",
    "one_step_bone_length_error_mm", "captured_speed_m_s", "captured_speed_range_m_s",
    "captured_turn_deg_s", "captured_turn_range_deg_s", "speed_coverage", "speed_coverage_mass",
    "speed_wasserstein_m_s", "turn_coverage", "turn_coverage_mass", "turn_wasserstein_deg_s",
    "frechet_distance", "captured_frechet_distance", "captured_forward",
)  # fmt: skip
"""Figures that need data; None without."""


@dataclass(frozen=True)
class Options:
    """Which model, and the motion that it learned."""

    checkpoint: tyro.conf.Positional[Path | None] = None
    """The motion VAE; by default the character's."""
    character: str = DEFAULT
    """The character: its name, or its folder."""
    data: Path | None = None
    """The data set it was trained on, for figures on held-out motion and for comparisons with the
    captured motion."""
    extractor: Path | None = None
    """The feature extractor for the Fréchet distance to the captured motion; by default the
    character's, or else the shipped one. Models of another skeleton than the extractor's have no
    such distance."""
    json: bool = False
    """Print one JSON object instead of a table."""


# -- the figures -----------------------------------------------------------------------------------


def header_figures(header: dict[str, Any]) -> dict[str, Any]:
    """Figures on held-out motion that a checkpoint's header states; None for those it lacks."""
    figures = header.get("figures") or {}
    training = header.get("training") or {}
    captured = header.get("captured") or {}
    return {
        **{name: figures.get(name) for name in FROM_HEADER},
        "eight_step_mm": figures.get("rollout_mm") if training.get("rollout") == 8 else None,
        "captured_skate_cm_per_frame": captured.get("foot_skate_cm_per_frame"),
    }


def data_figures(
    character: Character, data: MotionDataset, run: Rollout, extractor: Extractor | None
) -> dict[str, Any]:
    """Figures that need data: on held-out clips, of the captured motion itself, and of how near the
    free rollouts ``run`` are to it."""
    captured = rates.captured_rates(data)
    return {
        **held_out_figures(character, data),
        "captured_skate_cm_per_frame": captured_figures(data)["foot_skate_cm_per_frame"],
        **rates.rate_figures("captured", captured),
        **rates.agreement(captured, rates.free_rates(character, run)),
        **frechet_figures(extractor, data, lambda: settled_poses(character)),
        "captured_forward": body.forward_share(data.poses[:, data.layout.root_velocity][:, 0]),
    }


def measure(
    character: Character, data: MotionDataset | None = None, extractor: Extractor | None = None
) -> dict[str, Any]:
    """All figures of a model, the same names with and without data; None for those that were not
    measured or are not finite.

    Raises DataError if ``data`` are of another skeleton or have no held-out clip.
    """
    if data is not None:
        data.require_layout(character.layout, "the motion VAE")
    free, run = rollout_figures(character)
    if data is not None:
        held_out = data_figures(character, data, run, extractor)
    else:
        held_out = header_figures(character.header) | dict.fromkeys(WITH_DATA)
    figures = {
        "latent_units": character.latent,
        **held_out,
        **diagnostics.spread_figures(character, starts=32, streams=10, seconds=2.0, seed=1),
        "z_sensitivity": sensitivity(character),
        **free,
        **body.body_figures(character, run),
    }
    return {name: _finite(value) for name, value in figures.items()}


def diagnose(
    character: Character, data: MotionDataset | None = None, extractor: Extractor | None = None
) -> dict[str, Any]:
    """The verdict on a model and its figures, as one dictionary for JSON.

    ``verdict`` is the name of the first of ``findings``, or "healthy". ``not_judged`` names what
    could not be ruled out because figures are missing.
    """
    figures = measure(character, data, extractor)
    findings = verdict.findings(figures)
    return {
        "verdict": findings[0].name if findings else verdict.HEALTHY,
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "not_judged": verdict.not_judged(figures),
        **figures,
    }


def _finite(value: Any) -> Any:
    """The same value with None in place of numbers that are not finite, which JSON lacks."""
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


# -- the command -----------------------------------------------------------------------------------


def table(report: dict[str, Any]) -> str:
    """The verdict with its reasons and advice, then the figures, one a line."""
    lines = [f"verdict: {report['verdict']}"]
    for finding in report["findings"]:
        lines.append(f"{finding['name']}: {finding['reason']} {finding['advice']}")
    if report["not_judged"]:
        names = ", ".join(report["not_judged"])
        lines.append(f"not judged, because figures are missing (use --data): {names}")
    lines.append("")
    for name, value in report.items():
        if name not in ("verdict", "findings", "not_judged"):
            lines.append(f"{name:<30} {_short(value)}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    """A figure in a few digits, a group of figures in one line, – for None."""
    if isinstance(value, list):
        return " ".join(_short(part) for part in value)
    if isinstance(value, dict):
        return "  ".join(f"{name}: {_short(part)}" for name, part in value.items())
    if value is None:
        return markdown.NONE
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> int:
    """Print the diagnosis; the exit status is 1 unless the model is healthy."""
    options = command_line.read(Options, description=__doc__)
    torch.set_num_threads(1)
    data = MotionDataset.load(options.data) if options.data else None
    folder = CharacterFolder.open(options.character)
    extractor = Extractor.load(options.extractor) if options.extractor else Extractor.of(folder)
    report = diagnose(Character.load(options.checkpoint or folder.mvae), data, extractor)
    print(json.dumps(report) if options.json else table(report))
    return int(report["verdict"] != verdict.HEALTHY)
