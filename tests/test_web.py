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
from exported import untrained
from recorded_stick import apart, played, rounded, stick
from synthetic import ROOT, refusal

from controller.body.mesh import SkinnedBody
from controller.control.folder import CharacterFolder
from controller.core.errors import ControllerError
from controller.export import blob, commands, page_file, web
from controller.export.steered import SteeredCharacter

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


@pytest.mark.skipif(
    not (ROOT / "web/node_modules/esbuild").is_dir() or shutil.which("node") is None,
    reason="esbuild is not installed: run npm ci in web/",
)
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
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
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
