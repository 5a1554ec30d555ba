"""Long play: ``python -m tests.endurance --minutes 60 --steps 1000000 --hours 10``.

play      draws off-screen for so many minutes, with commands drawn at random
steps     takes so many steps of control without drawing
commands  steers for so many hours of the character's time against it: it turns round every few
          frames, asks for top speed, or shakes the stick

Memory must stay flat within 1 %, and so must the 99 % quantile of a frame's time, within 10 %: the
last quarter is compared with the second. Nobody may be lost, no joint may move by more than twice
its captured maximum between two frames, and no toe may be lower than 2 cm below the ground. Exit
status 1 if anything is not so.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import numpy as np
import torch
from torch import Tensor

from controller.benchmark.memory import resident
from controller.control.folder import DEFAULT
from controller.games.cast import Cast
from controller.games.player import Player
from controller.motion.skeleton import forward_kinematics
from controller.viewer.screen import Screen

FLAT_MEMORY = 0.01
FLAT_TIME = 0.10
LOWEST_M = -0.02
SAMPLES = 400
"""Numbers of the memory that are kept, however long it takes."""

Stick = tuple[float, float]


def sticks(seed: int) -> Iterator[Stick]:
    """Commands without end, mostly against the character."""
    draw = random.Random(seed)
    while True:
        kind = draw.choice(("flips", "top speed", "noise", "rest"))
        angle = draw.uniform(0, 2 * math.pi)
        every = draw.randint(2, 6)
        for frame in range(draw.randint(30, 300)):
            if kind == "flips" and frame % every == 0:
                angle += math.pi
            if kind == "noise":
                yield draw.uniform(-1, 1), draw.uniform(-1, 1)
            elif kind == "rest":
                yield 0.0, 0.0
            else:
                yield math.sin(angle), math.cos(angle)


class Trouble:
    """What went wrong; printed once a kind."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def note(self, kind: str, sentence: str) -> None:
        if kind not in [each.partition(":")[0] for each in self.found]:
            self.found.append(f"{kind}: {sentence}")
            print(f"  TROUBLE {kind}: {sentence}", flush=True)


def flat(name: str, values: list[float], allowed: float, trouble: Trouble, worst: bool) -> None:
    """Compare the last quarter of some values with the second: their 99 % quantiles if ``worst``,
    else their means."""
    quarter = max(len(values) // 4, 1)
    pick: Callable[[list[float]], float] = (
        (lambda part: float(np.quantile(part, 0.99)))
        if worst
        else (lambda part: sum(part) / len(part))
    )
    early, late = pick(values[quarter : 2 * quarter] or values), pick(values[-quarter:])
    change = late / early - 1
    print(f"  {name}: {early:.4g}, at the end {late:.4g} ({100 * change:+.2f} %)", flush=True)
    if change > allowed:
        trouble.note(name, f"{100 * change:+.1f} %; allowed: {100 * allowed:g} %")


def play(minutes: float, trouble: Trouble) -> None:
    """Steps and pictures for so many minutes."""
    player = Cast.open(DEFAULT).player
    screen = Screen(
        player.character.skeleton, (960, 540), headless=True, resizable=False, quality=None,
        skin=player.skin,
    )  # fmt: skip
    times: list[float] = []
    memory: list[float] = []
    commands = sticks(1)
    ends = time.perf_counter() + 60 * minutes
    due = 0.0
    while time.perf_counter() < ends:
        began = time.perf_counter()
        player.step(frozenset(), 0.0, next(commands))
        screen.draw(player.now, player.seconds)
        screen.renderer.finish()
        now = time.perf_counter()
        times.append(1000 * (now - began))
        if now >= due:
            memory.append(resident() / 1024)
            due = now + 60 * minutes / SAMPLES
    print(f"play: {len(times)} frames in {minutes:g} min", flush=True)
    flat("frame time, ms, 99 %", times, FLAT_TIME, trouble, worst=True)
    flat("memory, MB", memory, FLAT_MEMORY, trouble, worst=False)


def control(steps: int, trouble: Trouble) -> None:
    """So many steps without pictures."""
    player = Cast.open(DEFAULT).player
    memory: list[float] = []
    commands = sticks(2)
    for step in range(steps):
        player.step(frozenset(), 0.0, next(commands))
        if step % max(steps // SAMPLES, 1) == 0:
            memory.append(resident() / 1024)
    print(f"steps: {steps}", flush=True)
    flat("memory, MB", memory, FLAT_MEMORY, trouble, worst=False)


def torment(hours: float, trouble: Trouble) -> None:
    """Commands against the character."""
    player = Cast.open(DEFAULT).player
    most = 2 * captured_movement(player)
    frames = round(hours * 3600 / player.seconds)
    commands = sticks(3)
    reset = player.reset
    lost = 0

    def counted() -> None:
        nonlocal lost
        lost += 1
        reset()

    player.reset = counted  # type: ignore[method-assign]
    before = joints(player)
    lowest = 0.0
    largest = 0.0
    for frame in range(frames):
        player.step(frozenset(), 0.0, next(commands))
        after = joints(player)
        share = float(((after - before).norm(dim=-1) / most).max())
        height = float(toes(player, after).min())
        largest, lowest = max(largest, share), min(lowest, height)
        if lost or not math.isfinite(share):
            trouble.note("lost", f"in frame {frame}")
            lost = 0
        elif share > 1:
            trouble.note("jump", f"{share:.2f} of what is allowed, in frame {frame}")
        if height < LOWEST_M:
            trouble.note("toe", f"{100 * height:.1f} cm, in frame {frame}")
        before = after
    print(f"commands: {frames} frames, {hours:g} h", flush=True)
    print(
        f"  largest movement: {largest:.2f} of what is allowed; lowest toe: {100 * lowest:.1f} cm"
    )


def captured_movement(player: Player) -> Tensor:
    """(J,) metres: as far as each joint can have moved between two captured frames, by the range
    of the training's velocities."""
    character = player.character
    normalizer = character.model.normalizer
    fastest = torch.maximum(normalizer.low.abs(), normalizer.high.abs())
    speeds = fastest[character.layout.velocities].view(-1, 3).norm(dim=-1)
    return speeds * player.seconds


def joints(player: Player) -> Tensor:
    """(J, 3): where the joints are that are drawn."""
    return forward_kinematics(player.character.skeleton, player.root, player.rotations)


def toes(player: Player, places: Tensor) -> Tensor:
    """(F,) metres: heights of the ends of the feet."""
    skeleton = player.character.skeleton
    feet = list(player.character.layout.feet)
    ends = (player.rotations[feet] @ skeleton.tips[feet][..., None]).squeeze(-1)
    return (places[feet] + ends)[:, 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--hours", type=float, default=10.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    trouble = Trouble()
    if options.minutes > 0:
        play(options.minutes, trouble)
    if options.steps > 0:
        control(options.steps, trouble)
    if options.hours > 0:
        torment(options.hours, trouble)
    print(f"{len(trouble.found)} troubles")
    return int(bool(trouble.found))


if __name__ == "__main__":
    sys.exit(main())
