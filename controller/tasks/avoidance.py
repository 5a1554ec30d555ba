"""Avoiding others: the velocity nearest to the wished one that does not lead into anybody soon.

Reciprocal velocity obstacles (van den Berg, Lin, Manocha 2008): whoever is met is expected to do as
much to avoid it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.motion import geometry

NEAREST = 6
"""Others that are heeded: the nearest ones."""
SIGHT = 5.0
"""m: farther away, nobody is heeded."""
ROOM = 0.8
"""m that is kept between two middles: two torsos of 0.25 m radius, and what the hips sway and a
step takes."""
HORIZON = 3.0
"""s: a meeting later than that is none yet."""
CAUTION = 1.2
"""How many m/s of the wish to give up for a meeting in a second's time; half of it for one in two
seconds."""
DIRECTIONS = 16
PACES = (0.35, 0.7, 1.05, 1.4)
"""Velocities weighed beside the wish: so many directions from the facing, each at so many m/s; and
to stand."""
FAR_AWAY = 1e3


def neighbours(state: CharacterState, velocity: Tensor) -> tuple[Tensor, Tensor]:
    """(B, NEAREST, 2) each: where the nearest others of a batch are and with which of the
    velocities (B, 2) they go, nearest first. Who is missing stands a kilometre away."""
    apart = torch.cdist(state.position, state.position, compute_mode="donot_use_mm_for_euclid_dist")
    apart.fill_diagonal_(math.inf)
    count = min(NEAREST, len(state) - 1)
    rows = apart.topk(count, largest=False).indices
    missing = len(state), NEAREST - count, 2
    away = state.position[:, None].expand(missing) + FAR_AWAY
    return torch.cat((state.position[rows], away), dim=1), torch.cat(
        (velocity[rows], torch.zeros_like(away)), dim=1
    )


def danger(place: Tensor, velocity: Tensor) -> Tensor:
    """1/s: one over the time until two come nearer than ROOM, 0 if that is farther off than
    HORIZON.

    ``place`` (..., 2) is where the other is, from oneself, ``velocity`` (..., 2) one's own, seen
    from the other. Who is nearer already is in danger as far as it approaches: ten times the speed
    in m/s.
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
    """(B, C, 2) m/s: the velocities that characters of these yaws (B,) weigh."""
    angle = torch.arange(DIRECTIONS, device=yaw.device) * (2 * math.pi / DIRECTIONS)
    around = torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1)
    paces = torch.tensor((0.0, *PACES), device=yaw.device)
    grid = (paces[:, None, None] * around).flatten(0, 1)[
        DIRECTIONS - 1 :
    ]  # to stand has one direction
    return geometry.turn(grid, yaw[:, None])


def avoid(
    state: CharacterState, velocity: Tensor, others: Tensor, paces: Tensor, wish: Tensor
) -> Tensor:
    """(B, 2) m/s: of :func:`choices` and the wish, what costs least, given up wish and danger
    together.

    ``velocity`` (B, 2) is one's own now, ``others`` and ``paces`` (B, K, 2) are :func:`neighbours`.
    """
    weighed = torch.cat((wish[:, None], choices(state.yaw)), dim=1)
    towards = others - state.position[:, None]
    # Each does half of what it takes: twice the change is weighed.
    relative = (2 * weighed - velocity[:, None])[:, :, None] - paces[:, None]
    met = danger(towards[:, None], relative).amax(dim=-1)
    cost = (weighed - wish[:, None]).norm(dim=-1) + CAUTION * met
    best = cost.argmin(dim=1)
    return weighed[torch.arange(len(best), device=best.device), best]
