"""Measure what is shipped and write it where it is stated: ``python -m envs.figures --data data/motion.npz``.

Fills the marked blocks of figures in README.md, assets/mvae.md and
assets/joystick.md, and writes assets/figures.json. No figure in those blocks is typed by hand.
"""

from __future__ import annotations

import json
import platform
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from controller import assets, checkpoint, files
from controller.character import Character
from controller.dataset import MotionDataset
from controller.errors import ControllerError, run_command
from controller.evaluation import evaluate
from controller.policy import Policy
from controller.simulation import Simulation
from controller.tasks.joystick import JoystickTask
from controller.tasks.random_walk import RandomWalkTask
from envs import EPISODE_FRAMES
from envs.episodes import Episodes
from envs.sb3 import CharacterVecEnv

ROOT = assets.FOLDER.parent


@dataclass(frozen=True)
class Options:
    """What to measure with."""

    data: Path
    """The data set that the shipped motion VAE was trained on."""
    seed: int = 1
    """Seed of starting poses and goals."""


def control_step_ms(simulation: Simulation, policy: Policy, steps: int = 3000) -> tuple[float, float]:
    """Median and 99th percentile, in ms, of observe + policy + decode + integrate + joints for one character."""
    generator = torch.Generator().manual_seed(0)
    state, goal = simulation.reset(1, generator)
    times = []
    with torch.inference_mode():
        for _ in range(steps + 100):
            started = time.perf_counter()
            state = simulation.move(state, policy(simulation.observe(state, goal)))
            simulation.character.joints(state)
            times.append(1000 * (time.perf_counter() - started))
    times = sorted(times[100:])
    return statistics.median(times), times[int(0.99 * len(times))]


def env_steps_per_s(characters: int = 100, repeats: int = 15, steps: int = 60) -> float:
    """Character-steps a second through the VecEnv, rewards included: the median of ``repeats`` runs."""
    env = CharacterVecEnv(Episodes.make("joystick", characters, EPISODE_FRAMES, None))
    env.seed(0)
    env.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (characters, env.action_space.shape[0])).astype(np.float32)  # type: ignore[index]
    rates = []
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(steps):
            env.step(actions)
        rates.append(characters * steps / (time.perf_counter() - started))
    return statistics.median(rates)


def headless_fps() -> str:
    """What ``play.py --headless --fps-report`` prints for 960×540."""
    command = [sys.executable, "play.py", "--headless", "--frames", "300", "--keys", "0-300:w", "--fps-report"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip()


def measure(options: Options) -> dict[str, Any]:
    """Every figure, by the part it is of."""
    torch.set_num_threads(1)
    data = MotionDataset.load(options.data)
    character = Character.load(assets.MVAE)
    trained_on = character.header.get("data", {}).get("fingerprint")
    if trained_on != data.fingerprint():
        raise ControllerError(f"{options.data}: not the data that assets/mvae.safetensors was trained on")
    simulation = Simulation(character, JoystickTask(character))
    policy = Policy.load(assets.policy_path("joystick"), character, "joystick")
    median, p99 = control_step_ms(simulation, policy)
    walk = Simulation(character, RandomWalkTask(character))
    return {
        "machine": {"processor": processor(), "torch": torch.__version__, "threads": 1},
        "mvae": character.header["figures"],
        "joystick": evaluate(simulation, policy, 64, 60.0, options.seed, data),
        "random": evaluate(walk, None, 100, 1000 / character.fps, options.seed, data),
        "speed": {
            "control_step_ms": median,
            "control_step_ms_p99": p99,
            "env_steps_per_s_100": env_steps_per_s(),
            "headless": headless_fps(),
        },
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def rows(figures: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The tables' rows as (what, figure), by file."""
    j, r, m, s = figures["joystick"], figures["random"], figures["mvae"], figures["speed"]
    model = [
        ("active latent units, held out", f"{m['active_units']} of 32"),
        ("KL, held out", f"{m['kl_nats']:.1f} nats"),
        ("joint error after one step, held out", f"{m['one_step_mm']:.1f} mm"),
        ("joint error after eight steps on its own, held out", f"{m['rollout_mm']:.1f} mm"),
        ("10 latent streams from one pose, apart after 2 s", f"{m['spread_m']:.2f} m, {m['spread_deg']:.0f}°"),
        ("100 free rollouts × 1,000 frames, sane", f"{100 * r['alive_fraction']:.0f} %"),
        ("foot skate of free rollouts", f"{r['foot_skate_cm_per_frame']:.3f} cm/frame"),
        ("foot skate of the captured motion", f"{r['captured']['foot_skate_cm_per_frame']:.3f} cm/frame"),
        ("lower foot of free rollouts, 5/50/95 %", heights(r)),
        ("lower foot of the captured motion, 5/50/95 %", heights(r["captured"])),
        ("distance to the nearest captured pose, median", f"{r['nearest_pose_cm_median']:.1f} cm"),
    ]
    steering = [
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
    speed = [
        (
            "control step, one character, one core",
            f"{s['control_step_ms']:.3f} ms (99 %: {s['control_step_ms_p99']:.3f} ms)",
        ),
        ("environment, 100 characters, one core", f"{s['env_steps_per_s_100']:,.0f} steps/s"),
        ("`play.py --headless`", s["headless"]),
    ]
    return {"README.md": model + steering + speed, "assets/mvae.md": model, "assets/joystick.md": steering}


def heights(figures: dict[str, float]) -> str:
    return " / ".join(f"{figures[f'float_cm_{name}']:.1f}" for name in ("p5", "median", "p95")) + " cm"


def fill(path: Path, marker: str, text: str) -> None:
    """Replace what stands between ``<!-- marker -->`` and ``<!-- end marker -->``, which must be there once."""
    before, after = f"<!-- {marker} -->", f"<!-- end {marker} -->"
    block = re.compile(f"{re.escape(before)}.*?{re.escape(after)}", re.DOTALL)
    whole = path.read_text(encoding="utf-8")
    if len(block.findall(whole)) != 1:
        raise ControllerError(f"{path}: one block from {before} to {after} is expected")
    with files.atomic(path) as temporary:
        temporary.write_text(block.sub(lambda _: f"{before}\n{text}\n{after}", whole), encoding="utf-8")


def table(lines: list[tuple[str, str]], machine: str) -> str:
    """A Markdown table of (what, figure), and how it was measured."""
    body = ["| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in lines)]
    return "\n".join([*body, "", f"Measured by `python -m envs.figures --data data/motion.npz` on {machine}."])


def training(header: dict[str, Any]) -> str:
    """How long a policy was trained and with what, from its checkpoint's header."""
    settings = header["training"]
    pretrained = settings["pretrain"] if settings["algorithm"] == "ppo" else 0
    parts = f"{pretrained:,} by SHAC, {header['frames'] - pretrained:,} by PPO" if pretrained else settings["algorithm"]
    return (
        f"{header['frames']:,} frames of experience ({parts}; {settings['characters']} characters at once, seed "
        f"{settings['seed']}) in {header['seconds'] / 60:.0f} minutes on one core. All settings:\n\n"
        f"```json\n{json.dumps(settings, indent=1)}\n```"
    )


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    figures = measure(options)
    with files.atomic(assets.FOLDER / "figures.json") as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")
    machine = "one core of {processor}, torch {torch}".format(**figures["machine"])
    for name, lines in rows(figures).items():
        fill(ROOT / name, "figures", table(lines, machine))
    policy = checkpoint.load_header(assets.policy_path("joystick"), "policy")
    fill(assets.FOLDER / "joystick.md", "training", training(policy))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    run_command(main)
