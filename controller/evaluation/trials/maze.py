"""The maze's trial: walk from one corner to the opposite one, in mazes that no policy has been
trained on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.core import batch
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.evaluation.trials.base import share, trial
from controller.motion.skeleton import forward_kinematics
from controller.tasks import sight
from controller.tasks.labyrinth import Labyrinth
from controller.tasks.maze import FLESH, THICKNESS, TORSO, MazeGoal, MazeTask
from controller.tasks.simulation import Simulation

SLOWEST = 0.4
"""m/s: a round lasts as long as its longest way takes at this pace, plus START_S."""
START_S = 5.0
"""s for getting going."""


def unseen_mazes(task: MazeTask, state: CharacterState, generator: torch.Generator) -> MazeGoal:
    """Lay a maze around each character, all of whom stand at the origin facing +Z. Entrance and
    exit are in opposite corners, and the first passage of the way lies ahead. The second half of
    the mazes mirrors the first.

    There are 557,568,000 perfect labyrinths of 5 × 5 cells (spanning trees of the grid), so one
    that occurred in training is as good as impossible.
    """
    count = len(state)
    config = task.config
    half = math.ceil(count / 2)
    labyrinth = Labyrinth.draw(half, config.rows, config.columns, generator)
    entrance = torch.zeros(half, dtype=torch.long)
    exit = entrance + config.rows * config.columns - 1
    first = batch.select(state, slice(half))
    yaw = first.yaw - labyrinth.bearing(entrance, exit)
    goal = batch.select(task.lay(first, labyrinth, entrance, exit, yaw), torch.arange(count) % half)
    mirrored = torch.arange(count) >= half
    return batch.where(mirrored, task.mirror_goal(goal), goal)


def touches(character: Character, state: CharacterState, goal: MazeGoal) -> tuple[Tensor, Tensor]:
    """(B,) booleans each: whose torso is in a wall; and who has any joint of the drawn character in
    a wall, including the flesh around it."""
    joints = forward_kinematics(character.skeleton, *character.joints(state))[..., [0, 2]]
    points = torch.cat((state.position[:, None], joints), dim=1)
    apart = sight.wall_distance(points, goal.walls) - THICKNESS / 2
    torso = apart[:, 0] < TORSO
    return torso, torso | (apart < FLESH).any(dim=1)


@trial(
    MazeTask,
    metrics=(
        share("solved_fraction", "solved", "higher", bad=0.5),
        share("touch_fraction", "touched a wall", "lower"),
    ),
    summary="{solved_fraction} % solved, {touch_fraction} % of them touch a wall",
    symmetry="solve_time_original_s",
)
def maze_figures(
    simulation: Simulation[MazeGoal], act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Measure rounds in which every character walks through a maze of its own, see
    :func:`unseen_mazes`.

    Until the exit is reached nothing may touch a wall: neither the torso, a disc of 0.25 m about
    the middle of the hips, nor any joint of the drawn character with 5 cm around it.

    solved_fraction        share of characters that reach the exit without touching
    touch_fraction         share that touch a wall before
    torso_touch_fraction   share that touch it with the torso
    reach_fraction         share that reach the exit, touching or not
    solve_time_s           their mean time
    solve_time_original_s  the mean time in the original mazes (``mirrored``: in the mirrored ones),
                           of pairs that both reach the exit
    maze_speed_m_s         the way by the cells' middles over the time
    """
    character = simulation.character
    task = MazeTask(character, simulation.task.config)
    generator = torch.Generator().manual_seed(seed)

    def measure(state: CharacterState, goal: MazeGoal) -> Tensor:
        return torch.stack((task.reached(state, goal), *touches(character, state, goal)))

    columns: list[Tensor] = []
    while sum(float(column[-1, 0]) for column in columns) < seconds:
        state = character.reset(characters, generator)
        goal = unseen_mazes(task, state, generator)
        way = goal.left.gather(1, goal.cell(state.position)[:, None])[:, 0]
        period = START_S + float(way.max()) / SLOWEST
        frames = round(period * character.fps)
        values, _ = rounds.play(simulation, act, state, goal, frames, measure)
        times = [rounds.first(values[:, column], character.fps) for column in range(3)]
        columns.append(torch.stack((way, *times, torch.full_like(way, period))))

    way, reached, torso, touched, _ = torch.cat(columns, dim=1)
    even = characters // 2 * 2
    pairs = torch.stack([column[1][:even].view(2, -1) for column in columns], dim=1).flatten(1)
    pairs = pairs[:, pairs.isfinite().all(dim=0)]
    there = reached.isfinite()

    def before_exit(touch: Tensor) -> float:
        return float(((touch <= reached) & touch.isfinite()).float().mean())

    return {
        "solved_fraction": float((there & (touched > reached)).float().mean()),
        "touch_fraction": before_exit(touched),
        "torso_touch_fraction": before_exit(torso),
        "reach_fraction": float(there.float().mean()),
        "solve_time_s": float(reached[there].mean()),
        "solve_time_original_s": float(pairs[0].mean()),
        "solve_time_mirrored_s": float(pairs[1].mean()),
        "maze_speed_m_s": float((way[there] / reached[there]).mean()),
    }
