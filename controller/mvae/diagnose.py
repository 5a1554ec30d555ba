"""Is a motion VAE healthy, and what is to be changed if not? ``python -m controller.mvae.diagnose --data FILE``.

``controller/mvae/verdict.py`` says what counts as what; ``controller/mvae/diagnostics.py`` defines the figures.
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
from torch import Tensor

from controller import assets, metrics
from controller.character import Character
from controller.dataset import MotionDataset
from controller.errors import run_command
from controller.evaluation import PERCENTILES, captured_figures, ground_figures
from controller.mvae import diagnostics, verdict
from controller.mvae.train import Windows
from controller.rollout import normal_latents, record

CHARACTERS, FRAMES = 64, 600
"""Free rollouts and their length: 20 s are long enough to leave the data, if a model does."""
PROBES = 4096
"""Poses and latents at which gate and sensitivity are measured."""
WINDOWS = {8: 1024, 60: 256, 630: 32}
"""Frames of the free-running error, and on how many held-out windows. The first are those of training's own figures."""
EXPOSURE_FRAMES = 60
"""Frames, at most, after which free-running and teacher-forced error are compared: two strides."""
SMALLEST_MM = 1e-3
"""mm: a teacher-forced error is taken to be no smaller, so that it can be divided by."""
FROM_HEADER = ("active_units", "kl_nats", "one_step_mm")
"""Held-out figures that a checkpoint carries, used when there are no data."""
WITH_DATA = (
    "kl_per_unit", "posterior_mean_variance", "aggregate_mean", "aggregate_deviation", "aggregate_kl_nats",
    "free_running_mm", "still_mm", "teacher_forced_mm", "exposure_ratio",
    "captured_speed_m_s", "captured_turn_deg_s", "speed_coverage", "turn_coverage",
)  # fmt: skip
"""Figures that only data can give; None without."""


@dataclass(frozen=True)
class Options:
    """Which model, and what is known of the motion that it learned."""

    checkpoint: tyro.conf.Positional[Path] = assets.MVAE
    """The motion VAE."""
    data: Path | None = None
    """The data set it was trained on, for its figures on held-out motion and its coverage of the captured."""
    json: bool = False
    """Print one JSON object in place of a table."""


# -- measuring -------------------------------------------------------------------------------------------------------


def rollout_figures(character: Character) -> dict[str, Any]:
    """Free rollouts with z ~ N(0, I): sanity, ground contact, speeds and turns, and the gate where they went.

    ``sane_fraction`` is that of rollouts whose pose is not held; everything else is as the character plays.
    """
    generator = torch.Generator().manual_seed(1)
    act = normal_latents(character, generator)
    start = character.reset(CHARACTERS, generator)
    run = record(character, act, start, lambda *_: None, FRAMES)
    loose = record(diagnostics.unheld(character), act, start, lambda *_: None, FRAMES)
    visited = _sample(run.pose.flatten(0, -2))
    latent = torch.randn(len(visited), character.latent, generator=generator)
    ground = ground_figures([run.feet], character.fps)
    speed, turn = speeds_and_turns(character.root_velocity(run.pose).flatten(0, -2))
    return {
        "sane_fraction": float(loose.alive.float().mean()),
        "held_fraction": diagnostics.held_fraction(character, run.pose),
        "free_skate_cm_per_frame": ground["foot_skate_cm_per_frame"],
        **{f"free_{name}": ground[name] for name in ("float_cm_p5", "float_cm_median", "float_cm_p95")},
        "free_speed_m_s": speed,
        "free_turn_deg_s": turn,
        **diagnostics.gate_figures(character.model, latent, visited),
    }


def speeds_and_turns(root_velocity: Tensor) -> tuple[list[float], list[float]]:
    """5, 50 and 95 % of forward speed (m/s) and turn rate (degrees/s) of root velocities ``(N, 3)``."""
    turns = torch.rad2deg(root_velocity[:, 2])
    return metrics.quantiles(root_velocity[:, 0], PERCENTILES), metrics.quantiles(turns, PERCENTILES)


def sensitivity(character: Character) -> float:
    """:func:`diagnostics.latent_sensitivity` at reset poses, with z and directions drawn from N(0, I)."""
    generator = torch.Generator().manual_seed(2)
    pose = character.reset(PROBES, generator).pose
    latent, direction = torch.randn(2, PROBES, character.latent, generator=generator).unbind(0)
    return diagnostics.latent_sensitivity(character, latent, pose, direction)


def captured_motion(data: MotionDataset) -> dict[str, Any]:
    """The captured motion's own foot skate, speeds and turns; of turns those of its mirror image, too."""
    root = data.poses[:, data.layout.root_velocity]
    speed, turn = speeds_and_turns(torch.cat((root, root * torch.tensor([1.0, -1.0, -1.0]))))
    return {
        "captured_skate_cm_per_frame": captured_figures(data)["foot_skate_cm_per_frame"],
        "captured_speed_m_s": speed,
        "captured_turn_deg_s": turn,
    }


def held_out_windows(character: Character, data: MotionDataset) -> dict[int, Tensor]:
    """Z-scored windows ``(B, L+1, D)`` of held-out clips for each length L of :data:`WINDOWS` that a clip has.

    The shortest are drawn in any case: DataError says how long the longest clip is if not even they can be.
    """
    poses, clips = data.split(held_out=True)
    longest = max(clip.length for clip in clips)
    return {
        frames: character.model.normalizer.normalize(
            Windows(poses, clips, frames + 1).draw(count, torch.Generator().manual_seed(0))
        )
        for frames, count in WINDOWS.items()
        if frames < longest or frames == min(WINDOWS)
    }


def held_out_figures(character: Character, data: MotionDataset) -> dict[str, Any]:
    """The latent, and the errors free-running and teacher-forced, on held-out clips.

    ``free_running_mm`` is the error after so many frames, None where no clip is as long; ``still_mm`` that of a model
    which repeats the last pose.
    """
    model, layout, windows = character.model, character.layout, held_out_windows(character, data)
    errors = {frames: diagnostics.reconstruction_errors(model, layout, scores) for frames, scores in windows.items()}
    first = windows[min(WINDOWS)]
    compared = max(frames for frames in windows if frames <= EXPOSURE_FRAMES)
    forced = diagnostics.teacher_forced_error(model, layout, windows[compared])
    after = {frames: errors[frames][-1] if frames in errors else None for frames in WINDOWS}
    return {
        **diagnostics.latent_figures(model, first[:, 0], first[:, 1]),
        **diagnostics.posterior_figures(model, first[:, 0], first[:, 1]),
        "one_step_mm": errors[8][0],
        "eight_step_mm": errors[8][-1],
        "free_running_mm": {"1": errors[8][0]} | {str(frames): error for frames, error in after.items()},
        "still_mm": diagnostics.still_error(model, layout, first),
        "teacher_forced_mm": forced,
        "exposure_ratio": errors[compared][-1] / max(forced, SMALLEST_MM),
    }


def header_figures(header: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its model on held-out motion; None for what it does not say."""
    figures, training = header.get("figures") or {}, header.get("training") or {}
    told = {name: figures.get(name) for name in FROM_HEADER}
    told["eight_step_mm"] = figures.get("rollout_mm") if training.get("rollout") == 8 else None
    told["captured_skate_cm_per_frame"] = (header.get("captured") or {}).get("foot_skate_cm_per_frame")
    return told


def data_figures(character: Character, data: MotionDataset, free: dict[str, Any]) -> dict[str, Any]:
    """What the data add to the figures ``free`` of the model's own rollouts."""
    captured = captured_motion(data)
    return {
        **held_out_figures(character, data),
        **captured,
        "speed_coverage": diagnostics.coverage(captured["captured_speed_m_s"], free["free_speed_m_s"]),
        "turn_coverage": diagnostics.coverage(captured["captured_turn_deg_s"], free["free_turn_deg_s"]),
    }


def measure(character: Character, data: MotionDataset | None = None) -> dict[str, Any]:
    """All figures of a model, the same names with and without data; None for what was not measured or is no number.

    Raises DataError if ``data`` are of another skeleton, or have no held-out clip.
    """
    if data is not None:
        data.require_skeleton(character.skeleton, "the motion VAE")
    free = rollout_figures(character)
    told = data_figures(character, data, free) if data else header_figures(character.header) | dict.fromkeys(WITH_DATA)
    figures = {
        "latent_units": character.latent,
        **told,
        **diagnostics.spread_figures(character, starts=32, streams=10, seconds=2.0, seed=1),
        "z_sensitivity": sensitivity(character),
        **free,
    }
    return {name: _numbers(value) for name, value in figures.items()}


def diagnose(character: Character, data: MotionDataset | None = None) -> dict[str, Any]:
    """The verdict on a model and its figures, as one JSON-able dictionary.

    ``verdict`` is the name of the first of ``findings``, or "healthy"; ``not_judged`` names what could not be ruled
    out, for want of figures.
    """
    figures = measure(character, data)
    found = verdict.findings(figures)
    return {
        "verdict": found[0].name if found else verdict.HEALTHY,
        "findings": [dataclasses.asdict(finding) for finding in found],
        "not_judged": verdict.not_judged(figures),
        **figures,
    }


def _sample(rows: Tensor) -> Tensor:
    """At most :data:`PROBES` rows, evenly spread over those that are finite."""
    finite = rows[torch.isfinite(rows).all(dim=-1)]
    return finite[torch.linspace(0, max(0, len(finite) - 1), min(PROBES, len(finite))).long()]


def _numbers(value: Any) -> Any:
    """The same, with None for what is no finite number, as JSON has it."""
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    if isinstance(value, dict):
        return {name: _numbers(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


# -- telling ---------------------------------------------------------------------------------------------------------


def table(report: dict[str, Any]) -> str:
    """The verdict with its reasons and advice, then the figures, one a line."""
    lines = [f"verdict: {report['verdict']}"]
    lines += [f"{f['name']}: {f['reason']} {f['advice']}" for f in report["findings"]]
    if report["not_judged"]:
        lines.append(f"not judged, for want of figures (give --data): {', '.join(report['not_judged'])}")
    told = {"verdict", "findings", "not_judged"}
    return "\n".join([*lines, "", *(f"{n:<28} {_short(v)}" for n, v in report.items() if n not in told)])


def _short(value: Any) -> str:
    """A figure in a few digits, several of them in one line, – for none."""
    if isinstance(value, list):
        return " ".join(_short(part) for part in value)
    if isinstance(value, dict):
        return "  ".join(f"{name}: {_short(part)}" for name, part in value.items())
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    data = MotionDataset.load(options.data) if options.data else None
    report = diagnose(Character.load(options.checkpoint), data)
    print(json.dumps(report) if options.json else table(report))


if __name__ == "__main__":
    run_command(main)
