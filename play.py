"""Steer the character: ``python play.py``, or without anybody: ``python play.py --headless --keys
"0-150:w"``."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

from controller.control import shipped
from controller.control.monte_carlo import MonteCarloConfig
from controller.core.errors import ConfigError, require, run_command
from controller.games import GAMES, KEYS, recording
from controller.games.player import Player
from controller.games.pointing import Pointing
from controller.games.recording import Recording
from controller.games.settings import MOST, Settings
from controller.viewer.gl import quality
from controller.viewer.input.clicks import ClickScript
from controller.viewer.input.keys import KeyScript
from controller.viewer.input.window import Input
from controller.viewer.scene.camera import DISTANCES, ELEVATIONS
from controller.viewer.scene.clock import FixedStep
from controller.viewer.scene.texts import Texts
from controller.viewer.screen import Screen

HELP = "\n".join(
    (
        "1 to 8\ttask: joystick, target, timed target, path, maze, crowd, random walk, Monte Carlo "
        "control",
        "W A S D, arrows\twalk, as seen by the camera",
        "Shift, Ctrl\tfaster, slower",
        "Q, E\tturn the way it faces, left and right",
        "F\tlock the way it faces: S walks backward, A and D sideways",
        *(page for game in GAMES.values() for page in game.pages),
        "mouse drag, wheel\tturn the camera, zoom; with the right button where the left one draws",
        "C\tcamera: orbit, chase (behind its back), above, all",
        "P\tthe next policy, if there are several",
        "Space, R\tpause, reset",
        "game pad\tsticks walk and look, triggers fast and slow, shoulders turn",
        "F1, Esc\tthis help, quit",
    )
)
QUALITIES = {"auto": None, "low": quality.LOW, "high": quality.HIGH}
HUD_STEPS = 6  # steps between two updates of the text: figures that change faster cannot be read


@dataclass(frozen=True)
class Options:
    """Steer the character with the keyboard, the mouse or a game pad.

    W A S D or the arrows walk, relative to the camera; Shift faster, Ctrl slower; Q and E turn the
    way it faces while it walks on; F locks the way it faces, so that S walks backward and A and D
    sideways, until F is pressed again. Mouse: drag turns the camera, the wheel zooms. P lets the
    next policy steer, Space pauses, R resets, C changes the camera, F1 helps, Esc quits.

    1 to 8 switch the task in mid-walk:
    1. joystick, as above;
    2. target: a click on the ground sets the flag;
    3. timed target: the same, by the clock;
    4. path: a drag over the ground draws it; 4 again: figure-8, heart, zigzag, spiral;
    5. maze: a click or drag sets the exit; V: the rays by which it sees; 5 again: another maze;
    6. crowd: N, or a click on somebody, follows another; a click elsewhere sends it there, or all
       under camera "all";
    7. random walk: sliders hold units of z; N: the others at random or 0; 0: let all go;
    8. Monte Carlo control of the target task: no policy.

    With --keys nobody need be there. The camera then looks along world +Z all the time: w walks
    towards +Z, s towards -Z, a towards +X, d towards -X.
    """

    headless: bool = False
    """No window: plays --frames as fast as it can, drawing off-screen if pictures are recorded."""
    frames: int | None = None
    """Quit after this many simulation frames, 30 a second. Unless given: the end of --keys and
    --clicks, or never."""
    keys: str = ""
    """Keys held by a script, START-END:KEY,... in simulation frames, the end not included:
    "0-150:w,60-120:shift". Keys: w a s d up left down right shift ctrl q e f r p n v 0 1 2 3 4 5 6
    7 8."""
    clicks: str = ""
    """Clicks on the ground by a script, FRAME:X/Z,... in simulation frames and metres:
    "0:3/4,90:-2/1.5"."""
    task: Literal[
        "joystick", "target", "timed_target", "path", "maze", "crowd", "random", "monte_carlo"
    ] = "joystick"
    """What is played first; the keys 1 to 8 switch."""
    characters: int = 30
    """Characters of the crowd, up to 200."""
    monte_carlo: MonteCarloConfig = field(default_factory=lambda: Settings().monte_carlo)
    """Settings of Monte Carlo control."""
    seed: int = 0
    """Seed of the starting pose."""
    record: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """File to record to: .bvh (centimetres), .npz, .png (the last frame), .gif or .mp4. Several:
    with commas between them, or the option again."""
    size: str = "960x540"
    """Width and height of the picture in pixels."""
    camera: Literal["orbit", "chase", "above", "all", "still"] = "orbit"
    """How the camera begins; C changes it. still: it does not follow."""
    distance: float = 4.4
    """Metres from which the camera looks on; the wheel changes it."""
    elevation: float = 18.0
    """Degrees that the camera is above the character; a drag changes it."""
    quality: Literal["auto", "low", "high"] = "auto"
    """Of the picture; auto: high with a graphics card, low without."""
    fps_report: bool = False
    """Print how many pictures a second were played and drawn. Headless only."""
    mvae: Path = shipped.MVAE
    """The motion VAE."""
    policy: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """A policy; the shipped ones unless given. Several: the option again. A task is played by those
    trained for it, or for the joystick, if it extends that; P switches."""
    threads: int = 1
    """Threads of torch; networks this small gain nothing from more."""

    def check(self) -> None:
        """Raise :class:`ConfigError` about the first option that makes no sense, before anything is
        played.

        Not done on construction: there tyro would catch the error and say it in a box of many
        lines.
        """
        require(self.frames is None or self.frames >= 1, "--frames", self.frames, "1 or more")
        require(self.threads >= 1, "--threads", self.threads, "1 or more")
        require(0 <= self.seed < 2**63, "--seed", self.seed, "0 to 2^63 - 1")
        require(1 <= self.characters <= MOST, "--characters", self.characters, f"1 to {MOST}")
        if not self.length and self.headless:
            raise ConfigError(
                "--headless needs --frames, --keys or --clicks, for nobody is there to quit"
            )
        require(
            DISTANCES[0] <= self.distance <= DISTANCES[1],
            "--distance",
            self.distance,
            "1.5 to 14 m",
        )
        lowest, highest = map(math.degrees, ELEVATIONS)
        require(
            lowest <= self.elevation <= highest,
            "--elevation",
            self.elevation,
            f"{lowest:.0f} to {highest:.0f}°",
        )
        recording.check(self.files)
        require(
            all(16 <= side <= 8192 for side in self.pixels),
            "--size",
            self.size,
            "16x16 to 8192x8192",
        )

    @cached_property
    def script(self) -> KeyScript:
        """``keys``, read."""
        return KeyScript.parse(self.keys)

    @cached_property
    def clicked(self) -> ClickScript:
        """``clicks``, read."""
        return ClickScript.parse(self.clicks)

    @cached_property
    def length(self) -> int | None:
        """Simulation frames to play; None until somebody quits."""
        return self.frames or max(self.script.length, self.clicked.length) or None

    @property
    def settings(self) -> Settings:
        """Of the games."""
        return Settings(self.characters, self.monte_carlo)

    @cached_property
    def files(self) -> list[Path]:
        """The files that ``record`` names."""
        return [Path(name.strip()) for text in self.record for name in text.split(",")]

    @cached_property
    def pixels(self) -> tuple[int, int]:
        """``size`` as numbers."""
        match = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", self.size)
        if match is None:
            raise ConfigError(
                f"--size is {self.size!r}; allowed: WIDTHxHEIGHT, for example 960x540"
            )
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
    screen.camera.mode = options.camera
    screen.camera.distance = options.distance
    screen.camera.elevation = math.radians(options.elevation)
    screen.camera.jump(player.root.numpy())
    return screen


def play_headless(player: Player, options: Options, record: Recording) -> None:
    """Play the script, a picture a step, as fast as it goes. Recording motion alone needs no
    OpenGL."""
    drawn = record.wants_pictures or options.fps_report or not options.files
    screen = open_screen(player, options, record) if drawn else None
    stepping = 0.0
    drawing = 0.0
    frames = options.length or 0
    for frame in range(frames):
        started = time.perf_counter()
        for point in options.clicked.at(frame):
            player.point(*point, overlooking=options.camera == "all")
        player.step(options.script.at(frame))
        record.add(player.root, player.rotations)
        stepped = time.perf_counter()
        if screen:
            screen.draw(player.now, player.seconds)
            if record.wants_pictures:
                record.add_picture(screen.picture())
            else:
                screen.renderer.finish()
        stepping = stepping + stepped - started
        drawing = drawing + time.perf_counter() - stepped
    if options.fps_report and screen:
        width, height = screen.renderer.size
        print(
            f"{frames / (stepping + drawing):.1f} fps at {width}x{height} on "
            f"{screen.renderer.driver}: "
            f"{1000 * stepping / frames:.2f} ms a step, {1000 * drawing / frames:.2f} ms a picture"
        )


class Session:
    """Somebody at the window: steps at 30 Hz, pictures at the screen's rate between the two newest
    states."""

    def __init__(self, player: Player, options: Options, record: Recording) -> None:
        self.player = player
        self.record = record
        self.script = options.script if options.keys else None
        self.length = options.length
        self.clicked = options.clicked
        self.screen = open_screen(player, options, record)
        self.pointing = Pointing(player, self.screen)
        self.clock = FixedStep(player.seconds)
        self.paused = self.helping = False
        self.held: frozenset[str] = frozenset()
        self.played = 0
        self.line = self.text()

    def run(self) -> None:
        """Play until somebody quits or the script is over."""
        seconds = 0.0
        while self.length is None or self.played < self.length:
            seen = self.screen.window.poll()
            if "quit" in seen.actions:
                return
            self.obey(seen)
            steps = 0 if self.paused else self.clock.advance(seconds)
            self.held |= seen.keys  # a tap between two steps counts in the next
            for _ in range(steps):
                self.step(seen)
                self.held = seen.keys
            self.screen.draw(
                self.player.before.towards(self.player.now, self.clock.fraction), seconds
            )
            for _ in range(steps if self.record.wants_pictures else 0):
                self.record.add_picture(self.screen.picture())
            seconds = self.screen.show(self.texts())

    def obey(self, seen: Input) -> None:
        """Do what was asked of the window and the camera."""
        self.pointing.obey(seen)
        for action in seen.actions:
            self.paused ^= action == "pause"
            self.helping ^= action == "help"
            if action == "camera":
                self.screen.camera.next_mode()
        if seen.actions:
            self.line = self.text()

    def step(self, seen: Input) -> None:
        """One step of the simulation, with the script's keys and clicks if there are any."""
        for point in self.clicked.at(self.played):
            self.player.point(*point, overlooking=self.screen.camera.mode == "all")
        if self.script:
            self.player.step(self.script.at(self.played))
        else:
            self.player.step(self.held, self.screen.camera.azimuth, seen.move)
        self.record.add(self.player.root, self.player.rotations)
        self.played += 1
        if self.played % HUD_STEPS == 0:
            self.line = self.text()

    def texts(self) -> Texts:
        """All that is written over the picture."""
        game = self.player.game
        return Texts(
            self.line, self.title(), game.clock, HELP if self.helping else "", game.sliders
        )

    def title(self) -> str:
        """What is played, how it stands, and which policy plays; or why the key pressed last
        changed nothing."""
        game = self.player.game
        pilot = self.player.pilot
        if self.player.complaint:
            return self.player.complaint
        # two may well have the same name
        number = self.player.chosen + 1
        count = len(self.player.pilots)
        policy = f"policy {pilot.name}" if pilot else ""
        if count > 1:
            policy = f"P {policy} ({number}/{count})"
        return "   ".join(
            filter(None, (f"{KEYS[game.name]} {game.name.replace('_', ' ')}", game.status, policy))
        )

    def text(self) -> str:
        """The line at the bottom of the window."""
        speed = float(np.hypot(*self.player.now.velocity))
        parts = (
            *(("PAUSED",) if self.paused else ()),
            f"{self.screen.window.fps:.0f} fps",
            f"{speed:.2f} m/s",
            "1-8 task",
            *(
                ("WASD walk", "Shift fast", "Ctrl slow", "Q E turn", "F facing")
                if self.player.game.wish
                else ()
            ),
            f"C camera {self.screen.camera.mode}",
            *("Space pause", "R reset", "F1 help"),
        )
        return "   ".join(parts)


def main() -> None:
    options = tyro.cli(Options)
    options.check()
    torch.set_num_threads(options.threads)
    player = Player.load(options.mvae, options.policy, options.seed, options.task, options.settings)
    with Recording(options.files, player.character.skeleton, player.character.fps) as record:
        if options.headless:
            play_headless(player, options, record)
        else:
            Session(player, options, record).run()


if __name__ == "__main__":
    run_command(main)
