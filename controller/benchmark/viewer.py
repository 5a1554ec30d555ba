"""Where the time of a frame goes, as one JSON object.

``python -m controller benchmark-viewer`` runs in a process of its own: an OpenGL driver starts
threads that would disturb other measurements.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from controller.benchmark.timing import Timing
from controller.control.folder import DEFAULT, CharacterFolder
from controller.core import command_line
from controller.core.errors import require
from controller.games.player import Player
from controller.games.settings import MOST, Settings
from controller.viewer.screen import Screen

SIZE = (640, 360)
WARM_UP = 30
"""Frames that do not count."""
KEYS = (
    "viewer_python_ms", "viewer_python_ms_p99", "viewer_step_ms", "viewer_raster_ms",
    "viewer_raster_ms_p99", "viewer_frames_per_s", "viewer_driver",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How long to measure."""

    frames: int = 600
    """Frames of one character that walks straight ahead, each drawn off-screen at 640x360."""
    characters: int = 1
    """With more than one: a crowd of this size, all of it in the picture."""
    character: str = DEFAULT
    """The character: its name, or its folder."""

    def check(self) -> None:
        """Raise :class:`ConfigError` about the first option that makes no sense."""
        require(self.frames >= 1, "--frames", self.frames, "1 or more")
        require(1 <= self.characters <= MOST, "--characters", self.characters, f"1 to {MOST}")


class FrameTime(NamedTuple):
    """ns of one frame: the step, the calls that draw it, and the wait until it is drawn."""

    step: int
    calls: int
    wait: int


def frame(player: Player, screen: Screen) -> FrameTime:
    """Step and draw once."""
    start = time.perf_counter_ns()
    player.step({"w"})
    after_step = time.perf_counter_ns()
    screen.draw(player.now, player.seconds)
    after_calls = time.perf_counter_ns()
    screen.renderer.finish()
    end = time.perf_counter_ns()
    return FrameTime(after_step - start, after_calls - after_step, end - after_calls)


def figures(frames: int, characters: int = 1, name: str = DEFAULT) -> dict[str, Any]:
    """The figures named in :data:`KEYS`; DisplayError where OpenGL is not available.

    Without a graphics card the driver draws on this processor's core, partly during the calls that
    draw. So Python's share is measured while OpenGL is told to discard what it would fill, and the
    rest is the time that whole frames take beyond that.
    """
    task = "joystick" if characters == 1 else "crowd"
    folder = CharacterFolder.open(name)
    policies = [folder.policy(task)]
    settings = Settings(characters=characters)
    player = Player.load(folder.mvae, policies, seed=0, task=task, settings=settings)
    screen = Screen(player.character.skeleton, SIZE, headless=True, skin=player.skin)
    screen.camera.mode = "orbit" if characters == 1 else "all"
    screen.camera.jump(player.root.numpy())
    from OpenGL import GL  # only now: it looks for the driver of the open window

    def frame_times() -> list[FrameTime]:
        return [frame(player, screen) for _ in range(WARM_UP + frames)][WARM_UP:]

    whole = [sum(times) for times in frame_times()]
    GL.glEnable(GL.GL_RASTERIZER_DISCARD)
    shares = frame_times()

    step = Timing.of([times.step for times in shares])
    python = Timing.of([times.step + times.calls for times in shares])
    python_ns = round(1e3 * python.median_us)
    raster = Timing.of([max(0, nanoseconds - python_ns) for nanoseconds in whole])
    values = (
        python.median_us / 1e3, python.p99_us / 1e3, step.median_us / 1e3, raster.median_us / 1e3,
        raster.p99_us / 1e3, Timing.of(whole).per_s(), screen.renderer.driver,
    )  # fmt: skip
    return dict(zip(KEYS, values, strict=True))


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    options.check()
    torch.set_num_threads(1)
    print(json.dumps(figures(options.frames, options.characters, options.character)))
