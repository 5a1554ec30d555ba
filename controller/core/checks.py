"""Checks of tensors that come from outside, before compiled code trusts their shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from controller.core.errors import ActionError, CheckpointError


def check_rows(name: str, values: Tensor, rows: int | None, width: int, dtype: torch.dtype) -> None:
    """Check a batch of latents or observations: shape ``(rows, width)``, this ``dtype``, and finite
    on the CPU. With ``rows`` None, any number of rows will do.

    On a GPU the values are not looked at: that would stop the device at every step, and nothing
    there reads beyond an array. Raises ActionError.
    """
    shape = values.shape
    if len(shape) != 2 or shape[1] != width or (rows is not None and shape[0] != rows):
        allowed = f"({'B' if rows is None else rows}, {width})"
        raise ActionError(f"{name} has shape {tuple(shape)}; allowed: {allowed}")
    if values.dtype != dtype:
        raise ActionError(f"{name} has dtype {_short(values.dtype)}; allowed: {_short(dtype)}")
    # One sum shows that all values are finite; they are looked at one by one only where it is not.
    if values.is_cpu and not math.isfinite(values.detach().sum()):
        bad = ~torch.isfinite(values).all(dim=-1)
        if bool(bad.any()):
            row = int(bad.to(torch.uint8).argmax())
            raise ActionError(f"{name} is not finite: row {row} has a NaN or an infinity")


def check_state(size: int, pose: Tensor, position: Tensor, yaw: Tensor) -> None:
    """Check a state of B characters: poses ``(B, size)``, positions ``(B, 2)``, yaws ``(B,)``.
    Raises ActionError."""
    rows = len(pose)
    if pose.shape != (rows, size) or position.shape != (rows, 2) or yaw.shape != (rows,):
        found = ", ".join(str(tuple(part.shape)) for part in (pose, position, yaw))
        raise ActionError(
            f"the state has shapes {found}; allowed: ({rows}, {size}), ({rows}, 2), ({rows},)"
        )


def check_tensors(
    path: Path | str, kind: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Check what was read from a checkpoint against the tensors that its header asks for: the same
    names, shapes and dtypes, and finite wherever a tensor counts with fractions. Raises
    CheckpointError."""
    start = f"{path}: not a complete {kind} checkpoint"
    missing = sorted(set(expected) - set(tensors))
    unknown = sorted(set(tensors) - set(expected))
    if missing:
        raise CheckpointError(f"{start}: the tensor {missing[0]!r} is missing")
    if unknown:
        raise CheckpointError(
            f"{start}: the tensor {unknown[0]!r} does not belong to the model in the header"
        )
    for name, wanted in expected.items():
        found = tensors[name]
        if found.shape != wanted.shape:
            shapes = f"{tuple(found.shape)}; the header asks for {tuple(wanted.shape)}"
            raise CheckpointError(f"{start}: the tensor {name!r} has shape {shapes}")
        if found.dtype != wanted.dtype:
            raise CheckpointError(
                f"{start}: {name!r} has dtype {_short(found.dtype)}; allowed: "
                f"{_short(wanted.dtype)}"
            )
        check_finite(start, name, found)


def check_reset_poses(path: Path | str, kind: str, poses: Tensor, size: int) -> None:
    """Check poses to start from: one or more finite float32 rows of ``size`` values. Raises
    CheckpointError."""
    start = f"{path}: not a complete {kind} checkpoint"
    if poses.dim() != 2 or len(poses) == 0 or poses.shape[1] != size:
        raise CheckpointError(
            f"{start}: reset_poses have shape {tuple(poses.shape)}; allowed: (1 or more, {size})"
        )
    if poses.dtype != torch.float32:
        raise CheckpointError(
            f"{start}: reset_poses have dtype {_short(poses.dtype)}; allowed: float32"
        )
    check_finite(start, "reset_poses", poses)


def check_finite(start: str, name: str, values: Tensor) -> None:
    """Raise CheckpointError, with a sentence that begins so, if a tensor has a NaN or an
    infinity."""
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise CheckpointError(f"{start}: the tensor {name!r} has values that are not finite")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
