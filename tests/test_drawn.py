"""What is drawn: blended at switches, with feet that stand, and never fed back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Set
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch
from torch import Tensor

import play
from controller.control.folder import VARIABLE, CharacterFolder
from controller.core.errors import ConfigError
from controller.dynamics.character import Character
from controller.evaluation import feet
from controller.games import guide
from controller.games.cast import Cast
from controller.games.drawn import Drawn, carried, same
from controller.games.player import Player
from controller.games.settings import Settings
from controller.motion import geometry
from controller.motion.limits import Limits
from controller.motion.pose import PoseLayout
from controller.motion.skeleton import Skeleton, forward_kinematics


def joints(player: Player) -> Tensor:
    return forward_kinematics(player.character.skeleton, player.root, player.rotations)


@pytest.fixture
def twins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """The shipped character, and another one just like it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    shutil.copytree(CharacterFolder.open().path, tmp_path / "characters" / "twin")
    return Cast.open(seed=2)


@pytest.mark.parametrize(
    "key", ["p", "2", "tab"], ids=["another policy", "another task", "another character"]
)
def test_no_joint_jumps_at_a_switch(twins: Cast, key: str) -> None:
    """By no more than the motion moves it in a frame: before, after, or then as simulated."""
    drawn = []
    simulated = []
    turned = []
    for frame in range(130):
        twins.step({"w", key} if frame == 70 else {"w"})
        player = twins.player
        drawn.append(joints(player))
        root, rotations = player.character.joints(player.state)
        turned.append(rotations[0])
        simulated.append(forward_kinematics(player.character.skeleton, root[0], rotations[0]))
    moved, own = (torch.stack(places).diff(dim=0).norm(dim=-1) for places in (drawn, simulated))
    usual = torch.cat((moved[20:69], moved[80:])).amax(dim=0)
    if key == "tab":  # where the simulation jumps
        turns = torch.stack(turned).diff(dim=0).flatten(1).norm(dim=-1)
        assert float(turns[69]) > 1.5 * float(turns[20:69].max())
        assert twins.name == "Woody" and len(twins.paths) == 2
    else:
        usual = torch.maximum(usual, own[69:73].amax(dim=0))
    assert bool((moved[69:73] <= 1.1 * usual).all()), (moved[69:73] / usual).max(dim=0)


@pytest.mark.parametrize("task", ["joystick", "crowd"])
def test_nothing_is_fed_back(task: str) -> None:
    """States are equal to the bit, with feet that are held and without."""
    players = [
        Cast.open(task=task, settings=Settings(characters=4, foot_lock=on)).player
        for on in (True, False)
    ]
    for frame in range(90):
        keys: Set[str] = {"w"} if frame < 40 else {"a", "shift"}
        keys |= {50: {"p"}, 60: {"2"}, 70: {"r"}}.get(frame, set())
        for player in players:
            player.step(keys)
        one, other = (player.state for player in players)
        assert torch.equal(one.pose, other.pose) and torch.equal(one.yaw, other.yaw)
        assert torch.equal(one.position, other.position)
    drawn, simulated = (player.rotations for player in players)
    assert not torch.equal(drawn, simulated)


def test_the_key_lets_feet_go_without_a_jump_and_holds_them_again() -> None:
    player = Cast.open(seed=1).player
    places = []
    for frame in range(150):
        player.step({"w", "i"} if frame in (60, 120) else {"w"})
        places.append(joints(player))
        root, rotations = (part[0] for part in player.character.joints(player.state))
        same_pose = torch.equal(rotations, player.rotations) and torch.equal(root, player.root)
        assert same_pose == (104 <= frame < 120)
        assert player.drawn.on == (not 60 <= frame < 120)
    moved = torch.stack(places).diff(dim=0).norm(dim=-1)
    assert bool((moved[59:63] <= 1.05 * moved[20:59].amax(dim=0)).all())


def test_the_help_and_the_options_name_it() -> None:
    assert "I\tfeet that stand" in guide.window_help(Limits())
    assert "I holds the feet" in guide.command_help()
    assert play.Options(frames=1).settings.foot_lock
    assert not play.Options(foot_lock=False).settings.foot_lock


def test_recordings_hold_what_is_drawn(tmp_path: Path) -> None:
    options = play.Options(headless=True, keys="0-60:w", seed=3)
    for on in (True, False):
        cast = Cast.open(seed=3, settings=Settings(foot_lock=on))
        shown = []
        path = tmp_path / f"{on}.npz"
        record = play.Recording([path], cast.player.character.skeleton, 30.0)
        with record:
            for frame in range(60):
                cast.step(options.key_script.at(frame))
                record.add(cast.player.root, cast.player.rotations)
                shown.append(cast.player.now.pose)
        with np.load(path) as file:
            np.testing.assert_allclose(
                file["root"], torch.stack([p.root for p in shown]), atol=1e-6
            )
            toes = file["positions"][:, list(cast.player.character.layout.feet)]
        lowest = toes[1:, :, 1].argmin(axis=1)[:, None]
        speed = 3000 * np.linalg.norm(np.diff(toes, axis=0)[..., [0, 2]], axis=-1)
        slip = float(np.median(np.take_along_axis(speed, lowest, axis=1)))
        assert slip < 0.3 if on else slip > 0.5


# -- another skeleton ------------------------------------------------------------------------------


def renamed(character: Character) -> Character:
    """The same body, whose joints have other names and so another skeleton's."""
    bones = character.skeleton
    names = tuple(f"m_{name}" for name in bones.names)
    other = Skeleton(names, bones.parents, bones.offsets, bones.tips)
    return Character(character.model, PoseLayout(other), character.reset_poses, character.header)


def test_a_pose_is_carried_to_a_body_with_other_names() -> None:
    shipped = Character.load(CharacterFolder.open().mvae)
    source, target = Drawn(shipped), Drawn(renamed(shipped))
    assert not same(shipped.skeleton, target.character.skeleton)
    state = synthetic.turned(shipped.reset(1), 0.7, 3.0, -2.0)
    root, rotations = (part[0] for part in shipped.joints(state))
    moved, turned = carried(source, target, (root, rotations), 0.7)
    torch.testing.assert_close(moved[0], root)
    for limb in target.character.layout.roles.limbs:
        for joint in (limb.upper, limb.middle, limb.end):
            torch.testing.assert_close(turned[0, joint], rotations[joint], atol=1e-4, rtol=0)


def test_a_dog_takes_over_from_a_person() -> None:
    """What both have goes on where it was; all of it is the dog's after a second."""
    person, dog = Drawn(synthetic.puppet()), Drawn(synthetic.dog())
    state = person.character.reset(1)
    for _ in range(3):
        person(state)
    dog.take_over(person, 0.0)
    theirs = synthetic.turned(dog.character.reset(1), 0.0, 0.0, 0.0)
    for _ in range(45):
        root, rotations = dog(theirs)
        product = rotations @ rotations.transpose(-1, -2)
        torch.testing.assert_close(product, torch.eye(3).expand_as(product), atol=1e-4, rtol=0)
    expected = dog.character.joints(theirs)
    torch.testing.assert_close(root[:, [0, 2]], expected[0][:, [0, 2]])
    ahead = geometry.yaw_of(rotations[0, 0, :, 2] - expected[1][0, 0, :, 2])
    assert bool(torch.isfinite(ahead))
    torch.testing.assert_close(rotations[:, 0], expected[1][:, 0], atol=2e-3, rtol=0)


# -- the command -----------------------------------------------------------------------------------


def test_the_command_meets_its_bars(tmp_path: Path) -> None:
    """Slip of what stands, speed of knees, and states that are unchanged."""
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- feet -->\n<!-- end feet -->\n", encoding="utf-8")
    words = ("--characters", "6", "--seconds", "6", "--json", "--write", page)
    done = synthetic.command("controller", "feet", *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["captured"] is None and found["state_unchanged"] is True
    assert found["simulated"]["toe_slip_cm_s_p50"] > 1 > 0.3 > found["drawn"]["toe_slip_cm_s_p50"]
    assert found["drawn"]["knee_rad_s_max"] < 7.5 < found["simulated"]["knee_rad_s_max"] + 1.5
    assert found["drawn"]["lowest_cm"] > -0.1 > found["simulated"]["lowest_cm"]
    assert 0.4 < found["held_fraction"] < 0.9 and 0 < found["us_alone"] < 1000
    assert "| slip of the lowest toe, median, cm/s |" in page.read_text(encoding="utf-8")


def test_a_page_without_the_block_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    page = tmp_path / "page.md"
    page.write_text("# Page\n", encoding="utf-8")
    said = synthetic.refusal(feet.main, ["--write", page], monkeypatch, capsys)
    assert "<!-- feet -->" in said
    with pytest.raises(ConfigError, match="characters"):
        feet.Options(characters=0)
