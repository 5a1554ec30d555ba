"""All that one picture shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from controller.viewer.scene.pose import Pose
from controller.viewer.scene.stage import Stage


@dataclass(frozen=True, eq=False)
class Scene:
    """A character and the marks on the ground around it.

    pose      where every joint of the character is that the camera follows
    yaw       radians, the way the character faces
    velocity  (2,) m/s as (x, z), how it moves
    wish      (2,) m/s as (x, z), how it should move
    facing    radians, the yaw it should face; None for no marks around the character
    stage     what else is on the ground
    others    further characters; None for none
    """

    pose: Pose
    yaw: float = 0.0
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    wish: np.ndarray = field(default_factory=lambda: np.zeros(2))
    facing: float | None = None
    stage: Stage = field(default_factory=Stage)
    others: Pose | None = None

    def towards(self, other: Scene, amount: float) -> Scene:
        """The scene at ``amount`` in [0, 1] of the way: what a screen faster than the simulation
        shows."""
        facing = other.facing
        if self.facing is not None and other.facing is not None:
            facing = _turned(self.facing, other.facing, amount)
        others = other.others
        if (
            self.others is not None
            and others is not None
            and len(self.others.root) == len(others.root)
        ):
            others = self.others.towards(others, amount)
        return Scene(
            self.pose.towards(other.pose, amount),
            _turned(self.yaw, other.yaw, amount),
            self.velocity + amount * (other.velocity - self.velocity),
            self.wish + amount * (other.wish - self.wish),
            facing,
            other.stage,
            others,
        )


def _turned(start: float, end: float, amount: float) -> float:
    """Between two angles, the short way round."""
    return start + amount * math.remainder(end - start, 2 * math.pi)
