"""A camera on a boom that follows a character smoothly."""

from __future__ import annotations

import math

import numpy as np

from controller.ground.ground import Ground
from controller.viewer.scene.spring import Spring

FIELD_OF_VIEW = math.radians(36)
NEAR = 0.1
FAR = 200.0
DISTANCE = 4.4
DISTANCES = (1.5, 14.0)
ELEVATIONS = (math.radians(-4), math.radians(85))
AIM = 0.86  # metres above the ground, or less for a small character

MODES = ("orbit", "chase", "above", "all")
STILL = "still"  # only for recordings: at the window, the user would lose the character
STEEP = math.radians(38)  # the least elevation in the mode "all"
MARGIN = 0.85  # the part of the picture that a crowd fills
NARROWEST = 1.5  # width ÷ height of the narrowest picture that a crowd fits into


class FollowCamera:
    """A camera that looks at the character along the yaw ``azimuth``.

    It is ``distance`` metres behind the character and ``elevation`` radians above it. It moves
    there smoothly; keys are relative to ``azimuth``. Its modes are

    "orbit"  turns only when the user turns it
    "chase"  swings slowly behind the character's back
    "above"  looks down
    "all"    moves back until a whole crowd is in the picture; without a crowd it is "orbit"
    "still"  stays where it is, and lets the character walk away

    It stays above the ``ground``, which is flat if there is none.
    """

    def __init__(
        self, azimuth: float = 0.0, elevation: float = 0.32, distance: float = DISTANCE
    ) -> None:
        self.mode = MODES[0]
        self.azimuth = azimuth
        self.elevation = elevation
        self.distance = distance
        self.height = AIM
        self._boom = Spring((azimuth, elevation, distance), 0.06)
        self._aim = Spring((0.0, AIM, 0.0), 0.12)
        self._crowd = Spring((0.0, AIM, 0.0, distance), 0.25)
        self._away = Spring(0.0, 0.25)
        self.ground: Ground | None = None

    def _level(self, x: float, z: float) -> float:
        """The height of the ground, in metres."""
        return 0.0 if self.ground is None else float(self.ground.height(x, z))

    def orbit(self, right: float, up: float) -> None:
        """Turn by angles in radians. The elevation is clamped to its limits."""
        self.azimuth -= right
        self.elevation = float(np.clip(self.elevation + up, *ELEVATIONS))

    def zoom(self, notches: float) -> None:
        """Move closer (positive) or away. The distance is clamped to its limits."""
        self.distance = float(np.clip(self.distance * 0.88**notches, *DISTANCES))

    def next_mode(self) -> None:
        """Switch to the next mode of MODES; from "still", to the first."""
        following = 0 if self.mode == STILL else MODES.index(self.mode) + 1
        self.mode = MODES[following % len(MODES)]

    def aim_at(self, hips: float) -> None:
        """Look at a character whose hips are at this height in metres, or lower if it is tall. The
        height stays the same while it walks, so that the picture does not bob with each step."""
        self.height = min(AIM, hips)

    def jump(self, root: np.ndarray) -> None:
        """Go to the character at once, as after a reset."""
        self._aim.reset((root[0], self.height + self._level(root[0], root[2]), root[2]))
        self._boom.reset(self._boom_target())
        self._away.reset(0.0)

    def follow(
        self, root: np.ndarray, facing: float, seconds: float, others: np.ndarray | None = None
    ) -> None:
        """Follow the character for ``seconds``.

        Its root (3,) and the roots of the ``others`` (N, 3) are in metres; ``facing`` is its yaw.
        """
        if self.mode == "chase":
            behind = math.remainder(facing - self.azimuth, 2 * math.pi)
            self.azimuth += behind * (1 - 0.5 ** (seconds / 0.7))
        if self.mode != STILL:
            height = self.height + self._level(root[0], root[2])
            self._aim.step((root[0], height, root[2]), seconds)
        self._boom.step(self._boom_target(), seconds)
        if others is not None:
            target = self._overlook(np.vstack((root, others)))
            if float(self._away.value) > 0.01:
                self._crowd.step(target, seconds)
            else:
                self._crowd.reset(target)
        self._away.step(float(self.mode == "all" and others is not None), seconds)

    def _overlook(self, roots: np.ndarray) -> tuple[float, float, float, float]:
        """The point to look at and the distance from it that show all roots (N, 3)."""
        low = roots.min(axis=0)
        high = roots.max(axis=0)
        x, z = (low[0] + high[0]) / 2, (low[2] + high[2]) / 2
        aim = np.array((x, self.height + self._level(x, z), z))
        eye = aim + _boom(self.azimuth, max(self.elevation, STEEP), 1.0)

        right, up, back = look_at(eye, aim)[:3, :3] @ (roots - aim).T
        half = MARGIN * math.tan(FIELD_OF_VIEW / 2)
        extent = np.maximum(np.abs(right) / NARROWEST, np.abs(up))
        distance = float((extent / half + back).max())
        return aim[0], aim[1], aim[2], max(distance, DISTANCE) * self.distance / DISTANCE

    def _boom_target(self) -> tuple[float, float, float]:
        """The azimuth, elevation and distance that the camera moves to."""
        if self.mode == "above":
            return self.azimuth, ELEVATIONS[1], self.distance * 1.6
        return self.azimuth, self.elevation, self.distance

    @property
    def aim(self) -> np.ndarray:
        """(3,) metres, the point in the middle of the picture."""
        aim = self._aim.value
        return aim + float(self._away.value) * (self._crowd.value[:3] - aim)

    @property
    def eye(self) -> np.ndarray:
        """(3,) metres, the camera's position; never below the ground."""
        azimuth, elevation, distance = self._boom.value
        away = float(self._away.value)
        elevation += away * max(STEEP - elevation, 0.0)
        distance += away * (float(self._crowd.value[3]) - distance)
        x, y, z = self.aim + _boom(azimuth, elevation, distance)
        return np.array((x, max(y, self._level(x, z) + 0.15), z))

    def ground_at(
        self, pixel: tuple[float, float], size: tuple[int, int]
    ) -> tuple[float, float] | None:
        """The point (x, z) of the ground under a pixel, in metres.

        Pixels count from the upper left of a picture of this ``size``. None above the horizon and
        beyond the far plane.
        """
        width, height = size
        clip = np.array((2 * pixel[0] / width - 1, 1 - 2 * pixel[1] / height, 1.0, 1.0))
        far = np.linalg.inv(self.matrix(width / height)) @ clip
        eye = self.eye
        ray = far[:3] / far[3] - eye
        if self.ground is not None:
            spot = self.ground.hit(eye, ray)
            return None if spot is None else (float(spot[0]), float(spot[2]))
        if ray[1] >= 0:
            return None
        share = -eye[1] / ray[1]  # of the way to the far plane
        if share > 1:
            return None
        x, _, z = eye + share * ray
        return float(x), float(z)

    def matrix(self, aspect: float) -> np.ndarray:
        """World → clip space (4, 4), for a picture whose width ÷ height is ``aspect``."""
        return perspective(FIELD_OF_VIEW, aspect, NEAR, FAR) @ look_at(self.eye, self.aim)


def _boom(azimuth: float, elevation: float, distance: float) -> np.ndarray:
    """(3,) metres, from the point that the camera looks at to the camera."""
    flat = math.cos(elevation) * distance
    height = math.sin(elevation) * distance
    return np.array((-math.sin(azimuth) * flat, height, -math.cos(azimuth) * flat))


def look_at(eye: np.ndarray, aim: np.ndarray) -> np.ndarray:
    """World → view space (4, 4): ``eye`` at the origin, ``aim`` on −Z, +Y up."""
    back = (eye - aim) / np.linalg.norm(eye - aim)
    right = np.cross((0.0, 1.0, 0.0), back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = right, np.cross(back, right), back
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def perspective(field_of_view: float, aspect: float, near: float, far: float) -> np.ndarray:
    """View → clip space (4, 4), as OpenGL defines it.

    ``field_of_view`` is the vertical angle in radians.
    """
    focal = 1 / math.tan(field_of_view / 2)
    matrix = np.zeros((4, 4))
    matrix[0, 0] = focal / aspect
    matrix[1, 1] = focal
    matrix[2, 2] = (far + near) / (near - far)
    matrix[2, 3] = 2 * far * near / (near - far)
    matrix[3, 2] = -1
    return matrix


def orthographic(half: float, near: float, far: float) -> np.ndarray:
    """View → clip space (4, 4) of a box that is ``2·half`` wide and high, without perspective."""
    matrix = np.diag((1 / half, 1 / half, 2 / (near - far), 1.0))
    matrix[2, 3] = (far + near) / (near - far)
    return matrix
