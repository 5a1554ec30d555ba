"""The crowd's trial: all walk to targets of their own, across the ground and across a circle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.evaluation.trials.base import Metric, share, trial
from controller.tasks.arrival import distance_to
from controller.tasks.avoidance import neighbours
from controller.tasks.crowd import REACHED, TORSO, CrowdGoal, CrowdTask
from controller.tasks.simulation import Simulation

CIRCLE_SPACE = 1.5
"""m between two neighbours on the circle, from which each crosses to the opposite side. The circle
is at least 3 m wide."""
CIRCLE_MOST = 50
"""The largest number of characters on the circle."""


def overlapping(state: CharacterState) -> Tensor:
    """(B,) booleans: who overlaps with another character, the middles of their hips being less than
    0.5 m apart."""
    others, _ = neighbours(state, torch.zeros_like(state.position))
    return (others[:, 0] - state.position).norm(dim=-1) < 2 * TORSO


@torch.inference_mode()
def roam(
    simulation: Simulation[CrowdGoal],
    task: CrowdTask,
    act: Act,
    characters: int,
    seconds: float,
    generator: torch.Generator,
) -> tuple[Tensor, float, float]:
    """Let everybody walk to one target after another.

    Returns who overlaps in each frame, (T, B); how many targets each character reaches per minute;
    and how fast it approaches them, in m/s.
    """
    state, goal = simulation.reset(characters, generator)
    overlaps = []
    reached = 0.0
    progress = 0.0
    for _ in range(round(seconds * simulation.character.fps)):
        before = distance_to(state, goal.position)
        state = simulation.move(state, act(state, goal))
        after = distance_to(state, goal.position)

        progress += float((before - after).mean())
        overlaps.append(overlapping(state))
        done = after < REACHED
        reached += float(done.float().mean())

        points = torch.where(done[:, None], task.draw_points(characters, generator), goal.position)
        goal = task.goal_at(state, points)
    return torch.stack(overlaps), reached / (seconds / 60), progress / seconds


def on_circle(
    task: CrowdTask, state: CharacterState, generator: torch.Generator
) -> tuple[CharacterState, CrowdGoal]:
    """Place everybody on a circle, facing its middle, with the opposite point as the target. They
    are not spaced quite evenly, because in perfect symmetry everybody would wait forever."""
    count = len(state)
    radius = max(1.5, count * CIRCLE_SPACE / (2 * math.pi))
    number = torch.arange(count) + 0.3 * torch.rand(count, generator=generator)
    angle = number * (2 * math.pi / count)
    place = radius * torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1)
    state = CharacterState(state.pose, place, torch.remainder(angle, 2 * math.pi) - math.pi)
    return state, task.goal_at(state, -place)


@trial(
    CrowdTask,
    metrics=(
        share("overlap_fraction", "overlap", "lower", digits=2, bad=0.1),
        Metric("targets_per_min", "targets", "1/min", 1, better="higher", bad=1.0),
        Metric("progress_m_s", "progress", "m/s", better="higher"),
        share("circle_overlap_fraction", "on the circle: overlap", "lower", digits=2),
        share("circle_reach_fraction", "on the circle: reached", "higher"),
    ),
    summary="{overlap_fraction} % of character-frames overlap, "
    "{targets_per_min} targets a minute each",
)
def crowd_figures(
    simulation: Simulation[CrowdGoal], act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Measure a crowd in which everybody walks to one target after another, on 6 m² of ground each
    (the task's ``space``), and one that crosses a circle.

    overlap_fraction         share of character-frames in which two middles are less than 0.5 m
                             apart
    targets_per_min          how many targets each character reaches
    progress_m_s             how fast it approaches them
    circle_overlap_fraction  the same overlap while up to 50 characters cross from one side of a
                             circle to the other
    circle_reach_fraction    share of those that arrive within three times the time that the way
                             takes at the task's speed
    """
    character = simulation.character
    task = CrowdTask(character, simulation.task.config)
    generator = torch.Generator().manual_seed(seed)
    overlaps, targets, progress = roam(simulation, task, act, characters, seconds, generator)

    fresh = character.reset(min(characters, CIRCLE_MOST), generator)
    state, goal = on_circle(task, fresh, generator)
    diameter = 2 * float(goal.position.norm(dim=-1).max())
    frames = round(3 * diameter / task.config.speed * character.fps)

    def measure(state: CharacterState, goal: CrowdGoal) -> Tensor:
        return torch.stack((overlapping(state), distance_to(state, goal.position) < REACHED))

    values, _ = rounds.play(simulation, act, state, goal, frames, measure)
    return {
        "overlap_fraction": float(overlaps.float().mean()),
        "targets_per_min": targets,
        "progress_m_s": progress,
        "circle_overlap_fraction": float(values[:, 0].float().mean()),
        "circle_reach_fraction": float(values[:, 1].any(dim=0).float().mean()),
    }
