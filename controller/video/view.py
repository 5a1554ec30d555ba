"""Where the film's camera stands, what size its pictures have, and where points of the world are in
them."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from controller.core.errors import require
from controller.viewer.scene.camera import FIELD_OF_VIEW, FollowCamera

CameraKind = Literal["following", "fixed"]
MULTIPLE = 8
"""Sides of pictures are multiples of this, since networks halve them three times."""
SIDES = (16, 256)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from ``WIDTHxHEIGHT``. Raises ConfigError if a side is not as allowed."""
    match = re.fullmatch(r"([0-9]{1,4})[xX]([0-9]{1,4})", text)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    low, high = SIDES
    fits = all(low <= side <= high and side % MULTIPLE == 0 for side in sides)
    allowed = f"WIDTHxHEIGHT, each a multiple of {MULTIPLE} from {low} to {high}, such as 64x64"
    require(fits, "size", text, allowed)
    return sides


@dataclass(frozen=True)
class View:
    """How the film looks at the character. It looks along +Z, so keys mean in the film what they
    mean in the window.

    width, height  pixels of a picture
    camera         following: the character stays in the middle and the ground moves; fixed: the
                   camera looks at the origin
    distance       metres from the camera to what it looks at
    elevation      radians above the horizon
    aim            metres above the ground, of what it looks at
    """

    width: int = 64
    height: int = 64
    camera: CameraKind = "following"
    distance: float = 3.6
    elevation: float = 0.25
    aim: float = 0.86

    def __post_init__(self) -> None:
        parse_size(f"{self.width}x{self.height}")
        kinds = get_args(CameraKind)
        require(self.camera in kinds, "camera", self.camera, ", ".join(kinds))
        require(1 <= self.distance <= 20, "distance", self.distance, "1 to 20 m")
        require(0 <= self.elevation <= 1.4, "elevation", self.elevation, "0 to 1.4 radians")
        require(0 < self.aim <= 5, "aim", self.aim, "above 0, to 5 m")

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def camera_at(self, root: np.ndarray) -> FollowCamera:
        """The camera for a character with its root (3,) metres there. It has no spring: the same
        pose always gives the same picture."""
        camera = FollowCamera(0.0, self.elevation, self.distance)
        camera.height = self.aim
        middle = root if self.camera == "following" else np.zeros(3)
        camera.jump(np.asarray(middle, dtype=float))
        return camera

    def project(self, points: np.ndarray, root: np.ndarray) -> np.ndarray:
        """Points (..., 3) metres as (..., 3): right and down from the upper left corner in pixels,
        and metres in front of the camera."""
        matrix = self.camera_at(root).matrix(self.width / self.height)
        ones = np.ones((*points.shape[:-1], 1))
        clip = np.concatenate((points, ones), axis=-1) @ matrix.T
        depth = clip[..., 3]
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        right = (clip[..., 0] / safe + 1) * self.width / 2
        down = (1 - clip[..., 1] / safe) * self.height / 2
        return np.stack((right, down, depth), axis=-1)

    def pixels_per_metre(self, depth: float) -> float:
        """How long a metre is at this depth."""
        focal = 1 / math.tan(FIELD_OF_VIEW / 2)
        return focal * self.height / 2 / max(depth, 0.1)
