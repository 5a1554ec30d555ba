"""The registry of tasks."""

from __future__ import annotations

from typing import Any, TypeVar

from controller.core.registry import Registry
from controller.tasks.base import Task

Kind = TypeVar("Kind", bound=type[Task[Any, Any]])

TASKS: Registry[type[Task[Any, Any]]] = Registry("task")
"""Every task by name, in the order of registration."""


def task(kind: Kind) -> Kind:
    """Register a task class under its ``name``. Used as a decorator."""
    TASKS.add(kind.name, kind)
    return kind


def task_type(name: str) -> type[Task[Any, Any]]:
    """Look up a task by its name, the name of its class, or ``MODULE:NAME``, which imports the
    module first.

    Raises ConfigError if there is no such module or task.
    """
    return TASKS.find(name)
