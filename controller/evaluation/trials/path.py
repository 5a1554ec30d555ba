"""The trial of the path: walk along figure-8, heart, zigzag and spiral, on which nobody is
trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.motion import geometry
from controller.tasks import polyline
from controller.tasks.path import PathGoal, PathTask
from controller.tasks.shapes import SHAPES
from controller.tasks.simulation import Simulation

SLOWEST = 0.9
"""m/s at which the longest path is walked in one round."""
FINISHED = 0.3
"""m: a path is finished when no more than this is left of it."""


def shape_goals(characters: int, yaw: Tensor) -> PathGoal:
    """The shapes in turn, every other four mirrored, each beginning at the origin and turned by
    ``yaw`` (B,)."""
    lines = [polyline.resample(shape()) for shape in SHAPES.values()]
    longest = max(len(line) for line in lines)
    padded = torch.stack(
        [torch.cat((line, line[-1:].expand(longest - len(line), 2))) for line in lines]
    )
    which = torch.arange(characters) % len(lines)
    points = padded[which]
    points[..., 0] *= 1 - 2.0 * mirrored(characters)[:, None]
    last = torch.tensor([len(line) - 1 for line in lines])[which]
    return PathGoal(geometry.turn(points, yaw[:, None]), last, torch.zeros(characters))


def mirrored(characters: int) -> Tensor:
    """(B,) booleans: whose shapes are mirrored."""
    return torch.arange(characters) // len(SHAPES) % 2 == 1


def path_figures(
    simulation: Simulation, act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Rounds in which every character walks along one shape, begun at its start, facing any way.

    ``cross_track_error_m``: mean distance to the nearest point of the path ahead, over all frames
    until the path is finished; ``cross_track_SHAPE_m`` the same of one shape,
    ``cross_track_mirrored_m`` of the mirrored ones. ``finish_fraction``: of paths that were
    finished. ``path_speed_m_s``: their length over the time they took, ``path_speed_original_m_s``
    of those that are not mirrored.
    """
    task = simulation.task
    fps = simulation.character.fps
    assert isinstance(task, PathTask)
    generator = torch.Generator().manual_seed(seed)
    period = float(shape_goals(len(SHAPES), torch.zeros(len(SHAPES))).length.max()) / SLOWEST

    def measure(state: CharacterState, goal: PathGoal) -> Tensor:
        return torch.stack((task.off_path(state, goal), goal.length - goal.walked))

    columns = []
    for _ in range(rounds.count(seconds, period)):
        state = simulation.character.reset(characters, generator)
        yaw = (2 * torch.rand(characters, generator=generator) - 1) * math.pi
        goal = shape_goals(characters, yaw)
        seen, _ = rounds.play(simulation, act, state, goal, round(period * fps), measure)
        off, left = seen.unbind(dim=1)
        time = rounds.first(left <= FINISHED, fps)
        walking = (left > FINISHED).float()
        columns.append(
            torch.stack(((walking * off).sum(dim=0), walking.sum(dim=0), time, goal.length))
        )
    off, frames, time, length = torch.stack(columns, dim=1)  # (R, B) each
    finished = time.isfinite()
    shape = torch.arange(characters) % len(SHAPES)

    def error(rows: Tensor) -> float:
        return float(off[:, rows].sum() / frames[:, rows].sum())

    def speed(chosen: Tensor) -> float:
        return float(((length - FINISHED) / time)[finished & chosen].mean())

    figures = {"cross_track_error_m": error(torch.arange(characters))}
    figures |= {
        f"cross_track_{name}_m": error(shape == number) for number, name in enumerate(SHAPES)
    }
    return figures | {
        "cross_track_mirrored_m": error(mirrored(characters)),
        "finish_fraction": float(finished.float().mean()),
        "path_speed_m_s": speed(torch.ones_like(finished)),
        "path_speed_original_m_s": speed(~mirrored(characters).expand_as(finished)),
    }
