"""Pictures that a person takes at the window."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np

from controller.core import files


def save(picture: np.ndarray, folder: Path, now: datetime | None = None) -> Path:
    """Write a picture (height, width, 3) uint8 into a folder, which is made if it is missing, and
    return its path. The name has date and time, and a number if that name is taken.

    Raises ControllerError if it cannot be written.
    """
    from PIL import Image

    files.make_folder(folder)
    stem = f"motion-vae-{now or datetime.now():%Y-%m-%d_%H-%M-%S}"
    names = (f"{stem}-{number}.png" if number > 1 else f"{stem}.png" for number in count(1))
    path = next(folder / name for name in names if not (folder / name).exists())
    with files.atomic(path) as temporary:
        Image.fromarray(picture).save(temporary)
    return path
