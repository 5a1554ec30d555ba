"""Checks of tensors from outside, made before compiled code relies on their shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from controller.core.errors import ActionError, CheckpointError
from controller.core.headers import shown


def check_rows(name: str, values: Tensor, rows: int | None, width: int, dtype: torch.dtype) -> None:
    """Check a batch of latents or observations; raise ActionError if it is wrong.

    Its shape must be ``(rows, width)`` (any number of rows if ``rows`` is None), its dtype
    ``dtype``, and on the CPU its values finite. On a GPU the values are not checked: the CPU would
    have to wait for the device at every step, and no code there reads beyond an array.
    """
    shape = values.shape
    if len(shape) != 2 or shape[1] != width or (rows is not None and shape[0] != rows):
        allowed = f"({'B' if rows is None else rows}, {width})"
        raise ActionError(f"{name} has shape {tuple(shape)}; allowed: {allowed}")

    if values.dtype != dtype:
        raise ActionError(f"{name} has dtype {_short(values.dtype)}; allowed: {_short(dtype)}")

    # If the sum is finite, so is every value; only otherwise is each value checked.
    if values.is_cpu and not math.isfinite(values.detach().sum()):
        bad = ~torch.isfinite(values).all(dim=-1)
        if bool(bad.any()):
            row = int(bad.to(torch.uint8).argmax())
            raise ActionError(f"{name} is not finite: row {row} has a NaN or an infinity")


def check_state(size: int, pose: Tensor, position: Tensor, yaw: Tensor) -> None:
    """Check a state of B characters: poses ``(B, size)``, positions ``(B, 2)``, yaws ``(B,)``.

    Raises ActionError if a shape is wrong.
    """
    rows = len(pose)
    if pose.shape != (rows, size) or position.shape != (rows, 2) or yaw.shape != (rows,):
        shapes = ", ".join(str(tuple(part.shape)) for part in (pose, position, yaw))
        allowed = f"({rows}, {size}), ({rows}, 2), ({rows},)"
        raise ActionError(f"the state has shapes {shapes}; allowed: {allowed}")


def check_tensors(
    path: Path | str, kind: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Check the tensors read from a checkpoint against those that its header calls for.

    Names, shapes and dtypes must be the same, and floating-point values finite. Raises
    CheckpointError.
    """
    start = f"{path}: not a complete {kind} checkpoint"
    missing = sorted(set(expected) - set(tensors))
    unknown = sorted(set(tensors) - set(expected))
    if missing:
        raise CheckpointError(f"{start}: the tensor {shown(missing[0])} is missing")
    if unknown:
        raise CheckpointError(
            f"{start}: the tensor {shown(unknown[0])} does not belong to the model in the header"
        )

    for name, reference in expected.items():
        tensor = tensors[name]
        if tensor.shape != reference.shape:
            shapes = f"{tuple(tensor.shape)}; the header asks for {tuple(reference.shape)}"
            raise CheckpointError(f"{start}: the tensor {name!r} has shape {shapes}")
        if tensor.dtype != reference.dtype:
            dtypes = f"{_short(tensor.dtype)}; allowed: {_short(reference.dtype)}"
            raise CheckpointError(f"{start}: {name!r} has dtype {dtypes}")
        check_finite(start, name, tensor)


def check_statistics(path: Path | str, kind: str, tensors: Mapping[str, Tensor]) -> None:
    """Check the statistics of captured poses, ``normalizer.…``: no deviation may be 0 or negative,
    and each range must end above its beginning. Raises CheckpointError."""
    start = f"{path}: not a complete {kind} checkpoint"
    std = tensors["normalizer.std"]
    if not bool((std > 0).all()):
        raise CheckpointError(f"{start}: normalizer.std has values that are not above 0")
    low = (tensors["normalizer.low"] - tensors["normalizer.mean"]) / std
    high = (tensors["normalizer.high"] - tensors["normalizer.mean"]) / std
    if not bool((low <= high).all() and torch.isfinite(high - low).all()):
        raise CheckpointError(f"{start}: the range of captured poses is empty or not finite")


def check_state_tensors(
    path: Path | str, kind: str, tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> None:
    """Check the tensors of a training state against those of the run that goes on from it.

    All of the run's ``own`` must be there, with the same shapes and dtypes, and finite. Further
    ones may be there, such as those of an optimizer, which has none before its first step.
    Raises CheckpointError.
    """
    found = {name: tensor for name, tensor in tensors.items() if name in own}
    check_tensors(path, kind, found, own)
    for name in tensors.keys() - own.keys():
        check_finite(f"{path}: not a complete {kind} checkpoint", name, tensors[name])


def check_reset_poses(path: Path | str, kind: str, poses: Tensor, size: int) -> None:
    """Check the poses to reset to: one or more finite float32 rows of ``size`` values.

    Raises CheckpointError.
    """
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
    """Raise CheckpointError, its sentence beginning with ``start``, unless values are finite."""
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise CheckpointError(f"{start}: the tensor {shown(name)} has values that are not finite")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
