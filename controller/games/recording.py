"""Recordings of play: motion (.bvh, .npz) and pictures (.png, .gif, .mp4)."""

from __future__ import annotations

import importlib.util
import os
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import ConfigError
from controller.core.files import atomic
from controller.data import formats
from controller.motion.skeleton import Clip, Skeleton, to_local

MOTION = formats.writable()
PICTURES = (".png", ".gif", ".mp4")
GIF_EVERY = 2
"""Frames of play per frame of a .gif: 15 a second look smooth and halve the file."""
GIF_MILLISECONDS = (70, 60, 70)
"""Durations of a .gif's frames. A .gif counts in hundredths of a second; these three make three
frames of 1/15 s."""


def check(paths: Iterable[Path]) -> None:
    """Raise :class:`ConfigError` about the first path that could not be written at the end: it has
    an unknown suffix, its folder does not exist or is read-only, or it is a film and the library
    that writes films is missing."""
    for path in paths:
        suffix = path.suffix.lower()
        if suffix not in MOTION + PICTURES:
            raise ConfigError(
                f"--record {path}: the name must end in one of {', '.join(MOTION + PICTURES)}"
            )
        if not path.parent.is_dir():
            raise ConfigError(f"--record {path}: there is no folder {path.parent}")
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise ConfigError(f"--record {path}: this file cannot be written")
        if suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
            raise ConfigError(
                f"--record {path}: films need the package imageio-ffmpeg; without it, record a .gif"
            )


def motions(paths: Iterable[Path]) -> list[Path]:
    """Those of the files that get motion, not pictures."""
    return [path for path in paths if path.suffix.lower() in MOTION]


class Recording:
    """Records play and writes the files when its block ends. If the block ends with an error, no
    file is touched.

    ::

        with Recording(paths, skeleton, fps) as recording:
            recording.add(root, rotations)
            recording.add_picture(picture)  # if it wants any
    """

    def __init__(self, paths: Iterable[Path], skeleton: Skeleton, fps: float) -> None:
        self.skeleton = skeleton
        self.fps = fps
        self._motions = motions(paths)
        self._pictures = [
            WRITERS[path.suffix.lower()](path, fps) for path in paths if path not in self._motions
        ]
        self.wants_motion = bool(self._motions)
        self.wants_pictures = bool(self._pictures)
        self._frames = 0
        self._roots: list[Tensor] = []
        self._rotations: list[Tensor] = []

    def __len__(self) -> int:
        """How many frames were added, whether or not they were stored."""
        return self._frames

    def add(self, root: Tensor, rotations: Tensor) -> None:
        """Add a frame of motion: the root (3,) in metres and global joint rotations (J, 3, 3). It
        is stored only if a file needs it, so that a game that records nothing may run all day."""
        self._frames += 1
        if self._motions:
            self._roots.append(root)
            self._rotations.append(rotations)

    def add_picture(self, picture: np.ndarray) -> None:
        """Add a picture: (height, width, 3) uint8, the same size each time."""
        for writer in self._pictures:
            writer.add(picture)

    def clip(self) -> Clip:
        """Return the motion so far."""
        rotations = to_local(self.skeleton.parents, torch.stack(self._rotations))
        return Clip("recording", self.skeleton, torch.stack(self._roots), rotations, self.fps)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        good = kind is None and len(self) > 0
        for writer in self._pictures:
            writer.close(keep=good)
        for path in self._motions if good else ():
            formats.write(path, self.clip())


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
            self.frames.send(None)
        self.frames.send(np.ascontiguousarray(picture))

    def close(self, *, keep: bool) -> None:
        if self.frames is not None:
            self.frames.close()
            reason = None if keep else RuntimeError("discarded")
            self.opened.__exit__(type(reason) if reason else None, reason, None)


WRITERS: dict[str, type[LastPicture] | type[Gif] | type[Film]] = {
    ".png": LastPicture,
    ".gif": Gif,
    ".mp4": Film,
}
