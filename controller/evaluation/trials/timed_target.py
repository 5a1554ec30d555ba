"""The timed target's trial: be there when the time is up."""

from __future__ import annotations

import torch

from controller.dynamics.rollout import Act
from controller.evaluation.trials import rounds
from controller.evaluation.trials.base import Metric, share, trial
from controller.tasks.arrival import observe_point
from controller.tasks.simulation import Simulation
from controller.tasks.timed_target import (
    ARRIVED,
    START_S,
    TimedTargetConfig,
    TimedTargetGoal,
    TimedTargetTask,
)

ON_TIME = 0.3
"""s by which an arrival may be early or late."""
SLACK_S = 1.0
"""s that a round goes on after the last character's time."""


@trial(
    TimedTargetTask,
    metrics=(
        share("on_time_fraction", "on time", "higher", bad=0.5),
        Metric("arrival_error_s", "off by", "s", 3, better="lower"),
        Metric("arrival_bias_s", "late by", "s", 3),
        Metric("miss_m", "distance at the time", "m", better="lower"),
    ),
    summary="{on_time_fraction} % on time, ± 0.3 s",
    symmetry="miss_left_m",
)
def timed_target_figures(
    simulation: Simulation[TimedTargetGoal], act: Act, characters: int, seconds: float, seed: int
) -> dict[str, float]:
    """Measure rounds in which every character has one feasible target, 1 to 10 m away in any
    direction. The time is 1.5 s plus what the distance takes at 0.3 to 1.6 m/s, all paces being
    equally likely.

    The arrival is the first moment within 0.4 m: to be early and wait is not on time.

    on_time_fraction  share of arrivals within 0.3 s of the set time
    arrival_error_s   mean of |arrival − set time|; a character that never arrives counts as
                      arriving when the round ends
    arrival_bias_s    mean of arrival − set time
    miss_m            mean distance at the set time
    miss_left_m       the same for targets to the left of the first facing (``right``: to the right)
    """
    task = TimedTargetTask(simulation.character, TimedTargetConfig())
    fps = simulation.character.fps
    generator = torch.Generator().manual_seed(seed)
    period = START_S + task.config.farthest / task.config.slowest + SLACK_S
    frames = round(period * fps)
    state = simulation.character.reset(characters, generator)
    errors = []
    misses = []
    sides = []
    for _ in range(rounds.count(seconds, period)):
        goal = task.draw_goal(state, generator)
        sides.append(observe_point(state, goal.position)[:, 1] > 0)
        place, state = rounds.play(
            simulation, act, state, goal, frames, lambda state, goal: state.position
        )

        distance = (place - goal.position).norm(dim=-1)
        errors.append(rounds.first(distance < ARRIVED, fps).clamp(max=period) - goal.seconds)
        frame = (goal.seconds * fps).round().long() - 1
        misses.append(distance.gather(0, frame[None])[0])

    error = torch.cat(errors)
    miss = torch.cat(misses)
    left = torch.cat(sides)
    return {
        "on_time_fraction": float((error.abs() <= ON_TIME).float().mean()),
        "arrival_error_s": float(error.abs().mean()),
        "arrival_bias_s": float(error.mean()),
        "miss_m": float(miss.mean()),
        "miss_left_m": float(miss[left].mean()),
        "miss_right_m": float(miss[~left].mean()),
    }
