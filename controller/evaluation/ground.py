"""Measure feet on ground that is not flat, under random keys: ``python -m controller ground``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from controller.control.folder import DEFAULT, CharacterFolder
from controller.core import command_line, markdown
from controller.core.errors import DataError, require
from controller.evaluation.paged import measured
from controller.games.drawn import Drawn
from controller.games.player import Player
from controller.games.settings import Settings
from controller.ground.ground import Ground
from controller.ground.kinds import KINDS, named
from controller.motion.contacts import Leg, Thresholds, bend, contacts
from controller.motion.skeleton import forward_kinematics

BLOCK = "ground"
"""The block of a page that ``--write`` fills."""
KEPT = 40
"""Frames for which keys are held."""
KEYS = ("w", "w", "w", "s", "a", "d", "w+shift", "w+a", "w+d", "")
"""Those that are drawn at random: most walk along the slope."""
ROWS = {
    "speed_m_s": "mean speed, m/s",
    "toe_float_cm": "a toe that stands: floats by at most, cm",
    "toe_sink_cm": "… sinks by at most, cm",
    "toe_slip_cm_s_p50": "… slips, median, cm/s",
    "late_share": "steps that come down late (more than 2 cm)",
    "knee_rad_s_p999": "speed of the knees, 99.9 %, rad/s",
    "knee_rad_s_max": "… the largest, rad/s",
    "us_more": "cost of a step, µs",
}


@dataclass(frozen=True)
class Options:
    """What to measure."""

    character: str = DEFAULT
    """The character: its name, or its folder."""
    grounds: tuple[str, ...] = tuple(KINDS)
    """The grounds: names, or files."""
    runs: int = 4
    """Runs on each ground, with keys of their own."""
    seconds: float = 20.0
    """Seconds of each run."""
    seed: int = 1
    """Seed of keys and grounds."""
    most_float: float = 3.0
    """cm by which a toe that stands may float; the simulated one does by up to 2.5 on a plane."""
    most_sink: float = 1.0
    """cm by which it may sink."""
    most_late: float = 0.35
    """The share of steps that may come down late."""
    json: bool = False
    """Print one JSON object instead of a table."""
    write: Path | None = None
    """The page whose block <!-- ground --> gets the table."""
    threads: int = 1
    """Threads of torch."""

    def __post_init__(self) -> None:
        require(1 <= self.runs <= 1000, "runs", self.runs, "1 to 1000")
        require(1 <= self.seconds <= 3600, "seconds", self.seconds, "1 to 3600 s")
        require(self.most_float >= 0, "most-float", self.most_float, "0 cm or more")
        require(self.most_sink >= 0, "most-sink", self.most_sink, "0 cm or more")
        require(0 <= self.most_late <= 1, "most-late", self.most_late, "0 to 1")
        require(self.threads >= 1, "threads", self.threads, "1 or more")


def measure(options: Options) -> dict[str, dict[str, float]]:
    """The figures of each ground."""
    return {
        name: figures(options, named(name, options.seed)) for name in dict.fromkeys(options.grounds)
    }


def figures(options: Options, ground: Ground) -> dict[str, float]:
    """The figures of one ground.

    A toe stands while it does in the simulation, by height and speed with hysteresis, and what is
    drawn of it is as slow. Its height is the joint's above the ground at its own place, less the
    one at which it stands in the reset poses. A step is late if the toe is more than 2 cm above the
    ground when the simulation has it down.
    """
    parts = [run(options, ground, options.seed + number) for number in range(options.runs)]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    stands = whole["stands"]
    return {
        "speed_m_s": float(whole["speed"].mean()),
        "toe_float_cm": 100 * float(stands.max()),
        "toe_sink_cm": -100 * min(float(stands.min()), 0.0),
        "toe_slip_cm_s_p50": 100 * float(np.median(whole["slip"])),
        "late_share": float((whole["arrives"] > 0.02).mean()),
        "knee_rad_s_p999": float(np.quantile(whole["knee"], 0.999)),
        "knee_rad_s_max": float(whole["knee"].max()),
        "us_more": float(np.median(whole["us"])),
    }


def run(options: Options, ground: Ground, seed: int) -> dict[str, np.ndarray]:
    """One run on a ground, under keys that are drawn from the ``seed``."""
    folder = CharacterFolder.open(options.character)
    settings = replace(Settings(), ground=ground)
    player = Player.load(folder.mvae, seed=seed, settings=settings, folder=folder)
    random = np.random.default_rng(seed)
    drawn = player.drawn
    legs = drawn.legs
    if not legs:
        raise DataError(f"{options.character} has no leg with a hip, knee and ankle joint")
    spare = Drawn(player.character, ground=ground).standing  # the same again, to be timed
    frames: list[tuple[torch.Tensor, ...]] = []
    costs = []
    keys = "w"
    for frame in range(round(options.seconds / player.seconds)):
        if frame % KEPT == 0:
            keys = str(random.choice(KEYS))
        player.step(frozenset(filter(None, keys.split("+"))))
        own = player.character.joints(player.state)
        frames.append((player.root, player.rotations, own[0][0], own[1][0]))
        if not ground.flat:
            started = time.perf_counter()
            spare(*own, ground)
            costs.append(time.perf_counter() - started)
    parts = [torch.stack(part) for part in zip(*frames, strict=True)]
    root, rotations, own_root, own_rotations = parts
    skeleton = player.character.skeleton
    joints = forward_kinematics(skeleton, root, rotations)
    simulated = forward_kinematics(skeleton, own_root, own_rotations)
    found = _feet(joints, simulated, legs, ground, player.character.fps)
    speed = (own_root.diff(dim=0)[:, [0, 2]].norm(dim=-1) / player.seconds).numpy()
    return found | {"speed": speed, "us": 1e6 * np.array(costs or [0.0])}


def _feet(
    joints: torch.Tensor,
    simulated: torch.Tensor,
    legs: Sequence[Leg],
    ground: Ground,
    fps: float,
) -> dict[str, np.ndarray]:
    """What is measured of feet and knees, from joints (T, J, 3)."""
    stands, slips, arrives, knees = [], [], [], []
    for leg in legs:
        down = Thresholds.of(leg.length)
        flat = simulated[1:, leg.joints[3]]
        speed = simulated[:, leg.joints[3]].diff(dim=0).norm(dim=-1) * fps
        stood = contacts(flat[:, 1] - leg.standing[0], speed, down).numpy()
        toe = joints[:, leg.joints[3]].double().numpy()
        velocity = np.diff(toe, axis=0) * fps
        toe = toe[1:]
        above = toe[:, 1] - ground.height(toe[:, 0], toe[:, 2]) - leg.standing[0]
        slow = np.linalg.norm(velocity, axis=-1) < down.slow
        stands.append(above[stood & slow])
        slips.append(np.hypot(velocity[:, 0], velocity[:, 2])[stood & slow])
        arrives.append(above[stood & ~np.r_[True, stood[:-1]]])
        angle = bend(*(joints[:, joint] for joint in leg.joints[:3]))
        knees.append((angle.diff().abs() * fps).numpy())
    names = ("stands", "slip", "arrives", "knee")
    found = (stands, slips, arrives, knees)
    return {name: np.concatenate(part) for name, part in zip(names, found, strict=True)}


def table(results: dict[str, dict[str, float]], options: Options) -> str:
    """The figures as Markdown."""
    lines = [
        (title, *(_cell(name, figures[name]) for figures in results.values()))
        for name, title in ROWS.items()
    ]
    return "\n\n".join(
        (
            markdown.table(("", *results), lines),
            f"{options.runs} runs of {options.seconds:g} s each, seed {options.seed}. "
            "The cost is that of the ground alone, for one character.",
        )
    )


def faults(results: dict[str, dict[str, float]], options: Options) -> list[str]:
    """A sentence about each figure that is over its bar."""
    found = []
    for name, figures in results.items():
        floats = figures["toe_float_cm"]
        sinks = figures["toe_sink_cm"]
        late = figures["late_share"]
        if not floats <= options.most_float:
            found.append(
                f"{name}: a toe that stands floats by {floats:.2f} cm; "
                f"{options.most_float:g} cm are allowed"
            )
        if not sinks <= options.most_sink:
            found.append(
                f"{name}: a toe that stands sinks by {sinks:.2f} cm; "
                f"{options.most_sink:g} cm are allowed"
            )
        if not late <= options.most_late:
            found.append(
                f"{name}: {100 * late:.0f} % of the steps come down late; "
                f"{100 * options.most_late:.0f} % are allowed"
            )
    return found


def _cell(name: str, value: float) -> str:
    return f"{100 * value:.0f} %" if name == "late_share" else f"{value:z.2f}"


def main() -> int:
    """The exit status is 1 if a figure is over its bar."""
    options = command_line.read(Options, description=__doc__)
    results = measured(
        options, BLOCK, lambda: measure(options), lambda results: table(results, options)
    )
    found = faults(results, options)
    for sentence in found:
        print(sentence, file=sys.stderr)
    if not found and not options.json:
        print("\nFeet are where they should be: no figure is over its bar.")
    return int(bool(found))
