"""The tasks, by name. A task in a file of one's own joins them by :func:`envs.register`."""

from __future__ import annotations

import importlib
from typing import Any

from controller.core.errors import ConfigError
from controller.tasks.base import Task
from controller.tasks.crowd import CrowdTask
from controller.tasks.joystick import JoystickTask
from controller.tasks.maze import MazeTask
from controller.tasks.path import PathTask
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.target import TargetTask
from controller.tasks.timed_target import TimedTargetTask

TASKS: dict[str, type[Task[Any, Any]]] = {
    task.name: task
    for task in (
        JoystickTask,
        TargetTask,
        TimedTargetTask,
        PathTask,
        MazeTask,
        CrowdTask,
        RandomWalkTask,
    )
}


def task_type(name: str) -> type[Task[Any, Any]]:
    """The task of that name; of the name ``MODULE:NAME`` after the module, which registers it, is
    imported.

    ConfigError says if there is no such module, or lists the names there are.
    """
    module, _, known = name.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise ConfigError(f"task is {name!r}: {error}") from error
    if known not in TASKS:
        raise ConfigError(f"task is {name!r}; allowed: {', '.join(TASKS)}")
    return TASKS[known]
