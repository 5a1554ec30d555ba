"""The tasks by name.

A task in a file of its own joins them with the decorator :func:`task`; see docs/new-task.md.
"""

# In the order of the keys that choose them.
from controller.tasks import joystick, target, timed_target, path  # isort: skip
from controller.tasks import maze, crowd, random_walk  # isort: skip
from controller.tasks.registry import TASKS, task, task_type

__all__ = ["TASKS", "task", "task_type"]
__all__ += ["crowd", "joystick", "maze", "path", "random_walk", "target", "timed_target"]
