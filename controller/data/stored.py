"""What the file of a motion data set holds, checked before anything is built from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.core import arrays, headers
from controller.core.arrays import Npz
from controller.core.errors import DataError
from controller.model.mixture import MOST_STYLES, check_styles
from controller.motion.pose import FPS, PoseLayout
from controller.motion.skeleton import Skeleton

FORMAT = "motion-dataset/1"
LONGEST_HEADER = 2**26
"""Bytes, four for each character."""
LONGEST_SOURCE = 4000
"""Characters of the name of a folder or of a clip."""
MOST_CLIPS = 10**6
MOST_ROWS = 2**31


@dataclass(frozen=True)
class Stored:
    """The parts of a file.

    layout  of its poses, with the names of styles if there are any
    poses   (N, D) without weights of styles
    clips   name, first row, number of rows and whether it is held out, of each clip
    labels  the number of each clip's style; empty without styles
    header  the rest
    """

    layout: PoseLayout
    poses: Tensor
    clips: list[tuple[str, int, int, bool]]
    labels: list[int]
    header: dict[str, Any]


def read(path: Path) -> Stored:
    """Read a file. Raises DataError with what is wrong with it."""
    with arrays.opened(path, "motion data set") as archive:
        header = _header(archive)
        names = headers.items("styles", header.get("styles", ()), 0, MOST_STYLES)
        skeleton = Skeleton.from_dict(headers.skeleton(header.get("skeleton")))
        layout = PoseLayout(skeleton, check_styles(names))
        clips = _clips(header.get("clips"))
        labels = _labels(header.get("labels"), len(clips), len(names)) if names else []
        rows = sum(length for _, _, length, _ in clips)
        return Stored(layout, _poses(archive, rows, layout.body.stop), clips, labels, header)


def _header(archive: Npz) -> dict[str, Any]:
    text = archive.layout("header")
    if text.shape or text.dtype.kind != "U" or text.dtype.itemsize > LONGEST_HEADER:
        raise DataError(f"a header of shape {text.shape} and dtype {text.dtype} found")
    header = headers.table("header", json.loads(str(archive.read("header"))))
    found = header.get("format")
    if found != FORMAT:
        shown = headers.shown(found)
        raise DataError(f"format {shown} found; {FORMAT!r} expected; build it again")
    headers.number("fps", header.get("fps", FPS), FPS, FPS)
    headers.text("source", header.get("source"), LONGEST_SOURCE)
    for number, note in enumerate(headers.items("notes", header.get("notes"), 0, MOST_CLIPS)):
        if not isinstance(note, str):
            raise headers.refuse(f"notes[{number}]", note, "text")
    for name in ("round_trip", "retargeting"):
        headers.table(name, header.get(name, {}))
    return header


def _clips(value: object) -> list[tuple[str, int, int, bool]]:
    """The clips, which must follow each other in the table without gaps."""
    clips = []
    start = 0
    for number, row in enumerate(headers.items("clips", value, 1, MOST_CLIPS)):
        field = f"clips[{number}]"
        name, begin, length, held_out = headers.items(field, row, 4, 4)
        headers.text(f"{field}: its name", name, LONGEST_SOURCE)
        headers.whole(f"{field}: its first row", begin, start, start)
        headers.whole(f"{field}: its number of rows", length, 1, MOST_ROWS)
        if not isinstance(held_out, bool):
            raise headers.refuse(f"{field}: held out", held_out, "true or false")
        clips.append((name, begin, length, held_out))
        start += length
    return clips


def _labels(value: object, clips: int, styles: int) -> list[int]:
    labels = value if isinstance(value, list) else []
    whole = all(type(label) is int for label in labels)
    if len(labels) != clips or not whole or not set(labels) <= set(range(styles)):
        raise DataError(
            f"its labels are not one of {styles} styles for each of its {clips} clips; "
            "build it again"
        )
    return labels


def _poses(archive: Npz, rows: int, width: int) -> Tensor:
    found = archive.layout("poses")
    if found.shape != (rows, width) or found.dtype != np.dtype("<f4"):
        raise DataError(
            f"poses of shape {found.shape} and dtype {found.dtype} found; ({rows}, {width}) and "
            "float32 expected"
        )
    poses = torch.from_numpy(np.ascontiguousarray(archive.read("poses")))
    if not bool(torch.isfinite(poses).all()):
        raise DataError("some of its poses are not finite; build it again")
    return poses
