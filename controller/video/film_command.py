"""Making a film: of the character, or from a folder of real pictures."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from controller.control import folder as characters
from controller.core import files
from controller.core.errors import require
from controller.video.film import Film, write
from controller.video.view import CameraKind, View, parse_size

NAME = "film.safetensors"


@dataclass(frozen=True)
class FilmCommand:
    """Film the character under random steering, with a label for each picture; or take a folder of
    pictures and labels. Needs OpenGL, which may draw off-screen."""

    out: Path = Path("data/video")
    """Folder for the film, film.safetensors."""
    character: str = characters.DEFAULT
    """The character: its name, or its folder."""
    from_folder: Path | None = None
    """A folder of pictures and labels to take instead; docs/pose-to-video.md has the layout."""
    size: str = "64x64"
    """Width and height of the pictures: multiples of 8 from 16 to 256."""
    camera: CameraKind = "following"
    """following: the character stays in the middle; fixed: it walks about before the camera."""
    distance: float = 3.6
    """Metres from the camera to the character; 6 suits a fixed camera."""
    elevation: float = 14.0
    """Degrees of the camera above the horizon."""
    episodes: int = 80
    """Episodes to train on."""
    frames: int = 300
    """Pictures of each, 30 a second."""
    validation: int = 2
    """Episodes to watch training by."""
    test: int = 4
    """Episodes to measure on, which training never sees."""
    long: int = 630
    """Pictures of each episode of these two kinds."""
    seed: int = 0
    """Seed of the steering: the same gives the same film."""

    def run(self) -> None:
        """Write the film and say what is in it."""
        self._check()
        torch.set_num_threads(1)
        path = files.make_folder(self.out) / NAME
        if self.from_folder is None:
            self._shoot(path)
        else:
            from controller.video import real_pictures

            real_pictures.write_film(self.from_folder, path)
        film = Film(path)
        counts = f"{film.frames_of('train')} to train, {film.frames_of('validation')} to watch"
        counts += f", {film.frames_of('test')} to test"
        print(f"{path}: {film.size[0]}x{film.size[1]} pixels, pictures {counts}; {film.labels}")

    def _check(self) -> None:
        for name in ("episodes", "validation", "test"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more episodes")
        for name in ("frames", "long"):
            require(getattr(self, name) >= 2, name, getattr(self, name), "2 or more pictures")
        require(0 <= self.seed < 100, "seed", self.seed, "0 to 99")
        require(self.episodes <= 10_000, "episodes", self.episodes, "10000 or fewer")
        self._view()

    def _view(self) -> View:
        width, height = parse_size(self.size)
        return View(width, height, self.camera, self.distance, math.radians(self.elevation))

    def _shoot(self, path: Path) -> None:
        os.environ.setdefault("LP_NUM_THREADS", "0")  # small pictures gain nothing from threads
        from controller.video import shooting

        view = self._view()
        studio = shooting.open_studio(self.character, view)
        plan = list(
            shooting.plan(
                self.episodes, self.validation, self.test, self.frames, self.long, self.seed
            )
        )
        total = sum(length for *_, length in plan)
        with tqdm(total=total, unit="picture", mininterval=2.0) as bar:
            clips = [
                (name, split, studio.episode(seed, length, bar.update))
                for name, split, seed, length in plan
            ]
        character = studio.actor.character
        write(
            path,
            clips,
            shooting.label_kind(studio.actor),
            character.fps,
            {
                "view": view.to_dict(),
                "character": studio.actor.folder.name,
                "licence": studio.actor.folder.info.terms,
                "attribution": studio.actor.folder.info.attribution,
                "seed": self.seed,
            },
        )
        studio.close()
