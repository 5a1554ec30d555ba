"""A policy with a name, as the window shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.control.policy import Policy
from controller.dynamics.character import Character
from controller.tasks import TASKS
from controller.tasks.base import Task


@dataclass(frozen=True)
class NamedPolicy:
    """A policy under the name that the window shows."""

    name: str
    policy: Policy

    @classmethod
    def load(cls, path: Path, character: Character) -> NamedPolicy:
        """Read a policy for any task. It is named after its task and what its file's name adds to
        that; or else the algorithm that trained it; or else after the file.

        Raises CheckpointError as :meth:`Policy.load` does.
        """
        policy = Policy.load(path, character, *TASKS)
        algorithm = policy.header.get("training", {}).get("algorithm", "")
        task = policy.task.replace("_", " ")
        added = path.stem.removeprefix(f"{policy.task}_")
        if algorithm and added not in (path.stem, algorithm):
            return cls(f"{task} {added.replace('_', ' ')}", policy)
        return cls(f"{task} {algorithm.upper()}" if algorithm else path.stem, policy)

    def plays(self, task: Task[Any, Any]) -> bool:
        """Whether it was trained for that task, or for the one that the task extends."""
        return self.policy.task in (task.name, task.extends)
