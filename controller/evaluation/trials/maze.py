"""The trial of the maze: from one corner to the opposite one, in mazes that nobody has seen."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.core import batch
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.motion.skeleton import forward_kinematics
from controller.tasks import sight
from controller.tasks.labyrinth import Labyrinth
from controller.tasks.maze import FLESH, THICKNESS, TORSO, MazeGoal, MazeTask
from controller.tasks.simulation import Simulation

START_S = 5.0
SLOWEST = 0.4
"""s and m/s: a round lasts as long as its longest way takes at this pace, and this much more."""


def unseen_mazes(task: MazeTask, state: CharacterState, generator: torch.Generator) -> MazeGoal:
    """A maze for each of the characters, who stand at the origin facing +Z: entrance and exit in
    opposite corners, the first passage of the way ahead. The second half has the mazes of the first
    as a mirror shows them.

    There are 557,568,000 perfect labyrinths of 5 × 5 cells (spanning trees of the grid), so that
    one of a training's is as good as never among them.
    """
    count = len(state)
    config = task.config
    half = math.ceil(count / 2)
    labyrinth = Labyrinth.draw(half, config.rows, config.columns, generator)
    entrance = torch.zeros(half, dtype=torch.long)
    exit = entrance + config.rows * config.columns - 1
    first = batch.select(state, slice(half))
    yaw = first.yaw - labyrinth.bearing(entrance, exit)
    goal = task.lay(first, labyrinth, entrance, exit, yaw)
    which = torch.arange(count) % half
    mirrored = torch.arange(count) >= half
    flip = torch.stack((1 - 2.0 * mirrored, torch.ones(count)), dim=-1)
    return MazeGoal(
        goal.walls[which] * flip[:, None, None], goal.middles[which] * flip[:, None],
        goal.following[which], goal.left[which],
    )  # fmt: skip


def touches(character: Character, state: CharacterState, goal: MazeGoal) -> tuple[Tensor, Tensor]:
    """(B,) booleans each: whose torso is in a wall, and of whom any joint of the drawn character
    is, with the flesh around it."""
    joints = forward_kinematics(character.skeleton, *character.joints(state))[..., [0, 2]]
    apart = (
        sight.wall_distance(torch.cat((state.position[:, None], joints), dim=1), goal.walls)
        - THICKNESS / 2
    )
    torso = apart[:, 0] < TORSO
    return torso, torso | (apart < FLESH).any(dim=1)


def maze_figures(
    simulation: Simulation, act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Rounds in which every character walks through a maze of its own, see :func:`unseen_mazes`.

    Until the exit is reached nothing may touch a wall: not the torso, a disc of 0.25 m about the
    middle of the hips, and no joint of the drawn character with 5 cm around it.
    ``solved_fraction``: of characters that reach the exit so, ``touch_fraction``: that touch a wall
    before, ``torso_touch_fraction``: with the torso, ``reach_fraction``: that reach the exit,
    touching or not. ``solve_time_s``: mean time of those; ``solve_time_original_s`` and
    ``solve_time_mirrored_s`` of pairs that both do. ``maze_speed_m_s``: the way by the cells'
    middles over the time.
    """
    task = simulation.task
    character = simulation.character
    assert isinstance(task, MazeTask)
    generator = torch.Generator().manual_seed(seed)

    def measure(state: CharacterState, goal: MazeGoal) -> Tensor:
        return torch.stack((task.reached(state, goal), *touches(character, state, goal)))

    columns: list[Tensor] = []
    while sum(float(column[-1, 0]) for column in columns) < seconds:
        state = character.reset(characters, generator)
        goal = unseen_mazes(task, state, generator)
        way = goal.left.gather(1, goal.cell(state.position)[:, None])[:, 0]
        period = START_S + float(way.max()) / SLOWEST
        seen, _ = rounds.play(simulation, act, state, goal, round(period * character.fps), measure)
        times = [rounds.first(seen[:, column], character.fps) for column in range(3)]
        columns.append(torch.stack((way, *times, torch.full_like(way, period))))
    way, reached, torso, touched, _ = torch.cat(columns, dim=1)
    pairs = torch.stack(
        [column[1][: characters // 2 * 2].view(2, -1) for column in columns], dim=1
    ).flatten(1)
    pairs = pairs[:, pairs.isfinite().all(dim=0)]
    there = reached.isfinite()
    return {
        "solved_fraction": float((there & (touched > reached)).float().mean()),
        "touch_fraction": float(
            (touched <= reached).logical_and(touched.isfinite()).float().mean()
        ),
        "torso_touch_fraction": float(
            (torso <= reached).logical_and(torso.isfinite()).float().mean()
        ),
        "reach_fraction": float(there.float().mean()),
        "solve_time_s": float(reached[there].mean()),
        "solve_time_original_s": float(pairs[0].mean()),
        "solve_time_mirrored_s": float(pairs[1].mean()),
        "maze_speed_m_s": float((way[there] / reached[there]).mean()),
    }
