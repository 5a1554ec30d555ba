"""Make a skinned body for any skeleton that stands."""

from __future__ import annotations

import numpy as np

from controller.body import biped, paint, quadruped, surface, weights
from controller.body.binding import Binding, bind
from controller.body.mesh import Level, SkinnedBody
from controller.body.size import REACH, reach
from controller.body.volumes import Part
from controller.core.errors import DataError
from controller.motion.rest import Rest
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton

STEP = 0.0068
"""m at scale 1: the grid on which the surface is found."""
SLENDER = 0.6
"""A quadruped's limbs are so many times as thick as a biped's at scale 1."""
TRIANGLES = (9400, 2000, 480)
"""Triangles of each level of detail, before the borders of colours are cut into it."""
SMOOTHINGS = (6, 2, 1)
"""For each level, the times that weights are averaged over neighbours."""


def make(skeleton: Skeleton) -> SkinnedBody:
    """The body of a skeleton.

    Raises DataError if its rest pose does not stand, or no legs can be made out in it, and
    ConfigError without the packages that mesh a surface.
    """
    surface.check_packages()
    roles = Roles.of(skeleton)
    if not _stands(roles):
        raise DataError(
            "the skeleton's rest pose does not stand, so that no body can be made for it"
        )
    binding = bind(skeleton, roles)
    if roles.kind == "quadruped":
        scale = quadruped.size(roles, binding)
        parts = quadruped.parts(roles, binding, scale)
        scale *= SLENDER
    else:
        scale = reach(skeleton, roles) / REACH
        parts = biped.parts(roles, binding, scale)
    step = STEP * scale
    dense = surface.mesh(parts, step)
    levels: list[Level] = []
    for count, times in zip(TRIANGLES, SMOOTHINGS, strict=True):
        vertices, triangles = surface.simplify(*dense, count)
        vertices = surface.settle(parts, vertices, step)
        # Seams are too thin to be seen from where coarser levels are.
        regions = paint.regions(roles, binding, parts, scale, seams=not levels)
        levels.append(_level(roles, binding, parts, scale, vertices, triangles, regions, times))
    return SkinnedBody(
        skeleton,
        binding.positions.astype(np.float32),
        binding.rotations.astype(np.float32),
        tuple(levels),
    )


def _stands(roles: Roles) -> bool:
    """Whether the legs go down in the rest pose."""
    rest = Rest(roles.skeleton)
    for leg in roles.legs:
        way = rest.joints[leg.start] - rest.tips[leg.contact]
        if not float(way[1]) > 0.5 * float(way.norm()):
            return False
    return True


def _level(
    roles: Roles,
    binding: Binding,
    parts: list[Part],
    scale: float,
    vertices: np.ndarray,
    triangles: np.ndarray,
    regions: list[paint.Region],
    times: int,
) -> Level:
    """One level of detail, with weights and colours."""
    painted = np.zeros(len(triangles), int)
    for number, region in enumerate(regions, start=1):
        vertices, triangles, painted = paint.cut(vertices, triangles, painted, region, number)

    skin = weights.weigh(roles, binding, parts, vertices, scale)
    joints, shares = weights.strongest(weights.smooth(skin, triangles, times))
    outward = surface.normals(parts, vertices)
    light = surface.openness(parts, vertices, outward)

    corners, triangles = paint.split(triangles, painted)  # a vertex for each colour that meets it
    colour = np.array(paint.colours(regions))[corners[:, 1]]
    rgba = np.column_stack((np.sqrt(colour), light[corners[:, 0]]))
    kept = corners[:, 0]
    kind = np.uint8 if len(roles.skeleton) <= 256 else np.int16
    return Level(
        vertices[kept].astype(np.float32),
        outward[kept].astype(np.float32),
        joints[kept].astype(kind),
        shares[kept].astype(np.uint8),
        np.rint(255 * rgba).astype(np.uint8),
        triangles.astype(np.int32),
    )
