"""Marks on the ground: where the character goes, where it should go, by which line, which way it should face."""

from __future__ import annotations

import math

import numpy as np

from controller.viewer.scene import Scene

RING = 0.42  # metres
SECONDS_SHOWN = 0.6  # an arrow reaches as far as that speed goes in this time
STILL = 0.08  # m/s; slower than that is no direction
WISH, ACTUAL, FACING = (0.90, 0.36, 0.05), (0.85, 0.92, 1.00), (0.55, 0.60, 0.65)  # linear RGB

MOST = 128  # marks in one picture; the array in common.glsl is twice as long
FLAG = 0.3  # metres, the ring around the point to go to
DASH, EVERY = 0.16, 4  # metres, and from how many points of a line to the next dash

Mark = tuple[tuple[float, float, float, float], tuple[float, float, float, float]]


def ground_marks(scene: Scene) -> list[Mark]:
    """At most MOST marks, each (x, z, yaw, extent) and (red, green, blue, width), as the shader mark.vert reads them.

    Small arrows along the line, a ring around the flag's point; a ring with a wedge for the wished facing, a broad
    arrow for the wish and over it a narrow one for what is.
    """
    marks = _line_marks(scene.stage.line) if scene.stage.line is not None else []
    if scene.stage.flag is not None:
        x, z = scene.stage.flag.tolist()
        marks += [((x, z, 0.0, FLAG), (*WISH, -1.0)), ((x, z, 0.0, FLAG / 4), (*WISH, -1.0))]
    return (marks + _own_marks(scene))[:MOST]


def _line_marks(line: np.ndarray) -> list[Mark]:
    """Dashes that point along a line (N, 2), evenly spread and so few that other marks have room."""
    every = max(EVERY, math.ceil(len(line) / (MOST - 8)))
    starts, ends = line[:-1:every], line[1::every]
    return [
        ((x, z, math.atan2(along - x, ahead - z), DASH), (*WISH, 0.012))
        for (x, z), (along, ahead) in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _own_marks(scene: Scene) -> list[Mark]:
    """Those around the character."""
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
