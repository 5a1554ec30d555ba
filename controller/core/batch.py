"""Dataclasses of tensors that share their first dimension: rows of them chosen or replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def where(mask: Tensor, chosen: T, other: T) -> T:
    """``chosen``'s rows where ``mask`` (B,) is true, ``other``'s (bit-identical) elsewhere."""

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *[1] * (a.dim() - 1)), a, b)

    return type(other)(
        *(pick(getattr(chosen, f.name), getattr(other, f.name)) for f in fields(other))
    )


def select(batch: T, rows: Tensor | slice) -> T:
    """The given rows."""
    return type(batch)(*(getattr(batch, f.name)[rows] for f in fields(batch)))


def detach(batch: T) -> T:
    """The same values without their graph."""
    return type(batch)(*(getattr(batch, f.name).detach() for f in fields(batch)))


def cat(batches: Sequence[T]) -> T:
    """All rows of several batches, one after another."""
    kind = batches[0]
    return type(kind)(*(torch.cat([getattr(b, f.name) for b in batches]) for f in fields(kind)))
