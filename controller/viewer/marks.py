"""Marks on the ground: where the character goes, where it should go, and which way it should face."""

from __future__ import annotations

import math

import numpy as np

from controller.viewer.scene import Scene

RING = 0.42  # metres
SECONDS_SHOWN = 0.6  # an arrow reaches as far as that speed goes in this time
STILL = 0.08  # m/s; slower than that is no direction
WISH, ACTUAL, FACING = (0.90, 0.36, 0.05), (0.85, 0.92, 1.00), (0.55, 0.60, 0.65)  # linear RGB

Mark = tuple[tuple[float, float, float, float], tuple[float, float, float, float]]


def ground_marks(scene: Scene) -> list[Mark]:
    """At most three marks, each (x, z, yaw, extent) and (red, green, blue, width), as the shader mark.vert reads them.

    A ring with a wedge for the wished facing, a broad arrow for the wish and over it a narrow one for what is.
    """
    if scene.facing is None:
        return []
    x, _, z = scene.pose.root.tolist()
    marks: list[Mark] = [((x, z, scene.facing, RING), (*FACING, -1.0))]
    for velocity, colour, width in ((scene.wish, WISH, 0.030), (scene.velocity, ACTUAL, 0.014)):
        speed = float(np.hypot(*velocity))
        if speed > STILL:
            sin, cos = (velocity / speed).tolist()
            place = (x + RING * sin, z + RING * cos, math.atan2(sin, cos), speed * SECONDS_SHOWN)
            marks.append((place, (*colour, width)))
    return marks
