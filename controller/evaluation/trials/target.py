"""The target's trial: reach points anywhere in the arena, and stand there."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.evaluation.trials.base import Metric, share, trial
from controller.tasks.simulation import Simulation
from controller.tasks.target import ARENA, REACHED, TargetGoal, TargetTask

WALKING = 1.4
"""m/s: the ideal time is that of the straight distance at this pace, plus START_S."""
START_S = 1.5
"""s for turning and getting going."""
SLACK = 1.3
"""A round lasts this many times the ideal time for the arena's diagonal."""
SETTLE_S = 2.0
"""s after reaching a target from which the character should stand."""
STAND_S = 4.0
"""s at the end of a round over which drift is measured."""


def ideal_seconds(distance: Tensor) -> Tensor:
    """The time in which a straight distance in metres could be walked."""
    return START_S + distance / WALKING


@trial(
    TargetTask,
    metrics=(
        share("reach_fraction", "reached", "higher", bad=0.5),
        Metric("reach_time_s", "time", "s", better="lower"),
        Metric("reach_time_ideal_s", "ideal time", "s"),
        Metric("reach_lost_left_s", "lost to the left", "s", better="lower"),
        Metric("reach_lost_right_s", "lost to the right", "s", better="lower"),
        share("stay_fraction", "stays", "higher"),
        Metric("idle_drift_m_per_min", "drift", "m/min", better="lower"),
    ),
    summary="{reach_fraction} % within 0.3 m, in {reach_time_s} s (ideal: {reach_time_ideal_s} s)",
    symmetry="reach_time_left_s",
)
def target_figures(
    simulation: Simulation[TargetGoal], act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Measure rounds of 43 s. In each round, every character has one target, anywhere in the arena.

    reach_fraction        share of targets that were reached, within 0.3 m
    reach_time_s          mean time until then; a target never reached counts as the whole round
    reach_time_ideal_s    mean of distance/1.4 m/s + 1.5 s
    reach_time_left_s     the time for targets to the left of the first facing (``right``: to the
                          right)
    reach_lost_left_s     mean of time − distance/1.4 m/s for the same targets
    stay_fraction         share of the frames, from 2 s after reaching, that are within 0.3 m
    standing_error_m      mean distance at the end
    idle_drift_m_per_min  how far the root moved in the last 4 s, in a straight line, per minute, of
                          characters that had been there for 2 s before
    """
    character = simulation.character
    fps = character.fps
    arena = TargetTask(character, replace(TargetTask(character).config, near=0.0))
    generator = torch.Generator().manual_seed(seed)
    period = SLACK * float(ideal_seconds(torch.tensor(math.hypot(*ARENA))))
    frames = round(period * fps)
    stand = round(STAND_S * fps)
    state = character.reset(characters, generator)
    columns = []
    for _ in range(rounds.count(seconds, period)):
        goal = arena.draw_goal(state, generator)
        away = (goal.position - state.position).norm(dim=-1)
        left = arena.observe_goal(state, goal)[:, 1] > 0
        place, state = rounds.play(
            simulation, act, state, goal, frames, lambda state, goal: state.position
        )

        distance = (place - goal.position).norm(dim=-1)
        time = rounds.first(distance < REACHED, fps)
        late = (torch.arange(frames)[:, None] >= (time + SETTLE_S) * fps).float()
        drift = (place[-1] - place[-1 - stand]).norm(dim=-1) / (STAND_S / 60)
        stays = (late * (distance < REACHED)).sum(dim=0)
        figures = (away, left.float(), time, distance[-1], drift, late[-1 - stand], stays)
        columns.append(torch.stack((*figures, late.sum(dim=0))))

    away, left, time, rest, drift, stood, stays, late = torch.cat(columns, dim=1)
    clamped = time.clamp(max=period)
    lost = clamped - away / WALKING
    return {
        "reach_fraction": float(time.isfinite().float().mean()),
        "reach_time_s": float(clamped.mean()),
        "reach_time_ideal_s": float(ideal_seconds(away).mean()),
        "reach_time_left_s": float(clamped[left > 0].mean()),
        "reach_time_right_s": float(clamped[left == 0].mean()),
        "reach_lost_left_s": float(lost[left > 0].mean()),
        "reach_lost_right_s": float(lost[left == 0].mean()),
        "stay_fraction": float(stays.sum() / late.sum()),
        "standing_error_m": float(rest.mean()),
        "idle_drift_m_per_min": float(drift[stood > 0].mean()),
    }
