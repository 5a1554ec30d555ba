"""Who acts in a game: a policy with a name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.control.policy import Policy
from controller.dynamics.character import Character
from controller.tasks import TASKS
from controller.tasks.base import Task


@dataclass(frozen=True)
class Pilot:
    """A policy under the name that the window shows."""

    name: str
    policy: Policy

    @classmethod
    def load(cls, path: Path, character: Character) -> Pilot:
        """From a checkpoint, whatever its task; named after that and the algorithm that trained it,
        or the file."""
        policy = Policy.load(path, character, *TASKS)
        algorithm = policy.header.get("training", {}).get("algorithm", "")
        return cls(
            f"{policy.task.replace('_', ' ')} {algorithm.upper()}".strip()
            if algorithm
            else path.stem,
            policy,
        )

    def plays(self, task: Task[Any, Any]) -> bool:
        """Whether it was trained for that task, or for the one that this extends."""
        return self.policy.task in (task.name, task.extends)
