"""Files of pictures: the last one (.png), or all of them (.gif, .mp4)."""

from __future__ import annotations

import importlib.util
import os
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from controller.core import files
from controller.core.errors import ConfigError, ControllerError
from controller.core.files import atomic

PICTURES = (".png", ".gif", ".mp4")
GIF_EVERY = 2
"""Frames of play per frame of a .gif: 15 a second look smooth and halve the file."""
GIF_MILLISECONDS = (70, 60, 70)
"""Durations of a .gif's frames. A .gif counts in hundredths of a second; these three make three
frames of 1/15 s."""


def check(paths: Iterable[Path], suffixes: tuple[str, ...] = PICTURES) -> None:
    """Raise :class:`ConfigError` about the first path that could not be written at the end: it has
    none of the ``suffixes``, its folder does not exist or is read-only, or it is a film and the
    library that writes films is missing."""
    for path in paths:
        suffix = path.suffix.lower()
        if suffix not in suffixes:
            raise ConfigError(f"--record {path}: the name must end in one of {', '.join(suffixes)}")
        if not path.parent.is_dir():
            raise ConfigError(f"--record {path}: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise ConfigError(f"--record {path}: this file cannot be written")
        try:
            files.check(path)
        except ControllerError as error:
            raise ConfigError(f"--record {error}") from None
        if suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
            raise ConfigError(
                f"--record {path}: films need the package imageio-ffmpeg; without it, record a .gif"
            )


class LastPicture:
    """A .png of the last frame."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path

    def add(self, picture: np.ndarray) -> None:
        self.picture = picture

    def close(self, *, keep: bool) -> None:
        if keep:
            from PIL import Image

            with atomic(self.path) as temporary:
                Image.fromarray(self.picture).save(temporary)


class Gif:
    """A .gif of every second frame. All frames share one palette, so that what does not move stays
    the same and takes little space."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        # Compressed, because a minute of pictures would not fit into memory otherwise.
        self.frames: list[bytes] = []
        self.count = 0

    def add(self, picture: np.ndarray) -> None:
        self.shape = picture.shape
        if self.count % GIF_EVERY == 0:
            self.frames.append(zlib.compress(picture.tobytes(), 1))
        self.count += 1

    def close(self, *, keep: bool) -> None:
        if not keep:
            return
        from PIL import Image

        some = self.frames[:: max(len(self.frames) // 8, 1)]
        palette = shared_palette(np.concatenate([self._picture(frame) for frame in some]))
        images = (
            Image.fromarray(self._picture(frame)).quantize(
                palette=palette, dither=Image.Dither.NONE
            )
            for frame in self.frames
        )
        times = [GIF_MILLISECONDS[index % 3] for index in range(len(self.frames))]
        with atomic(self.path) as temporary:
            next(images).save(
                temporary, save_all=True, append_images=images, duration=times, loop=0
            )

    def _picture(self, frame: bytes) -> np.ndarray:
        return np.frombuffer(zlib.decompress(frame), np.uint8).reshape(self.shape)


def shared_palette(pixels: np.ndarray) -> Any:
    """Choose 255 colours for (height, width, 3) pixels: half of them where most pixels are, for
    smooth skies, and half spread over all colours present, for small things that stand out."""
    from PIL import Image

    sheet = Image.fromarray(pixels)
    common = sheet.quantize(128, Image.Quantize.MEDIANCUT).getpalette() or []
    spread = sheet.quantize(127, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*common[: 3 * 128], *spread[: 3 * 127]])
    return palette


class Film:
    """An .mp4 (H.264), passed on to ffmpeg frame by frame."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self.opened = ExitStack()
        self.frames: Any = None

    def add(self, picture: np.ndarray) -> None:
        if self.frames is None:
            import imageio_ffmpeg

            temporary = self.opened.enter_context(atomic(self.path))
            size = picture.shape[1], picture.shape[0]
            self.frames = imageio_ffmpeg.write_frames(
                str(temporary), size, fps=self.fps, quality=8, macro_block_size=2
            )
            self.temporary = temporary
            self.frames.send(None)
        try:
            self.frames.send(np.ascontiguousarray(picture))
        except OSError as error:  # ffmpeg has gone
            raise ControllerError(f"{self.path}: ffmpeg cannot write it") from error

    def close(self, *, keep: bool) -> None:
        if self.frames is None:
            return
        self.frames.close()
        reason: Exception | None = None if keep else RuntimeError("discarded")
        if keep and not is_whole(self.temporary):
            reason = ControllerError(f"{self.path}: ffmpeg could not write it to its end")
        self.opened.__exit__(type(reason) if reason else None, reason, None)
        if keep and reason:
            raise reason


def is_whole(film: Path) -> bool:
    """Whether an .mp4 has its index, which is written last, and ends where its last box does.
    ffmpeg's own exit status does not come through."""
    size = film.stat().st_size
    kinds = set()
    place = 0
    with film.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length
            if length < 8:
                return False
            kinds.add(head[4:8])
            place += length
    return place == size and b"moov" in kinds


Writer = LastPicture | Gif | Film
WRITERS: dict[str, type[LastPicture] | type[Gif] | type[Film]] = {
    ".png": LastPicture,
    ".gif": Gif,
    ".mp4": Film,
}
