"""Steer the character: ``python play.py``, or by a script:
``python play.py --headless --keys "0-150:w"``."""

from __future__ import annotations

import gc
import math
import re
import textwrap
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
import tyro

from controller.control import folder, worn
from controller.control.monte_carlo import MonteCarloConfig
from controller.core import command_line
from controller.core.errors import ConfigError, ControllerError, require, run_command
from controller.core.registry import load_plugins
from controller.games import GAMES, guide, recording
from controller.games.cast import SWITCH, Cast
from controller.games.player import Player
from controller.games.pointing import Pointing
from controller.games.recording import Recording
from controller.games.settings import MOST, Settings
from controller.ground import field_files
from controller.ground.ground import UPHILL
from controller.ground.kinds import named
from controller.viewer import screenshot
from controller.viewer.gl import quality
from controller.viewer.input.clicks import ClickScript
from controller.viewer.input.keys import STEERING_KEYS, KeyScript
from controller.viewer.input.window import Input
from controller.viewer.scene.camera import DISTANCES, ELEVATIONS
from controller.viewer.scene.clock import FixedStep
from controller.viewer.scene.texts import Texts
from controller.viewer.screen import Screen

if TYPE_CHECKING:
    from controller.video.neural_renderer import NeuralRenderer

QUALITIES = {"auto": None, "low": quality.LOW, "high": quality.HIGH}
ONE_SKELETON = "motion that is recorded has one skeleton: Tab changes nothing"
COMPLAINT_WIDTH = 90
"""Letters in a line of a complaint."""
NOTICE_SECONDS = 4.0
"""For how long the window says where a picture went."""
HUD_STEPS = 6
"""Steps between two updates of the text: figures that change faster cannot be read."""
KEYS_HELP = (
    "Keys held down by a script, START-END:KEY,... in simulation frames, the end not included: "
    f'"0-150:w,60-120:shift". Keys: {" ".join(STEERING_KEYS)}.'
)


@dataclass(frozen=True)
class Options:
    """Options of ``play.py``. The help adds what :func:`controller.games.guide.command_help`
    says."""

    headless: bool = False
    """No window: plays --frames as fast as it can, drawing off-screen if pictures are recorded."""
    frames: int | None = None
    """Quit after this many simulation frames, 30 a second. By default: at the end of --keys and
    --clicks, or never."""
    keys: Annotated[str, tyro.conf.arg(help=KEYS_HELP)] = ""
    clicks: str = ""
    """Clicks on the ground by a script, FRAME:X/Z,... in simulation frames and metres:
    "0:3/4,90:-2/1.5"."""
    task: str = "joystick"
    """The task to begin with: one of the above, or MODULE:NAME for a task that the module
    registers."""
    characters: int = 30
    """Characters of the crowd, up to 200."""
    monte_carlo: MonteCarloConfig = field(default_factory=lambda: Settings().monte_carlo)
    """Settings of Monte Carlo control."""
    seed: int = 0
    """Seed of the starting pose."""
    foot_lock: bool = True
    """Feet that stand stay where they are, in the picture and in recordings; the key I changes it.
    Without, both show what was simulated."""
    ground: str = "flat"
    """What characters are drawn on: flat, hills, slopes, stairs, rocks, or a height field (.png or
    .tif in grey, .npz). The key G goes through them."""
    ground_size: float = field_files.SIZE
    """Metres of the longer side of a picture that is a height field."""
    ground_rise: float = field_files.RISE
    """Metres between black and white in such a picture."""
    uphill: float = UPHILL
    """How much the joystick is slowed on a slope: to 1 / (1 + UPHILL · slope); half as much
    downhill. 0: not at all."""
    record: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """File to record to: .glb (with the body), .bvh (centimetres), .npz, .png (the last frame),
    .gif or .mp4. For several files, separate them with commas or repeat the option."""
    size: str = "960x540"
    """Width and height of the picture in pixels."""
    camera: Literal["orbit", "chase", "above", "all", "still"] = "orbit"
    """The camera to begin with; C changes it. still: it does not follow."""
    distance: float = 4.4
    """Distance of the camera in metres; the wheel changes it."""
    elevation: float = 18.0
    """Elevation of the camera above the character in degrees; a drag changes it."""
    quality: Literal["auto", "low", "high"] = "auto"
    """Quality of the picture; auto: high with a graphics card, low without."""
    look: Literal["body", "capsules"] = "body"
    """What characters look like: the body in their folder, or capsules. A character without a body
    is made of capsules."""
    skeleton: bool = False
    """Begin with the skeleton drawn over the body; the key B changes it."""
    screenshots: Path = Path()
    """The folder for pictures that F12 takes; it is made if it is missing."""
    renderer: Literal["opengl", "neural"] = "opengl"
    """neural: a network paints the character, too, from its own last picture and the pose; its
    picture is beside OpenGL's. Only on flat ground."""
    neural: Path | None = None
    """The network that `python -m controller video train` wrote; by default the shipped one."""
    body: Path | None = None
    """A rigged mesh (.glb, .gltf) that the character wears; Tab's others wear their own. By
    default body.glb in its folder, or the body that was made for it."""
    roles: Path | None = None
    """A file that states roles of joints of --body (TOML or JSON); the others are guessed."""
    fps_report: bool = False
    """Print how many pictures per second were played and drawn. Only with --headless."""
    character: str = folder.DEFAULT
    """The character to begin with: its name, or its folder. Tab changes it."""
    mvae: Path | None = None
    """The motion VAE; by default the character's."""
    policy: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """A policy; by default the character's. For several, repeat the option. A task is played by
    the policies trained for it, or for the joystick if it extends that; P switches."""
    threads: int = 1
    """Threads of torch; networks this small gain nothing from more."""

    def check(self) -> None:
        """Raise :class:`ConfigError` about the first option that makes no sense, before anything is
        played.

        Not done on construction, where tyro would catch the error and show it in a box of many
        lines.
        """
        require(self.frames is None or self.frames >= 1, "--frames", self.frames, "1 or more")
        require(self.threads >= 1, "--threads", self.threads, "1 or more")
        require(0 <= self.seed < 2**63, "--seed", self.seed, "0 to 2^63 - 1")
        require(1 <= self.characters <= MOST, "--characters", self.characters, f"1 to {MOST}")
        if not self.length and self.headless:
            raise ConfigError(
                "--headless needs --frames, --keys or --clicks, or it would never end"
            )
        near, far = DISTANCES
        allowed = f"{near:g} to {far:g} m"
        require(near <= self.distance <= far, "--distance", self.distance, allowed)
        low, high = map(math.degrees, ELEVATIONS)
        allowed = f"{low:.0f} to {high:.0f}°"
        require(low <= self.elevation <= high, "--elevation", self.elevation, allowed)
        recording.check(self.files)
        switched = any(key == SWITCH for _, _, key in self.key_script.ranges)
        if switched and recording.motions(self.files):
            raise ConfigError(f"--keys has {SWITCH!r}, but {ONE_SKELETON}")
        sides_fit = all(16 <= side <= 8192 for side in self.pixels)
        require(sides_fit, "--size", self.size, "16x16 to 8192x8192")
        require(
            self.roles is None or self.body is not None, "--roles", str(self.roles), "with --body"
        )
        GAMES.find(self.task)
        neural = "with --renderer neural"
        if self.renderer == "neural":
            require(self.ground == "flat", "--ground", self.ground, f"flat {neural}")
        else:
            require(self.neural is None, "--neural", str(self.neural), neural)
        require(1 <= self.ground_size <= 10_000, "--ground-size", self.ground_size, "1 to 10000 m")
        require(0 <= self.ground_rise <= 1000, "--ground-rise", self.ground_rise, "0 to 1000 m")
        require(0 <= self.uphill <= 20, "--uphill", self.uphill, "0 to 20")

    @cached_property
    def key_script(self) -> KeyScript:
        """``keys``, parsed."""
        return KeyScript.parse(self.keys)

    @cached_property
    def click_script(self) -> ClickScript:
        """``clicks``, parsed."""
        return ClickScript.parse(self.clicks)

    @cached_property
    def length(self) -> int | None:
        """Simulation frames to play; None to play until the user quits."""
        return self.frames or max(self.key_script.length, self.click_script.length) or None

    @property
    def settings(self) -> Settings:
        """Settings of the games."""
        size, rise = self.ground_size, self.ground_rise
        ground = named(self.ground, self.seed, size=size, rise=rise, uphill=self.uphill)
        return Settings(self.characters, self.monte_carlo, self.foot_lock, ground)

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
    """Open the window, or a place to draw off-screen."""
    screen = Screen(
        player.character.skeleton,
        options.pixels,
        headless=options.headless,
        resizable=not record.wants_pictures,  # a film has one size
        quality=QUALITIES[options.quality],
        skin=player.skin if options.look == "body" else None,
    )
    screen.renderer.skeleton_shown = options.skeleton
    screen.camera.mode = options.camera
    screen.camera.distance = options.distance
    screen.camera.elevation = math.radians(options.elevation)
    screen.camera.aim_at(player.hips_height)
    screen.camera.ground = player.now.ground
    screen.camera.jump(player.root.numpy())
    return screen


class Beside:
    """What a network paints beside OpenGL's picture, if that is asked for."""

    def __init__(self, player: Player, options: Options) -> None:
        self.neural: NeuralRenderer | None = None
        if options.renderer == "neural":
            from controller.video.neural_renderer import NeuralRenderer

            self.neural = NeuralRenderer.load(options.neural, player.character.skeleton)

    def show_on(self, screen: Screen, player: Player) -> None:
        """Begin with OpenGL's picture of the player."""
        if self.neural is None:
            return
        from controller.video.inset import Inset

        neural, inset = self.neural, Inset()
        neural.anchor(player, screen)
        screen.overlay = lambda size: inset.draw(neural.picture, size)

    def step(self, player: Player, screen: Screen) -> None:
        """Paint the player's newest pose. Characters with another skeleton are left alone."""
        if self.neural and player.character.skeleton is self.neural.skeleton:
            self.neural.step(player, screen)


def show_player(screen: Screen, player: Player, look: str) -> None:
    """Let the screen draw the character that plays, if it is not the one drawn last."""
    if screen.renderer.skeleton is not player.character.skeleton:
        skin = player.skin if look == "body" else None
        screen.show_skeleton(player.character.skeleton, player.hips_height, skin)


def play_headless(cast: Cast, options: Options, record: Recording) -> None:
    """Play the script as fast as possible, one picture per step. Recording motion alone needs no
    OpenGL."""
    needs_screen = record.wants_pictures or options.fps_report or not options.files
    screen = open_screen(cast.player, options, record) if needs_screen else None
    beside = Beside(cast.player, options)
    if screen:
        beside.show_on(screen, cast.player)
    stepping = 0.0
    drawing = 0.0
    frames = options.length or 0
    for frame in range(frames):
        started = time.perf_counter()
        for point in options.click_script.at(frame):
            cast.player.point(*point, overlooking=options.camera == "all")
        cast.step(options.key_script.at(frame))
        player = cast.player
        record.add(player.root, player.rotations)

        stepped = time.perf_counter()
        if screen:
            show_player(screen, player, options.look)
            beside.step(player, screen)
            screen.draw(player.now, player.seconds)
            if record.wants_pictures:
                record.add_picture(screen.picture())
            else:
                screen.renderer.finish()
        stepping = stepping + stepped - started
        drawing = drawing + time.perf_counter() - stepped
    if options.fps_report and screen:
        print(fps_line(screen, frames, stepping, drawing))


def fps_line(screen: Screen, frames: int, stepping: float, drawing: float) -> str:
    """Report how fast so many frames were, from the seconds spent on steps and on pictures."""
    width, height = screen.renderer.size
    return (
        f"{frames / (stepping + drawing):.1f} fps at {width}x{height} on "
        f"{screen.renderer.driver}: "
        f"{1000 * stepping / frames:.2f} ms a step, {1000 * drawing / frames:.2f} ms a picture"
    )


class Session:
    """The user at the window: steps at 30 Hz, and pictures at the screen's rate between the two
    newest states."""

    def __init__(self, cast: Cast, options: Options, record: Recording) -> None:
        self.cast = cast
        self.record = record
        self.key_script = options.key_script if options.keys else None
        self.click_script = options.click_script
        self.length = options.length
        self.look = options.look
        self.beside = Beside(cast.player, options)
        self.screen = open_screen(cast.player, options, record)
        self.beside.show_on(self.screen, cast.player)
        self.pointing = Pointing(cast.player, self.screen)
        self.clock = FixedStep(cast.player.seconds)
        self.paused = False
        self.helping = False
        self.keys: frozenset[str] = frozenset()
        self.played = 0
        self.screenshots = options.screenshots
        self.notice = ""
        self.notice_ends = 0.0
        self.line = self.text()

    @property
    def player(self) -> Player:
        """The character that plays."""
        return self.cast.player

    def run(self) -> None:
        """Play until the user quits or the script is over."""
        seconds = 0.0
        while self.length is None or self.played < self.length:
            inputs = self.screen.window.poll()
            if "quit" in inputs.actions:
                return
            self.apply(inputs)
            steps = 0 if self.paused else self.clock.advance(seconds)
            if self.length is not None:
                steps = min(steps, self.length - self.played)  # several if a picture took long
            self.keys |= inputs.keys  # a tap between two steps counts in the next
            for _ in range(steps):
                self.step(inputs)
                self.keys = inputs.keys

            scene = self.player.before.towards(self.player.now, self.clock.fraction)
            self.screen.draw(scene, seconds)
            for _ in range(steps if self.record.wants_pictures else 0):
                self.record.add_picture(self.screen.picture())
            seconds = self.screen.show(self.texts())

    def apply(self, inputs: Input) -> None:
        """Do what the user asks of the window and the camera."""
        self.pointing.apply(inputs)
        for action in inputs.actions:
            self.paused ^= action == "pause"
            self.helping ^= action == "help"
            if action == "camera":
                self.screen.camera.next_mode()
            elif action == "skeleton":
                self.screen.renderer.skeleton_shown ^= True
            elif action in ("slower", "faster"):
                self.clock.slow_down(1 if action == "slower" else -1)
            elif action == "screenshot":
                self.take_picture()
        if inputs.actions:
            self.line = self.text()

    def take_picture(self) -> None:
        """Write what is shown, without texts, to a file, and say so for a while."""
        try:
            path = screenshot.save(self.screen.picture(), self.screenshots)
            self.notice = f"picture: {path}"
        except (ControllerError, OSError) as error:
            self.notice = f"no picture: {error}"
        self.notice_ends = time.perf_counter() + NOTICE_SECONDS

    def step(self, inputs: Input) -> None:
        """Take one step of the simulation, with the script's keys and clicks if there are any."""
        for point in self.click_script.at(self.played):
            self.player.point(*point, overlooking=self.screen.camera.mode == "all")
        if self.key_script:
            self.cast.step(self.key_script.at(self.played))
        else:
            self.cast.step(self.keys, self.screen.camera.azimuth, inputs.move)
        show_player(self.screen, self.player, self.look)
        self.beside.step(self.player, self.screen)
        self.pointing.player = self.player
        self.record.add(self.player.root, self.player.rotations)
        self.played += 1
        if self.played % HUD_STEPS == 0:
            self.line = self.text()

    def texts(self) -> Texts:
        """All texts over the picture."""
        game = self.player.game
        if self.notice and time.perf_counter() > self.notice_ends:
            self.notice = ""
        pages = guide.window_help(self.player.character.limits) if self.helping else ""
        title = "\n".join(filter(None, (self.title(), self.notice)))
        return Texts(self.line, title, game.clock, pages, game.sliders)

    def title(self) -> str:
        """The character with its licence if that forbids commercial use, the game, its status and
        the policy that acts; or why the key pressed last changed nothing."""
        player = self.player
        if player.complaint:
            sentence = textwrap.wrap(player.complaint, COMPLAINT_WIDTH)
            return "\n".join(filter(None, (self.who(), *sentence)))
        game = player.game
        policy = f"policy {player.policy.name}" if player.policy else ""
        count = len(player.policies)
        if count > 1:  # two of them may have the same name
            policy = f"P {policy} ({player.chosen + 1}/{count})"
        name = f"{GAMES.key(game.name)} {game.title}".strip()
        style = player.style.status if player.style else ""
        return "   ".join(filter(None, (self.who(), name, game.status, policy, style)))

    def who(self) -> str:
        """The character, and its licence if that forbids commercial use."""
        name = self.cast.name
        info = self.cast.info
        count = len(self.cast.paths)
        if count > 1:
            place = f"({self.cast.chosen + 1}/{count})"
            name = " ".join(filter(None, ("Tab", name, place)))
        return f"{name}, {info.terms}" if info and info.non_commercial else name

    def text(self) -> str:
        """The line at the bottom of the window."""
        speed = float(np.hypot(*self.player.now.velocity))
        steering = ("WASD walk", "Shift fast", "Ctrl slow", "Q E turn", "F facing")
        parts = (
            *(("PAUSED",) if self.paused else ()),
            *((f"SLOW 1/{self.clock.slowed}",) if self.clock.slowed > 1 else ()),
            f"{self.screen.window.fps:.0f} fps",
            f"{speed:.2f} m/s",
            f"1-{GAMES.last_key()} task",
            *(steering if self.player.game.wish else ()),
            f"C camera {self.screen.camera.mode}",
            *("Space pause", "R reset", "F1 help"),
        )
        return "   ".join(parts)


def main() -> None:
    load_plugins()
    options = command_line.read(Options, description=guide.command_help())
    options.check()
    torch.set_num_threads(options.threads)
    cast = Cast.open(
        options.character,
        options.mvae,
        options.policy,
        options.seed,
        options.task,
        options.settings,
    )
    character = cast.player.character
    if options.body is not None:
        cast.player.skin = worn.load(options.body, character.skeleton, options.roles)
    gc.freeze()  # what is loaded stays; to look through it again would stop play for 0.2 s
    body = cast.player.made_skin
    terms = cast.info.notice if cast.info else ""
    with Recording(options.files, character.skeleton, character.fps, body, terms) as record:
        cast.refusal = ONE_SKELETON if record.wants_motion else ""
        cast.strict = options.headless
        if options.headless:
            play_headless(cast, options, record)
        else:
            Session(cast, options, record).run()


if __name__ == "__main__":
    run_command(main)
