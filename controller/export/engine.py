"""The controller itself for engines: ``python -m controller export onnx`` and ``export c``.

See docs/engine.md.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from controller.control.folder import DEFAULT
from controller.core import files
from controller.core.errors import require
from controller.export import blob, fidelity, native, onnx_builder, onnx_graph
from controller.export.steered import SteeredCharacter


@dataclass(frozen=True)
class Onnx:
    """The whole controller as one ONNX graph: from a state and a wish to the next state, and the
    joints. The same metadata as in the file are written beside it (.json)."""

    out: Path
    """The .onnx to write."""
    character: str = DEFAULT
    """The character: its name, or its folder."""
    policy: Path | None = None
    """A joystick policy; by default the character's."""
    precision: onnx_builder.Precision = "float32"
    """How the networks' weights are stored. float16 and int8 make the file a half and a quarter as
    large, and the motion a little different; --measure shows how much."""
    measure: bool = False
    """Run the file by onnxruntime for 60 s of random commands, and print how well it follows them
    beside the original, and how long a step takes."""

    def run(self) -> None:
        allowed = "a name that ends in .onnx"
        require(self.out.suffix == ".onnx", "out", str(self.out), allowed)
        steered = SteeredCharacter.open(self.character, self.policy)
        model = onnx_graph.build(steered, self.precision)
        files.make_folder(self.out.parent)
        files.write(self.out, model.SerializeToString())
        beside = self.out.with_suffix(".json")
        files.write(beside, json.dumps(steered.metadata()) + "\n")
        size = self.out.stat().st_size / 1e6
        print(f"{self.out}: {len(model.graph.node)} operators, {size:.1f} MB; {beside}")
        print(_notice(steered))
        if self.measure:
            step = fidelity.exported(model)
            print(fidelity.comparison(steered, self.precision, step))
            print(fidelity.times(steered, self.precision, lambda count: step))


@dataclass(frozen=True)
class C:
    """The whole controller as one C99 file without dependencies, and its weights as a binary
    file."""

    out: Path
    """The folder to write motion_vae.h, motion_vae.c and NAME.mvae into."""
    character: str = DEFAULT
    """The character: its name, or its folder."""
    policy: Path | None = None
    """A joystick policy; by default the character's."""
    precision: blob.Precision = "float32"
    """How the networks' weights are stored. float16 makes the file half as large, and a step
    faster on processors that widen it in one instruction (F16C)."""
    measure: bool = False
    """Compile the file with cc, run it for 60 s of random commands, and print how well it follows
    them beside the original, and how long a step takes."""

    def run(self) -> None:
        steered = SteeredCharacter.open(self.character, self.policy)
        weights = blob.write(steered, self.precision)
        files.make_folder(self.out)
        for name in ("motion_vae.h", "motion_vae.c"):
            files.write(self.out / name, (native.FOLDER / name).read_bytes())
        path = self.out / f"{file_name(steered.info.name)}.mvae"
        files.write(path, weights)
        print(f"{path}: {len(weights) / 1e6:.1f} MB; {self.out / 'motion_vae.c'}, with its .h")
        print(_notice(steered))
        if self.measure:
            self.print_figures(steered, weights)

    def print_figures(self, steered: SteeredCharacter, weights: bytes) -> None:
        """Compile the runtime, and print how it moves and how long a step takes."""
        with tempfile.TemporaryDirectory() as folder:
            library = native.load(Path(folder), native.FAST)
            crowd = native.Runtime(library, weights, fidelity.CHARACTERS)
            print(fidelity.comparison(steered, self.precision, crowd.advance))

            def step(count: int) -> fidelity.Step:
                return native.Runtime(library, weights, count).go_on

            print(fidelity.times(steered, self.precision, step))


def file_name(name: str) -> str:
    """A character's name as that of a file: lower case, other signs than letters as dashes."""
    signs = "".join(sign if sign.isalnum() else "-" for sign in name.lower())
    return signs.strip("-") or "character"


def _notice(steered: SteeredCharacter) -> str:
    """The licence of the weights, which whoever ships them must keep."""
    info = steered.info
    return f"The weights' licence: {info.terms}. {info.attribution}".strip()
