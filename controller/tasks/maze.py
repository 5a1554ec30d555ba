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
"""m: the thickness of a wall."""
TORSO = 0.25
"""m: the radius of the torso about the middle of the hips. Nearer to a wall, it touches."""
FLESH = 0.05
"""m: the radius of the body about every other joint. Nearer to a wall, it touches."""
ROOM = 0.15
"""m between the body and a wall: being nearer than this costs."""
BESIDE = 0.2
"""m: the smallest distance between torso and walls at the start."""
REACHED = 0.5
"""m: nearer to its middle than this, the exit is reached."""
CELLS_AHEAD = 3
"""Cells ahead on the way to the exit that the character observes."""


@dataclass(frozen=True)
class MazeGoal:
    """Labyrinths around B characters and the way to their exits. Points are in metres over the
    ground, in the world, as (x, z).

    walls      (B, W, 2, 2) both ends of the middle line of every wall
    middles    (B, V, 2) the middle of every cell
    following  (B, V) the cell that follows each cell on the way; at the exit, the same cell
    left       (B, V) remaining metres from the middle of each cell to that of the exit, by way of
               the cells' middles
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
        """(B,) metres: straight to the next cell's middle, then by way of the middles to the
        exit's."""
        following = self.following.gather(1, self.cell(position)[:, None])
        point = self.middles.gather(1, following[..., None].expand(-1, 1, 2))[:, 0]
        straight = (point - position).square().sum(dim=-1).add(1e-8).sqrt()
        return straight + self.left.gather(1, following)[:, 0]

    @property
    def exit(self) -> Tensor:
        """(B, 2): the middle of the exit."""
        cell = self.left.argmin(dim=1)[:, None, None]
        return self.middles.gather(1, cell.expand(-1, 1, 2))[:, 0]


@dataclass(frozen=True)
class MazeConfig:
    """How large and how wide a maze is, how fast to walk, and how mazes are drawn in training."""

    rows: int = 5
    """Cells along one side of the maze."""
    columns: int = 5
    """Cells along its other side."""
    cell: float = 1.2
    """m from one wall's middle line to the next."""
    narrowest: float = 1.0
    """m: the same for the narrowest mazes in training."""
    widest: float = 1.6
    """m: the same for the widest mazes in training. A policy that knew only one width would ignore
    what it observes of the width."""
    speed: float = 1.3
    """m/s at which to walk where there is room."""
    hold_frames: float = 30.0
    """After its exit is reached, a maze stays for this many frames on average."""

    def __post_init__(self) -> None:
        check_size(self.rows, self.columns)
        for name in ("cell", "narrowest", "widest"):
            metres = getattr(self, name)
            require(0.8 <= metres <= 20, name, metres, "0.8 to 20 m")
        allowed = f"up to widest = {self.widest} m"
        require(self.narrowest <= self.widest, "narrowest", self.narrowest, allowed)
        require(0 < self.speed <= 10, "speed", self.speed, "above 0, up to 10 m/s")
        require(self.hold_frames >= 1, "hold_frames", self.hold_frames, "1 or more frames")


@task
class MazeTask(Task[MazeGoal, MazeConfig]):
    """Walk to the exit of a maze, clear of its walls, and stand there until the next one comes.

    The observation of the goal, in the character's facing frame:

    | column | what                                                                            |
    |--------|---------------------------------------------------------------------------------|
    | 0, 1   | velocity straight to the middle of the next cell, forward and to the left, m/s  |
    | 2, 3   | cosine and sine of the angle from the facing to its direction, fading within    |
    |        | 1 m of the exit                                                                 |
    | 4–9    | the middles of the next three cells on the way to the exit, forward and left,   |
    |        | as p/√(1 + ‖p‖²)                                                                |
    | 10     | remaining metres r, as r/(1 + r)                                                |
    | 11–26  | vision rays, from 105° to the right to 105° to the left: metres d to the wall   |
    |        | that each meets, as d/(1 + d)                                                   |

    The sight of walls does not tell which of two openings leads to the exit, and a policy has no
    memory with which to try them. So the observation includes the way, cell by cell, as a map would
    show it; it is found by breadth-first search from the exit. How to walk it, where to cut a
    corner and where to slow down is up to the policy.

    An episode ends when the body touches a wall: the torso, a disc of 0.25 m about the middle of
    the hips, or any other joint, with 5 cm around it. Walls count as infinitely high.
    """

    name: ClassVar[str] = "maze"
    goal_size: ClassVar[int] = 4 + 2 * CELLS_AHEAD + 1 + sight.RAYS
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
        """Lay labyrinths around characters. Each character stands in its cell ``entrance`` (B,) and
        has to go to ``exit`` (B,); the labyrinth's rows lead along the world's ``yaw`` (B,).

        ``beside`` (B, 2) metres is the character's offset from the middle of its cell, 0 by
        default. ``cell`` (B,) metres is the size of the cells, the task's own by default.
        """
        cell = torch.full_like(yaw, self.config.cell) if cell is None else cell
        steps = labyrinth.steps_to(exit)
        middles = cell[:, None, None] * labyrinth.middles().to(yaw)
        corner = middles.gather(1, entrance[:, None, None].expand(-1, 1, 2))[:, 0]
        corner = corner if beside is None else corner + beside
        walls = cell[:, None, None, None] * labyrinth.walls() - corner[:, None, None]
        place = state.position[:, None]
        return MazeGoal(
            walls=place[:, None] + geometry.turn(walls, yaw[:, None, None]),
            middles=place + geometry.turn(middles - corner[:, None], yaw[:, None]),
            following=labyrinth.following(steps),
            left=cell[:, None] * steps,
        )

    def leading_to(self, goal: MazeGoal, labyrinth: Labyrinth, exit: Tensor) -> MazeGoal:
        """Return the same mazes, which are those of ``labyrinth``, with other exits (B,)."""
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
        """One character's goal: a labyrinth laid around it, with entrance and exit as (row,
        column). Its rows lead along ``yaw``; by default it lies so that the character faces the
        first passage of its way.

        Raises ConfigError if the exit is missing, outside or unreachable.
        """
        begin = torch.tensor([labyrinth.cell("entrance", entrance)])
        end = torch.tensor([labyrinth.cell("exit", exit)])
        reachable = bool(labyrinth.steps_to(end)[0, begin].isfinite())
        allowed = f"a cell to which a way leads from the entrance {entrance}"
        require(reachable, "exit", exit, allowed)
        if yaw is None:
            rows = state.yaw - labyrinth.bearing(begin, end)
        else:
            rows = torch.full_like(state.yaw, yaw)
        return self.lay(state, labyrinth, begin, end, rows)

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> MazeGoal:
        """Draw perfect labyrinths whose cells are ``narrowest`` to ``widest`` m wide, and lay them
        around the characters in any direction. Each character stands anywhere in any cell, clear of
        the walls; any other cell is the exit."""
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
        """Redraw once the exit is reached, after ``hold_frames`` on average."""
        return self.reached(state, goal) / self.config.hold_frames

    def reached(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        """(B,) booleans: who is within 0.5 m of the middle of the exit, with no wall between."""
        return goal.to_go(state.position) < REACHED

    def clearance(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        """(B,) metres from the body to the face of the nearest wall; negative inside a wall."""
        joints = state.pose[:, self.character.layout.positions] * self._std + self._mean
        ground = geometry.turn(joints.unflatten(-1, (-1, 3))[..., [0, 2]], state.yaw[:, None])
        apart = sight.wall_distance(state.position[:, None] + ground, goal.walls)
        return (apart - self._radii).amin(dim=-1) - THICKNESS / 2

    def failed(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        """(B,) booleans: who touches a wall."""
        return self.clearance(state, goal) < 0

    def waypoint(self, state: CharacterState, goal: MazeGoal) -> tuple[Tensor, Tensor, Tensor]:
        """What :func:`approach` needs to know, regardless of walls: the next cell's middle;
        ``speed``, or as slow as needed to stop at the exit; and the weight of facing that point."""
        remaining = goal.to_go(state.position)
        speed = braking_speed(remaining).clamp(max=self.config.speed)
        return goal.ahead(state.position, 1)[:, 0], speed, facing_weight(remaining)

    def observe_goal(self, state: CharacterState, goal: MazeGoal) -> Tensor:
        remaining = goal.to_go(state.position)
        offset = goal.ahead(state.position, CELLS_AHEAD) - state.position[:, None]
        local = geometry.turn(offset, -state.yaw[:, None])
        squashed = local.flip(-1) / (1 + local.square().sum(dim=-1, keepdim=True)).sqrt()
        with torch.no_grad():  # at a wall's end a ray's length has no slope
            rays = sight.cast(state.position, state.yaw, goal.walls)
        wish = observe_approach(state, *self.waypoint(state, goal))
        last = (remaining / (1 + remaining))[:, None]
        return torch.cat((wish, squashed.flatten(1), last, rays / (1 + rays)), dim=-1)

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: MazeGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Pay for coming nearer to the exit and for facing the way there, and charge for being
        near walls.

        progress  0.55 times the velocity towards the next cell's middle over ``speed``, at most
                  0.55; within a metre of the exit it gives way to :func:`velocity_reward` for
                  stopping there
        facing    as :func:`facing_reward`, with half its weight
        walls     −0.5·(near + near²), near rising from 0 at 0.15 m between the body and a wall to 1
                  where they touch

        The paper pays for each part of the maze when it is first entered, and has no exit. Here
        there is an exit to reach: progress can be differentiated, coverage cannot.
        """
        point, speed, facing = self.waypoint(before, goal)
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
