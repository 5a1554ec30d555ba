"""What is asked of a policy at each task, beside what is measured of any motion.

A trial sets goals of its own, the same ones with the same seed, and returns figures by name. All
begin at the origin from the captured poses that training begins from.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.dynamics.rollout import Act
from controller.evaluation.trials.crowd import crowd_figures
from controller.evaluation.trials.joystick import joystick_figures
from controller.evaluation.trials.maze import maze_figures
from controller.evaluation.trials.path import path_figures
from controller.evaluation.trials.target import target_figures
from controller.evaluation.trials.timed_target import timed_target_figures
from controller.tasks.simulation import Simulation

Trial = Callable[[Simulation, Act, int, float, int], dict[str, float]]
"""Of a simulation, who acts in it, how many characters, for at least how many seconds, and a
seed."""

TRIALS: dict[str, Trial] = {
    "joystick": joystick_figures,
    "target": target_figures,
    "timed_target": timed_target_figures,
    "path": path_figures,
    "maze": maze_figures,
    "crowd": crowd_figures,
}
