"""Steer the character: ``python play.py``, or without anybody: ``python play.py --headless --keys "0-150:w"``."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
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
from controller.viewer.window import Input

HELP = """\
W A S D, arrows\twalk, as seen by the camera
Shift, Ctrl\tfaster, slower
Q, E\tturn the way it faces, left and right
F\tlock the way it faces: S walks backward, A and D sideways
mouse drag, wheel\tturn the camera, zoom
C\tcamera: orbit, chase (behind its back), above
P\tthe next policy, if there are several
1 to 8\ttask: joystick, target, timed target, path, maze, crowd, random walk, Monte Carlo control
Space, R\tpause, reset
game pad\tsticks walk and look, triggers fast and slow, shoulders turn
F1, Esc\tthis help, quit"""
QUALITIES = {"auto": None, "low": quality.LOW, "high": quality.HIGH}
HUD_STEPS = 6  # steps between two updates of the text: figures that change faster cannot be read


@dataclass(frozen=True)
class Options:
    """Steer the character with the keyboard, the mouse or a game pad.

    W A S D or the arrows walk, relative to the camera; Shift faster, Ctrl slower; Q and E turn the way it faces while
    it walks on; F locks the way it faces, so that S walks backward and A and D sideways, until F is pressed again.
    Mouse: drag turns the camera, the wheel zooms. P lets the next policy steer, Space pauses, R resets, C changes the
    camera, F1 helps, Esc quits. 1 to 8 switch the task: see --task. Esc quits.

    With --keys nobody need be there. The camera then looks along world +Z all the time: w walks towards +Z, s towards
    -Z, a towards +X, d towards -X.
    """

    headless: bool = False
    """No window: plays --frames as fast as it can, drawing off-screen if pictures are recorded."""
    frames: int | None = None
    """Quit after this many simulation frames, 30 a second. Unless given: the end of --keys, or never."""
    keys: str = ""
    """Keys held by a script, START-END:KEY,... in simulation frames, the end not included: "0-150:w,60-120:shift".
    Keys: w a s d up left down right shift ctrl q e f r p 1 2 3 4 5 6 7 8."""
    task: Literal["joystick", "target", "timed_target", "path", "random"] = "joystick"
    """What is played first; the keys 1 to 8 switch."""
    seed: int = 0
    """Seed of the starting pose."""
    record: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """File to record to: .bvh (centimetres), .npz, .png (the last frame), .gif or .mp4. Several: with commas between
    them, or the option again."""
    size: str = "960x540"
    """Width and height of the picture in pixels."""
    quality: Literal["auto", "low", "high"] = "auto"
    """Of the picture; auto: high with a graphics card, low without."""
    fps_report: bool = False
    """Print how many pictures a second were played and drawn. Headless only."""
    mvae: Path = assets.MVAE
    """The motion VAE."""
    policy: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """The joystick policy; the shipped ones unless given. Several: the option again; the first starts, P switches."""
    threads: int = 1
    """Threads of torch; networks this small gain nothing from more."""

    def check(self) -> None:
        """Raise :class:`ConfigError` about the first option that makes no sense, before anything is played.

        Not done on construction: there tyro would catch the error and say it in a box of many lines.
        """
        require(self.frames is None or self.frames >= 1, "--frames", self.frames, "1 or more")
        require(self.threads >= 1, "--threads", self.threads, "1 or more")
        require(0 <= self.seed < 2**63, "--seed", self.seed, "0 to 2^63 - 1")
        if not self.script.length and self.headless and self.frames is None:
            raise ConfigError("--headless needs --frames or --keys, for nobody is there to quit")
        recording.check(self.files)
        require(all(16 <= side <= 8192 for side in self.pixels), "--size", self.size, "16x16 to 8192x8192")

    @cached_property
    def script(self) -> KeyScript:
        """``keys``, read."""
        return KeyScript.parse(self.keys)

    @cached_property
    def length(self) -> int | None:
        """Simulation frames to play; None until somebody quits."""
        return self.frames or self.script.length or None

    @cached_property
    def files(self) -> list[Path]:
        """The files that ``record`` names."""
        return [Path(name.strip()) for text in self.record for name in text.split(",")]

    @cached_property
    def pixels(self) -> tuple[int, int]:
        """``size`` as numbers."""
        match = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", self.size)
        if match is None:
            raise ConfigError(f"--size is {self.size!r}; allowed: WIDTHxHEIGHT, for example 960x540")
        return int(match[1]), int(match[2])


def open_screen(player: Player, options: Options, record: Recording) -> Screen:
    """The window, or the place to draw off-screen."""
    screen = Screen(
        player.character.skeleton,
        options.pixels,
        headless=options.headless,
        resizable=not record.wants_pictures,  # a film has one size
        quality=QUALITIES[options.quality],
    )
    screen.camera.jump(player.root.numpy())
    return screen


def play_headless(player: Player, options: Options, record: Recording) -> None:
    """Play the script, a picture a step, as fast as it goes. Recording motion alone needs no OpenGL."""
    drawn = record.wants_pictures or options.fps_report or not options.files
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


class Session:
    """Somebody at the window: steps at 30 Hz, pictures at the screen's rate between the two newest states."""

    def __init__(self, player: Player, options: Options, record: Recording) -> None:
        self.player, self.record = player, record
        self.script, self.length = options.script if options.keys else None, options.length
        self.screen = open_screen(player, options, record)
        self.clock = FixedStep(player.seconds)
        self.paused = self.helping = False
        self.held: frozenset[str] = frozenset()
        self.played = 0
        self.line = ""

    def run(self) -> None:
        """Play until somebody quits or the script is over."""
        seconds = 0.0
        while self.length is None or self.played < self.length:
            seen = self.screen.window.poll()
            if "quit" in seen.actions:
                return
            self.obey(seen)
            steps = 0 if self.paused else self.clock.advance(seconds)
            self.held |= seen.held  # a tap between two steps counts in the next
            for _ in range(steps):
                self.step(seen)
                self.held = seen.held
            self.screen.draw(self.player.before.towards(self.player.now, self.clock.fraction), seconds)
            for _ in range(steps if self.record.wants_pictures else 0):
                self.record.add_picture(self.screen.picture())
            seconds = self.screen.show(self.line or self.text(), HELP if self.helping else "")

    def obey(self, seen: Input) -> None:
        """Do what was asked of the window and the camera."""
        camera = self.screen.camera
        camera.orbit(*seen.orbit)
        camera.zoom(seen.zoom)
        for pixel in seen.clicks:
            if point := camera.ground_at(pixel, self.screen.window.size):
                self.player.point(*point)
        for action in seen.actions:
            self.paused ^= action == "pause"
            self.helping ^= action == "help"
            if action == "camera":
                camera.next_mode()
        if seen.actions:
            self.line = self.text()

    def step(self, seen: Input) -> None:
        """One step of the simulation, with the script's keys if there is one."""
        if self.script:
            self.player.step(self.script.held(self.played))
        else:
            self.player.step(self.held, self.screen.camera.azimuth, seen.move)
        self.record.add(self.player.root, self.player.rotations)
        self.played += 1
        if self.played % HUD_STEPS == 0:
            self.line = self.text()

    def steering_text(self) -> tuple[str, ...]:
        """The part of it about keys that steer."""
        return "WASD walk", "Shift fast", "Ctrl slow", "Q E turn"

    def text(self) -> str:
        """The line at the bottom of the window."""
        speed = float(np.hypot(*self.player.now.velocity))
        game = self.player.game
        number, count = self.player.chosen + 1, len(self.player.pilots)  # two may well have the same name
        parts = (
            *(("PAUSED",) if self.paused else ()),
            f"{self.screen.window.fps:.0f} fps",
            f"{speed:.2f} m/s",
            " ".join(
                ("1-8 task", game.name.replace("_", " "), game.status)
            ),
            *(self.steering_text() if game.wish else ()),
            f"C camera {self.screen.camera.mode}",
            *((f"P policy {self.player.pilot.name} ({number}/{count})",) if self.player.pilot else ()),
            *("Space pause", "R reset", "F1 help"),
        )
        return "   ".join(parts)


def main() -> None:
    options = tyro.cli(Options)
    options.check()
    torch.set_num_threads(options.threads)
    player = Player.load(options.mvae, options.policy, options.seed, options.task)
    with Recording(options.files, player.character.skeleton, player.character.fps) as record:
        if options.headless:
            play_headless(player, options, record)
        else:
            Session(player, options, record).run()


if __name__ == "__main__":
    run_command(main)
