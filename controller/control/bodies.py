"""The command that makes skinned bodies: ``python -m controller body make --character NAME``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from controller.body.make import make
from controller.control import folder
from controller.control.folder import BODY, CharacterFolder
from controller.core import checkpoint, command_line, headers
from controller.core.errors import ConfigError, DataError
from controller.motion.skeleton import Skeleton


@dataclass(frozen=True)
class Make:
    """Make a skinned body for a character's skeleton and write it into its folder, as
    body.safetensors. One that is there is replaced."""

    character: str = folder.DEFAULT
    """The character: its name, or its folder."""
    out: Path | None = None
    """Another file to write to."""

    def run(self) -> None:
        own = CharacterFolder.open(self.character)
        path = self.out or own.path / BODY
        print(write(own.mvae, path))


def write(mvae: Path, path: Path) -> str:
    """Make the body for a motion VAE's skeleton, write it to ``path``, and say what was made.

    Raises CheckpointError about the motion VAE, DataError if no body can be made for its skeleton,
    and ConfigError without the packages that it needs.
    """
    header = checkpoint.load_header(mvae, "motion-vae")
    with headers.reading(mvae, "motion-vae"):
        skeleton = Skeleton.from_dict(headers.skeleton(header.get("skeleton")))
    body = make(skeleton)
    body.save(path)
    counts = ", ".join(f"{len(level.triangles):,}" for level in body.levels)
    size = path.stat().st_size / 1000
    return f"{path}: levels of {counts} triangles, {size:.0f} kB"


def attempt(mvae: Path, path: Path) -> str:
    """As :func:`write`, for a character that may do without: if no body can be made, an older one
    is removed, and the reason is returned."""
    try:
        return write(mvae, path)
    except (ConfigError, DataError) as error:
        path.unlink(missing_ok=True)
        return f"{path}: not made, the character plays as capsules ({error})"


def main() -> None:
    command = command_line.read_command(
        {"make": Make}, description="Make a skinned body for a character."
    )
    command.run()
