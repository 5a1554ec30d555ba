"""Where the shipped weights lie."""

from __future__ import annotations

from pathlib import Path

from controller.errors import CheckpointError

FOLDER = Path(__file__).resolve().parent.parent / "assets"
MVAE = FOLDER / "mvae.safetensors"


def policy_path(task: str) -> Path:
    """The best shipped policy for a task; CheckpointError if none is shipped."""
    path = FOLDER / f"{task}.safetensors"
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no policy is shipped for the task {task!r}; "
            f"train one with `python -m envs.train_policy --task {task}`"
        )
    return path


def policy_paths(task: str) -> list[Path]:
    """All shipped policies for a task, the best first, the others by name; CheckpointError if none is shipped."""
    return [policy_path(task), *sorted(FOLDER.glob(f"{task}_*.safetensors"))]
