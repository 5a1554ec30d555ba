"""Check a .glb by three.js' own loader, under node: see ``three_glb.mjs`` beside this file.

::

    npm install --prefix FOLDER three
    python tests/manual/three_glb.py FOLDER drive.glb drive.npz
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def main(folder: str, path: str, recording: str) -> int:
    motion = np.load(recording)
    content = {name: motion[name].tolist() for name in ("names", "parents", "positions")}
    script = Path(__file__).with_suffix(".mjs")
    with tempfile.TemporaryDirectory() as scratch:
        expected = Path(scratch) / "expected.json"
        expected.write_text(json.dumps(content), encoding="utf-8")
        command = ["node", str(script), str(Path(folder).resolve()), path, str(expected)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
