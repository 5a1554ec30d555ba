"""Recordings of play: motion (.bvh, .npz, .glb) and pictures (.png, .gif, .mp4)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.body.mesh import SkinnedBody
from controller.core.errors import ControllerError, Stopped, full_sentence
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
    """Records play and writes the files when its block ends. A .glb gets the ``body`` and says
    whose the motion is (``copyright``).

    If the block ends with an error, no file is touched. Ctrl-C and SIGTERM end it between two
    frames with :class:`Stopped`: what was played so far is kept. A file that cannot be written does
    not take the others with it.

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
        paths = list(dict.fromkeys(paths))
        self._motions = motions(paths)
        self._pictures = [
            pictures.WRITERS[path.suffix.lower()](path, fps)
            for path in paths
            if path not in self._motions
        ]
        self.wants_motion = bool(self._motions)
        self.wants_pictures = bool(self._pictures)
        self._paths = paths
        self._failures: list[str] = []
        self._frames = 0
        self._roots: list[Tensor] = []
        self._rotations: list[Tensor] = []
        self._signals = _Signals()

    def __len__(self) -> int:
        """How many frames were added, whether or not they were stored."""
        return self._frames

    def add(self, root: Tensor, rotations: Tensor) -> None:
        """Add a frame of motion: the root (3,) in metres and global joint rotations (J, 3, 3). It
        is stored only if a file needs it, so that a game that records nothing may run all day."""
        with self._signals.later():
            self._frames += 1
            if self._motions:
                self._roots.append(root)
                self._rotations.append(rotations)

    def add_picture(self, picture: np.ndarray) -> None:
        """Add a picture: (height, width, 3) uint8, the same size each time. Raises ControllerError
        if nothing is left that could be written."""
        with self._signals.later():
            for writer in list(self._pictures):
                if not self._tried(writer.path, partial(writer.add, picture)):
                    self._pictures.remove(writer)
                    writer.close(keep=False)
        if self._failures and not self._pictures and not self._motions:
            raise ControllerError("\n  ".join(self._failures))

    def clip(self) -> Clip:
        """Return the motion so far."""
        rotations = to_local(self.skeleton.parents, torch.stack(self._rotations))
        return Clip("recording", self.skeleton, torch.stack(self._roots), rotations, self.fps)

    def _tried(self, path: Path, action: Callable[[], None]) -> bool:
        """Whether an action succeeds. Otherwise it is noted that the file cannot be written."""
        try:
            action()
        except (ControllerError, OSError, MemoryError) as error:
            self._failures.append(full_sentence(path, error))
            return False
        return True

    def __enter__(self) -> Recording:
        if self._paths:
            self._signals.catch()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stopped = isinstance(error, KeyboardInterrupt)
        good = (kind is None or stopped) and len(self) > 0
        with self._signals.patient():
            self._write(good)
        if good and self._failures:
            written = len(self._paths) - len(self._failures)
            kept = f"{written} of {len(self._paths)} files are written; "
            raise ControllerError(kept + "\n  ".join(self._failures)) from error
        if stopped and self._paths:
            raise Stopped(self._farewell()) from error

    def _write(self, good: bool) -> None:
        """Write all files that can be written, or none unless all was ``good``."""
        for writer in self._pictures:
            self._tried(writer.path, partial(writer.close, keep=good))
        for path in self._motions if good else ():
            self._tried(path, partial(self._write_motion, path))

    def _write_motion(self, path: Path) -> None:
        if path.suffix.lower() == ".glb":
            gltf_writing.write(path, [self.clip()], self.body, copyright=self.copyright)
        else:
            formats.write(path, self.clip())

    def _farewell(self) -> str:
        """What a person who has stopped the recording is told."""
        names = ", ".join(map(str, self._paths))
        if not len(self):
            return f"nothing was played, so nothing is written to {names}"
        return f"{names}: the {len(self)} frames that were played are kept"


MOST_SIGNALS = 2
"""Signals that can be held back. Whoever insists wants the end at once."""


class _Signals:
    """Ctrl-C and SIGTERM, held back while a frame is added or files are written."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._held = False
        self._arrived = 0

    def catch(self) -> None:
        """From now on both raise :class:`Stopped`. Only the main thread can do this."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._arrive)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Hold back the first until the block ends; people press Ctrl-C twice. The next one ends
        the block. Then both are left to what handled them before."""
        self._held = True
        self._arrived = 0
        try:
            yield
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self._before = {}

    @contextmanager
    def later(self) -> Iterator[None]:
        """Hold them back until the block ends."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._arrived:
            raise Stopped

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        self._arrived += 1
        if not self._held or self._arrived > MOST_SIGNALS:
            raise Stopped
