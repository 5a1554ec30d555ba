"""The path's trial: walk along figure-8, heart, zigzag and spiral, on which no policy is
trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.evaluation.trials.base import Metric, share, trial
from controller.motion import geometry
from controller.tasks import polyline
from controller.tasks.path import PathGoal, PathTask
from controller.tasks.shapes import SHAPES
from controller.tasks.simulation import Simulation

SLOWEST = 0.9
"""m/s at which the longest path can be walked in one round."""
FINISHED = 0.3
"""m: a path is finished when no more than this remains of it."""


def shape_goals(characters: int, yaw: Tensor) -> PathGoal:
    """Return the shapes in turn, every other four mirrored. Each begins at the origin and is turned
    by ``yaw`` (B,)."""
    lines = [polyline.resample(shape()) for shape in SHAPES.values()]
    longest = max(len(line) for line in lines)
    padded = [torch.cat((line, line[-1:].expand(longest - len(line), 2))) for line in lines]
    which = torch.arange(characters) % len(lines)
    points = torch.stack(padded)[which]
    points[..., 0] *= 1 - 2.0 * mirrored(characters)[:, None]
    last = torch.tensor([len(line) - 1 for line in lines])[which]
    return PathGoal(geometry.turn(points, yaw[:, None]), last, torch.zeros(characters))


def mirrored(characters: int) -> Tensor:
    """(B,) booleans: whose shapes are mirrored."""
    return torch.arange(characters) // len(SHAPES) % 2 == 1


@trial(
    PathTask,
    metrics=(
        Metric("cross_track_error_m", "cross-track error", "m", 3, better="lower", bad=0.5),
        Metric("cross_track_zigzag_m", "on the zigzag", "m", 3, better="lower"),
        share("finish_fraction", "finished", "higher", bad=0.5),
        Metric("path_speed_m_s", "speed", "m/s", better="higher"),
    ),
    summary="{cross_track_error_m} m off the path, at {path_speed_m_s} m/s",
    symmetry="path_speed_original_m_s",
)
def path_figures(
    simulation: Simulation[PathGoal], act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Measure rounds in which every character walks along one shape from its start, facing any way
    at first.

    cross_track_error_m      mean distance to the nearest point of the path ahead, over all frames
                             until the path is finished
    cross_track_SHAPE_m      the same for one shape
    cross_track_mirrored_m   the same for the mirrored ones
    finish_fraction          share of paths that were finished
    path_speed_m_s           their length over the time they took
    path_speed_original_m_s  the same for those that are not mirrored
    """
    character = simulation.character
    task = PathTask(character, simulation.task.config)
    fps = character.fps
    generator = torch.Generator().manual_seed(seed)
    longest = float(shape_goals(len(SHAPES), torch.zeros(len(SHAPES))).length.max())
    period = longest / SLOWEST

    def measure(state: CharacterState, goal: PathGoal) -> Tensor:
        return torch.stack((task.off_path(state, goal), goal.length - goal.walked))

    columns = []
    for _ in range(rounds.count(seconds, period)):
        state = character.reset(characters, generator)
        yaw = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
        goal = shape_goals(characters, yaw)
        values, _ = rounds.play(simulation, act, state, goal, round(period * fps), measure)

        error, remaining = values.unbind(dim=1)
        time = rounds.first(remaining <= FINISHED, fps)
        walking = (remaining > FINISHED).float()
        total = (walking * error).sum(dim=0)
        columns.append(torch.stack((total, walking.sum(dim=0), time, goal.length)))

    total, frames, time, length = torch.stack(columns, dim=1)  # (R, B) each
    finished = time.isfinite()
    shape = torch.arange(characters) % len(SHAPES)

    def mean_error(rows: Tensor) -> float:
        return float(total[:, rows].sum() / frames[:, rows].sum())

    def speed(rows: Tensor) -> float:
        return float(((length - FINISHED) / time)[finished & rows].mean())

    shapes = {
        f"cross_track_{name}_m": mean_error(shape == number) for number, name in enumerate(SHAPES)
    }
    return {
        "cross_track_error_m": mean_error(torch.arange(characters)),
        **shapes,
        "cross_track_mirrored_m": mean_error(mirrored(characters)),
        "finish_fraction": float(finished.float().mean()),
        "path_speed_m_s": speed(torch.ones_like(finished)),
        "path_speed_original_m_s": speed(~mirrored(characters).expand_as(finished)),
    }
