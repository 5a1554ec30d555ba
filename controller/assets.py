"""Where the shipped weights lie."""

from __future__ import annotations

from pathlib import Path

from controller.errors import CheckpointError

FOLDER = Path(__file__).resolve().parent.parent / "assets"
MVAE = FOLDER / "mvae.safetensors"


def policy_path(task: str) -> Path:
    """The best shipped policy for a task; CheckpointError if none is shipped."""
    return policy_paths(task)[0]


def policy_paths(task: str, extends: str | None = None, folder: Path | None = None) -> list[Path]:
    """All policies in a folder, that of the shipped ones unless given, for a task or, if it has none of its own, for
    the one that it ``extends``: the best first, the others by name. CheckpointError if there is none."""
    folder = folder or FOLDER
    for name in (task, extends):
        best = folder / f"{name}.safetensors"
        if name and best.is_file():
            return [best, *sorted(folder.glob(f"{name}_*.safetensors"))]
    raise CheckpointError(
        f"{folder / task}.safetensors: no policy is shipped for the task {task!r}; "
        f"train one with `python -m envs.train_policy --task {task}`"
    )
