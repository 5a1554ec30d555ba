"""Avoiding others: the velocity nearest to the desired one that does not soon lead into anyone.

Reciprocal velocity obstacles (van den Berg, Lin, Manocha 2008): each character expects the other to
do half of the avoiding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.motion import geometry

NEAREST = 6
"""How many others count: the nearest ones."""
SIGHT = 5.0
"""m: others farther away than this do not count."""
ROOM = 0.8
"""m to keep between two middles: two torsos of 0.25 m radius, plus the sway of the hips and the
reach of a step."""
HORIZON = 3.0
"""s: a collision later than this does not count yet."""
CAUTION = 1.2
"""m/s of the desired velocity to give up for a collision one second ahead; half as much for one two
seconds ahead."""
DIRECTIONS = 16
"""Directions of the velocities considered, evenly spaced from the facing on."""
PACES = (0.35, 0.7, 1.05, 1.4)
"""m/s of the velocities considered in each direction. Standing and the desired velocity are
considered, too."""
FAR_AWAY = 1e3
"""m along x and z: where an absent neighbour stands."""


def neighbours(state: CharacterState, velocity: Tensor) -> tuple[Tensor, Tensor]:
    """(B, NEAREST, 2) each: the positions of the nearest others of a batch, nearest first, and
    their rows of the velocities (B, 2). Absent neighbours stand a kilometre away."""
    apart = torch.cdist(state.position, state.position, compute_mode="donot_use_mm_for_euclid_dist")
    apart.fill_diagonal_(math.inf)
    count = min(NEAREST, len(state) - 1)
    rows = apart.topk(count, largest=False).indices

    missing = len(state), NEAREST - count, 2
    away = state.position[:, None].expand(missing) + FAR_AWAY
    places = torch.cat((state.position[rows], away), dim=1)
    paces = torch.cat((velocity[rows], torch.zeros_like(away)), dim=1)
    return places, paces


def danger(place: Tensor, velocity: Tensor) -> Tensor:
    """1/s: one over the time until two characters come nearer than ROOM; 0 if that is later than
    HORIZON.

    ``place`` (..., 2) is the other's position relative to oneself, ``velocity`` (..., 2) one's own
    velocity relative to the other. Between two that are already nearer, the danger is ten times the
    speed in m/s at which they approach.
    """
    approach = (place * velocity).sum(dim=-1)
    square = velocity.square().sum(dim=-1).clamp(min=1e-6)
    room = place.square().sum(dim=-1) - ROOM**2
    root = approach.square() - square * room
    time = (approach - root.clamp(min=0).sqrt()) / square
    meets = (root > 0) & (approach > 0) & (time < HORIZON)
    later = torch.where(meets, 1 / time.clamp(min=0.1), 0.0)
    closing = approach / place.square().sum(dim=-1).clamp(min=1e-4).sqrt()
    return torch.where(room > 0, later, 10 * closing.clamp(min=0))


def choices(yaw: Tensor) -> Tensor:
    """(B, C, 2) m/s: the velocities that characters of these yaws (B,) consider."""
    angle = torch.arange(DIRECTIONS, device=yaw.device) * (2 * math.pi / DIRECTIONS)
    around = torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1)
    paces = torch.tensor((0.0, *PACES), device=yaw.device)
    grid = (paces[:, None, None] * around).flatten(0, 1)
    once = grid[DIRECTIONS - 1 :]  # standing is the same in all directions
    return geometry.turn(once, yaw[:, None])


def avoid(
    state: CharacterState, velocity: Tensor, others: Tensor, paces: Tensor, wish: Tensor
) -> Tensor:
    """(B, 2) m/s: the velocity of least cost among :func:`choices` and the desired one. The cost
    is what it gives up of the desired velocity, plus its danger.

    ``velocity`` (B, 2) is one's own velocity now, ``others`` and ``paces`` (B, K, 2) are
    :func:`neighbours`, ``wish`` (B, 2) is the desired velocity.
    """
    candidates = torch.cat((wish[:, None], choices(state.yaw)), dim=1)
    towards = others - state.position[:, None]
    # Each does half of the avoiding, so a choice counts as twice its change of velocity.
    relative = (2 * candidates - velocity[:, None])[:, :, None] - paces[:, None]
    risk = danger(towards[:, None], relative).amax(dim=-1)
    cost = (candidates - wish[:, None]).norm(dim=-1) + CAUTION * risk
    best = cost.argmin(dim=1)
    return candidates[torch.arange(len(best), device=best.device), best]
