"""A camera on a boom that follows a character softly."""

from __future__ import annotations

import math

import numpy as np

from controller.viewer.scene.spring import Spring

FIELD_OF_VIEW = math.radians(36)
NEAR = 0.1
FAR = 200.0
DISTANCE = 4.4
DISTANCES = (1.5, 14.0)
ELEVATIONS = (math.radians(-4), math.radians(85))
AIM = 0.86  # metres above the ground: about the hips, so that walking does not bob the picture

MODES = ("orbit", "chase", "above", "all")
STILL = "still"  # for recordings: a person at the window would lose the character
STEEP = math.radians(38)  # the least elevation from which a crowd is overlooked
# the share of the picture that a crowd fills; width ÷ height from which on it fits
MARGIN = 0.85
NARROWEST = 1.5


class FollowCamera:
    """Looks at the character from ``distance`` metres behind along the yaw ``azimuth``,
    ``elevation`` above it.

    Modes: "orbit" turns only when a person turns it, "chase" swings slowly behind the character's
    back, "above" looks down, "all" flies back until a whole crowd is in the picture, and is orbit
    where there is none, "still" stays and lets the character walk away. ``azimuth`` is where the
    camera wants to be, and what keys are relative to.
    """

    def __init__(
        self, azimuth: float = 0.0, elevation: float = 0.32, distance: float = DISTANCE
    ) -> None:
        self.mode = MODES[0]
        self.azimuth = azimuth
        self.elevation = elevation
        self.distance = distance
        self._boom = Spring((azimuth, elevation, distance), 0.06)
        self._aim = Spring((0.0, AIM, 0.0), 0.12)
        self._crowd = Spring((0.0, AIM, 0.0, distance), 0.25)
        self._away = Spring(0.0, 0.25)

    def orbit(self, right: float, up: float) -> None:
        """Turn by angles in radians; the elevation stays within its limits."""
        self.azimuth -= right
        self.elevation = float(np.clip(self.elevation + up, *ELEVATIONS))

    def zoom(self, notches: float) -> None:
        """Move nearer (positive) or away."""
        self.distance = float(np.clip(self.distance * 0.88**notches, *DISTANCES))

    def next_mode(self) -> None:
        """The next one of MODES; after standing still, the first."""
        self.mode = (
            MODES[0] if self.mode == STILL else MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        )

    def jump(self, root: np.ndarray) -> None:
        """Be there at once, as after a reset."""
        self._aim.reset((root[0], AIM, root[2]))
        self._boom.reset(self._boom_target())
        self._away.reset(0.0)

    def follow(
        self, root: np.ndarray, facing: float, seconds: float, others: np.ndarray | None = None
    ) -> None:
        """Move on by ``seconds`` towards a character whose root (3,) is there and which faces that
        yaw, among others whose roots (N, 3) are there."""
        if self.mode == "chase":
            behind = math.remainder(facing - self.azimuth, 2 * math.pi)
            self.azimuth += behind * (1 - 0.5 ** (seconds / 0.7))
        if self.mode != STILL:
            self._aim.step((root[0], AIM, root[2]), seconds)
        self._boom.step(self._boom_target(), seconds)
        if others is not None:
            there = self._overlook(np.vstack((root, others)))
            if float(self._away.value) > 0.01:
                self._crowd.step(there, seconds)
            else:
                self._crowd.reset(there)
        self._away.step(float(self.mode == "all" and others is not None), seconds)

    def _overlook(self, roots: np.ndarray) -> tuple[float, float, float, float]:
        """The point to look at, and the metres from it, for roots (N, 3) to be in the picture."""
        low = roots.min(axis=0)
        high = roots.max(axis=0)
        aim = np.array(((low[0] + high[0]) / 2, AIM, (low[2] + high[2]) / 2))
        eye = aim + _boom(self.azimuth, max(self.elevation, STEEP), 1.0)
        right, up, back = look_at(eye, aim)[:3, :3] @ (roots - aim).T
        half = MARGIN * math.tan(FIELD_OF_VIEW / 2)
        distance = float((np.maximum(np.abs(right) / NARROWEST, np.abs(up)) / half + back).max())
        return aim[0], aim[1], aim[2], max(distance, DISTANCE) * self.distance / DISTANCE

    def _boom_target(self) -> tuple[float, float, float]:
        if self.mode == "above":
            return self.azimuth, ELEVATIONS[1], self.distance * 1.6
        return self.azimuth, self.elevation, self.distance

    @property
    def aim(self) -> np.ndarray:
        """(3,) the point in the middle of the picture."""
        return self._aim.value + float(self._away.value) * (self._crowd.value[:3] - self._aim.value)

    @property
    def eye(self) -> np.ndarray:
        """(3,) where the camera is; never under the ground."""
        azimuth, elevation, distance = self._boom.value
        away = float(self._away.value)
        elevation += away * max(STEEP - elevation, 0.0)
        distance += away * (float(self._crowd.value[3]) - distance)
        x, y, z = self.aim + _boom(azimuth, elevation, distance)
        return np.array((x, max(y, 0.15), z))

    def ground_at(
        self, pixel: tuple[float, float], size: tuple[int, int]
    ) -> tuple[float, float] | None:
        """The point (x, z) in metres of the ground under a pixel, counted from the upper left of a
        picture of ``size``; None above the horizon or beyond what is drawn."""
        width, height = size
        clip = np.array((2 * pixel[0] / width - 1, 1 - 2 * pixel[1] / height, 1.0, 1.0))
        far = np.linalg.inv(self.matrix(width / height)) @ clip
        ray = far[:3] / far[3] - self.eye
        share = -self.eye[1] / ray[1] if ray[1] < 0 else math.inf  # of the way to the far plane
        if share > 1:
            return None
        x, _, z = self.eye + share * ray
        return float(x), float(z)

    def matrix(self, aspect: float) -> np.ndarray:
        """World → clip space (4, 4), for a picture ``aspect`` times as wide as high."""
        return perspective(FIELD_OF_VIEW, aspect, NEAR, FAR) @ look_at(self.eye, self.aim)


def _boom(azimuth: float, elevation: float, distance: float) -> np.ndarray:
    """(3,) metres from what is looked at to the eye."""
    flat = math.cos(elevation) * distance
    return np.array(
        (-math.sin(azimuth) * flat, math.sin(elevation) * distance, -math.cos(azimuth) * flat)
    )


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
    """View → clip space (4, 4), OpenGL's convention; ``field_of_view`` is the vertical angle in
    radians."""
    focal = 1 / math.tan(field_of_view / 2)
    matrix = np.zeros((4, 4))
    matrix[0, 0] = focal / aspect
    matrix[1, 1] = focal
    matrix[2, 2:] = (far + near) / (near - far), 2 * far * near / (near - far)
    matrix[3, 2] = -1
    return matrix


def orthographic(half: float, near: float, far: float) -> np.ndarray:
    """View → clip space (4, 4) of a box ``2·half`` wide and high: the view of a light as far away
    as the sun."""
    matrix = np.diag((1 / half, 1 / half, 2 / (near - far), 1.0))
    matrix[2, 3] = (far + near) / (near - far)
    return matrix
