"""All that one picture shows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from controller.viewer.pose import Pose


@dataclass(frozen=True, eq=False)
class Scene:
    """A character and, unless they are None, the marks on the ground around it.

    pose      where every joint is
    velocity  (2,) m/s as (x, z), how it moves
    wish      (2,) m/s as (x, z), how it should move
    facing    radians, the yaw it should face
    """

    pose: Pose
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    wish: np.ndarray = field(default_factory=lambda: np.zeros(2))
    facing: float | None = None
