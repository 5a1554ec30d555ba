"""Where the shipped weights lie."""

from __future__ import annotations

from pathlib import Path

from controller.core.errors import CheckpointError
from controller.core.paths import ASSETS
from controller.tasks import TASKS

FOLDER = ASSETS
MVAE = FOLDER / "mvae.safetensors"


def policy_path(task: str) -> Path:
    """The best shipped policy for a task: its own, or else that of the task which it extends;
    CheckpointError if neither is shipped."""
    return policy_paths(task)[0]


def policy_paths(task: str, folder: Path | None = None) -> list[Path]:
    """All shipped policies for a task, or those in a ``folder``, the best first: its own, then
    those of the task which it extends, each time the best one and the others by name;
    CheckpointError if none is shipped."""
    extended = TASKS[task].extends if task in TASKS else None
    paths = [
        path for name in (task, extended) if name for path in own_policies(name, folder or FOLDER)
    ]
    if not paths:
        raise CheckpointError(
            f"{(folder or FOLDER) / task}.safetensors: no policy is shipped for the task {task!r}; "
            f"train one with `python -m envs.train_policy --task {task}`"
        )
    return paths


def own_policies(task: str, folder: Path) -> list[Path]:
    """The policies in a folder that were trained for just this task, the best one first; none if
    that is missing."""
    best = folder / f"{task}.safetensors"
    return [best, *sorted(folder.glob(f"{task}_*.safetensors"))] if best.is_file() else []
