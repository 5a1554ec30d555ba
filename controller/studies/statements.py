"""The figures as docs and model cards state them: tables, and how a policy was trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from controller.core import markdown

Lines = list[tuple[str, str]]
"""Rows of a table: what was measured, and its figure."""


def model_lines(figures: dict[str, Any]) -> Lines:
    """The rows of the motion VAE."""
    model = figures["mvae"]
    free = figures["random"]
    captured = free["captured"]
    bones = f"{model['bone_length_error_mm']:.2f} mm"
    spread = f"{model['spread_m']:.2f} m, {model['spread_deg']:.0f}°"
    sane = f"{100 * figures['sane_for_two_minutes']:.4g} %"
    skate = f"{free['foot_skate_cm_per_frame']:.3f} cm/frame"
    captured_skate = f"{captured['foot_skate_cm_per_frame']:.3f} cm/frame"
    nearest = f"{free['nearest_pose_cm_median']:.1f} cm"
    return [
        ("diagnosis", model["verdict"]),
        ("active latent units, held out", f"{model['active_units']} of {model['latent_units']}"),
        ("KL, held out", f"{model['kl_nats']:.1f} nats"),
        ("joint error after one step, held out", f"{model['one_step_mm']:.1f} mm"),
        ("joint error after eight steps on its own, held out", f"{model['eight_step_mm']:.1f} mm"),
        ("bone length error of predicted joints, free rollouts", bones),
        ("distance between 10 latent streams from one pose after 2 s", spread),
        ("1,000 free rollouts × 3,600 frames, sane", sane),
        ("Fréchet distance of free rollouts to captured motion", number(model, "frechet_distance")),
        ("– of held-out captured motion", number(model, "captured_frechet_distance")),
        ("forward speed of free rollouts, 5/50/95 %", speeds(model["free_speed_m_s"])),
        ("– of captured motion", speeds(model["captured_speed_m_s"])),
        ("turn rate of free rollouts, 5/50/95 %", turn_rates(model["free_turn_deg_s"])),
        ("– of captured motion and its mirror image", turn_rates(model["captured_turn_deg_s"])),
        ("foot skate of free rollouts", skate),
        ("foot skate of captured motion", captured_skate),
        ("lower foot of free rollouts, 5/50/95 %", heights(free)),
        ("lower foot of captured motion, 5/50/95 %", heights(captured)),
        ("distance to the nearest captured pose, median", nearest),
    ]


def speed_lines(speed: dict[str, Any]) -> Lines:
    """The rows of times."""
    step = speed["control_step_us_b1"] / 1000
    slow = speed["control_step_us_b1_p99"] / 1000
    core = f"{speed['core_steps_per_s_b100']:,.0f} steps/s"
    vecenv = f"{speed['vecenv_steps_per_s_b100']:,.0f} steps/s"
    return [
        ("control step, one character, one core", f"{step:.3f} ms (99 %: {slow:.3f} ms)"),
        ("500 characters, two cores", f"{speed['crowd500_ms']:.1f} ms a step"),
        ("environment, 100 characters, one core", core),
        ("– through stable-baselines3's VecEnv", vecenv),
        ("`play.py`, from its start to its first picture", f"{speed['cold_start_s']:.1f} s"),
        ("`play.py --headless`", speed["headless"]),
    ]


def steering_lines(figures: dict[str, Any]) -> Lines:
    """The rows of a joystick policy."""
    captured = figures["captured"]
    return [
        (
            "64 characters × 60 s of random joystick, sane",
            f"{100 * figures['alive_fraction']:.0f} %",
        ),
        ("foot skate", f"{figures['foot_skate_cm_per_frame']:.3f} cm/frame"),
        ("motion of the slower foot (gliding)", f"{figures['glide_cm_per_frame']:.3f} cm/frame"),
        ("– of captured motion", f"{captured['glide_cm_per_frame']:.3f} cm/frame"),
        (
            "– walking backward, sideways",
            pair(figures, "backward_glide_cm_per_frame", "sideways_glide_cm_per_frame", ".3f"),
        ),
        ("lower foot, 5/50/95 %", heights(figures)),
        ("sunk more than 1 cm", f"{100 * figures['sink_fraction']:.2f} % of frames"),
        ("response to a new heading, within 5°", f"{figures['response_s']:.2f} s"),
        ("– left, right", pair(figures, "response_left_s", "response_right_s", ".2f", " s")),
        ("heading error, steady", f"{figures['heading_error_deg']:.1f}°"),
        ("error of the direction of travel, steady", f"{figures['travel_error_deg']:.1f}°"),
        ("speed error, steady", f"{figures['speed_error_m_s']:.3f} m/s"),
        (
            "walking backward: travel, facing error",
            pair(figures, "backward_travel_error_deg", "backward_facing_error_deg", ".1f", "°"),
        ),
        (
            "sideways: travel, facing error",
            pair(figures, "sideways_travel_error_deg", "sideways_facing_error_deg", ".1f", "°"),
        ),
        ("time to slow to 0.1 m/s after the stick is released", f"{figures['stop_s']:.2f} s"),
        ("drift while standing", f"{figures['idle_drift_m_per_min']:.3f} m/min"),
        (
            "distance to the nearest captured pose, median",
            f"{figures['nearest_pose_cm_median']:.1f} cm",
        ),
    ]


def number(figures: dict[str, Any], name: str) -> str:
    return f"{figures[name]:.1f}"


def pair(figures: dict[str, Any], one: str, other: str, digits: str, unit: str = "") -> str:
    """Two figures, each with its unit."""
    return ", ".join(f"{figures[name]:{digits}}{unit}" for name in (one, other))


def speeds(values: Sequence[float]) -> str:
    return several(values, ".2f", "m/s")


def turn_rates(values: Sequence[float]) -> str:
    return several(values, ".0f", "°/s")


def heights(figures: dict[str, float]) -> str:
    """Height of the lower foot at 5, 50 and 95 %."""
    values = [figures[f"float_cm_{name}"] for name in ("p5", "median", "p95")]
    return several(values, ".1f", "cm")


def several(values: Sequence[float], digits: str, unit: str) -> str:
    return " / ".join(f"{value:{digits}}" for value in values) + f" {unit}"


def table(lines: Lines, machine: str) -> str:
    """The rows as a Markdown table, with the command and the machine that measured them."""
    body = markdown.table(["what", "figure"], lines)
    source = "`python -m controller figures --data data/motion.npz`"
    return f"{body}\n\nMeasured by {source} on {machine}."


def training(header: dict[str, Any]) -> str:
    """How long a policy was trained and with what, from its checkpoint's header."""
    settings = json.dumps(header["training"], indent=1)
    return f"{_experience(header)}. All settings:\n\n```json\n{settings}\n```"


def _experience(header: dict[str, Any]) -> str:
    """Frames, trainer and time of one run, and of the run from which it started."""
    settings = header["training"]
    shared = settings["algorithm"] == "shac" and settings["workers"] > 1
    before = f" after {_experience(header['started_from'])}" if "started_from" in header else ""
    return (
        f"{header['frames']:,} frames of experience by {settings['algorithm'].upper()}, "
        f"{settings['characters']} characters at once, seed {settings['seed']}, in "
        f"{header['seconds'] / 60:.1f} minutes on {'two cores' if shared else 'one core'}{before}"
    )
