"""The trial of the crowd: all walk to targets of their own, across the ground and across a
circle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.tasks.arrival import distance_to
from controller.tasks.avoidance import neighbours
from controller.tasks.crowd import REACHED, TORSO, CrowdGoal, CrowdTask
from controller.tasks.simulation import Simulation

CIRCLE_SPACE = 1.5
"""m between two neighbours on the circle, of which each crosses to the opposite side; it is 3 m
wide or more."""


def overlapping(state: CharacterState) -> Tensor:
    """(B,) booleans: who is in somebody else, the middles of the hips being under 0.5 m apart."""
    others, _ = neighbours(state, torch.zeros_like(state.position))
    return (others[:, 0] - state.position).norm(dim=-1) < 2 * TORSO


@torch.inference_mode()
def roam(
    simulation: Simulation, act: Act, characters: int, seconds: float, generator: torch.Generator
) -> tuple[Tensor, float, float]:
    """Everybody walks to one target after the other. Who overlaps in each frame, (T, B); how many
    targets each one reached a minute; how fast it came nearer to them, in m/s."""
    task = simulation.task
    assert isinstance(task, CrowdTask)
    state, goal = simulation.reset(characters, generator)
    overlaps = []
    reached = 0.0
    won = 0.0
    for _ in range(round(seconds * simulation.character.fps)):
        before = distance_to(state, goal.position)
        state = simulation.move(state, act(state, goal))
        after = distance_to(state, goal.position)
        won += float((before - after).mean())
        overlaps.append(overlapping(state))
        done = after < REACHED
        reached += float(done.float().mean())
        points = torch.where(done[:, None], task.draw_points(characters, generator), goal.position)
        goal = task.goal_at(state, points)
    return torch.stack(overlaps), reached / (seconds / 60), won / seconds


def on_circle(
    task: CrowdTask, state: CharacterState, generator: torch.Generator
) -> tuple[CharacterState, CrowdGoal]:
    """Everybody on a circle, facing its middle, with the opposite point as the target; not quite
    evenly, since what is wholly symmetric waits for itself for ever."""
    count = len(state)
    radius = max(1.5, count * CIRCLE_SPACE / (2 * math.pi))
    angle = (torch.arange(count) + 0.3 * torch.rand(count, generator=generator)) * (
        2 * math.pi / count
    )
    place = radius * torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1)
    state = CharacterState(state.pose, place, torch.remainder(angle, 2 * math.pi) - math.pi)
    return state, task.goal_at(state, -place)


def crowd_figures(
    simulation: Simulation, act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """``overlap_fraction``: of character-frames in which two middles are under 0.5 m apart,
    everybody walking to one target after the other on 6 m² of ground each (as the task's ``space``
    says). ``targets_per_min``: how many each one reaches; ``progress_m_s``: how fast it comes
    nearer to them. ``circle_``: everybody begins on a circle and crosses to the opposite side, up
    to 50 of them; ``circle_reach_fraction``: of those that get there in three times the time that
    the way takes at the task's speed.
    """
    task = simulation.task
    character = simulation.character
    assert isinstance(task, CrowdTask)
    generator = torch.Generator().manual_seed(seed)
    overlaps, targets, progress = roam(simulation, act, characters, seconds, generator)
    state, goal = on_circle(task, character.reset(min(characters, 50), generator), generator)
    period = 3 * 2 * float(goal.position.norm(dim=-1).max()) / task.config.speed

    def measure(state: CharacterState, goal: CrowdGoal) -> Tensor:
        return torch.stack((overlapping(state), distance_to(state, goal.position) < REACHED))

    seen, _ = rounds.play(simulation, act, state, goal, round(period * character.fps), measure)
    return {
        "overlap_fraction": float(overlaps.float().mean()),
        "targets_per_min": targets,
        "progress_m_s": progress,
        "circle_overlap_fraction": float(seen[:, 0].float().mean()),
        "circle_reach_fraction": float(seen[:, 1].any(dim=0).float().mean()),
    }
