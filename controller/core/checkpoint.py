"""Versioned checkpoints: safetensors files whose metadata contains a JSON header. Never a pickle.

A file is written completely or not at all. Its header says what it is (``kind``: "motion-vae",
"policy", …), gives the version of its layout and whatever is needed to use it: configuration,
skeleton, provenance, measured figures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from controller.core import files
from controller.core.errors import CheckpointError

VERSION = 1


def save(path: Path | str, kind: str, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write ``tensors`` and ``header``, which must fit into JSON, to ``path`` atomically."""
    text = json.dumps({"kind": kind, "version": VERSION, **header})
    arrays = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with files.atomic(path) as temporary:
        save_file(arrays, temporary, metadata={"header": text})


def load(path: Path | str, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the tensors of a checkpoint of this ``kind``.

    Raises CheckpointError if there is no such file, or it is damaged or of another kind.
    """
    header = load_header(path, kind)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    return header, tensors


def load_header(path: Path | str, kind: str) -> dict[str, Any]:
    """The header alone, without reading the weights. Raises CheckpointError as :func:`load`."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("header", "null"))
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable checkpoint ({error})") from error

    if not isinstance(header, dict) or "kind" not in header:
        raise CheckpointError(
            f"{path}: weights without this project's header; a {kind} checkpoint is expected"
        )
    if header["kind"] != kind:
        raise CheckpointError(
            f"{path}: a {header['kind']} checkpoint found; a {kind} checkpoint is expected"
        )
    if header.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: version {header.get('version')!r} found; version {VERSION} is expected"
        )
    return header
