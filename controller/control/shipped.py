"""Where the shipped weights are."""

from __future__ import annotations

from pathlib import Path

from controller.core.errors import CheckpointError
from controller.core.paths import ASSETS
from controller.tasks import TASKS

FOLDER = ASSETS
MVAE = FOLDER / "mvae.safetensors"


def policy_path(task: str) -> Path:
    """The best shipped policy for a task: its own, or else that of the task which it extends.

    Raises CheckpointError if neither is shipped.
    """
    return policy_paths(task)[0]


def policy_paths(task: str, folder: Path | None = None) -> list[Path]:
    """All policies for a task, shipped or in a ``folder``: first its own, then those of the task
    which it extends. In each group the best one comes first, the others follow by name.

    Raises CheckpointError if there is none.
    """
    folder = folder or FOLDER
    extended = TASKS[task].extends if task in TASKS else None
    paths = own_policies(task, folder)
    if extended:
        paths += own_policies(extended, folder)
    if not paths:
        address = TASKS.address(task) if task in TASKS else task
        raise CheckpointError(
            f"{folder / task}.safetensors: no policy is shipped for the task {task!r}; train one "
            f"with `python -m envs.train_policy --task {address}`, or name one with --policy"
        )
    return paths


def own_policies(task: str, folder: Path) -> list[Path]:
    """The policies in a folder that were trained for exactly this task, the best one first; empty
    if there is no best one."""
    best = folder / f"{task}.safetensors"
    return [best, *sorted(folder.glob(f"{task}_*.safetensors"))] if best.is_file() else []
