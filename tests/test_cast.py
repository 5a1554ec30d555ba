"""Characters take turns before the same keys: where, how and as what the next one goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Set
from pathlib import Path

import numpy as np
import pygame
import pytest
import synthetic
import torch
from synthetic import DOG_SPEEDS, dog, folder_of, puppet
from test_play import mouse, no_opengl

import play
from controller.control.folder import VARIABLE
from controller.core.errors import CheckpointError, ControllerError
from controller.games import cast as cast_module
from controller.games import guide
from controller.games.cast import KEPT, Cast
from controller.games.joystick import JoystickGame
from controller.games.player import moving_state
from controller.games.recording import Recording
from controller.games.target import TimedTargetGame
from controller.motion.limits import Limits
from controller.tasks.joystick import JoystickConfig

NON_COMMERCIAL = {"licence": "CC BY-NC 4.0", "non_commercial": True}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which a puppet is the default character. The second one is a dog that
    knows only the joystick."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("controller.control.folder.SHIPPED", tmp_path / "shipped")
    tasks = ("joystick", "target", "timed_target")
    folder_of(puppet(), tmp_path / "shipped" / "woody", tasks, name="Puppet")
    folder_of(dog(), tmp_path / "characters" / "dog", ("joystick",), **NON_COMMERCIAL)
    return tmp_path


@pytest.fixture
def cast(home: Path) -> Cast:
    return Cast.open()


def hold(cast: Cast, keys: Set[str], frames: int = 45) -> None:
    for _ in range(frames):
        cast.step(keys)


# -- taking over -----------------------------------------------------------------------------------


def test_the_next_one_goes_on_where_this_one_is(cast: Cast) -> None:
    hold(cast, {"w"}, 30)
    hold(cast, {"a", "shift"}, 60)
    before = cast.player
    x, _, z = before.root.tolist()
    speed = float(np.hypot(*before.now.velocity))
    cast.step({"a", "shift", "tab"})

    player = cast.player
    assert cast.name == "Dog" and player is not before
    assert player.character.skeleton.names == dog().skeleton.names
    assert player.before.pose.root[[0, 2]].tolist() == pytest.approx((x, z), abs=1e-5)
    assert math.dist(player.root[[0, 2]].tolist(), (x, z)) < 2 * speed / 30
    assert player.now.yaw == pytest.approx(before.now.yaw, abs=0.05)
    assert float(np.hypot(*player.now.velocity)) > 0.7 * speed
    assert player.now.wish == pytest.approx(before.now.wish, abs=0.1)

    hold(cast, {"a", "shift", "tab"})  # holding Tab changes the character once
    assert cast.name == "Dog" and float(player.root[0]) > x + 1
    cast.step({"a"})
    cast.step({"a", "tab"})
    assert cast.player is before and cast.name == "Puppet"
    assert float(before.root[0]) > x + 1


@pytest.mark.parametrize(("index", "speed"), list(enumerate(DOG_SPEEDS)))
def test_the_pose_is_the_one_that_fits_the_speed(index: int, speed: tuple[float, float]) -> None:
    """Whichever way the character faces."""
    yaw = 0.7
    ahead, left = speed
    ahead += 0.1
    world = torch.tensor((
        ahead * math.sin(yaw) + left * math.cos(yaw), ahead * math.cos(yaw) - left * math.sin(yaw)
    ))  # fmt: skip
    where = synthetic.turned(puppet().reset(1), yaw, 3.0, -2.0)
    state = moving_state(dog(), world, where)
    assert torch.equal(state.pose, dog().reset_poses[index : index + 1])
    assert torch.equal(state.position, where.position) and torch.equal(state.yaw, where.yaw)
    velocity = dog().world_velocity(state)[0]
    turned = torch.tensor((0.1 * math.sin(yaw), 0.1 * math.cos(yaw)))
    torch.testing.assert_close(velocity, world - turned)


def test_the_lock_of_the_facing_stays(cast: Cast) -> None:
    cast.step({"f"})
    hold(cast, {"s"})
    cast.step({"s", "tab"})
    hold(cast, {"s"})
    game = cast.player.game
    assert isinstance(game, JoystickGame) and game.steering.locked
    assert abs(cast.player.now.yaw) < 0.1 and cast.player.now.velocity[1] < -0.3


def test_each_goes_no_faster_than_it_can(cast: Cast) -> None:
    hold(cast, {"w", "shift"})
    assert cast.player.now.wish == pytest.approx((0, JoystickConfig().forward_speed), abs=0.01)
    cast.step({"f"})
    cast.step({"s", "tab"})
    hold(cast, {"s"})
    assert cast.player.now.wish == pytest.approx(
        (0, -synthetic.DOG_LIMITS.backward_speed), abs=0.01
    )


def test_the_flag_and_the_clock_stay(home: Path) -> None:
    synthetic.strings_policy(dog(), "timed_target").save(
        home / "characters" / "dog" / "timed_target.safetensors"
    )
    cast = Cast.open(task="timed_target")
    cast.player.point(2.0, 5.0)
    hold(cast, set(), 30)
    before = cast.player.game
    cast.step({"tab"})
    game = cast.player.game
    assert isinstance(game, TimedTargetGame) and isinstance(before, TimedTargetGame)
    assert cast.name == "Dog" and game is not before and not cast.player.complaint
    assert game.flag.tolist() == [2.0, 5.0] == game.goal.position[0].tolist()
    assert game.remaining == pytest.approx(before.remaining - 1 / 30, abs=1e-4)
    assert game.seconds == before.seconds


def test_without_any_policy_it_gets_no_turn(cast: Cast, home: Path) -> None:
    cast.player.choose("maze")
    (home / "characters" / "dog" / "joystick.safetensors").rename(home / "joystick.safetensors")
    cast.step({"tab"})
    assert cast.name == "Puppet" and cast.player.game.name == "maze"
    assert "there is no policy for the task 'joystick'" in cast.player.complaint


def test_a_task_that_needs_no_policy_needs_none(cast: Cast, home: Path) -> None:
    (home / "characters" / "dog" / "joystick.safetensors").unlink()
    cast.player.choose("random")
    cast.step({"tab"})
    assert cast.name == "Dog" and cast.player.game.name == "random"


def test_without_a_policy_for_the_task_it_plays_the_joystick_and_says_why(
    cast: Cast, home: Path
) -> None:
    alien = home / "characters" / "dog" / "target.safetensors"
    synthetic.strings_policy(puppet(), "target").save(alien)
    cast.player.choose("target")
    cast.step({"tab"})
    assert cast.name == "Dog" and cast.player.game.name == "joystick"
    assert cast.player.complaint.startswith("Dog plays the joystick: ")
    assert "trained on another motion VAE" in cast.player.complaint
    cast.step(set())
    cast.step({"tab"})
    assert cast.name == "Puppet" and cast.player.complaint == ""


def test_a_crowd_begins_around_the_one_that_was_followed(cast: Cast) -> None:
    hold(cast, {"w"})
    cast.player.choose("crowd")
    followed = cast.player.root
    cast.step({"tab"})
    assert cast.name == "Dog" and len(cast.player.state) == cast.player.settings.characters
    assert float((cast.player.root - followed)[[0, 2]].norm()) < 0.2


# -- whose turn it is ------------------------------------------------------------------------------


def test_alone_nothing_changes_and_it_is_said(home: Path) -> None:
    (home / "characters" / "dog" / "character.toml").unlink()
    cast = Cast.open()
    player = cast.player
    cast.step({"tab"})
    assert cast.player is player and "there is no other character" in player.complaint


def test_a_broken_one_is_skipped_the_next_time(cast: Cast, home: Path) -> None:
    (home / "characters" / "ant").mkdir()
    (home / "characters" / "ant" / "character.toml").write_text("name =")
    cast = Cast.open()
    cast.next()
    assert cast.name == "Puppet" and "ant/mvae.safetensors: no such" in cast.player.complaint
    cast.next()
    assert cast.name == "Dog" and cast.player.complaint == ""
    cast.next()
    assert cast.name == "Puppet"
    cast.next()
    assert cast.name == "Puppet" and "ant" in cast.player.complaint


def test_one_named_by_its_motion_vae_has_the_first_turn(home: Path) -> None:
    own = folder_of(puppet(), home / "own", ("joystick",))
    (own.path / "character.toml").unlink()
    cast = Cast.open(mvae=own.mvae, policies=own.policies("joystick"))
    assert cast.name == "" and cast.info is None and len(cast.paths) == 3
    first = cast.player
    for name in ("Puppet", "Dog", ""):
        cast.next()
        assert cast.name == name
    assert cast.player is first


def test_a_licence_is_known_however_the_motion_vae_is_named(home: Path) -> None:
    dog_folder = home / "characters" / "dog"
    cast = Cast.open(
        mvae=dog_folder / "mvae.safetensors", policies=[dog_folder / "joystick.safetensors"]
    )
    assert cast.info is not None and cast.info.non_commercial and cast.name == "Dog"


def test_a_folder_from_elsewhere_has_the_first_turn_and_a_known_one_its_own(home: Path) -> None:
    folder_of(puppet(), home / "own", ("joystick",))
    assert Cast.open("own").chosen == 0 and len(Cast.open("own").paths) == 3
    for name in ("dog", "characters/dog", home / "characters" / "dog"):
        cast = Cast.open(name)
        assert cast.name == "Dog" and cast.chosen == 1 and len(cast.paths) == 2


def test_only_a_few_stay_loaded_the_first_one_among_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its policies may have been named on the command line."""
    for name in "abcde":
        folder_of(puppet(), home / "characters" / name, ("joystick",))
    loads = list[Path]()
    load = cast_module.CharacterFolder.open
    monkeypatch.setattr(
        cast_module.CharacterFolder, "open", lambda path: (loads.append(path), load(path))[1]
    )
    cast = Cast.open()
    first = cast.player
    for _ in range(len(cast.paths)):
        cast.next()
    assert cast.player is first and len(loads) == len(cast.paths) == 7
    assert len(cast._loaded) == KEPT
    cast.next()
    assert len(loads) == 8  # it had been forgotten


def test_the_turn_of_one_that_is_new_takes_less_than_half_a_second(cast: Cast) -> None:
    cast.next()
    cast = Cast.open()  # what is compiled on first use is compiled now
    started = time.perf_counter()
    cast.next()
    assert cast.name == "Dog" and time.perf_counter() - started < 0.5


# -- the command and the window --------------------------------------------------------------------


def test_a_script_that_nobody_watches_fails_with_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--headless", "--keys", "0-9:w,4-5:tab", "--record"]
    for suffix in ("bvh", "npz"):
        message = synthetic.refusal(play.main, [*words, f"a.{suffix}"], monkeypatch, capsys)
        assert message == (
            "--keys has 'tab', but motion that is recorded has one skeleton: Tab changes nothing"
        )
    alien = home / "characters" / "dog" / "target.safetensors"
    synthetic.strings_policy(puppet(), "target").save(alien)
    cast = Cast.open(task="target")
    cast.strict = True
    with pytest.raises(ControllerError, match="Dog plays the joystick"):
        cast.next()
    (home / "characters" / "dog" / "mvae.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no such character; "):
        Cast.open("nobody")
    assert not list(home.glob("a.*"))


def test_another_character_is_named_by_its_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dog", "characters/dog"):
        words = ["play.py", "--headless", "--frames", "9", "--keys", "0-9:w", "--record", "a.npz"]
        monkeypatch.setattr("sys.argv", [*words, "--character", name])
        play.main()
        with np.load("a.npz") as file:
            assert set(file["names"]) == set(dog().skeleton.names)


@pytest.fixture
def session(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[play.Session]:
    if reason := no_opengl():
        pytest.skip(reason)
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    record = Recording([], cast.player.character.skeleton, 30.0)
    opened = play.Session(cast, play.Options(size="320x180"), record)
    yield opened
    opened.screen.close()


def press(session: play.Session, key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=0))
    inputs = session.screen.window.poll()
    session.apply(inputs)
    session.keys = inputs.keys
    session.step(inputs)
    session.keys = frozenset()
    session.step(session.screen.window.poll())


def picture(session: play.Session) -> np.ndarray:
    for _ in range(60):  # until the camera has arrived
        session.screen.draw(session.player.now, 1 / 30)
    return session.screen.picture().astype(int)


def test_tab_changes_who_is_drawn_and_the_window_says_who_it_is(session: play.Session) -> None:
    first = picture(session)
    assert session.title().startswith("Tab Puppet (1/2)   1 joystick")
    height = session.screen.camera.height
    press(session, pygame.K_TAB)
    assert session.title().startswith("Tab Dog (2/2), CC BY-NC 4.0: non-commercial   1 joystick")
    assert session.screen.renderer.skeleton is session.player.character.skeleton
    assert session.screen.camera.height < height
    second = picture(session)
    assert (np.abs(second - first).max(axis=-1) > 40).mean() > 0.01
    press(session, pygame.K_TAB)
    assert session.title().startswith("Tab Puppet (1/2)   1 joystick")
    assert session.screen.camera.height == height
    assert (np.abs(picture(session) - first).max(axis=-1) > 40).mean() < 0.002


def test_the_mouse_points_for_the_one_that_plays(session: play.Session) -> None:
    press(session, pygame.K_2)
    press(session, pygame.K_TAB)
    assert session.title().endswith("   2 target   policy joystick")
    mouse(session, ("down", 200, 120), ("up", 200, 120))
    spot = session.screen.camera.ground_at((200, 120), (320, 180))
    assert session.player.now.stage.flag == pytest.approx(spot, abs=0.05)


def test_tab_changes_nothing_while_motion_is_recorded(session: play.Session) -> None:
    session.cast.refusal = play.ONE_SKELETON
    press(session, pygame.K_TAB)
    assert session.cast.name == "Puppet"
    assert session.title().splitlines() == ["Tab Puppet (1/2)", play.ONE_SKELETON]


def test_a_body_that_cannot_be_worn_leaves_the_turn_where_it_is(
    home: Path, session: play.Session
) -> None:
    (home / "characters" / "dog" / "body.glb").write_bytes(b"not a glTF file")
    press(session, pygame.K_TAB)
    assert session.cast.name == "Puppet"
    assert "body.glb" in session.title()
    (home / "characters" / "dog" / "body.glb").unlink()
    press(session, pygame.K_TAB)
    assert session.cast.name == "Dog"


def test_the_help_names_tab_and_the_top_speeds(session: play.Session) -> None:
    help_lines = guide.window_help(Limits(2.0, 0.9, 1.1)).splitlines()
    assert any(line.startswith("Tab\t") for line in help_lines)
    assert any("up to 2 m/s ahead, 1.1 backward, 0.9 sideways" in line for line in help_lines)
    session.helping = True
    assert "up to 2 m/s ahead, 0.75 backward, 0.6 sideways" in session.texts().help
    press(session, pygame.K_TAB)
    assert "up to 2.5 m/s ahead, 0.5 backward, 0.4 sideways" in session.texts().help
