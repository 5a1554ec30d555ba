"""A web page in which a character is steered: ``python -m controller export web``.

See docs/web.md.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import tyro

from controller.body.mesh import SkinnedBody
from controller.control.folder import DEFAULT, CharacterFolder
from controller.core import files
from controller.core.errors import ControllerError, require
from controller.core.paths import ASSETS
from controller.export import page_file
from controller.export.engine import file_name
from controller.export.steered import SteeredCharacter

PAGE = ASSETS / "web"
"""The page as it was built from ``web/``."""
PARTS = ("page.js", "motion_vae.js", "motion_vae.wasm", "LICENSES.txt")
"""What goes beside index.html as it is."""
MARK = 'data-characters="[]"'
"""Where index.html names the files of the characters."""


@dataclass(frozen=True)
class Web:
    """A static web page in which the characters are steered: index.html, scripts, and a binary file
    for each character. Any web server can host the folder; nothing else is needed."""

    out: Path
    """The folder to write the page into."""
    character: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A character: its name, or its folder. Several: repeat the option. By default the shipped
    one."""
    serve: bool = False
    """Then show the page at an address of this computer, until Ctrl-C."""
    port: int = 8000
    """The port of that address; 0 for any that is free."""

    def run(self) -> None:
        """Write the page and say what is in it. Raises ControllerError about what cannot be."""
        require(0 <= self.port < 65536, "--port", self.port, "0 to 65535")
        parts = {name: _part(name) for name in (*PARTS, "index.html")}
        files.make_folder(self.out)
        names: list[str] = []
        total = 0
        for character in self.character or (DEFAULT,):
            steered = SteeredCharacter.open(character)
            name = _free(file_name(steered.info.name), names)
            data = page_file.write(steered, _body(character, steered))
            files.write(self.out / name, data)
            names.append(name)
            total += len(data)
            print(f"{self.out / name}: {len(data) / 1e6:.1f} MB. {steered.info.notice}")
        text = parts.pop("index.html").decode()
        for name, part in parts.items():
            files.write(self.out / name, part)
            total += len(part)
        listed = html.escape(json.dumps(names))
        files.write(self.out / "index.html", text.replace(MARK, f'data-characters="{listed}"'))
        print(f"{self.out / 'index.html'}: {total / 1e6:.1f} MB in all")
        if self.serve:
            self.show()

    def show(self) -> None:
        """Serve the folder to browsers on this computer until Ctrl-C."""
        with server(self.out, self.port) as running:
            print(f"http://127.0.0.1:{running.server_address[1]}/ (Ctrl-C ends)", flush=True)
            running.serve_forever()


class Handler(SimpleHTTPRequestHandler):
    """Serves files, without a line for each of them."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, format: str, *args: Any) -> None:
        pass


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A web server for this computer alone. Raises ControllerError if the port is taken."""
    try:
        handler = partial(Handler, directory=str(folder))
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ControllerError(f"--port {port} cannot be used ({error.strerror})") from error


def _part(name: str) -> bytes:
    try:
        return (PAGE / name).read_bytes()
    except OSError as error:
        message = f"{PAGE / name}: cannot be read ({error.strerror}); docs/web.md says how to build"
        raise ControllerError(message) from error


def _free(name: str, taken: list[str]) -> str:
    """A name for a character's file that is not taken."""
    free = f"{name}.bin"
    number = 2
    while free in taken:
        free = f"{name}-{number}.bin"
        number += 1
    return free


def _body(character: str, steered: SteeredCharacter) -> SkinnedBody | None:
    """The body in a character's folder; None if there is none for its skeleton."""
    path = CharacterFolder.open(character).body
    if path is None:
        return None
    body = SkinnedBody.load(path)
    return body if body.fits(steered.character.skeleton) else None
