"""Trials: what is measured of a policy at each task, besides the figures of any motion.

A trial sets goals of its own, the same ones with the same seed, and returns figures by name. All
trials begin at the origin from the captured poses that training begins from.
"""

from controller.evaluation.trials import crowd, joystick, maze, path, target, timed_target
from controller.evaluation.trials.base import TRIALS, Metric, Trial, trial

__all__ = ["TRIALS", "Metric", "Trial", "trial"]
__all__ += ["crowd", "joystick", "maze", "path", "target", "timed_target"]
