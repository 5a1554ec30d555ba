"""Everything that one picture shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from controller.ground.ground import Ground
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.stage import Stage
from controller.viewer.scene.traces import Traces


@dataclass(frozen=True, eq=False)
class Scene:
    """A character, others around it, and the marks on the ground.

    pose      the pose of the character that the camera follows
    yaw       radians, the direction in which it faces
    velocity  (2,) m/s as (x, z), its velocity
    wish      (2,) m/s as (x, z), its desired velocity
    facing    radians, its desired yaw; None for no marks around the character
    stage     what else is on the ground
    others    the poses of further characters; None if there are none
    visible   whether the character itself is drawn
    ground    what they stand on; None for a plane at height 0
    traces    the marks of its feet and its way
    """

    pose: Pose
    yaw: float = 0.0
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    wish: np.ndarray = field(default_factory=lambda: np.zeros(2))
    facing: float | None = None
    stage: Stage = field(default_factory=Stage)
    others: Pose | None = None
    visible: bool = True
    ground: Ground | None = None
    traces: Traces | None = None

    def towards(self, other: Scene, amount: float) -> Scene:
        """The scene at ``amount`` in [0, 1] of the way to the ``other`` one.

        A screen that is faster than the simulation shows such scenes.
        """
        facing = other.facing
        if self.facing is not None and other.facing is not None:
            facing = _between(self.facing, other.facing, amount)

        others = other.others
        if self.others is not None and others is not None:
            same_number = len(self.others.root) == len(others.root)
            others = self.others.towards(others, amount) if same_number else others

        return Scene(
            self.pose.towards(other.pose, amount),
            _between(self.yaw, other.yaw, amount),
            self.velocity + amount * (other.velocity - self.velocity),
            self.wish + amount * (other.wish - self.wish),
            facing,
            other.stage,
            others,
            other.visible,
            other.ground,
            other.traces,
        )


def _between(start: float, end: float, amount: float) -> float:
    """An angle at ``amount`` in [0, 1] of the way between two angles, the short way round."""
    return start + amount * math.remainder(end - start, 2 * math.pi)
