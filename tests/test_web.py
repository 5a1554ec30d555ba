"""The web page: its files, and how they are built."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported import on_four_legs, untrained
from synthetic import ROOT, refusal
from web_site import served, write_site

from controller.body.mesh import SkinnedBody
from controller.control.folder import CharacterFolder
from controller.core.errors import ControllerError
from controller.dynamics.character import CharacterState
from controller.export import blob, commands, page_file, web
from controller.export.steered import SteeredCharacter
from controller.motion.foot_lock import FootLock
from controller.motion.pose import PoseLayout
from controller.tasks import polyline, shapes
from controller.tasks.avoidance import avoid, neighbours
from controller.tasks.path import PathTask
from controller.tasks.shapes import SHAPES

built = pytest.mark.skipif(
    not (ROOT / "web/node_modules/esbuild").is_dir() or shutil.which("node") is None,
    reason="esbuild is not installed: run npm ci in web/",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("web"))


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
