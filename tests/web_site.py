"""The web page as it is exported, for tests: written, served, with broken copies beside it."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthetic import ROOT

from controller.control.folder import CharacterFolder
from controller.export import web


def write_site(folder: Path) -> Path:
    """The page with the shipped character and its twin."""
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
