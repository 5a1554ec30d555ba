"""The web page itself in a headless browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported import matrices
from recorded_stick import apart, played, rounded, stick
from synthetic import ROOT
from web_site import BROKEN, break_copies, served, write_example, write_site

from controller.export.steered import SteeredCharacter
from controller.ground.ground import Ground
from controller.ground.standing import Standing
from controller.motion.foot_lock import FootLock
from controller.motion.skeleton import forward_kinematics

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = ROOT / "web/test/drive.mjs"


def missing() -> str:
    """What the tests in a browser lack; empty if nothing."""
    if shutil.which("node") is None:
        return "node is not installed"
    if BROWSER is None:
        return "chromium is not installed"
    if not (ROOT / "web/node_modules/playwright-core").is_dir():
        return "playwright-core is not installed: run npm ci in web/"
    return ""


in_browser = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def told(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened in the browser."""
    break_copies(site)
    write_example(site)
    plan = tmp_path_factory.mktemp("plan") / "plan.json"
    with served(site.parents[1]) as address:
        base = f"{address}/deep"
        broken = [f"{base}/{name}/" for name in BROKEN]
        facts = {"url": f"{base}/page/", "stick": stick(), "broken": broken}
        facts["example"] = f"{base}/page/own.html"
        plan.write_text(json.dumps(facts | {"pictures": "", "seconds": 0}), encoding="utf-8")
        words = ["node", str(DRIVER), str(BROWSER), str(plan)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) | {"base": base}


@in_browser
def test_the_page_loads_without_a_complaint(told: dict[str, Any]) -> None:
    assert told["complaints"] == []
    assert told["start"]["name"] == "Woody"


@in_browser
def test_it_walks_turns_and_walks_backward(told: dict[str, Any]) -> None:
    start, walked, turned, locked, backed = (
        told[name] for name in ("start", "walked", "turned", "locked", "backed")
    )
    assert walked["position"][2] - start["position"][2] > 1.0  # 1.5 s at 1.3 m/s, along +Z
    assert abs(walked["position"][0]) < 0.3
    assert turned["position"][0] - walked["position"][0] > 0.5  # A walks to the left, which is +X
    assert abs(turned["yaw"] - np.pi / 2) < 0.4
    assert locked["locked"] and not turned["locked"]
    assert backed["position"][2] < locked["position"][2] - 0.2
    assert abs(backed["yaw"] - np.pi / 2) < 0.6  # the facing stays


@in_browser
def test_the_next_character_takes_over_where_it_was(told: dict[str, Any]) -> None:
    assert told["switched"]["name"] == "Twin"
    assert (
        np.linalg.norm(np.subtract(told["switched"]["position"], told["backed"]["position"])) < 0.3
    )


@in_browser
def test_a_finger_walks(told: dict[str, Any]) -> None:
    before, after = told["touched"]
    assert after["position"][2] - before["position"][2] > 0.6


@in_browser
def test_a_tap_on_the_ground_is_walked_to(told: dict[str, Any]) -> None:
    _, after = told["touched"]
    x, _, z = told["reached"]["position"]
    first, _, second = after["position"]
    assert np.hypot(first - told["flag"][0], second - told["flag"][1]) > 0.4
    assert np.hypot(x - told["flag"][0], z - told["flag"][1]) < 0.4


@in_browser
def test_it_moves_as_python_does_for_600_steps(told: dict[str, Any]) -> None:
    away = apart(told["replay"], played(rounded()))
    assert away["joints"] < 0.002 and away["drawn"] < 0.002, away
    assert away["degrees"] < 0.5, away


def drawn_by_python(frames: dict[str, Any], ground: Ground | None = None) -> np.ndarray:
    """Joints (T, J, 3) as the window draws a motion with feet that are held, on a ground."""
    character = SteeredCharacter.open("woody").character
    skeleton = character.skeleton
    poses = character.model.normalizer.denormalize(character.reset_poses)
    lock = FootLock(character.layout, poses, fps=character.fps)
    standing = Standing(character.layout, poses, character.fps)
    roots = torch.tensor(frames["roots"])
    local = matrices(np.reshape(frames["rotations"], (len(roots), len(skeleton), 4)))
    world = np.empty_like(local)
    for joint, parent in enumerate(skeleton.parents):
        world[:, joint] = local[:, joint] if parent < 0 else world[:, parent] @ local[:, joint]
    joints = []
    for root, rotations in zip(roots, torch.tensor(world, dtype=torch.float32), strict=True):
        frame = lock(root[None], rotations[None])
        frame = frame if ground is None else standing(*frame, ground)
        joints.append(forward_kinematics(skeleton, *frame)[0].numpy())
    return np.stack(joints)


@in_browser
def test_feet_are_held_as_the_window_holds_them(told: dict[str, Any]) -> None:
    flat = told["flat"]
    ours = drawn_by_python(flat)
    theirs, free = (np.reshape(flat[name], ours.shape) for name in ("drawn", "joints"))
    assert np.abs(theirs - ours).max() < 1e-4
    assert np.linalg.norm(theirs - free, axis=-1).max() > 0.02  # which is not how they were


@in_browser
def test_it_stands_on_a_slope_as_the_window_does(told: dict[str, Any]) -> None:
    sloped = told["sloped"]
    steep = np.tan(np.radians(12))
    heights = steep * (np.arange(400) - 200.0)
    plane = Ground("plane", heights[None], (4.0, 1.0), (0.0, -200.0))
    ours = drawn_by_python(sloped, plane)
    theirs = np.reshape(sloped["drawn"], ours.shape)
    flat = np.reshape(told["flat"]["drawn"], ours.shape)
    away = np.linalg.norm(theirs - ours, axis=-1)
    assert away.mean() < 0.01 and away.max() < 0.1  # the page's swings are simpler
    clear = theirs[..., 1] - steep * theirs[..., 2]
    names = SteeredCharacter.open("woody").character.skeleton.names
    feet = [names.index(name) for name in ("LeftFoot", "LeftToes", "RightFoot", "RightToes")]
    assert np.abs(clear[:, feet] - flat[:, feet, 1]).mean() < 0.01
    assert clear[:, feet].min() > 0


@in_browser
def test_each_task_can_be_played(told: dict[str, Any]) -> None:
    tasks = told["tasks"]
    assert {name: tasks[name]["task"] for name in ("target", "path", "crowd", "random")} == {
        name: name for name in ("target", "path", "crowd", "random")
    }
    first = np.hypot(*tasks["target"]["flag"])
    assert 2.5 < first < 3.5  # three metres ahead of where it began
    left = np.subtract(tasks["target"]["position"][::2], tasks["target"]["flag"])
    assert np.hypot(*left) < first - 0.6
    assert tasks["path"]["status"] == "figure-8" and tasks["path"]["off"] < 0.2
    line = np.reshape(tasks["line"], (-1, 2))
    pieces = np.hypot(*np.diff(line, axis=0).T)  # those of a smooth line are shorter in bends
    assert np.median(pieces) == pytest.approx(0.1, abs=0.01) and pieces.max() < 0.12
    assert tasks["drawn"]["status"] == f"drawn, {0.1 * (len(line) - 1):.1f} m"
    assert tasks["drawn"]["off"] < 0.2
    here = tasks["drawn"]["position"][::2]
    assert np.hypot(*(line - here).T).min() < 0.2
    assert tasks["held"]["status"].startswith("1 of 32 of z held")


@in_browser
def test_a_crowd_of_50_walks_past_each_other(told: dict[str, Any]) -> None:
    crowd = told["tasks"]["crowd"]
    assert crowd["status"] == "50 characters, following number 2"
    first, last = (np.reshape(crowd[name], (50, 3))[:, :2] for name in ("first", "last"))
    assert np.median(np.hypot(*(last - first).T)) > 0.4  # in 34 steps
    for places in (first, last):
        apart = np.hypot(*(places[:, None] - places).T) + 9 * np.eye(50)
        assert apart.min() > 0.5  # two torsos
    alone = told["tasks"]["alone"]["crowd"]
    assert len(alone) == 3 and np.hypot(*(alone[:2] - last[1])) < 0.6


@in_browser
def test_keys_tilt_the_ground_and_let_the_feet_go(told: dict[str, Any]) -> None:
    slope = told["tasks"]["slope"]
    _, y, z = slope["position"]
    assert slope["degrees"] == 5 and not slope["held"] and z > 0.8
    assert abs(y - z * np.tan(np.radians(5)) - told["walked"]["position"][1]) < 0.06


@in_browser
def test_the_pose_does_not_jump_when_the_next_character_takes_over(told: dict[str, Any]) -> None:
    before, after = (np.reshape(joints, (-1, 3)) for joints in told["taken"])
    assert np.linalg.norm(after - before, axis=-1).max() < 0.02


@in_browser
def test_it_takes_no_steps_while_it_is_hidden(told: dict[str, Any]) -> None:
    assert told["hidden"] == 0


@in_browser
def test_the_scene_of_the_documentation_walks_in_a_circle(told: dict[str, Any]) -> None:
    x, z, yaw = told["example"]
    assert np.hypot(x, z) > 0.3 and 0.5 < yaw < 3.2


@in_browser
def test_nothing_is_requested_from_elsewhere(told: dict[str, Any]) -> None:
    assert len(told["requests"]) > 5
    pages = [f"{told['base']}/{name}/" for name in ("page", *BROKEN)]
    outside = [url for url in told["requests"] if not url.startswith(tuple(pages))]
    assert outside in ([], ["data:,"] * len(outside))


@in_browser
def test_a_wrong_file_gets_one_sentence(told: dict[str, Any]) -> None:
    for said, words in zip(told["errors"], BROKEN.values(), strict=True):
        assert words in said and re.fullmatch(r"woody\.bin [^\n]+\.", said)
