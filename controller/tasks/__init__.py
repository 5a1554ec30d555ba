"""The tasks, by name."""

from __future__ import annotations

from controller.errors import ConfigError
from controller.tasks.base import Task
from controller.tasks.joystick import JoystickTask
from controller.tasks.random_walk import RandomWalkTask

TASKS: dict[str, type[Task]] = {task.name: task for task in (JoystickTask, RandomWalkTask)}


def task_type(name: str) -> type[Task]:
    """The task of that name; ConfigError lists the names there are."""
    if name not in TASKS:
        raise ConfigError(f"task is {name!r}; allowed: {', '.join(TASKS)}")
    return TASKS[name]
