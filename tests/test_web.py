"""The web page: its files, and the page itself in a headless browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import threading
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported import matrices, on_four_legs, untrained
from recorded_stick import apart, played, rounded, stick
from synthetic import ROOT, refusal

from controller.body.mesh import SkinnedBody
from controller.control.folder import CharacterFolder
from controller.core.errors import ControllerError
from controller.dynamics.character import CharacterState
from controller.export import blob, commands, page_file, web
from controller.export.steered import SteeredCharacter
from controller.ground.ground import Ground
from controller.ground.standing import Standing
from controller.motion.foot_lock import FootLock
from controller.motion.pose import PoseLayout
from controller.motion.skeleton import forward_kinematics
from controller.tasks import polyline, shapes
from controller.tasks.avoidance import avoid, neighbours
from controller.tasks.path import PathTask
from controller.tasks.shapes import SHAPES

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


built = pytest.mark.skipif(
    not (ROOT / "web/node_modules/esbuild").is_dir() or shutil.which("node") is None,
    reason="esbuild is not installed: run npm ci in web/",
)
in_browser = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with the shipped character and its twin."""
    folder = tmp_path_factory.mktemp("web")
    twin = folder / "twin"
    shutil.copytree(CharacterFolder.open().path, twin)
    text = (twin / "character.toml").read_text(encoding="utf-8")
    name = re.sub(r"(?m)^name = .*$", 'name = "Twin"', text)
    (twin / "character.toml").write_text(name, encoding="utf-8")
    out = folder / "served/deep/page"
    web.Web(out, ("woody", str(twin))).run()
    return out


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served."""
    with web.server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_command_writes_a_page_for_both_characters(site: Path) -> None:
    assert {path.name for path in site.iterdir()} >= {*web.PARTS, "woody.bin", "twin.bin"}
    text = (site / "index.html").read_text(encoding="utf-8")
    assert 'data-characters="[&quot;woody.bin&quot;, &quot;twin.bin&quot;]"' in text
    assert (site / "woody.bin").stat().st_size < 4e6
    shipped = sum(path.stat().st_size for path in web.PAGE.iterdir())
    assert shipped + (site / "woody.bin").stat().st_size <= 6e6
    assert shipped <= 800e3 and (web.PAGE / "motion_vae.wasm").stat().st_size <= 200e3


def test_the_page_allows_only_its_own_style_and_script(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["connect-src"] == "'self'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["style-src"] == f"'sha256-{digest}'"
    assert re.findall(r"<script[^>]*>", text) == ['<script src="page.js" defer>']
    assert "//" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def test_the_wasm_module_imports_nothing() -> None:
    data = (web.PAGE / "motion_vae.wasm").read_bytes()
    assert data[:8] == b"\0asm\1\0\0\0"
    at, sections = 8, []
    while at < len(data):  # an id, the size as a LEB128 number, and so many bytes
        sections.append(data[at])
        size, shift, at = 0, 0, at + 1
        while True:
            size |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                break
        at += size
    assert 2 not in sections and {1, 3, 5, 7, 10} <= set(sections)


def parts(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The facts and the sections of a character's file, read by its documentation."""
    assert data[:8] == b"mvaepage"
    version, checksum, total, size = np.frombuffer(data, "<u4", 4, 8)
    assert (version, total) == (1, len(data)) and checksum == zlib.crc32(data[16:])
    facts = json.loads(data[64 : 64 + size])
    first = 64 + int(size)
    assert first % 64 == 0
    places = facts["sections"].items()
    return facts, {name: data[first + at : first + at + count] for name, (at, count) in places}


def test_the_file_has_the_controller_and_the_body(site: Path) -> None:
    facts, sections = parts((site / "woody.bin").read_bytes())
    steered = SteeredCharacter.open("woody")
    assert sections["controller"] == blob.write(steered, "float16")
    assert facts["name"] == "Woody" and "Apache-2.0" in facts["notice"]
    assert facts["joints"] == list(steered.character.skeleton.names)
    assert facts["paces"] == [0.6, 1.3, 2.0]
    folder = CharacterFolder.open().body
    assert folder is not None
    body = SkinnedBody.load(folder)
    bind = np.frombuffer(sections["bind"], "<f4").reshape(-1, 12)
    np.testing.assert_allclose(bind[:, :9].reshape(-1, 3, 3), body.rotations, atol=1e-6)
    np.testing.assert_allclose(bind[:, 9:], body.positions, atol=1e-6)
    assert facts["levels"] == len(body.levels) == 3
    for number, level in enumerate(body.levels):
        places = np.frombuffer(sections[f"{number}.positions"], "<i2").reshape(-1, 3)
        np.testing.assert_allclose(places / 32767 * facts["reach"], level.positions, atol=2e-5)
        for name, kind in (("weights", "u1"), ("colours", "u1"), ("joints", "<u2")):
            stored = np.frombuffer(sections[f"{number}.{name}"], kind).reshape(-1, 4)
            np.testing.assert_array_equal(stored, getattr(level, name))
        triangles = np.frombuffer(sections[f"{number}.triangles"], "<u2").reshape(-1, 3)
        np.testing.assert_array_equal(triangles, level.triangles)


def test_a_character_without_a_body_can_be_written() -> None:
    facts, sections = parts(page_file.write(untrained(), None))
    assert facts["levels"] == 0 and list(sections) == ["controller"]
    assert len(facts["latent"]) == 6 and max(facts["latent"]) == 1


def on_four_legs_poses() -> tuple[PoseLayout, torch.Tensor]:
    character = on_four_legs().character
    return character.layout, character.model.normalizer.denormalize(character.reset_poses)


def test_the_file_says_how_legs_are_held() -> None:
    facts, _ = parts(page_file.write(on_four_legs(), None))
    legs = facts["legs"]
    lock = FootLock(*on_four_legs_poses())
    assert legs[19] == len(lock.legs) == 4 and len(legs) == 20 + 18 * 4
    for number, leg in enumerate(lock.legs):
        first = 20 + 18 * number
        assert tuple(legs[first : first + 4]) == leg.joints
        np.testing.assert_allclose(legs[first + 4 : first + 7], leg.forward, atol=1e-6)
        assert legs[first + 15] == pytest.approx(leg.length)


def test_it_is_served_with_the_types_that_browsers_need(site: Path) -> None:
    types = {"index.html": "text/html", "page.js": "text/javascript"}
    with served(site) as address:
        for name, kind in (types | {"motion_vae.wasm": "application/wasm"}).items():
            with urllib.request.urlopen(f"{address}/{name}") as answer:
                assert answer.headers["Content-Type"].split(";")[0] == kind
                assert answer.read() == (site / name).read_bytes()


def test_what_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[str | Path] = ["web", "--out", tmp_path / "site"]
    said = refusal(commands.main, [*words, "--port", "70000"], monkeypatch, capsys)
    assert "--port is 70000" in said and "65535" in said
    said = refusal(commands.main, [*words, "--character", "nobody"], monkeypatch, capsys)
    assert "nobody" in said
    assert not (tmp_path / "site/index.html").exists()
    with web.server(tmp_path, 0) as taken:
        port = taken.server_address[1]
        with pytest.raises(ControllerError, match=f"--port {port} cannot be used"):
            web.server(tmp_path, port)


@built
def test_the_shipped_page_is_built_from_its_sources(tmp_path: Path) -> None:
    words = ["node", "build.mjs", str(tmp_path)]
    subprocess.run(words, cwd=ROOT / "web", check=True, timeout=60)
    built = sorted(path.name for path in tmp_path.iterdir())
    assert built == ["LICENSES.txt", "index.html", "motion_vae.js", "page.js"]
    for name in built:
        assert (tmp_path / name).read_bytes() == (web.PAGE / name).read_bytes(), name


BROKEN = {
    "truncated": "is not complete",
    "foreign": "is not a character's file",
    "damaged": "is damaged",
    "newer": "another version",
    "missing": "cannot be loaded (404)",
}


def break_copies(site: Path) -> None:
    """Pages beside the good one whose character's file is not as it should be."""
    good = (site / "woody.bin").read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    files = {
        "truncated": good[: len(good) // 2],
        "foreign": b"<!doctype html> not found",
        "damaged": bytes(flipped),
        "newer": good[:8] + b"\2" + good[9:],
    }
    for name in BROKEN:
        folder = site.parent / name
        folder.mkdir()
        for part in ("index.html", "page.js", "motion_vae.wasm"):
            shutil.copy(site / part, folder / part)
        if name in files:
            (folder / "woody.bin").write_bytes(files[name])


def write_example(site: Path) -> None:
    """The scene of the documentation, as docs/web.md says to put it; its crowd can be looked at."""
    text = (ROOT / "docs/web.md").read_text(encoding="utf-8")
    example = text.split("<!-- example -->\n```html\n")[1].split("```")[0]
    assert len(example.splitlines()) <= 60
    assert example.rstrip().endswith("</script>")
    seen = example.rstrip().removesuffix("</script>") + "window.crowd = crowd;\n</script>\n"
    (site / "own.html").write_text(seen, encoding="utf-8")
    for name in ("three.module.js", "three.core.js"):
        shutil.copy(ROOT / "web/node_modules/three/build" / name, site / name)


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


def ran(folder: Path, script: str) -> Any:
    """What a TypeScript program prints as JSON. It imports from ``SRC``."""
    text = script.replace("SRC", f"{ROOT}/web/src")
    (folder / "program.ts").write_text(text, encoding="utf-8")
    bundler = ROOT / "web/node_modules/.bin/esbuild"
    words = [str(bundler), "program.ts", "--bundle", "--outfile=program.js", "--log-level=warning"]
    subprocess.run(words, cwd=folder, check=True, timeout=60)
    words = ["node", str(folder / "program.js")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@built
def test_lines_are_those_of_the_path_task(tmp_path: Path) -> None:
    points = np.cumsum(np.random.default_rng(2).normal(0, 0.15, (40, 2)), axis=0)
    script = f"""
import {{ placed, resampled, SHAPES, smoothed }} from "SRC/tasks/line.ts";
const points = {json.dumps(points.flatten().tolist())};
const shapes = Object.entries(SHAPES).map(([name, of]) => [name, placed(of(), [1, 2, 0.7])]);
console.log(JSON.stringify([[...resampled(points)], [...smoothed(points)], shapes]));
"""
    even, smooth, named = ran(tmp_path, script)
    line = torch.tensor(points)
    np.testing.assert_allclose(np.reshape(even, (-1, 2)), polyline.resample(line), atol=1e-9)
    ours = PathTask.drawn_by_hand(line)
    np.testing.assert_allclose(np.reshape(smooth, (-1, 2)), ours, atol=1e-6)
    assert [name for name, _ in named] == list(SHAPES)
    for name, values in named:
        shape = shapes.placed(SHAPES[name](), torch.tensor([1.0, 2.0]), torch.tensor(0.7))
        np.testing.assert_allclose(np.reshape(values, (-1, 2)), shape, atol=1e-4)


@built
def test_a_crowd_avoids_others_as_the_crowd_task_has_it(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(4)
    place, speed, wish = 2 * torch.rand(3, 40, 2, generator=generator) - 1
    state = CharacterState(torch.zeros(40, 1), 2.4 * place, 3 * torch.rand(40, generator=generator))
    places = torch.cat((state.position, state.yaw[:, None]), dim=1)
    lists = [json.dumps(values.flatten().tolist()) for values in (places, speed, wish)]
    script = f"""
import {{ Avoidance }} from "SRC/tasks/avoidance.ts";
const [places, speeds, wish] = [{", ".join(lists)}].map((values) => Float32Array.from(values));
const avoidance = new Avoidance();
const found = [];
for (let i = 0; i < 40; i++) {{
  const out = [0, 0];
  avoidance.find(i, places, speeds, wish[2 * i], wish[2 * i + 1], out);
  found.push(out);
}}
console.log(JSON.stringify(found));
"""
    ours = avoid(state, speed, *neighbours(state, speed), wish)
    assert float((ours - wish).norm(dim=-1).gt(0.01).float().mean()) > 0.3  # many must give way
    np.testing.assert_allclose(ran(tmp_path, script), ours, atol=1e-4)


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
