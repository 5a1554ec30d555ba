"""Colours: which regions of a body have which, with borders that are edges of the mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from controller.body.binding import Binding
from controller.body.colours import GRAPHITE, PORCELAIN, SIDE_COLOURS
from controller.body.volumes import Part, part_distances
from controller.motion.roles import Limb, Roles

CUFF = (-0.004, 0.014)
"""m at scale 1: where a dark cuff begins and ends, from a knee or elbow outward."""
SEAM = (-0.004, 0.003)
"""m at scale 1: where a dark seam begins and ends at wrists and ankles."""
BISECTIONS = 8


Field = Callable[[np.ndarray], np.ndarray]
"""From points (N, 3) in the bound pose to (N,) values that are positive inside a region, and at its
border about the distance to it in metres at scale 1."""


class Region(NamedTuple):
    """Where its field is positive, the body has this colour. Later regions cover earlier ones."""

    field: Field
    colour: tuple[float, float, float]


def regions(
    roles: Roles, binding: Binding, parts: Sequence[Part], scale: float, *, seams: bool = True
) -> list[Region]:
    """The regions of a body: limbs in the colours of their sides, with dark ``seams`` or without,
    and a visor."""
    names = [part.name for part in parts]
    found = []
    for limb in roles.limbs:
        name = f"{limb.side}_{limb.region}"
        if name not in names or limb.middle is None:
            continue
        own = _inside(parts, names.index(name))
        side = SIDE_COLOURS[limb.side]
        middle = _along(limb, limb.middle, binding, scale)
        if seams:
            # Everything outward gets the colour: a band alone is missed by edges longer than it.
            found.append(Region(_past(own, middle, CUFF[0]), GRAPHITE))
        found.append(Region(_past(own, middle, CUFF[1]), side))
        paw = roles.kind == "quadruped" and limb.end == limb.contact
        if seams and limb.end is not None and not paw:
            end = _along(limb, limb.end, binding, scale)
            found.append(Region(_past(own, end, SEAM[0]), GRAPHITE))
            found.append(Region(_past(own, end, SEAM[1]), side))
    if roles.head is not None:
        skull = binding.positions[roles.head]
        dark = _visor(skull, scale) if roles.kind == "biped" else _nose(parts, scale)
        found.append(Region(dark, GRAPHITE))
    return found


def _inside(parts: Sequence[Part], number: int) -> Field:
    """Which points are nearest to this one of the parts."""
    return lambda points: part_distances(parts, points).argmin(axis=0) == number


def _past(own: Field, along: Field, start: float) -> Field:
    """Beyond a distance along a limb."""
    return lambda points: np.where(own(points), along(points) - start, -1.0)


def _along(limb: Limb, joint: int, binding: Binding, scale: float) -> Field:
    """The distance from a joint of a limb, outward in the direction between its two bones."""
    chain = limb.joints
    at = chain.index(joint)
    here = binding.positions[joint]
    normal = np.zeros(3)
    for start, end in ((at - 1, at), (at, at + 1)):
        if start >= 0 and end < len(chain) and not (limb.region == "leg" and start >= 3):
            span = binding.positions[chain[end]] - binding.positions[chain[start]]
            normal += span / max(float(np.linalg.norm(span)), 1e-9)
    normal /= max(float(np.linalg.norm(normal)), 1e-9)
    return lambda points: (points - here) @ normal / scale


def _visor(skull: np.ndarray, scale: float) -> Field:
    """A dark band before the eyes, without which it is hard to tell which way a head looks."""

    def field(points: np.ndarray) -> np.ndarray:
        x, y, z = ((points - skull) / scale).T
        beyond = np.maximum(np.abs(x) - 0.036, 0.0)
        round_band = 0.021 - np.hypot(y - 0.106, 0.75 * beyond)
        return np.where(z > 0.02, round_band, -1.0)

    return field


def _nose(parts: Sequence[Part], scale: float) -> Field:
    """The end of the muzzle, the third volume of a quadruped's head."""
    head = next(part for part in parts if part.name == "head")
    muzzle = head.volumes[2]
    end = muzzle.start + (muzzle.length + muzzle.caps[1]) * muzzle.frame[1]
    end = end + 0.01 * scale * muzzle.frame[2]
    return lambda points: 0.026 - np.linalg.norm(points - end, axis=1) / scale


def cut(
    vertices: np.ndarray, triangles: np.ndarray, numbers: np.ndarray, region: Region, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut triangles (T, 3) at the border of a region, and give those inside this ``number``.

    ``numbers`` (T,) are those of the triangles so far. Returns vertices, triangles and numbers.
    """
    inside = region.field(vertices) > 0
    signs = inside[triangles]
    numbers = np.where(signs.all(axis=1), number, numbers)
    mixed = signs.any(axis=1) & ~signs.all(axis=1)
    if not mixed.any():
        return vertices, triangles, numbers

    edges = np.concatenate([triangles[mixed][:, pair] for pair in ((0, 1), (1, 2), (2, 0))])
    edges = np.unique(np.sort(edges[inside[edges[:, 0]] != inside[edges[:, 1]]], axis=1), axis=0)
    made = {tuple(edge): len(vertices) + place for place, edge in enumerate(edges.tolist())}
    pieces = []
    marks = []
    for (a, b, c), old in zip(triangles[mixed].tolist(), numbers[mixed].tolist(), strict=True):
        while inside[b] == inside[a] or inside[c] == inside[a]:
            a, b, c = b, c, a  # until a is alone on its side
        ab = made[min(a, b), max(a, b)]
        ac = made[min(a, c), max(a, c)]
        pieces += [(a, ab, ac), (ab, b, c), (ab, c, ac)]
        alone, others = (number, old) if inside[a] else (old, number)
        marks += [alone, others, others]
    return (
        np.concatenate((vertices, _border(vertices, edges, inside, region.field))),
        np.concatenate((triangles[~mixed], pieces)),
        np.concatenate((numbers[~mixed], marks)),
    )


def _border(
    vertices: np.ndarray, edges: np.ndarray, inside: np.ndarray, field: Field
) -> np.ndarray:
    """(E, 3): where edges (E, 2) cross the border, by bisection."""
    first = inside[edges[:, 0]]
    within = np.where(first[:, None], vertices[edges[:, 0]], vertices[edges[:, 1]])
    without = np.where(first[:, None], vertices[edges[:, 1]], vertices[edges[:, 0]])
    low = np.full((len(edges), 1), 0.1)  # of the way: cut no slivers
    high = np.full((len(edges), 1), 0.9)
    for _ in range(BISECTIONS):
        share = (low + high) / 2
        positive = (field(within + share * (without - within)) > 0)[:, None]
        low = np.where(positive, share, low)
        high = np.where(positive, high, share)
    return within + (low + high) / 2 * (without - within)


def colours(regions: list[Region]) -> list[tuple[float, float, float]]:
    """The colours by number."""
    return [PORCELAIN, *(region.colour for region in regions)]


def split(triangles: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One vertex for each colour that meets in it: the old vertex and the colour (V', 2) of each
    new one, and the triangles of new ones."""
    corners = np.column_stack((triangles.ravel(), np.repeat(numbers, 3)))
    unique, index = np.unique(corners, axis=0, return_inverse=True)
    return unique, index.reshape(-1, 3)
