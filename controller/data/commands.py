"""Motion data: ``python -m controller data fetch|build|show|info``.

fetch  download a public data set and check every file by its SHA-256
build  turn a folder of motion files into one data set for training
show   play motion files or a data set in a window, beside their source
info   describe a data set, in figures and as a picture
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro

from controller.core import command_line, files
from controller.core.errors import DataError, require
from controller.data import (
    catalogue,
    contact_sheet,
    fetch,
    labels,
    shard_build,
    sources,
    target,
    tempo,
    transfer,
)
from controller.data.canonical import CanonicalSettings
from controller.data.dataset import ClipEntry, MotionDataset, build
from controller.data.measures import captured_figures
from controller.data.show import Show
from controller.motion.metrics import quantiles
from controller.motion.overrides import RoleOverrides, load_overrides
from controller.motion.pose import FPS
from controller.motion.roles import Roles

UNSURE = 0.7
"""Guesses of roles with less confidence than this are printed."""
QUANTILES = (0.01, 0.05, 0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Fetch:
    """Download a public data set. Files that are already there are checked, not fetched again."""

    dataset: str = "snu-woody"
    """The data set's name in `controller/data/catalogue.json`."""
    out: Path = Path("data/snu-woody")
    """Folder for the files."""
    mirror: str | None = None
    """A folder or http address that holds the files, in place of their public sources."""

    def run(self) -> None:
        dataset = catalogue.load(self.dataset)
        paths = fetch.fetch(dataset, self.out, self.mirror)
        print(f"{len(paths)} files of {dataset.title} in {self.out}")
        print(f"licence: {dataset.licence}")
        print(dataset.attribution)


@dataclass(frozen=True)
class Build:
    """Turn a folder of motion files into a data set. Prints what it leaves out, and why."""

    source: tuple[Path, ...]
    """A motion file, a folder with such files at any depth, or a .zip archive of them; or several
    of these. Read are BVH (.bvh), Acclaim (.amc with its .asf beside it), the animations of glTF
    files (.glb, .gltf), and recordings of play.py (.npz)."""
    out: Path
    """The .npz to write, or a folder, for more motion than fits memory: see docs/scale.md."""
    overwrite: bool = False
    """Replace the .npz if it is there already."""
    workers: int = 1
    """Processes that build a folder. The result does not depend on their number."""
    use: tuple[str, ...] = ("locomotion",)
    """Which files of the catalogue to take: locomotion, style, stunt, other. Files that it does not
    know are all taken."""
    up: str | None = None
    """The axis that points up in the files: +Y, +Z, -Y, -Z, +X or -X. By default it is found: the
    trunk is above the feet."""
    forward: str | None = None
    """The axis that the body faces in a file's first frame. By default it is found: toes are ahead
    of heels, and knees bend forward."""
    unit: float | None = None
    """Metres a unit. By default it is found from the length of a leg."""
    height: float | None = None
    """Metres from the soles to the top of the head, in place of --unit; for bodies on two legs."""
    fps: float | None = None
    """Frames a second, in place of the files' own. By default .amc files, which have none, have
    120, as CMU's do; glTF animations, which are in seconds, are sampled 60 times a second, or as
    often as is stated here."""
    keep_fingers: bool = False
    """Whether to keep fingers and other joints at the ends of chains."""
    roles: Path | None = None
    """A .toml or .json file with a table `roles` that says what joints are, such as
    `joint_7 = "left_leg_upper"`. It wins over what the names and the skeleton suggest. All roles
    are in `controller/motion/overrides.py`."""
    labels: str | None = None
    """A regular expression whose group `style` finds the style of each clip in its name, such as
    `walk_(?P<style>[a-z]+)_`. A model that is trained on labelled clips moves in any of their
    styles."""
    merge: tuple[str, ...] = ()
    """Styles with two names, such as `elderly=old`: what is found as the first gets the second."""
    skeleton: Path | None = None
    """A data set (.npz), or a motion file or folder, onto whose skeleton all bodies are retargeted.
    By default the body with the most frames stays, and others are left out."""
    hold_out: tuple[str, ...] = ()
    """Parts of names of clips to hold out from training, beside the one in ten whose names' hash
    chooses them."""
    train_on: tuple[str, ...] = ()
    """Parts of names of clips to train on even if that hash would hold them out: the only one that
    runs, say."""
    tempo: tuple[str, ...] = ()
    """Copies of clips to add, as NAME=FACTOR: each clip whose name contains NAME, played FACTOR
    (0.5 to 2) times as fast. `run=1.1` helps where few captured seconds run."""

    def run(self) -> None:
        require(len(self.source) > 0, "source", self.source, "one or more files or folders")
        allowed = "a name that ends in .npz, or a folder's"
        require(self.out.suffix in (".npz", ""), "out", str(self.out), allowed)
        require(1 <= self.workers <= 256, "workers", self.workers, "1 to 256 processes")
        files.check_folder(self.out.parent)
        if self.out.suffix:
            files.keep_finished(self.out, self.overwrite)
            files.check(self.out)
        require(set(self.use) <= set(catalogue.USES), "use", self.use, ", ".join(catalogue.USES))
        allowed = "frames a second, 1 to 1000"
        require(self.fps is None or 1 <= self.fps <= 1000, "fps", self.fps, allowed)
        allowed = "nothing without --labels"
        require(self.labels is not None or not self.merge, "merge", self.merge, allowed)
        tempos = tempo.parse(self.tempo)
        overrides = RoleOverrides() if self.roles is None else load_overrides(self.roles)
        settings = CanonicalSettings(
            self.up, self.forward, self.unit, self.height, overrides, self.keep_fingers
        )
        if not self.out.suffix:
            self.build_folder(settings, tempos)
            return
        onto = None if self.skeleton is None else target.load(self.skeleton)
        motion = sources.read(self.source, self.use, settings, self.fps, onto)
        skeleton = motion.skeleton
        if onto is None:
            overrides = overrides.restricted(skeleton.names)
            skeleton = replace(skeleton, overrides=overrides)
        roles = Roles.of(skeleton)
        name = ", ".join(path.resolve().name for path in self.source)
        clips = tempo.with_copies(motion.clips, tempos)
        data = build(clips, name, skeleton, motion.trips)
        if self.labels is not None:
            names = [clip.name for clip in data.clips]
            data = data.labelled(labels.styles_of(names, self.labels, self.merge))
        data = replace(data, retargeting=transfer.summary(motion.transfers))
        data = data.assigned(self.hold_out, self.train_on).trainable()
        data = replace(data, notes=(*motion.notes, *data.notes))
        for note in data.notes:
            print(note)
        for guess in (roles.stance, *roles.guesses):
            if guess.role != "none" and guess.confidence < UNSURE:
                print(f"{guess.reason} Confidence {guess.confidence:g}; see --roles")

        trip = data.round_trip
        print(
            f"round trip: joints are {trip['mean_mm']:.1f} mm from where the files have them, "
            f"{trip['worst_mm']:.1f} mm at most ({trip['worst_joint']} in {trip['worst_clip']})"
        )
        self.print_retargeting(data)

        files.make_folder(self.out.parent)
        data.save(self.out)
        held_out = sum(clip.length for clip in data.select(held_out=True))
        print(
            f"{self.out}: {len(data.clips)} clips, {_minutes(len(data.poses)):.1f} min "
            f"({_minutes(held_out):.1f} held out), "
            f"{len(data.layout.skeleton)} joints, {data.layout.size} values a pose"
        )
        print_styles(data)

    def build_folder(
        self, settings: CanonicalSettings, tempos: Sequence[tuple[str, float]]
    ) -> None:
        """Build a folder, and print what it has."""
        require(self.labels is None, "labels", self.labels, "nothing with a folder as --out")
        plan = shard_build.Plan(
            self.source,
            self.out,
            self.use,
            settings,
            self.fps,
            self.skeleton,
            self.hold_out,
            self.train_on,
            tuple(tempos),
            self.workers,
        )
        data = shard_build.build_folder(plan)
        for note in data.notes:
            print(note)
        self.print_retargeting(data)
        print(f"{self.out}: {shard_build.described(data)}")

    @staticmethod
    def print_retargeting(data: MotionDataset) -> None:
        """Print how clips of other bodies came over, if there are any."""
        how = data.retargeting
        if not how:
            return
        print(
            f"retargeted: {len(how['clips'])} clips; foot skate {how['skate_before']:.3f} before "
            f"and {how['skate_after']:.3f} cm a frame after (times {how['skate_ratio']:.2f} in the "
            f"median clip); limb bones {how['bones_deg']:.1f}° off on average, "
            f"{how['worst_deg']:.1f}° at most ({how['worst_bone']} in {how['worst_clip']}); feet "
            f"{how['feet_mm']:.1f} mm from their places at most; joints {how['joints_mm']:.0f} mm "
            "apart after scaling"
        )


@dataclass(frozen=True)
class Info:
    """Minutes, speeds, turn rates and foot skate of a data set, and a contact sheet of chosen
    clips."""

    data: Annotated[Path, tyro.conf.Positional]
    """The .npz or the folder that `build` wrote."""
    clips: tuple[str, ...] = ()
    """Clips for the picture, by parts of their names. By default eight of all."""
    sheet: Path | None = None
    """Where to write the picture (.png). By default there is none."""

    def run(self) -> None:
        if self.sheet is not None:
            require(
                self.sheet.suffix == ".png", "sheet", str(self.sheet), "a name that ends in .png"
            )
        data = MotionDataset.load(self.data)
        chosen = self.choose(data)
        skeleton = data.layout.skeleton
        print(
            f"{self.data}: {data.source}, {len(data.clips)} clips, "
            f"{_minutes(len(data.poses)):.1f} min at {FPS:g} frames/s"
        )
        print(f"joints: {', '.join(skeleton.names)}")
        held_out = [clip.name for clip in data.select(held_out=True)]
        print(f"held out: {', '.join(held_out) or 'none'}")
        print_styles(data)
        self.print_figures(data)
        if self.sheet:
            contact_sheet.draw(data, chosen, self.sheet)
            print(
                f"picture: {self.sheet} (left limbs red, right blue; every figure should face "
                "right, feet on the line)"
            )

    @staticmethod
    def print_figures(data: MotionDataset) -> None:
        """Print quantiles of speeds and heights, and :func:`captured_figures`."""
        velocity = data.poses[:, data.layout.root_velocity]
        rows = {
            "speed m/s": velocity[:, :2].norm(dim=-1),
            "forward m/s": velocity[:, 0],
            "left m/s": velocity[:, 1],
            "turning °/s": torch.rad2deg(velocity[:, 2]),
            "hip height m": data.poses[:, data.layout.positions][:, 1],
        }
        heads = [f"{round(100 * point)} %" for point in QUANTILES]
        print(f"{'':<14}" + "".join(f"{head:>9}" for head in heads))
        for name, values in rows.items():
            figures = [f"{value:9.2f}" for value in quantiles(values, QUANTILES)]
            print(f"{name:<14}" + "".join(figures))
        for name, value in captured_figures(data).items():
            print(f"{name:<26} {value:.4g}")

    def choose(self, data: MotionDataset) -> list[ClipEntry]:
        """The clips for the picture. Raises DataError for a name that fits no clip."""
        for name in self.clips:
            if not any(name in clip.name for clip in data.clips):
                raise DataError(
                    f"no clip is named like {name!r}; there are "
                    f"{', '.join(clip.name for clip in data.clips)}"
                )
        if self.clips:
            return [clip for clip in data.clips if any(name in clip.name for name in self.clips)]
        step = max(1, len(data.clips) // 8)
        return list(data.clips[::step][:8])


def print_styles(data: MotionDataset) -> None:
    """Print the number of clips and the minutes of each style, in a line; nothing without
    labels."""
    clips = list(zip(data.clips, data.labels(), strict=False))
    parts = []
    for number, name in enumerate(data.layout.styles):
        lengths = [clip.length for clip, label in clips if label == number]
        parts.append(f"{name} {len(lengths)} ({_minutes(sum(lengths)):.1f} min)")
    if parts:
        print(f"styles: {', '.join(parts)}")


def _minutes(poses: int) -> float:
    """How long so many poses take."""
    return poses / FPS / 60


def main() -> None:
    """Run one of the four commands."""
    command = command_line.read_command(
        {"fetch": Fetch, "build": Build, "show": Show, "info": Info}, description=__doc__
    )
    command.run()
