"""Maze: walk through a labyrinth to its exit without touching a wall (Ling et al. 2020, 6.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from controller.core.errors import require
from controller.dynamics.character import Character, CharacterState
from controller.motion import geometry
from controller.tasks import sight
from controller.tasks.arrival import braking_speed, distance_to, facing_weight, observe_approach
from controller.tasks.base import Task
from controller.tasks.goals import PLACE
from controller.tasks.labyrinth import Labyrinth, check_size
from controller.tasks.registry import task
from controller.tasks.tracking import facing_reward, velocity_reward

THICKNESS = 0.1
"""m: of a wall."""
TORSO = 0.25
FLESH = 0.05
"""m: the radius of a torso about the middle of the hips, and that of what is around every other
joint. Nearer to a wall than that, it touches."""
ROOM = 0.15
"""m between the body and a wall from which on being near costs."""
BESIDE = 0.2
"""m that nobody's torso is nearer to a wall at first."""
REACHED = 0.5
"""m: nearer to its middle than this, the exit is reached."""
SEEN = 3
"""Cells ahead on the way to the exit that are seen."""


@dataclass(frozen=True)
class MazeGoal:
    """Labyrinths of B characters, with the way to their exits, in metres over the ground, in the
    world, as (x, z).

    walls      (B, W, 2, 2) both ends of the middle line of every wall
    middles    (B, V, 2) the middle of every cell
    following  (B, V) the cell to go to from each cell; at the exit, the same
    left       (B, V) metres from the middle of each cell to that of the exit, by the cells' middles
    """

    walls: Tensor = field(metadata=PLACE)
    middles: Tensor = field(metadata=PLACE)
    following: Tensor
    left: Tensor

    def cell(self, position: Tensor) -> Tensor:
        """(B,): the cell in which each position (B, 2) is, or the nearest one outside."""
        return (self.middles - position[:, None]).square().sum(dim=-1).argmin(dim=1)

    def ahead(self, position: Tensor, count: int) -> Tensor:
        """(B, count, 2): the middles of the next cells on the way; after the exit, the exit's
        again."""
        cell = self.cell(position)[:, None]
        points = []
        for _ in range(count):
            cell = self.following.gather(1, cell)
            points.append(self.middles.gather(1, cell[..., None].expand(-1, 1, 2)))
        return torch.cat(points, dim=1)

    def to_go(self, position: Tensor) -> Tensor:
        """(B,) metres: straight to the next cell's middle and on by the middles to the exit's."""
        following = self.following.gather(1, self.cell(position)[:, None])
        point = self.middles.gather(1, following[..., None].expand(-1, 1, 2))[:, 0]
        return (point - position).square().sum(dim=-1).add(1e-8).sqrt() + self.left.gather(
            1, following
        )[:, 0]

    @property
    def exit(self) -> Tensor:
        """(B, 2): the middle of the exit."""
        cell = self.left.argmin(dim=1)[:, None, None]
        return self.middles.gather(1, cell.expand(-1, 1, 2))[:, 0]


@dataclass(frozen=True)
class MazeConfig:
    """How large and how wide a maze is, how fast to go, how mazes are drawn in training."""

    rows: int = 5
    """Cells along one side."""
    columns: int = 5
    """Cells along the other side."""
    cell: float = 1.2
    """m from one wall's middle line to the next."""
    narrowest: float = 1.0
    """m: the same of the narrowest mazes in training."""
    widest: float = 1.6
    """m: and of the widest ones. A policy that knew one width alone would not heed what it sees of
    it."""
    speed: float = 1.3
    """m/s: to walk at, where there is room."""
    hold_frames: float = 30.0
    """A maze whose exit is reached stays for this many frames on average."""

    def __post_init__(self) -> None:
        check_size(self.rows, self.columns)
        for name in ("cell", "narrowest", "widest"):
            require(0.8 <= getattr(self, name) <= 20, name, getattr(self, name), "0.8 to 20 m")
        require(
            self.narrowest <= self.widest,
            "narrowest",
            self.narrowest,
            f"up to widest = {self.widest} m",
        )
        require(0 < self.speed <= 10, "speed", self.speed, "above 0, up to 10 m/s")
        require(self.hold_frames >= 1, "hold_frames", self.hold_frames, "1 or more frames")


@task
class MazeTask(Task[MazeGoal, MazeConfig]):
    """Walk to the exit of a maze, clear of its walls, and stand there until the next one is given.

    What is seen of the goal, in the character's facing frame:

    | column | what |
    |--------|---------------------------------------------------------------------------------------------------|
    | 0, 1   | velocity straight to the middle of the next cell, forward and to the left, m/s |
    | 2, 3   | cosine and sine of the angle from the facing to its direction, fading within 1 m of the exit |
    | 4–9    | the middles of the next three cells on the way to the exit, forward and left, as p/√(1 + ‖p‖²) |
    | 10     | metres r to go, as r/(1 + r) |
    | 11–26  | vision rays, from 105° to the right to 105° to the left: metres d to the wall it meets, d/(1 + d) |

    No sight of walls tells which of two openings leads to the exit, and a policy has no memory in
    which to try them. So the way is given, cell by cell, as a map gives it, by breadth-first search
    from the exit. How to walk it, where to cut a corner and where to slow down, is the policy's to
    see and to decide.

    An episode ends when the body touches a wall: the torso, a disc of 0.25 m about the middle of
    the hips, or any other joint, with 5 cm around it. Walls are taken to be high.
    """

    name: ClassVar[str] = "maze"
    goal_size: ClassVar[int] = 4 + 2 * SEEN + 1 + sight.RAYS
    extends: ClassVar[str | None] = "joystick"
    steered: ClassVar[bool] = True
    config_type = MazeConfig

    def __init__(self, character: Character, config: MazeConfig | None = None) -> None:
        super().__init__(character, config)
        layout = character.layout
        normalizer = character.model.normalizer
        self._std = normalizer.std[layout.positions]
        self._mean = normalizer.mean[layout.positions]
        self._radii = torch.full_like(self._mean[: layout.joints], FLESH)
        self._radii[0] = TORSO

    def lay(
        self,
        state: CharacterState,
        labyrinth: Labyrinth,
        entrance: Tensor,
        exit: Tensor,
        yaw: Tensor,
        beside: Tensor | None = None,
        cell: Tensor | None = None,
    ) -> MazeGoal:
        """Labyrinths around characters: each stands in its cell ``entrance`` (B,) and has to go to
        ``exit`` (B,); the labyrinth's rows lead along the world's ``yaw`` (B,).

        ``beside`` (B, 2) metres is where it stands from the middle of the cell, there unless given;
        ``cell`` (B,) metres the size of the cells, the task's own unless given.
        """
        cell = torch.full_like(yaw, self.config.cell) if cell is None else cell
        steps = labyrinth.steps_to(exit)
        middles = cell[:, None, None] * labyrinth.middles().to(yaw)
        corner = middles.gather(1, entrance[:, None, None].expand(-1, 1, 2))[:, 0]
        corner = corner if beside is None else corner + beside
        walls = cell[:, None, None, None] * labyrinth.walls() - corner[:, None, None]
        return MazeGoal(
            state.position[:, None, None] + geometry.turn(walls, yaw[:, None, None]),
            state.position[:, None] + geometry.turn(middles - corner[:, None], yaw[:, None]),
            labyrinth.following(steps),
            cell[:, None] * steps,
        )

    def leading_to(self, goal: MazeGoal, labyrinth: Labyrinth, exit: Tensor) -> MazeGoal:
        """The same mazes, which ``labyrinth`` are, with other cells ``exit`` (B,) to go to."""
        steps = labyrinth.steps_to(exit)
        cell = (goal.middles[:, 1] - goal.middles[:, 0]).norm(dim=-1)
        return MazeGoal(goal.walls, goal.middles, labyrinth.following(steps), cell[:, None] * steps)

    def goal_in(
        self,
        state: CharacterState,
        labyrinth: Labyrinth,
        entrance: tuple[int, int] | None = (0, 0),
        exit: tuple[int, int] | None = None,
        yaw: float | None = None,
    ) -> MazeGoal:
        """One character's goal: a labyrinth laid around it, entrance and exit given as (row,
        column). Its rows lead along ``yaw``; unless given, it lies so that the character faces the
        first passage of its way.

        ConfigError if there is no exit, it is outside, or no way leads there.
        """
        ends = [
            labyrinth.cell(name, place) for name, place in (("entrance", entrance), ("exit", exit))
        ]
        begin, end = torch.tensor(ends).view(2, 1)
        reachable = bool(labyrinth.steps_to(end)[0, begin].isfinite())
        require(
            reachable, "exit", exit, f"a cell to which a way leads from the entrance {entrance}"
        )
        turned = (
            state.yaw - labyrinth.bearing(begin, end)
            if yaw is None
            else torch.full_like(state.yaw, yaw)
        )
        return self.lay(state, labyrinth, begin, end, turned)

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> MazeGoal:
        """A perfect labyrinth of any width from ``narrowest`` to ``widest``, laid any way around
        the character, who stands anywhere in any cell clear of the walls, and any other cell as the
        exit."""
        config = self.config
        count = len(state)
        device = generator.device
        labyrinth = Labyrinth.draw(count, config.rows, config.columns, generator)
        cells = config.rows * config.columns
        entrance, onward = torch.rand(2, count, generator=generator, device=device)
        wide, yaw, *place = torch.rand(4, count, generator=generator, device=device).to(state.yaw)
        begin = (entrance * cells).long().clamp(max=cells - 1)
        end = (begin + 1 + (onward * (cells - 1)).long().clamp(max=cells - 2)) % cells
        cell = config.narrowest + wide * (config.widest - config.narrowest)
        clear = (cell - THICKNESS - 2 * (TORSO + BESIDE)).clamp(min=0)
        beside = clear[:, None] * (torch.stack(place, dim=-1) - 0.5)
        return self.lay(state, labyrinth, begin, end, 2 * math.pi * yaw, beside, cell)

    def renewal(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        """Once the exit is reached, after ``hold_frames`` on average."""
        return self.reached(state, goal) / self.config.hold_frames

    def reached(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        """(B,) booleans: who is within 0.5 m of the middle of the exit, with no wall between."""
        return goal.to_go(state.position) < REACHED

    def clearance(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        """(B,) metres from the body to the face of the nearest wall; negative inside one."""
        joints = state.pose[:, self.character.layout.positions] * self._std + self._mean
        ground = geometry.turn(joints.unflatten(-1, (-1, 3))[..., [0, 2]], state.yaw[:, None])
        apart = sight.wall_distance(state.position[:, None] + ground, goal.walls)
        return (apart - self._radii).amin(dim=-1) - THICKNESS / 2

    def failed(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        """Who touches a wall."""
        return self.clearance(state, goal) < 0

    def wished(self, state: CharacterState, goal: MazeGoal) -> tuple[Tensor, Tensor, Tensor]:
        """What :func:`approach` takes of one who heeds no wall: the next cell's middle, ``speed``
        or as slow as it takes to stop at the exit, and the weight of facing that point."""
        left = goal.to_go(state.position)
        speed = braking_speed(left).clamp(max=self.config.speed)
        return goal.ahead(state.position, 1)[:, 0], speed, facing_weight(left)

    def observe_goal(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        left = goal.to_go(state.position)
        local = geometry.turn(
            goal.ahead(state.position, SEEN) - state.position[:, None], -state.yaw[:, None]
        )
        squashed = local.flip(-1) / (1 + local.square().sum(dim=-1, keepdim=True)).sqrt()
        with torch.no_grad():  # at a wall's end a ray's length has no slope
            rays = sight.cast(state.position, state.yaw, goal.walls)
        wish = observe_approach(state, *self.wished(state, goal))
        return torch.cat(
            (wish, squashed.flatten(1), (left / (1 + left))[:, None], rays / (1 + rays)), dim=-1
        )

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: MazeGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Pays for coming nearer to the exit and for facing the way there; costs near walls.

        progress  0.55 times the velocity towards the next cell's middle over ``speed``, at most
                  0.55; within a metre
                  of the exit it gives way to :func:`velocity_reward` for stopping there
        facing    as :func:`facing_reward`, with half its weight
        walls     −0.5·(near + near²), near rising from 0 at 0.15 m between the body and a wall to 1
                  where they touch

        The paper pays for every part of the maze that is entered first, and knows no exit. Here
        there is one to come to; progress can be differentiated, coverage cannot.
        """
        point, speed, facing = self.wished(before, goal)
        offset = point - before.position
        towards = offset / distance_to(before, point)[:, None]
        velocity = self.character.world_velocity(after)
        pace = ((velocity * towards).sum(dim=-1) / self.config.speed).clamp(max=1)
        arriving = velocity_reward(velocity, towards * speed[:, None])
        angle = geometry.wrap_angle(torch.atan2(offset[:, 0], offset[:, 1]) - after.yaw)
        near = (1 - self.clearance(after, goal) / ROOM).clamp(min=0, max=1.5)
        terms = {
            "progress": facing * 0.55 * pace + (1 - facing) * arriving,
            "facing": facing * 0.5 * facing_reward(angle) + (1 - facing) * 0.275,
            "walls": -0.5 * (near + near.square()),
        }
        return self.with_penalties(terms, before, latent, after)

    def goal_bounds(self) -> list[float]:
        return [self.config.speed, self.config.speed] + [1.0] * (self.goal_size - 2)
