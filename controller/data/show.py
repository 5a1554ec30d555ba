"""``python -m controller data show``: look at motion before training with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from controller.core.errors import ConfigError, DataError, require
from controller.data import target
from controller.data.canonical import CanonicalSettings
from controller.data.exhibits import Exhibit, exhibits, is_data_set
from controller.motion.overrides import RoleOverrides, load_overrides


@dataclass(frozen=True)
class Show:
    """Play motion in a window: each clip as the build makes it, beside its source as a plain figure
    in the file's own axes, brought to metres only. Clips that the build leaves out are shown by
    their source alone, with the reason."""

    path: tyro.conf.Positional[Path]
    """A motion file of any format that `build` reads, a folder with such files, a .zip archive of
    them, or the .npz that `build` wrote."""
    source: Path | None = None
    """The files from which an .npz was built, to see them beside it."""
    clip: str = ""
    """Show only clips whose names have this in them."""
    up: str | None = None
    """The axis that points up in the files, as for `build`, like the options down to --roles."""
    forward: str | None = None
    """The axis that the body faces in a file's first frame."""
    unit: float | None = None
    """Metres a unit."""
    height: float | None = None
    """Metres from the soles to the top of the head, in place of --unit; for bodies on two legs."""
    fps: float | None = None
    """Frames a second, in place of the files' own."""
    keep_fingers: bool = False
    """Whether to keep fingers and other joints at the ends of chains."""
    roles: Path | None = None
    """A .toml or .json file that says what joints are."""
    skeleton: Path | None = None
    """A data set, or a motion file or folder, onto whose skeleton the files are retargeted."""
    headless: bool = False
    """No window: draw off-screen what --record names."""
    record: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """Picture file to write: .png (the last frame), .gif or .mp4. Repeat it for several."""
    frames: int | None = None
    """Quit after this many frames, 30 a second. By default: at the end of the first clip with
    --headless, else never."""
    size: str = "960x540"
    """Width and height of the picture in pixels."""

    def run(self) -> None:
        from controller.data.projection import project  # pygame, only when a window is wanted
        from controller.viewer import pictures

        allowed = "frames a second, 1 to 1000"
        require(self.fps is None or 1 <= self.fps <= 1000, "fps", self.fps, allowed)
        require(self.frames is None or self.frames >= 1, "--frames", self.frames, "1 or more")
        pixels = self.pixels()
        pictures.check(self.record)
        if self.headless and not self.record:
            raise ConfigError("--headless needs --record, or nothing could be seen")
        overrides = RoleOverrides() if self.roles is None else load_overrides(self.roles)
        settings = CanonicalSettings(
            self.up, self.forward, self.unit, self.height, overrides, self.keep_fingers
        )
        allowed = "nothing for a data set, which is on its skeleton already"
        onto_file = self.skeleton is None or not is_data_set(self.path)
        require(onto_file, "skeleton", str(self.skeleton), allowed)
        print(f"{self.path}: reading …", flush=True)
        onto = None if self.skeleton is None else target.load(self.skeleton)
        with exhibits(self.path, self.source, settings, self.fps, onto) as found:
            shown = self.choose(found)
            left_out = sum(exhibit.entry is None for exhibit in shown)
            print(f"{self.path}: {len(shown)} clips, {left_out} of them left out by the build")
            project(shown, pixels, self.headless, self.record, self.frames)

    def choose(self, found: list[Exhibit]) -> list[Exhibit]:
        """The clips to show. Raises DataError if --clip fits none, or if there is nothing to see of
        those that it fits."""
        chosen = [exhibit for exhibit in found if self.clip in exhibit.name]
        if not chosen:
            names = ", ".join(exhibit.name for exhibit in found)
            raise DataError(f"no clip is named like {self.clip!r}; there are {names}")
        if all(exhibit.entry is None and exhibit.source is None for exhibit in chosen):
            raise DataError(f"{self.path}: nothing to show; {chosen[0].sourceless}")
        return chosen

    def pixels(self) -> tuple[int, int]:
        """``size`` as numbers. Raises ConfigError if it is no size."""
        match = re.fullmatch(r"([0-9]{1,4})[xX]([0-9]{1,4})", self.size)
        fits = match is not None and all(16 <= int(side) <= 8192 for side in match.groups())
        require(fits, "--size", self.size, "16x16 to 8192x8192, for example 960x540")
        assert match is not None
        return int(match[1]), int(match[2])
