"""Is a motion VAE healthy, and what is to be changed if not? ``python -m
controller diagnose --data FILE``.

``controller/evaluation/diagnosis/verdict.py`` says what counts as what;
``controller/evaluation/diagnostics.py`` defines the figures.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from controller.control import shipped
from controller.core.errors import DataError
from controller.data.dataset import MotionDataset
from controller.data.windows import Windows
from controller.dynamics.character import Character
from controller.dynamics.rollout import Rollout, drawn_latents, record, wander
from controller.evaluation import diagnostics, frechet
from controller.evaluation.diagnosis import verdict
from controller.evaluation.extractor import SHIPPED, Extractor
from controller.evaluation.figures import PERCENTILES, captured_figures, ground_figures
from controller.motion import metrics

CHARACTERS = 64
FRAMES = 600
"""Free rollouts and their length: 20 s are long enough to leave the data, if a model does."""
SETTLING = 1800
"""Frames that they run before their Fréchet distance is taken. They begin in poses of captured
motion, or in such as these lead to, and for the first minute that flatters a model which never
comes back to them."""
PROBES = 4096
"""Poses and latents at which gate and sensitivity are measured."""
WINDOWS = {8: 1024, 60: 256, 630: 32}
"""Frames of the free-running error, and on how many held-out windows. The first are those of
training's own figures."""
EXPOSURE_FRAMES = 60
"""Frames, at most, after which free-running and teacher-forced error are compared: two strides."""
RANGE = (0.01, 0.99)
"""Where the range of speeds and turns is taken to end: one frame in fifty lies outside it."""
RATES = {"speed": "m_s", "turn": "deg_s"}
"""Forward speed and turn rate, with their units, as figures name them."""
SMALLEST_MM = 1e-3
"""mm: a teacher-forced error is taken to be no smaller, so that it can be divided by."""
FROM_HEADER = ("active_units", "kl_nats", "one_step_mm")
"""Held-out figures that a checkpoint carries, used when there are no data."""
WITH_DATA = (
    "kl_per_unit", "posterior_mean_variance", "aggregate_mean", "aggregate_deviation",
    "aggregate_kl_nats", "free_running_mm", "still_mm", "teacher_forced_mm", "exposure_ratio",
    "one_step_bone_length_error_mm", "captured_speed_m_s", "captured_speed_range_m_s",
    "captured_turn_deg_s", "captured_turn_range_deg_s", "speed_coverage", "speed_coverage_mass",
    "speed_wasserstein_m_s", "turn_coverage", "turn_coverage_mass", "turn_wasserstein_deg_s",
    "frechet_distance", "captured_frechet_distance",
)  # fmt: skip
"""Figures that only data can give; None without."""


@dataclass(frozen=True)
class Options:
    """Which model, and what is known of the motion that it learned."""

    checkpoint: tyro.conf.Positional[Path] = shipped.MVAE
    """The motion VAE."""
    data: Path | None = None
    """The data set it was trained on, for its figures on held-out motion and its coverage of the
    captured."""
    extractor: Path | None = SHIPPED if SHIPPED.is_file() else None
    """What embeds motion for its Fréchet distance to the captured; for models of the extractor's
    own skeleton."""
    json: bool = False
    """Print one JSON object in place of a table."""


# -- measuring -------------------------------------------------------------------------------------


def rollout_figures(character: Character) -> tuple[dict[str, Any], Rollout]:
    """Free rollouts with z drawn at random: sanity, ground contact, bones, speeds, turns, and the
    gate where they went.

    ``sane_fraction`` is that of rollouts whose pose is not held; everything else is as the
    character plays, and measured on the rollouts that are returned.
    """
    generator = torch.Generator().manual_seed(1)
    act = drawn_latents(character, generator)
    start = character.reset(CHARACTERS, generator)
    run = record(character, act, start, lambda *_: None, FRAMES)
    loose = record(diagnostics.unheld(character), act, start, lambda *_: None, FRAMES)
    visited = _sample(run.pose.flatten(0, -2))
    latent = character.draw_latents(len(visited), generator)
    ground = ground_figures([run.feet], character.fps)
    figures = {
        "sane_fraction": float(loose.alive.float().mean()),
        "held_fraction": diagnostics.held_fraction(character, run.pose),
        "free_skate_cm_per_frame": ground["foot_skate_cm_per_frame"],
        **{
            f"free_{name}": ground[name]
            for name in ("float_cm_p5", "float_cm_median", "float_cm_p95")
        },
        "bone_length_error_mm": diagnostics.bone_length_error(
            character.layout, own_units(character, run)
        ),
        **rate_figures("free", free_rates(character, run)),
        **diagnostics.gate_figures(character.model, latent, visited),
    }
    return figures, run


def own_units(character: Character, run: Rollout) -> Tensor:
    """The poses of a rollout in metres and so on, ``(T, B, D)``."""
    return character.model.normalizer.denormalize(run.pose)


def rates(root_velocity: Tensor) -> dict[str, Tensor]:
    """Forward speed (m/s) and turn rate (degrees/s), the :data:`RATES`, of root velocities ``(N,
    3)``."""
    return {"speed": root_velocity[:, 0], "turn": torch.rad2deg(root_velocity[:, 2])}


def free_rates(character: Character, run: Rollout) -> dict[str, Tensor]:
    """:func:`rates` of every frame of a rollout."""
    return rates(character.root_velocity(run.pose).flatten(0, -2))


def captured_rates(data: MotionDataset) -> dict[str, Tensor]:
    """:func:`rates` of every captured frame and its mirror image."""
    root = data.poses[:, data.layout.root_velocity]
    return rates(torch.cat((root, root * torch.tensor([1.0, -1.0, -1.0]))))


def rate_figures(whose: str, values: dict[str, Tensor]) -> dict[str, list[float]]:
    """5, 50 and 95 % of the :data:`RATES`, and their range, 1 and 99 %."""
    figures = {}
    for name, unit in RATES.items():
        figures[f"{whose}_{name}_{unit}"] = metrics.quantiles(values[name], PERCENTILES)
        figures[f"{whose}_{name}_range_{unit}"] = metrics.quantiles(values[name], RANGE)
    return figures


def agreement(captured: dict[str, Tensor], free: dict[str, Tensor]) -> dict[str, float]:
    """How well the :data:`RATES` of free rollouts agree with the captured ones.

    ``…_coverage``: share of the captured interval from 5 to 95 % that the free one covers.
    ``…_coverage_mass``: share of captured frames within the free rollouts' range from 1 to 99 %;
    0.98 where the two are alike. ``…_wasserstein_…``: :func:`diagnostics.wasserstein` distance of
    the two distributions, 0 where they are alike.
    """
    figures = {}
    for name, unit in RATES.items():
        ours = free[name]
        theirs = captured[name]
        inner, outer = (metrics.quantiles(values, PERCENTILES) for values in (theirs, ours))
        figures[f"{name}_coverage"] = diagnostics.coverage(inner, outer)
        figures[f"{name}_coverage_mass"] = diagnostics.mass_within(
            theirs, metrics.quantiles(ours, RANGE)
        )
        figures[f"{name}_wasserstein_{unit}"] = diagnostics.wasserstein(theirs, ours)
    return figures


def settled_poses(character: Character) -> Tensor:
    """Poses of free rollouts in their own units ``(T, B, D)``, after :data:`SETTLING` frames by
    themselves."""
    generator = torch.Generator().manual_seed(1)
    act = drawn_latents(character, generator)
    state = wander(character, act, character.reset(CHARACTERS, generator), SETTLING)
    return own_units(character, record(character, act, state, lambda *_: None, FRAMES))


def frechet_figures(
    extractor: Extractor | None, data: MotionDataset, poses: Callable[[], Tensor]
) -> dict[str, float | None]:
    """``frechet_distance`` of free rollouts' ``poses`` ``(T, B, D)``, in their own units, to the
    captured training clips, and ``captured_frechet_distance`` of held-out clips to them, below
    which no model need come.

    None without an extractor, with one for another skeleton, and where no clip is as long as its
    window: ``poses`` is not asked for them then.
    """
    if extractor is None:
        return {"frechet_distance": None, "captured_frechet_distance": None}
    try:
        captured = frechet.captured_gaussian(extractor, data)
        held_out = frechet.captured_gaussian(extractor, data, held_out=True)
        free = frechet.rollouts_gaussian(extractor, data.layout, poses())
    except DataError:
        return frechet_figures(None, data, poses)
    return {
        "frechet_distance": frechet.distance(captured, free),
        "captured_frechet_distance": frechet.distance(captured, held_out),
    }


def sensitivity(character: Character) -> float:
    """:func:`diagnostics.latent_sensitivity` at reset poses, with z drawn at random and directions
    from N(0, I)."""
    generator = torch.Generator().manual_seed(2)
    pose = character.reset(PROBES, generator).pose
    latent = character.draw_latents(PROBES, generator)
    direction = torch.randn(latent.shape, generator=generator)
    return diagnostics.latent_sensitivity(character, latent, pose, direction)


def held_out_windows(character: Character, data: MotionDataset) -> dict[int, Tensor]:
    """Z-scored windows ``(B, W, D)`` of held-out clips for steps of each number in :data:`WINDOWS`
    that a clip has.

    The shortest are drawn in any case: DataError says how long the longest clip is if not even they
    can be.
    """
    poses, clips = data.split(held_out=True)
    longest = max(clip.length for clip in clips)
    model = character.model
    lengths = {frames: model.past + frames + model.future for frames in WINDOWS}
    return {
        frames: model.normalizer.normalize(
            Windows(poses, clips, lengths[frames]).draw(count, torch.Generator().manual_seed(0))
        )
        for frames, count in WINDOWS.items()
        if lengths[frames] <= longest or frames == min(WINDOWS)
    }


def held_out_figures(character: Character, data: MotionDataset) -> dict[str, Any]:
    """The latent, and the errors free-running and teacher-forced, on held-out clips.

    ``free_running_mm`` is the error after so many frames, None where no clip is as long;
    ``still_mm`` that of a model which repeats the last pose.
    """
    model = character.model
    layout = character.layout
    windows = held_out_windows(character, data)
    errors = {
        frames: diagnostics.reconstruction_errors(model, layout, scores)
        for frames, scores in windows.items()
    }
    first = windows[min(WINDOWS)]
    compared = max(frames for frames in windows if frames <= EXPOSURE_FRAMES)
    forced = diagnostics.teacher_forced_error(model, layout, windows[compared])
    after = {frames: errors[frames][-1] if frames in errors else None for frames in WINDOWS}
    return {
        **diagnostics.latent_figures(model, first),
        **diagnostics.posterior_figures(model, first),
        "one_step_mm": errors[8][0],
        "one_step_bone_length_error_mm": diagnostics.bone_length_error(
            layout, diagnostics.one_step_poses(model, first)
        ),
        "eight_step_mm": errors[8][-1],
        "free_running_mm": {"1": errors[8][0]}
        | {str(frames): error for frames, error in after.items()},
        "still_mm": diagnostics.still_error(model, layout, first),
        "teacher_forced_mm": forced,
        "exposure_ratio": errors[compared][-1] / max(forced, SMALLEST_MM),
    }


def header_figures(header: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its model on held-out motion; None for what it does not say."""
    figures = header.get("figures") or {}
    training = header.get("training") or {}
    told = {name: figures.get(name) for name in FROM_HEADER}
    told["eight_step_mm"] = figures.get("rollout_mm") if training.get("rollout") == 8 else None
    told["captured_skate_cm_per_frame"] = (header.get("captured") or {}).get(
        "foot_skate_cm_per_frame"
    )
    return told


def data_figures(
    character: Character, data: MotionDataset, run: Rollout, extractor: Extractor | None
) -> dict[str, Any]:
    """What the data add: held-out figures, the captured motion's own, and how near the free
    rollouts ``run`` are."""
    captured = captured_rates(data)
    return {
        **held_out_figures(character, data),
        "captured_skate_cm_per_frame": captured_figures(data)["foot_skate_cm_per_frame"],
        **rate_figures("captured", captured),
        **agreement(captured, free_rates(character, run)),
        **frechet_figures(extractor, data, lambda: settled_poses(character)),
    }


def measure(
    character: Character, data: MotionDataset | None = None, extractor: Extractor | None = None
) -> dict[str, Any]:
    """All figures of a model, the same names with and without data; None for what was not measured
    or is no number.

    Raises DataError if ``data`` are of another skeleton, or have no held-out clip.
    """
    if data is not None:
        data.require_skeleton(character.skeleton, "the motion VAE")
    free, run = rollout_figures(character)
    if data is not None:
        told = data_figures(character, data, run, extractor)
    else:
        told = header_figures(character.header) | dict.fromkeys(WITH_DATA)
    figures = {
        "latent_units": character.latent,
        **told,
        **diagnostics.spread_figures(character, starts=32, streams=10, seconds=2.0, seed=1),
        "z_sensitivity": sensitivity(character),
        **free,
    }
    return {name: _numbers(value) for name, value in figures.items()}


def diagnose(
    character: Character, data: MotionDataset | None = None, extractor: Extractor | None = None
) -> dict[str, Any]:
    """The verdict on a model and its figures, as one JSON-able dictionary.

    ``verdict`` is the name of the first of ``findings``, or "healthy"; ``not_judged`` names what
    could not be ruled out, for want of figures.
    """
    figures = measure(character, data, extractor)
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


# -- telling ---------------------------------------------------------------------------------------


def table(report: dict[str, Any]) -> str:
    """The verdict with its reasons and advice, then the figures, one a line."""
    lines = [f"verdict: {report['verdict']}"]
    lines += [f"{f['name']}: {f['reason']} {f['advice']}" for f in report["findings"]]
    if report["not_judged"]:
        lines.append(
            f"not judged, for want of figures (give --data): {', '.join(report['not_judged'])}"
        )
    told = {"verdict", "findings", "not_judged"}
    return "\n".join(
        [*lines, "", *(f"{n:<30} {_short(v)}" for n, v in report.items() if n not in told)]
    )


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
    extractor = Extractor.load(options.extractor) if options.extractor else None
    report = diagnose(Character.load(options.checkpoint), data, extractor)
    print(json.dumps(report) if options.json else table(report))
