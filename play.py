"""Steer the character: ``python play.py``; without a window: ``python play.py --headless --frames 300 --keys "0-150:w"``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro

from controller import assets, recording
from controller.errors import ConfigError, require, run_command
from controller.player import Player
from controller.recording import Recording
from controller.viewer import quality
from controller.viewer.clock import FixedStep
from controller.viewer.keys import KeyScript
from controller.viewer.screen import Screen

HELP = """\
W A S D, arrows\twalk, as seen by the camera
Shift, Ctrl\tfaster, slower
Q, E\tturn the way it faces, left and right
F\tlock the way it faces: S walks backward, A and D sideways
mouse drag, wheel\tturn the camera, zoom
C\tcamera: free, behind its back, from above
Space, R\tpause, reset
F1, Esc\tthis help, quit"""
HUD_STEPS = 6  # steps between two updates of the text: figures that change faster cannot be read


@dataclass(frozen=True)
class Options:
    """Steer the character with the keyboard, the mouse or a game pad.

    W A S D or the arrows walk, relative to the camera; Shift faster, Ctrl slower; Q and E turn the way it faces while
    it walks on; F locks the way it faces, so that S walks backward and A and D sideways, until F is pressed again.
    Mouse: drag turns the camera, the wheel zooms. Space pauses, R resets, C changes the camera, F1 helps, Esc quits.

    With --keys nobody need be there. The camera then looks along world +Z all the time: w walks towards +Z, s towards
    -Z, a towards +X, d towards -X.
    """

    headless: bool = False
    """No window: plays --frames as fast as it can, drawing off-screen if pictures are recorded."""
    frames: int | None = None
    """Quit after this many simulation frames, 30 a second. Unless given: the end of --keys, or never."""
    keys: str = ""
    """Keys held by a script, START-END:KEY,... in simulation frames, the end not included: "0-150:w,60-120:shift".
    Keys: w a s d up left down right shift ctrl q e f r."""
    seed: int = 0
    """Seed of the starting pose."""
    record: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """File to record to: .bvh (centimetres), .npz, .png (the last frame), .gif or .mp4. Several: separated by commas, or
    the option again."""
    size: str = "960x540"
    """Width and height of the picture in pixels."""
    quality: Literal["auto", "low", "high"] = "auto"
    """Of the picture; auto: high with a graphics card, low without."""
    fps_report: bool = False
    """Print how many pictures a second were played and drawn. Headless only."""
    mvae: Path = assets.MVAE
    """The motion VAE."""
    policy: Path | None = None
    """The joystick policy; the shipped one unless given."""
    threads: int = 1
    """Threads of torch; networks this small gain nothing from more."""

    def __post_init__(self) -> None:
        require(self.frames is None or self.frames >= 1, "--frames", self.frames, "1 or more")
        require(self.threads >= 1, "--threads", self.threads, "1 or more")
        if self.headless and self.length is None:
            raise ConfigError("--headless needs --frames or --keys: nobody is there to quit")

    @property
    def script(self) -> KeyScript:
        return KeyScript.parse(self.keys)

    @property
    def length(self) -> int | None:
        """How many simulation frames to play; None until somebody quits."""
        return self.frames or self.script.length or None

    @property
    def pixels(self) -> tuple[int, int]:
        """``size`` as numbers."""
        width, cross, height = self.size.lower().partition("x")
        if not (cross and all(side.isascii() and side.isdigit() and 16 <= int(side) <= 8192 for side in (width, height))):
            raise ConfigError(f"--size is {self.size!r}; allowed: WIDTHxHEIGHT, each 16 to 8192, for example 960x540")
        return int(width), int(height)


def open_screen(player: Player, options: Options, record: Recording) -> Screen:
    """The window, or the place to draw off-screen."""
    level = {"auto": None, "low": quality.LOW, "high": quality.HIGH}[options.quality]
    # A film has one size, so a window that is filmed must keep its own.
    resizable = not record.wants_pictures
    skeleton = player.character.skeleton
    screen = Screen(skeleton, options.pixels, headless=options.headless, resizable=resizable, quality=level)
    screen.camera.jump(player.root.numpy())
    return screen


def play_headless(player: Player, options: Options, record: Recording) -> None:
    """Play the script, a picture a step, as fast as it goes. Recording motion alone needs no OpenGL."""
    drawn = record.wants_pictures or options.fps_report
    screen = open_screen(player, options, record) if drawn else None
    stepping, drawing, frames = 0.0, 0.0, options.length or 0
    for frame in range(frames):
        started = time.perf_counter()
        player.step(options.script.held(frame))
        record.add(player.root, player.rotations)
        stepped = time.perf_counter()
        if screen:
            screen.draw(player.now, player.seconds)
            if record.wants_pictures:
                record.add_picture(screen.picture())
            else:
                screen.renderer.finish()
        stepping, drawing = stepping + stepped - started, drawing + time.perf_counter() - stepped
    if options.fps_report and screen:
        width, height = screen.renderer.size
        print(
            f"{frames / (stepping + drawing):.1f} fps at {width}x{height} on {screen.renderer.driver}: "
            f"{1000 * stepping / frames:.2f} ms a step, {1000 * drawing / frames:.2f} ms a picture"
        )


def play_window(player: Player, options: Options, record: Recording) -> None:
    """Play until somebody quits: steps at 30 Hz, pictures at the screen's rate between the two newest states."""
    screen = open_screen(player, options, record)
    clock, script = FixedStep(player.seconds), options.script
    paused, helping, played, seconds, line = False, False, 0, 0.0, ""
    while options.length is None or played < options.length:
        seen = screen.window.poll()
        if "quit" in seen.actions:
            break
        paused ^= seen.actions.count("pause") % 2 == 1
        helping ^= seen.actions.count("help") % 2 == 1
        ...
