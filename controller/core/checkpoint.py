"""Versioned checkpoints: safetensors files whose metadata contains a JSON header. Never a pickle.

A file is written completely or not at all. Its header says what it is (``kind``: "motion-vae",
"policy", …), gives the version of its layout and whatever is needed to use it: configuration,
skeleton, provenance, measured figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from controller.core import files
from controller.core.errors import CheckpointError
from controller.core.headers import sentence, shown

VERSION = 1
LONGEST_HEADER = 2**24
"""Characters. The history of a training of thousands of epochs has a few millions."""
MOST_TENSORS = 10_000


def save(path: Path | str, kind: str, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write ``tensors`` and ``header``, which must fit into JSON, to ``path`` atomically."""
    text = json.dumps({"kind": kind, "version": VERSION, **header})
    arrays = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with files.atomic(path) as temporary:
        save_file(arrays, temporary, metadata={"header": text})


def load(path: Path | str, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the tensors of a checkpoint of this ``kind``.

    Raises CheckpointError if there is no such file, or it is damaged or of another kind. What the
    header says and which tensors there are is up to the caller to check: see
    :mod:`controller.core.headers` and :mod:`controller.core.checks`.
    """
    with _opened(path) as file:
        header = _header(path, kind, file.metadata())
        names = file.keys()
        if len(names) > MOST_TENSORS:
            raise CheckpointError(
                f"{path}: {len(names)} tensors found; allowed: {MOST_TENSORS} at most"
            )
        return header, {name: file.get_tensor(name) for name in names}


def load_header(path: Path | str, kind: str) -> dict[str, Any]:
    """The header alone, without reading the weights. Raises CheckpointError as :func:`load`."""
    with _opened(path) as file:
        return _header(path, kind, file.metadata())


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    try:
        there = Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or none
        there = False
    if not there:
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, RecursionError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable checkpoint ({sentence(error)})") from error


def _header(path: Path | str, kind: str, metadata: dict[str, str] | None) -> dict[str, Any]:
    text = (metadata or {}).get("header", "null")
    if len(text) > LONGEST_HEADER:
        raise CheckpointError(
            f"{path}: a header of {len(text)} characters found; allowed: {LONGEST_HEADER} at most"
        )
    header = json.loads(text)
    if not isinstance(header, dict) or "kind" not in header:
        raise CheckpointError(
            f"{path}: weights without this project's header; a {kind} checkpoint is expected"
        )
    found = header["kind"]
    if found != kind:
        named = shown(found).strip("'")
        raise CheckpointError(
            f"{path}: a {named} checkpoint found; a {kind} checkpoint is expected"
        )
    if header.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: version {shown(header.get('version'))} found; version {VERSION} is expected"
        )
    return header
