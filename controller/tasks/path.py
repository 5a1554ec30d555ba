"""Path: walk along a line over the ground and stand at its end (Ling et al. 2020, 6.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from controller.core.errors import require
from controller.dynamics.character import CharacterState
from controller.motion import geometry
from controller.tasks import polyline
from controller.tasks.arrival import (
    STOP_WITHIN,
    approach_reward,
    around,
    braking_speed,
    distance_to,
    facing_weight,
    observe_approach,
)
from controller.tasks.base import Task
from controller.tasks.goals import PLACE
from controller.tasks.polyline import SPACING
from controller.tasks.registry import task

OBSERVED_AT = (0.0, 0.6, 1.0, 1.5, 2.0)
"""m ahead on the path: the points that the character observes."""
AIM_AHEAD = 0.3
"""m ahead on the path: the point to walk to."""
SEARCH = 4
"""Pieces of the path, 0.1 m each, among which the nearest point is searched. With more, a character
might take the wrong branch where the path crosses itself."""
SMOOTHING = 0.2
"""m: standard deviation of the filter that takes the tremor out of a line drawn by hand."""


@dataclass(frozen=True)
class PathGoal:
    """Paths of B characters, and how far each has come along its own.

    points  (B, P, 2) metres over the ground, in the world, as (x, z), 0.1 m apart
    last    (B,) index of the path's last point; the points after it repeat it
    walked  (B,) metres along the path
    """

    points: Tensor = field(metadata=PLACE)
    last: Tensor
    walked: Tensor

    @property
    def length(self) -> Tensor:
        """(B,) metres."""
        return self.last * SPACING

    def at(self, along: Tensor) -> Tensor:
        """(B, K, 2): the points of the paths at ``along`` (B, K) metres; beyond an end, the end
        itself."""
        pieces = along.clamp(min=0).minimum(self.length[:, None]) / SPACING
        index = pieces.detach().long().minimum(self.last[:, None] - 1)
        begin = self._pick(index)
        end = self._pick(index + 1)
        return begin + (pieces - index)[..., None] * (end - begin)

    def nearest(self, position: Tensor) -> Tensor:
        """(B,) metres along the paths to the point nearest to each position (B, 2), within the next
        0.4 m. A position that is not finite stays where it was along its path."""
        ahead = torch.arange(SEARCH + 1, device=self.last.device)
        index = (self.walked / SPACING).long()[:, None] + ahead
        corners = self._pick(index.minimum(self.last[:, None]))
        begin = corners[:, :-1]
        piece = corners[:, 1:] - corners[:, :-1]

        square = piece.square().sum(dim=-1).clamp(min=1e-6)
        share = ((position[:, None] - begin) * piece).sum(dim=-1) / square
        share = share.clamp(0, 1)
        apart = (begin + share[..., None] * piece - position[:, None]).square().sum(dim=-1)
        best = apart.argmin(dim=1, keepdim=True)
        along = SPACING * (index.gather(1, best) + share.gather(1, best))[:, 0]
        return along.fmax(self.walked).minimum(self.length)  # NaN is no way along

    def _pick(self, index: Tensor) -> Tensor:
        return self.points.gather(1, index[..., None].expand(*index.shape, 2))


@dataclass(frozen=True)
class PathConfig:
    """How fast to go, and how paths are drawn in training."""

    speed: float = 1.3
    """m/s along the path."""
    longest: float = 25.0
    """m: the longest path. The shortest is a fifth of it."""
    bend: float = 0.5
    """1/m: the largest curvature of each of the three waves that bend a path. The mean is a third
    of that."""
    corner_every: float = 5.0
    """m between two corners on average."""
    sharpest: float = 2.4
    """radians: the largest turn at a corner."""
    beside: float = 0.5
    """m: how far from the character a path may begin."""
    hold_frames: float = 60.0
    """After its end is reached, a path stays for this many frames on average."""

    def __post_init__(self) -> None:
        require(0 < self.speed <= 10, "speed", self.speed, "above 0, up to 10 m/s")
        require(2.5 <= self.longest <= 1000, "longest", self.longest, "2.5 to 1000 m")
        for name in ("bend", "beside"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(self.corner_every >= 1, "corner_every", self.corner_every, "1 m or more")
        require(0 <= self.sharpest <= math.pi, "sharpest", self.sharpest, "0 to π")
        require(self.hold_frames >= 1, "hold_frames", self.hold_frames, "1 or more frames")


@task
class PathTask(Task[PathGoal, PathConfig]):
    """Walk along a path, facing the way it goes, and stand at its end until the next one comes.

    The observation of the goal, in the character's facing frame:

    | column | what                                                                            |
    |--------|---------------------------------------------------------------------------------|
    | 0, 1   | desired velocity, forward and to the left, m/s: see :meth:`waypoint`            |
    | 2, 3   | cosine and sine of the angle from the facing to its direction, 120° at most,    |
    |        | fading within 1 m of the end                                                    |
    | 4–13   | five points of the path, 0, 0.6, 1, 1.5 and 2 m ahead, forward and left, as     |
    |        | p/√(1 + ‖p‖²)                                                                   |
    | 14     | remaining metres r of the path, as r/(1 + r)                                    |
    """

    name: ClassVar[str] = "path"
    goal_size: ClassVar[int] = 4 + 2 * len(OBSERVED_AT) + 1
    extends: ClassVar[str | None] = "joystick"
    config_type = PathConfig

    @staticmethod
    def goal_along(points: Tensor, state: CharacterState | None = None) -> PathGoal:
        """One character's goal: a line (N, 2) in metres that the user draws or chooses.

        With ``state``, of one character, the path first leads from there to the line's start.
        Raises ConfigError if the line is shorter than half a metre.
        """
        if state is not None:
            points = torch.cat((state.position, points))
        line = polyline.resample(points)
        return PathGoal(line[None], torch.tensor([len(line) - 1]), torch.zeros(1))

    @staticmethod
    def drawn_by_hand(points: Tensor) -> Tensor:
        """Return a line (N, 2) in metres without the tremor and the uneven steps of the hand that
        drew it."""
        return polyline.smooth(polyline.resample(points), SMOOTHING / SPACING)

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> PathGoal:
        """Draw paths that start near the character in any direction, bent by three slow waves and
        broken by a corner now and then."""
        config = self.config
        count = len(state)
        device = generator.device
        pieces = round(config.longest / SPACING)
        length, begin, side, beside = torch.rand(4, count, generator=generator, device=device)
        height, period, phase = torch.rand(3, count, 3, 1, generator=generator, device=device)
        corner, sharp = torch.rand(2, count, pieces, generator=generator, device=device)
        along = SPACING * torch.arange(pieces, device=device)
        waves = height * torch.sin(2 * math.pi * (along / (2 + 10 * period) + phase))
        bend = config.bend * waves.sum(dim=1)
        turn = torch.where(
            corner < SPACING / config.corner_every,
            (2 * sharp - 1) * config.sharpest,
            SPACING * bend,
        )
        heading = 2 * math.pi * begin[:, None] + turn.cumsum(dim=1)
        steps = SPACING * torch.stack((torch.sin(heading), torch.cos(heading)), dim=-1)
        line = torch.cat((torch.zeros(count, 1, 2, device=device), steps), 1).cumsum(1)

        home = state.yaw.device
        start = around(state.position, config.beside * beside.to(home), side.to(home))
        points = start[:, None] + line.to(start)
        last = (pieces * (0.2 + 0.8 * length)).long().to(home)
        index = torch.arange(pieces + 1, device=home).minimum(last[:, None])
        points = points.gather(1, index[..., None].expand_as(points))
        return PathGoal(points, last, torch.zeros_like(state.yaw))

    def follow_goal(self, state: CharacterState, goal: PathGoal) -> PathGoal:
        """Advance each character to the point of its path that is nearest to it now."""
        return PathGoal(goal.points, goal.last, goal.nearest(state.position))

    def renewal(self, state: CharacterState, goal: PathGoal) -> Tensor:
        """Redraw once the end is reached, after ``hold_frames`` on average."""
        return (goal.length - goal.walked < 2 * STOP_WITHIN) / self.config.hold_frames

    def waypoint(self, goal: PathGoal, along: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What :func:`approach` needs to know of characters that have come ``along`` (B,) metres:
        the point 0.3 m ahead on the path; ``speed``, or as slow as needed to stop at the end; and
        the weight of facing the point.

        Walking to a point so near leads back to the path as well as along it.
        """
        remaining = goal.length - along
        point = goal.at((along + AIM_AHEAD)[:, None])[:, 0]
        speed = braking_speed(remaining).clamp(max=self.config.speed)
        return point, speed, facing_weight(remaining)

    def observe_goal(self, state: CharacterState, goal: PathGoal) -> Tensor:
        ahead = goal.walked[:, None] + torch.tensor(OBSERVED_AT, device=goal.walked.device)
        local = geometry.turn(goal.at(ahead) - state.position[:, None], -state.yaw[:, None])
        squashed = local.flip(-1) / (1 + local.square().sum(dim=-1, keepdim=True)).sqrt()
        remaining = goal.length - goal.walked
        wish = observe_approach(state, *self.waypoint(goal, goal.walked))
        last = (remaining / (1 + remaining))[:, None]
        return torch.cat((wish, squashed.flatten(1), last), dim=-1)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: PathGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:func:`approach_reward` for going to the :meth:`waypoint`, minus the
        :class:`Penalties`."""
        point, speed, facing = self.waypoint(goal, goal.nearest(after.position))
        terms = approach_reward(self.character, after, point, speed, facing, self.tolerance)
        return self.with_penalties(terms, before, latent, after)

    def off_path(self, state: CharacterState, goal: PathGoal) -> Tensor:
        """(B,) metres from the path: the cross-track error."""
        return distance_to(state, goal.at(goal.nearest(state.position)[:, None])[:, 0])

    def goal_bounds(self) -> list[float]:
        return [self.config.speed, self.config.speed] + [1.0] * (self.goal_size - 2)
