"""Where a frame's time goes: ``python -m controller.benchmark.viewer`` prints it as JSON.

A program of its own: an OpenGL driver brings threads that would disturb other measurements.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import torch
import tyro

from controller.benchmark.timing import Timing
from controller.control import shipped
from controller.core.errors import require
from controller.games.player import Player
from controller.games.settings import MOST, Settings
from controller.viewer.screen import Screen

SIZE = (640, 360)
WARM_UP = 30
KEYS = (
    "viewer_python_ms", "viewer_python_ms_p99", "viewer_step_ms", "viewer_raster_ms",
    "viewer_raster_ms_p99", "viewer_frames_per_s", "viewer_driver",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How long to look."""

    frames: int = 600
    """Frames of one character walking straight ahead, each drawn off-screen at 640x360."""
    characters: int = 1
    """More than one: a crowd of so many, all of them in the picture."""

    def check(self) -> None:
        require(self.frames >= 1, "--frames", self.frames, "1 or more")
        require(1 <= self.characters <= MOST, "--characters", self.characters, f"1 to {MOST}")


def frame(player: Player, screen: Screen) -> tuple[int, int, int]:
    """Step and draw once; ns of the step, of asking for the picture after it, and of waiting for
    that."""
    began = time.perf_counter_ns()
    player.step({"w"})
    stepped = time.perf_counter_ns()
    screen.draw(player.now, player.seconds)
    asked = time.perf_counter_ns()
    screen.renderer.finish()
    return stepped - began, asked - stepped, time.perf_counter_ns() - asked


def measured(frames: int, characters: int = 1) -> dict[str, Any]:
    """``KEYS``; DisplayError where no OpenGL can be had.

    A driver without a graphics card draws on this core, partly while it is asked. So Python's share
    is taken with OpenGL told to discard what it would fill, and the rest is what whole frames take
    longer.
    """
    task = "joystick" if characters == 1 else "crowd"
    policies = [shipped.policy_path(task)]
    settings = Settings(characters=characters)
    player = Player.load(shipped.MVAE, policies, seed=0, task=task, settings=settings)
    screen = Screen(player.character.skeleton, SIZE, headless=True)
    screen.camera.mode = "orbit" if characters == 1 else "all"
    screen.camera.jump(player.root.numpy())
    from OpenGL import GL  # which looks for the open window's driver

    whole = [sum(frame(player, screen)) for _ in range(WARM_UP + frames)][WARM_UP:]
    GL.glEnable(GL.GL_RASTERIZER_DISCARD)
    shares = [frame(player, screen) for _ in range(WARM_UP + frames)][WARM_UP:]
    step = Timing.of([part[0] for part in shares])
    python = Timing.of([part[0] + part[1] for part in shares])
    rest = Timing.of([max(0, time_ns - round(1e3 * python.median_us)) for time_ns in whole])
    values = (
        python.median_us / 1e3, python.p99_us / 1e3, step.median_us / 1e3, rest.median_us / 1e3,
        rest.p99_us / 1e3, Timing.of(whole).per_s(), screen.renderer.driver,
    )  # fmt: skip
    return dict(zip(KEYS, values, strict=True))


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    options.check()
    torch.set_num_threads(1)
    print(json.dumps(measured(options.frames, options.characters)))
