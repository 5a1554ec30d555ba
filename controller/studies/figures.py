"""Measure what is shipped and write it where it is stated: ``python -m controller figures
--data data/motion.npz``.

Fills the marked blocks of figures in docs/figures.md, docs/performance.md and the model cards in
assets/, and writes assets/figures.json. No figure in those blocks is typed by hand. For five
minutes nothing else should run, unless ``--no-times`` leaves the times as they were taken last.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from controller.benchmark.machine import processor
from controller.control import shipped
from controller.control.policy import Policy
from controller.core import checkpoint, files, markdown
from controller.core.errors import ControllerError
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.dynamics.rollout import sane_fraction
from controller.evaluation.diagnosis.diagnose import diagnose
from controller.evaluation.extractor import Extractor
from controller.evaluation.figures import evaluate
from controller.tasks.joystick import JoystickTask
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation

ROOT = shipped.FOLDER.parent
FIGURES = shipped.FOLDER / "figures.json"
STAMINA = 1000, 3600
"""Characters, and frames (two minutes) for which they have to stay sane."""


@dataclass(frozen=True)
class Options:
    """What to measure with."""

    data: Path
    """The data set that the shipped motion VAE was trained on."""
    seed: int = 1
    """Seed of starting poses and goals."""
    times: bool = True
    """Whether to take the times of everything, too. If not, those in assets/figures.json stay:
    other weights of the same sizes do not change them, and a machine that is not idle does."""


def speed() -> dict[str, Any]:
    """The benchmark's figures, which it also writes into docs/performance.md, and the window's."""
    command = [
        sys.executable,
        "-m",
        "controller",
        "benchmark",
        "--json",
        "--write",
        "docs/performance.md",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) | {"headless": headless_fps()}


def kept_speed(machine: dict[str, Any]) -> dict[str, Any]:
    """The times as they were taken last; ControllerError if there are none, or if they are of
    another machine."""
    try:
        kept: dict[str, Any] = json.loads(FIGURES.read_text())
        same = kept["machine"] == machine
        times = kept["speed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ControllerError(
            f"{FIGURES}: no times in it that could stay; leave --no-times out"
        ) from error
    if not same:
        raise ControllerError(
            f"{FIGURES}: its times are of {kept['machine']}, not of {machine}; leave --no-times out"
        )
    return times


def headless_fps() -> str:
    """What ``play.py --headless --fps-report`` prints for 960×540."""
    command = [
        sys.executable,
        "play.py",
        "--headless",
        "--frames",
        "300",
        "--keys",
        "0-300:w",
        "--fps-report",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip()


def measure(options: Options) -> dict[str, Any]:
    """Every figure, by the part it is of."""
    torch.set_num_threads(1)
    machine = {"processor": processor(), "torch": torch.__version__, "threads": 1}
    kept = None if options.times else kept_speed(machine)
    data = MotionDataset.load(options.data)
    character = Character.load(shipped.MVAE)
    trained_on = character.header.get("data", {}).get("fingerprint")
    if trained_on != data.fingerprint():
        raise ControllerError(
            f"{options.data}: not the data that assets/mvae.safetensors was trained on"
        )
    walk = Simulation(character, RandomWalkTask(character))
    figures: dict[str, Any] = {
        "machine": machine,
        "mvae": diagnose(character, data, Extractor.load()),
        "sane_for_two_minutes": sane_fraction(character, *STAMINA, options.seed),
        "random": evaluate(walk, None, 100, 1000 / character.fps, options.seed, data),
        "speed": speed() if kept is None else kept,
    }
    for path in shipped.policy_paths("joystick"):
        policy, simulation = Policy.load_at_task(path, character, JoystickTask)
        figures[path.stem] = evaluate(simulation, policy, 64, 60.0, options.seed, data)
    return figures


def rows(figures: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The tables' rows as (what, figure), by file."""
    r = figures["random"]
    m = figures["mvae"]
    s = figures["speed"]
    model = [
        ("diagnosis", m["verdict"]),
        ("active latent units, held out", f"{m['active_units']} of {m['latent_units']}"),
        ("KL, held out", f"{m['kl_nats']:.1f} nats"),
        ("joint error after one step, held out", f"{m['one_step_mm']:.1f} mm"),
        ("joint error after eight steps on its own, held out", f"{m['eight_step_mm']:.1f} mm"),
        (
            "bone lengths of predicted joints off by, free rollouts",
            f"{m['bone_length_error_mm']:.2f} mm",
        ),
        (
            "10 latent streams from one pose, apart after 2 s",
            f"{m['spread_m']:.2f} m, {m['spread_deg']:.0f}°",
        ),
        (
            "1,000 free rollouts × 3,600 frames, sane",
            f"{100 * figures['sane_for_two_minutes']:.4g} %",
        ),
        (
            "Fréchet distance of free rollouts to the captured motion",
            f"{m['frechet_distance']:.1f}",
        ),
        ("– of held-out captured motion", f"{m['captured_frechet_distance']:.1f}"),
        ("forward speed of free rollouts, 5/50/95 %", spread(m["free_speed_m_s"], ".2f", "m/s")),
        ("– of the captured motion", spread(m["captured_speed_m_s"], ".2f", "m/s")),
        ("turn rate of free rollouts, 5/50/95 %", spread(m["free_turn_deg_s"], ".0f", "°/s")),
        (
            "– of the captured motion and its mirror image",
            spread(m["captured_turn_deg_s"], ".0f", "°/s"),
        ),
        ("foot skate of free rollouts", f"{r['foot_skate_cm_per_frame']:.3f} cm/frame"),
        (
            "foot skate of the captured motion",
            f"{r['captured']['foot_skate_cm_per_frame']:.3f} cm/frame",
        ),
        ("lower foot of free rollouts, 5/50/95 %", heights(r)),
        ("lower foot of the captured motion, 5/50/95 %", heights(r["captured"])),
        ("distance to the nearest captured pose, median", f"{r['nearest_pose_cm_median']:.1f} cm"),
    ]
    fast = [
        (
            "control step, one character, one core",
            f"{s['control_step_us_b1'] / 1000:.3f} ms (99 %: "
            f"{s['control_step_us_b1_p99'] / 1000:.3f} ms)",
        ),
        ("500 characters, two cores", f"{s['crowd500_ms']:.1f} ms a step"),
        ("environment, 100 characters, one core", f"{s['core_steps_per_s_b100']:,.0f} steps/s"),
        ("– through stable-baselines3's VecEnv", f"{s['vecenv_steps_per_s_b100']:,.0f} steps/s"),
        ("`play.py`, from its start to its first picture", f"{s['cold_start_s']:.1f} s"),
        ("`play.py --headless`", s["headless"]),
    ]
    lines = {
        "docs/figures.md": model + steering(figures["joystick"]) + fast,
        "assets/mvae.md": model,
    }
    return lines | {
        f"assets/{p.stem}.md": steering(figures[p.stem]) for p in shipped.policy_paths("joystick")
    }


def steering(j: dict[str, Any]) -> list[tuple[str, str]]:
    """A joystick policy's rows."""
    return [
        ("64 characters × 60 s of random joystick, sane", f"{100 * j['alive_fraction']:.0f} %"),
        ("foot skate", f"{j['foot_skate_cm_per_frame']:.3f} cm/frame"),
        ("slower foot's motion (gliding)", f"{j['glide_cm_per_frame']:.3f} cm/frame"),
        ("– of the captured motion", f"{j['captured']['glide_cm_per_frame']:.3f} cm/frame"),
        (
            "– walking backward, sideways",
            f"{j['backward_glide_cm_per_frame']:.3f}, {j['sideways_glide_cm_per_frame']:.3f}",
        ),
        ("lower foot, 5/50/95 %", heights(j)),
        ("sunk more than 1 cm", f"{100 * j['sink_fraction']:.2f} % of frames"),
        ("response to a new heading, within 5°", f"{j['response_s']:.2f} s"),
        ("– left, right", f"{j['response_left_s']:.2f} s, {j['response_right_s']:.2f} s"),
        ("heading error, steady", f"{j['heading_error_deg']:.1f}°"),
        ("direction of travel, error, steady", f"{j['travel_error_deg']:.1f}°"),
        ("speed error, steady", f"{j['speed_error_m_s']:.3f} m/s"),
        (
            "walking backward: travel, facing error",
            f"{j['backward_travel_error_deg']:.1f}°, {j['backward_facing_error_deg']:.1f}°",
        ),
        (
            "sideways: travel, facing error",
            f"{j['sideways_travel_error_deg']:.1f}°, {j['sideways_facing_error_deg']:.1f}°",
        ),
        ("stick released, until under 0.1 m/s", f"{j['stop_s']:.2f} s"),
        ("drift while standing", f"{j['idle_drift_m_per_min']:.3f} m/min"),
        ("distance to the nearest captured pose, median", f"{j['nearest_pose_cm_median']:.1f} cm"),
    ]


def spread(values: list[float], digits: str, unit: str) -> str:
    return " / ".join(f"{value:{digits}}" for value in values) + f" {unit}"


def heights(figures: dict[str, float]) -> str:
    return (
        " / ".join(f"{figures[f'float_cm_{name}']:.1f}" for name in ("p5", "median", "p95")) + " cm"
    )


def table(lines: list[tuple[str, str]], machine: str) -> str:
    """A Markdown table of (what, figure), and how it was measured."""
    body = markdown.table(["what", "figure"], lines)
    return "\n".join(
        [
            body,
            "",
            f"Measured by `python -m controller figures --data data/motion.npz` on {machine}.",
        ]
    )


def training(header: dict[str, Any]) -> str:
    """How long a policy was trained and with what, from its checkpoint's header."""
    return f"{_spent(header)}. All settings:\n\n```json\n{json.dumps(header['training'], indent=1)}\n```"


def _spent(header: dict[str, Any]) -> str:
    """Frames, trainer and time of one run, and of what it began from."""
    settings = header["training"]
    shared = settings["algorithm"] == "shac" and settings["workers"] > 1
    before = f" after {_spent(header['started_from'])}" if "started_from" in header else ""
    return (
        f"{header['frames']:,} frames of experience by {settings['algorithm'].upper()}, "
        f"{settings['characters']} "
        f"characters at once, seed {settings['seed']}, in {header['seconds'] / 60:.1f} minutes on "
        f"{'two cores' if shared else 'one core'}{before}"
    )


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    figures = measure(options)
    files.write(FIGURES, json.dumps(figures, indent=1) + "\n")
    machine = "one core of {processor}, torch {torch}".format(**figures["machine"])
    for name, lines in rows(figures).items():
        files.fill(ROOT / name, "figures", table(lines, machine))
    for path in shipped.policy_paths("joystick"):
        files.fill(
            path.with_suffix(".md"), "training", training(checkpoint.load_header(path, "policy"))
        )
    print(json.dumps(figures, indent=1))
