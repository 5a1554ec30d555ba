"""Measure what is shipped: ``python -m controller figures --data data/motion.npz``.

Fills the marked blocks in docs/figures.md, docs/performance.md and the model cards of the default
character, and writes figures.json beside them. No figure in those blocks is typed by hand. The
times take five minutes, in which nothing else should run; ``--no-times`` keeps the last ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from controller.benchmark.machine import processor
from controller.control.folder import DEFAULT, SHIPPED, CharacterFolder
from controller.control.policy import Policy
from controller.core import checkpoint, command_line, files
from controller.core.errors import ControllerError
from controller.core.paths import ASSETS
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.dynamics.rollout import sane_fraction
from controller.evaluation.diagnosis.diagnose import diagnose
from controller.evaluation.extractor import Extractor
from controller.evaluation.figures import evaluate
from controller.studies import statements
from controller.tasks.joystick import JoystickTask
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation

FOLDER = SHIPPED / DEFAULT
ROOT = ASSETS.parent
FIGURES = FOLDER / "figures.json"
STAMINA = 1000, 3600
"""Characters, and the frames (two minutes) for which they must stay sane."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    data: Path
    """The data set that the shipped motion VAE was trained on."""
    seed: int = 1
    """Seed of starting poses and goals."""
    times: bool = True
    """Whether to measure times as well. If not, those in the character's figures.json stay: other
    weights of the same sizes do not change them, but a busy machine does."""


def speed() -> dict[str, Any]:
    """The figures of the benchmark, which also writes them into docs/performance.md, and those of
    the window."""
    words = ["controller", "benchmark", "--json", "--write", "docs/performance.md"]
    command = [sys.executable, "-m", *words]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(process.stdout) | {"headless": headless_fps()}


def last_speed(machine: dict[str, Any]) -> dict[str, Any]:
    """The times in :data:`FIGURES`. Raises ControllerError if there are none, or if they are
    from another machine."""
    try:
        last: dict[str, Any] = json.loads(FIGURES.read_text())
        measured_on = last["machine"]
        times: dict[str, Any] = last["speed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ControllerError(f"{FIGURES}: has no times to keep; leave --no-times out") from error
    if measured_on != machine:
        raise ControllerError(
            f"{FIGURES}: its times are from {measured_on}, not from {machine}; leave --no-times out"
        )
    return times


def headless_fps() -> str:
    """What ``play.py --headless --fps-report`` prints for 960×540."""
    words = ["--headless", "--frames", "300", "--keys", "0-300:w", "--fps-report"]
    command = [sys.executable, "play.py", *words]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return process.stdout.strip() or process.stderr.strip()


def measure(options: Options) -> dict[str, Any]:
    """All figures, by what was measured."""
    torch.set_num_threads(1)
    machine = {"processor": processor(), "torch": torch.__version__, "threads": 1}
    times = None if options.times else last_speed(machine)
    data = MotionDataset.load(options.data)
    folder = CharacterFolder.open()
    character = Character.load(folder.mvae)
    trained_on = character.header.get("data", {}).get("fingerprint")
    if trained_on != data.fingerprint():
        raise ControllerError(f"{options.data}: not the data that {folder.mvae} was trained on")
    walk = Simulation(character, RandomWalkTask(character))
    figures: dict[str, Any] = {
        "machine": machine,
        "mvae": diagnose(character, data, Extractor.of(folder)),
        "sane_for_two_minutes": sane_fraction(character, *STAMINA, options.seed),
        "random": evaluate(walk, None, 100, 1000 / character.fps, options.seed, data),
        "speed": speed() if times is None else times,
    }
    for path in folder.policies("joystick"):
        policy, simulation = Policy.load_at_task(path, character, JoystickTask)
        figures[path.stem] = evaluate(simulation, policy, 64, 60.0, options.seed, data)
    return figures


def tables(figures: dict[str, Any]) -> dict[Path, str]:
    """The table of each file, by the file's path."""
    machine = "one core of {processor}, torch {torch}".format(**figures["machine"])
    model = statements.model_lines(figures)
    steering = statements.steering_lines(figures["joystick"])
    speed = statements.speed_lines(figures["speed"])
    lines = {ROOT / "docs/figures.md": model + steering + speed, FOLDER / "mvae.md": model}
    for path in CharacterFolder.open().policies("joystick"):
        lines[path.with_suffix(".md")] = statements.steering_lines(figures[path.stem])
    return {card: statements.table(rows, machine) for card, rows in lines.items()}


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    figures = measure(options)
    files.write(FIGURES, json.dumps(figures, indent=1) + "\n")
    for page, text in tables(figures).items():
        files.fill(page, "figures", text)
    for path in CharacterFolder.open().policies("joystick"):
        header = checkpoint.load_header(path, "policy")
        files.fill(path.with_suffix(".md"), "training", statements.training(header))
    print(json.dumps(figures, indent=1))
