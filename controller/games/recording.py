"""Recordings of play: motion (.bvh, .npz, .glb) and pictures (.png, .gif, .mp4)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from controller.body.mesh import SkinnedBody
from controller.data import formats
from controller.data.formats import gltf_writing
from controller.motion.skeleton import Clip, Skeleton, to_local
from controller.viewer import pictures

MOTION = formats.writable()


def check(paths: Iterable[Path]) -> None:
    """Raise :class:`ConfigError` about the first path that could not be written at the end, as
    :func:`pictures.check` does."""
    pictures.check(paths, MOTION + pictures.PICTURES)


def motions(paths: Iterable[Path]) -> list[Path]:
    """Those of the files that get motion, not pictures."""
    return [path for path in paths if path.suffix.lower() in MOTION]


class Recording:
    """Records play and writes the files when its block ends. If the block ends with an error, no
    file is touched. A .glb gets the ``body`` and says whose the motion is (``copyright``).

    ::

        with Recording(paths, skeleton, fps) as recording:
            recording.add(root, rotations)
            recording.add_picture(picture)  # if it wants any
    """

    def __init__(
        self,
        paths: Iterable[Path],
        skeleton: Skeleton,
        fps: float,
        body: SkinnedBody | None = None,
        copyright: str = "",
    ) -> None:
        self.skeleton = skeleton
        self.body = body
        self.copyright = copyright
        self.fps = fps
        self._motions = motions(paths)
        self._pictures = [
            pictures.WRITERS[path.suffix.lower()](path, fps)
            for path in paths
            if path not in self._motions
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
            if path.suffix.lower() == ".glb":
                gltf_writing.write(path, [self.clip()], self.body, copyright=self.copyright)
            else:
                formats.write(path, self.clip())
