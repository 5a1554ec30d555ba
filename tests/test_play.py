"""The character in somebody's hands, and the command that puts it there."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest
import synthetic
import torch
from PIL import Image
from torch import Tensor

import play
from controller.control.actors import Actor
from controller.control.monte_carlo import MonteCarloConfig
from controller.control.policy import Policy
from controller.core.errors import DisplayError
from controller.data.formats import bvh
from controller.dynamics.character import Character
from controller.games import GAMES
from controller.games.cast import Cast
from controller.games.joystick import JoystickGame
from controller.games.named_policy import NamedPolicy
from controller.games.player import Player
from controller.games.recording import Recording
from controller.games.settings import Settings
from controller.tasks.joystick import JoystickConfig, JoystickGoal, JoystickTask
from controller.tasks.simulation import Simulation
from controller.viewer.input.keys import KeyScript
from controller.viewer.input.steering import Paces
from controller.viewer.input.window import Input

SCRIPT = "0-20:w,10-20:shift,15-25:d"
PACES = Paces()


class PuppetPolicy:
    """Pulls the puppet's strings as the goal says, or more feebly: (forward, left, cos, sin) →
    (forward, left, …)."""

    def __init__(
        self, character: Character, pull: float = 1.0, task: str = "joystick", **settings: float
    ) -> None:
        self.header = {"settings": JoystickTask(character, JoystickConfig(**settings)).settings()}
        self.pull = pull
        self.task = task
        self.seen = character.layout.size

    def fitted(self, simulation: Simulation) -> PuppetPolicy:
        """The wish is in the same columns of every task that extends the joystick's."""
        return self

    def __call__(self, observation: Tensor) -> Tensor:
        forward, left, _, sine = observation[:, self.seen : self.seen + 4].unbind(dim=-1)
        strings = torch.zeros(len(observation), synthetic.PUPPET_LATENT)
        strings[:, 0], strings[:, 1], strings[:, 2] = forward, left, 6 * sine
        return self.pull * strings


def named(name: str, pull: float = 1.0, **settings: float) -> NamedPolicy:
    """A puppet's policy under a name."""
    return NamedPolicy(name, PuppetPolicy(synthetic.puppet(), pull, **settings))  # type: ignore[arg-type]


@pytest.fixture
def player() -> Player:
    """A puppet with one policy."""
    return Player(synthetic.puppet(), [named("only")])


@pytest.fixture
def couple() -> Player:
    """A puppet with two policies: "strong", and "weak", which pulls half as hard and knows nothing
    above 1 m/s."""
    return Player(synthetic.puppet(), [named("strong"), named("weak", 0.5, forward_speed=1.0)])


def hold(player: Player, keys: Set[str], seconds: float = 2.0, azimuth: float = 0.0) -> np.ndarray:
    """Hold keys; returns the way made in the last half second, as a velocity (x, z)."""
    for _ in range(round(30 * (seconds - 0.5))):
        player.step(keys, azimuth)
    before = player.root
    for _ in range(15):
        player.step(keys, azimuth)
    return ((player.root - before)[[0, 2]] / 0.5).numpy()


@pytest.mark.parametrize(
    ("keys", "velocity"),
    [
        ({"w"}, (0, PACES.walk)),
        ({"w", "shift"}, (0, PACES.fast)),
        ({"w", "ctrl"}, (0, PACES.slow)),
        ({"s"}, (0, -PACES.walk)),
        ({"a"}, (PACES.walk, 0)),
        ({"right"}, (-PACES.walk, 0)),
        (set(), (0, 0)),
    ],
)
def test_keys_move_the_character_in_the_world(
    player: Player, keys: set[str], velocity: tuple[float, float]
) -> None:
    assert hold(player, keys) == pytest.approx(velocity, abs=0.03)
    assert player.now.velocity == pytest.approx(velocity, abs=0.06)


def test_keys_are_relative_to_the_camera(player: Player) -> None:
    assert hold(player, {"w"}, azimuth=math.pi / 2) == pytest.approx((PACES.walk, 0), abs=0.03)


def test_it_faces_where_it_goes(player: Player) -> None:
    hold(player, {"a"})
    assert player.now.yaw == pytest.approx(math.pi / 2, abs=0.05)


def test_walking_backward_is_no_faster_than_the_policy_knows(player: Player) -> None:
    hold(player, {"f"}, 0.5 + 1 / 30)
    assert isinstance(player.game, JoystickGame) and player.game.steering.locked
    velocity = hold(player, {"s"})
    assert velocity == pytest.approx((0, -JoystickConfig().backward_speed), abs=0.03)
    assert abs(player.now.yaw) < 0.05
    assert hold(player, {"a"}) == pytest.approx((JoystickConfig().sideways_speed, 0), abs=0.03)


def test_reset_stands_at_the_origin_again_without_sweeping_there(player: Player) -> None:
    hold(player, {"w"})
    player.step({"r"})
    assert player.root[[0, 2]].abs().max() == 0 and player.before is player.now
    player.step({"r", "w"})
    player.step({"r", "w"})
    assert player.root[2] > 0  # holding R resets once


def test_a_fallen_character_starts_again(player: Player) -> None:
    hold(player, {"w"})
    player.game.policy = lambda observation: torch.tensor([[0.0, 0.0, 0.0, -2.0, 0.0]])  # type: ignore[assignment]
    player.step(frozenset())
    assert player.root[[0, 2]].abs().max() == 0


def test_scenes_between_two_steps_lie_between(player: Player) -> None:
    hold(player, {"w"})
    middle = player.before.towards(player.now, 0.5).pose.root
    torch.testing.assert_close(middle, (player.before.pose.root + player.now.pose.root) / 2)


# -- several policies ------------------------------------------------------------------------------


def test_a_switch_in_mid_walk_is_seen_only_in_the_next_step(couple: Player) -> None:
    hold(couple, {"w"})
    state = couple.state
    now = couple.now
    couple.next_policy()
    assert (
        couple.state is state
        and couple.now is now
        and couple.policies[couple.chosen].name == "weak"
    )
    couple.step({"w"})
    assert couple.before is now
    goal = JoystickGoal(torch.from_numpy(couple.now.wish)[None], torch.tensor([couple.now.facing]))
    play = couple.game.simulation
    strong, weak = (
        play.move(state, each.policy(play.observe(state, goal))) for each in couple.policies
    )
    torch.testing.assert_close(couple.state.pose, weak.pose)
    torch.testing.assert_close(couple.state.position, weak.position)
    assert (strong.position - weak.position).norm() > 0.01


def test_the_wish_follows_the_policy_that_acts(couple: Player) -> None:
    assert hold(couple, {"w", "shift"}) == pytest.approx((0, PACES.fast), abs=0.03)
    couple.next_policy()
    assert hold(couple, {"w", "shift"}) == pytest.approx((0, 0.5 * 1.0), abs=0.03)
    assert couple.now.wish == pytest.approx((0, 1.0), abs=0.01)


def test_p_switches_once_a_press_and_comes_round(couple: Player) -> None:
    script = KeyScript.parse("0-12:w,2-5:p,8-9:p")
    acted = []
    for frame in range(script.length):
        couple.step(script.at(frame))
        acted.append(couple.policies[couple.chosen].name)
    assert acted == ["strong"] * 2 + ["weak"] * 6 + ["strong"] * 4


def test_a_reset_leaves_the_policy(couple: Player) -> None:
    couple.step({"w", "p"})
    couple.step({"r"})
    assert couple.policies[couple.chosen].name == "weak" and couple.root[[0, 2]].abs().max() == 0


def test_p_with_one_policy_changes_nothing(player: Player) -> None:
    assert hold(player, {"w", "p"}) == pytest.approx((0, PACES.walk), abs=0.03)


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def weights(mvae: Path) -> list[str]:
    """Options that name an untrained motion VAE and an untrained policy for it."""
    return [
        "--mvae",
        str(mvae),
        "--policy",
        str(untrained(mvae, mvae.with_name("joystick.safetensors"))),
    ]


def untrained(mvae: Path, path: Path, seed: int = 0, **header: Any) -> Path:
    """Write a policy for that motion VAE to ``path``."""
    character = Character.load(mvae)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        task = JoystickTask(character)
        actor = Actor(character.layout.size + task.goal_size, character.latent, (16,), 1.0)
    Policy.of(actor, character, task.name, task.settings(), **header).save(path)
    return path


def run(*words: str | Path, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """``python play.py WORDS``, with variables set, or removed if None."""
    merged: dict[str, str | None] = {**os.environ, **environment}
    variables = {name: value for name, value in merged.items() if value is not None}
    command = [sys.executable, "play.py", *map(str, words)]
    return subprocess.run(
        command,
        cwd=synthetic.ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def no_opengl() -> str:
    """Why nothing can be drawn here; empty if it can."""
    from controller.viewer.input.window import Window

    try:
        Window((16, 16), headless=True).close()
    except DisplayError as error:
        return str(error)
    return ""


def test_scripted_play_is_recorded_without_opengl(
    weights: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files from the same script, and nothing imported that drawing or training needs."""
    one = tmp_path / "one.bvh"
    two = tmp_path / "two.bvh"
    script = ["--headless", "--frames", "30", "--keys", SCRIPT, "--seed", "1", *weights]
    first = run(
        *script,
        "--record",
        f"{one},{tmp_path / 'one.npz'}",
        SDL_VIDEODRIVER="dummy",
        PYTHONPROFILEIMPORTTIME="1",
    )
    assert first.returncode == 0 and first.stdout == "", first.stderr
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in first.stderr.splitlines()
    }
    assert {"torch", "controller"} <= imported
    assert "controller.video" not in first.stderr
    assert not imported & {
        "OpenGL",
        "PIL",
        "gymnasium",
        "stable_baselines3",
        "tensorboard",
        "matplotlib",
    }
    monkeypatch.setattr(sys, "argv", ["play.py", *script, "--record", str(two)])
    play.main()
    assert one.read_bytes() == two.read_bytes()
    clip = bvh.read(one)
    assert (
        len(clip) == 30
        and clip.fps == 30
        and set(clip.skeleton.names) == set(synthetic.skeleton().names)
    )
    with np.load(tmp_path / "one.npz") as file:
        np.testing.assert_allclose(file["root"], clip.positions, atol=1e-4)


def test_other_keys_another_way(
    weights: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = []
    for keys in ("0-40:w", "0-40:d"):
        path = tmp_path / "way.npz"
        words = ["play.py", "--headless", "--keys", keys, "--record", str(path), *weights]
        monkeypatch.setattr(sys, "argv", words)
        play.main()
        with np.load(path) as file:
            roots.append(file["root"])
    assert roots[0].shape == (40, 3) and np.abs(roots[0] - roots[1]).max() > 1e-4


def test_policies_are_named_after_their_algorithm_or_their_file(mvae: Path, tmp_path: Path) -> None:
    paths = [
        untrained(mvae, tmp_path / "one.safetensors", training={"algorithm": "shac"}),
        untrained(mvae, tmp_path / "two.safetensors"),
    ]
    assert [policy.name for policy in Player.load(mvae, paths, 0).policies] == [
        "joystick SHAC",
        "two",
    ]


def test_a_script_switches_between_the_policies_named(
    weights: list[str], mvae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = str(untrained(mvae, tmp_path / "other.safetensors", seed=1))
    roots = []
    for keys in ("0-40:w", "0-40:w,20-22:p"):
        path = tmp_path / "way.npz"
        words = [
            "play.py",
            "--headless",
            "--keys",
            keys,
            "--record",
            str(path),
            *weights,
            "--policy",
            other,
        ]
        monkeypatch.setattr(sys, "argv", words)
        play.main()
        with np.load(path) as file:
            roots.append(file["root"])
    np.testing.assert_array_equal(roots[0][:20], roots[1][:20])
    assert (
        np.abs(roots[0][20] - roots[1][20]).max() > 0 and np.abs(roots[0] - roots[1]).max() > 1e-4
    )


def test_each_policy_must_fit_the_model(
    weights: list[str],
    puppet_mvae: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is played, though it would be the second's turn only after P."""
    alien = untrained(puppet_mvae, tmp_path / "alien.safetensors")
    for path, message in (
        (alien, "trained on another motion VAE"),
        (tmp_path / "no.safetensors", "no such checkpoint"),
    ):
        words = [*weights, "--policy", path, "--headless", "--frames", "1"]
        refusal = synthetic.refusal(play.main, words, monkeypatch, capsys)
        assert refusal.startswith(f"{path}: ") and message in refusal


def test_the_script_reaches_the_player_frame_by_frame(
    player: Player, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What play.py hands on is what the script says, with the camera along +Z."""
    keys: list[Set[str]] = []
    step = player.step
    monkeypatch.setattr(player, "step", lambda held, *_: (keys.append(held), step(held)))
    monkeypatch.setattr(Player, "load", lambda *_: player)
    monkeypatch.setattr(
        sys,
        "argv",
        ["play.py", "--headless", "--keys", SCRIPT, "--record", str(tmp_path / "a.bvh")],
    )
    play.main()
    assert keys == [KeyScript.parse(SCRIPT).at(frame) for frame in range(25)]
    assert player.root[2] > 0.3


def test_pictures_and_speed(weights: list[str], tmp_path: Path) -> None:
    if reason := no_opengl():
        pytest.skip(reason)
    files = [tmp_path / f"out.{suffix}" for suffix in ("png", "gif", "bvh")]
    words = [word for file in files for word in ("--record", file)]
    done = run(
        "--headless",
        "--frames",
        "8",
        "--keys",
        "0-8:w",
        "--size",
        "320x180",
        "--fps-report",
        *words,
        *weights,
    )
    assert done.returncode == 0, done.stderr
    assert all(file.stat().st_size > 1000 for file in files)
    with Image.open(files[0]) as picture:
        assert picture.size == (320, 180) and np.asarray(picture).std() > 10
    assert " fps at 320x180 on " in done.stdout


def test_a_window_plays_its_script_and_closes(weights: list[str], tmp_path: Path) -> None:
    if reason := no_opengl():
        pytest.skip(reason)
    path = tmp_path / "a.npz"
    done = run(
        "--frames",
        "12",
        "--keys",
        "0-12:w",
        "--size",
        "160x90",
        "--record",
        path,
        *weights,
        SDL_VIDEODRIVER="offscreen",
    )
    assert done.returncode == 0, done.stderr
    with np.load(path) as file:
        assert len(file["root"]) == 12


def test_somebody_at_the_window(couple: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys tapped between two steps count; actions reach the camera and the text; Esc leaves."""
    if reason := no_opengl():
        pytest.skip(reason)
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    options = play.Options(size="160x90")
    with Recording([], couple.character.skeleton, 30.0) as record:
        session = play.Session(Cast(couple), options, record)
        tap = {0: "f", 1: "c", 2: "space", 3: "f1", 20: "space", 30: "p", 60: "escape"}
        count = iter(range(1000))
        poll = session.screen.window.poll

        def scripted() -> Input:
            if name := tap.get(next(count)):
                pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(name)))
            return poll()

        monkeypatch.setattr(session.screen.window, "poll", scripted)
        session.run()
        assert "1 joystick   facing locked   P policy weak (2/2)" in session.title()
        session.screen.close()
    assert isinstance(couple.game, JoystickGame) and couple.game.steering.locked
    assert session.screen.camera.mode == "chase"
    assert session.helping and not session.paused
    assert "m/s" in session.line and "chase" in session.line
    assert 3 < session.played == len(record)


@pytest.fixture
def session() -> Iterator[play.Session]:
    """A puppet at a window that nobody sees, 320 x 180 pixels."""
    if reason := no_opengl():
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDL_VIDEODRIVER", "offscreen")
        settings = Settings(characters=8, monte_carlo=MonteCarloConfig(samples=4, horizon=1))
        player = Player(
            synthetic.puppet(), [named("strong"), named("weak", 0.5)], settings=settings
        )
        opened = play.Session(
            Cast(player),
            play.Options(size="320x180"),
            Recording([], player.character.skeleton, 30.0),
        )
        yield opened
        opened.screen.close()


def mouse(session: play.Session, *events: tuple[str, int, int], button: int = 1) -> None:
    """Press, move and release the mouse, then step once."""
    kinds = {"down": pygame.MOUSEBUTTONDOWN, "to": pygame.MOUSEMOTION, "up": pygame.MOUSEBUTTONUP}
    session.screen.window.poll()
    for kind, x, y in events:
        pygame.event.post(pygame.event.Event(kinds[kind], pos=(x, y), button=button))
    inputs = session.screen.window.poll()
    session.apply(inputs)
    session.step(inputs)


def test_a_click_sets_the_flag_under_the_mouse_and_turns_no_camera(session: play.Session) -> None:
    session.player.choose("target")
    camera = session.screen.camera
    spot = camera.ground_at((200, 120), (320, 180))
    azimuth = camera.azimuth
    elevation = camera.elevation
    mouse(session, ("down", 200, 120), ("to", 203, 122), ("to", 200, 120), ("up", 200, 120))
    assert session.player.now.stage.flag == pytest.approx(spot)
    assert (camera.azimuth, camera.elevation) == (azimuth, elevation)
    mouse(session, ("down", 200, 120), ("to", 210, 122), ("to", 240, 122), ("up", 240, 122))
    assert camera.azimuth < azimuth and session.player.now.stage.flag == pytest.approx(spot)


def test_a_drag_draws_a_path_and_the_right_button_turns_the_camera(session: play.Session) -> None:
    session.player.choose("path")
    camera = session.screen.camera
    azimuth = camera.azimuth
    way = [(x, 130) for x in range(100, 200, 5)]
    mouse(session, ("down", *way[0]), *(("to", *at) for at in way))
    assert session.player.game.status == "drawing" and "drawing" in session.title()
    ends = [camera.ground_at(pixel, (320, 180)) for pixel in (way[0], way[-1])]
    mouse(session, ("up", *way[-1]))
    line = session.player.now.stage.line
    assert (
        session.player.game.status.startswith("drawn")
        and line is not None
        and camera.azimuth == azimuth
    )
    assert line[-1] == pytest.approx(ends[1], abs=0.1)
    assert np.hypot(*(line - np.array(ends[0])).T).min() < 0.1
    mouse(
        session, ("down", 100, 100), ("to", 110, 100), ("to", 140, 100), ("up", 140, 100), button=3
    )
    assert camera.azimuth < azimuth and session.player.game.status.startswith("drawn")


def test_sliders_are_dragged_clicked_and_let_go(session: play.Session) -> None:
    session.player.choose("random")
    sliders = session.player.game.sliders
    window = session.screen.window.size
    assert sliders is not None
    panel = session.screen.hud.panel(sliders)
    left, top, width, height = panel.place(window)
    inside = [(x, y) for y in range(top, top + height) for x in range(left, left + width)]
    first = [pixel for pixel in inside if (hit := panel.hit(pixel, window)) and hit.unit == 0]
    (start, row), (end, _) = min(first), max(first)
    mouse(
        session,
        ("down", start, row),
        ("to", start + 6, row),
        ("to", end + 40, row),
        ("up", end + 40, row),
    )
    assert sliders.clamped.tolist() == [True] + [False] * 4 and sliders.values[0] == sliders.limit
    mouse(session, ("down", start, row), ("up", start, row))
    assert sliders.values[0] == -sliders.limit
    mouse(session, ("down", start, row), ("up", start, row))  # the second of a double click
    assert not sliders.clamped.any()
    switch = next(
        pixel for pixel in inside if (hit := panel.hit(pixel, window)) and hit.what == "switch"
    )
    mouse(session, ("down", *switch), ("up", *switch))
    assert not sliders.random and not sliders.values.any()
    assert session.texts().sliders is sliders and "the others" not in session.title()


def test_keys_1_to_8_switch_at_the_window_and_it_says_what_is_played(session: play.Session) -> None:
    for task, game in GAMES.items():
        if not game.__module__.startswith("controller."):
            continue  # an example's, which has no policy here
        key = GAMES.key(task)
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(key)))
        session.keys = session.screen.window.poll().keys
        session.step(Input())
        session.keys = frozenset()
        session.step(Input())
        session.screen.draw(session.player.now, 1 / 30)
        session.screen.show(session.texts())
        title = session.title()
        assert title.startswith(f"Tab (1/2)   {key} {game.title}")
        assert ("policy strong" in title) == session.player.game.uses_policy
    assert len(session.player.state) == 1


def test_a_script_of_clicks_leads_the_crowd_and_the_flag(
    weights: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = []
    for clicks in ("0:0/5", "0:0/-5"):
        path = tmp_path / "way.npz"
        words = ["play.py", "--headless", "--task", "target", "--clicks", clicks, "--frames", "40"]
        monkeypatch.setattr(sys, "argv", [*words, "--record", str(path), *weights])
        play.main()
        with np.load(path) as file:
            roots.append(file["root"])
    assert np.abs(roots[0] - roots[1]).max() > 1e-4
    words = [
        "play.py",
        "--headless",
        "--task",
        "crowd",
        "--characters",
        "5",
        "--clicks",
        "3:0/5",
        "--camera",
        "all",
    ]
    monkeypatch.setattr(sys, "argv", [*words, "--record", str(path), *weights])
    play.main()
    with np.load(path) as file:
        assert len(file["root"]) == 4  # up to the last click


def test_no_opengl_is_one_sentence(weights: list[str]) -> None:
    done = run("--frames", "3", *weights, SDL_VIDEODRIVER="dummy")
    assert done.returncode == 2 and "no OpenGL 3.3 window" in synthetic.sentence(done.stderr)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--headless"], "--headless needs --frames, --keys or --clicks"),
        (["--headless", "--frames", "0"], "--frames is 0"),
        (["--keys", "0-5:x"], "'0-5:x' has an unknown key"),
        (["--keys", "0-50:w,9-3:a"], "'9-3:a' ends at frame 3"),
        (["--clicks", "5:w"], "'5:w' is not FRAME:X/Z"),
        (["--clicks", "5:1/2000"], "'5:1/2000' is farther than 1000 m"),
        (["--characters", "201"], "--characters is 201; allowed: 1 to 200"),
        (["--distance", "1"], "--distance is 1.0; allowed: 1.5 to 14 m"),
        (["--monte-carlo.samples", "0"], "monte_carlo.samples is 0; allowed: 1 or more"),
        (["--keys", "w"], "'w' is not START-END:KEY"),
        (["--frames", "5", "--record", "a.fbx"], "a.fbx: the name must end in one of"),
        (["--frames", "5", "--record", "nowhere/a.bvh"], "there is no folder nowhere"),
        (["--frames", "5", "--record", "a.bvh,b.xyz"], "b.xyz: the name must end in one of"),
        (["--size", "960"], "--size is '960'"),
        (["--size", "4x4"], "--size is '4x4'"),
        (["--threads", "0"], "--threads is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--mvae", "nowhere.safetensors"], "nowhere.safetensors: no such checkpoint"),
    ],
)
def test_mistakes_are_one_sentence_before_anything_is_played(
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in synthetic.refusal(play.main, [*words], monkeypatch, capsys)
