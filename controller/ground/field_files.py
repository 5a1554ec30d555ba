"""Height fields from files: greyscale pictures and .npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from controller.core import arrays
from controller.core.errors import DataError
from controller.ground.ground import Ground

SIZE = 40.0
"""m: the longer side of a picture."""
RISE = 3.0
"""m from black to white in a picture."""
MOST = 4096
"""Places along a side."""
HIGHEST = 1000.0
"""m"""
PICTURES = (".png", ".tif", ".tiff")
MODES = {"L": 255, "I;16": 65535, "I;16B": 65535, "I": 65535}
"""Kinds of greyscale pictures, and their white."""


def load(path: Path, size: float = SIZE, rise: float = RISE) -> Ground:
    """The ground in a file, its middle at the origin at height 0. Beyond its sides it goes on as
    its mirror image.

    A picture (.png, .tif) is greyscale with 8 or 16 bits. Its longer side is ``size`` m, and
    ``rise`` m lie between black and white. Its columns go along −x and its rows along −z, so that
    the top is ahead of a character that begins, and the left is on its left.

    An .npz has ``heights`` (N, M) in metres, along x and z, and ``size`` (2,), the metres along x
    and z. Raises DataError.
    """
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        heights = _picture(path) * rise
        longest = max(heights.shape)
        sides = tuple(size * count / longest for count in heights.shape)
    elif suffix == ".npz":
        heights, sides = _arrays(path)
    else:
        raise DataError(f"{path}: not a height field; allowed: .png, .tif, .npz")
    if not np.isfinite(heights).all() or np.abs(heights).max() > HIGHEST:
        raise DataError(f"{path}: a height is not finite, or above {HIGHEST:g} m")
    rows, columns = heights.shape
    if min(rows, columns) < 2 or max(rows, columns) > MOST:
        raise DataError(f"{path}: {rows} × {columns} heights; allowed: 2 to {MOST} each way")
    cells = sides[0] / (rows - 1), sides[1] / (columns - 1)
    heights = np.concatenate((heights, heights[-2:0:-1]), axis=0)
    heights = np.concatenate((heights, heights[:, -2:0:-1]), axis=1)
    ground = Ground(path.stem, heights, cells, (-sides[0] / 2, -sides[1] / 2))
    middle = float(ground.height(0.0, 0.0))
    return Ground(path.stem, heights - middle, cells, ground.corner)


def _picture(path: Path) -> np.ndarray:
    """Heights from 0 to 1, (N, M), along x and z."""
    from PIL import Image  # only for such files, not at every start

    try:
        with Image.open(path) as picture:
            if picture.mode not in MODES:
                raise DataError(
                    f"{path}: a picture of the kind {picture.mode}; allowed: greyscale with 8 or "
                    "16 bits"
                )
            if max(picture.size) > MOST:
                raise DataError(f"{path}: {picture.size} pixels; allowed: {MOST} each way")
            white = MODES[picture.mode]
            values = np.asarray(picture, np.float64) / white
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a picture ({error})") from error
    return values.T[::-1, ::-1]


def _arrays(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    with arrays.opened(path, "height field") as archive:
        layout = archive.layout("heights")
        places = len(layout.shape) == 2 and min(layout.shape) >= 2 and max(layout.shape) <= MOST
        if not places or layout.dtype.kind not in "fiu":
            raise DataError(
                f"heights have shape {layout.shape} and dtype {layout.dtype}; allowed: numbers "
                f"(N, M), 2 to {MOST} each way"
            )
        heights = archive.read("heights")
        if archive.layout("size").shape != (2,):
            raise DataError(f"size has shape {archive.layout('size').shape}; allowed: two numbers")
        size = archive.read("size")
    if size.shape != (2,) or size.dtype.kind not in "fiu" or not (size > 0).all():
        raise DataError(f"{path}: size is {size!r}; allowed: two numbers above 0")
    if not np.isfinite(size).all():
        raise DataError(f"{path}: size is not finite")
    return heights.astype(np.float64), (float(size[0]), float(size[1]))
