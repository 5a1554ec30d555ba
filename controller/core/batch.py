"""Batches: dataclasses of tensors that share their first dimension, with operations on rows."""

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
    """The rows of ``chosen`` where ``mask`` (B,) is true, those of ``other`` elsewhere.

    Values are copied bit by bit.
    """

    def choose(a: Tensor, b: Tensor) -> Tensor:
        rows = mask.view(-1, *[1] * (a.dim() - 1))
        return torch.where(rows, a, b)

    pairs = ((getattr(chosen, field.name), getattr(other, field.name)) for field in fields(other))
    return type(other)(*(choose(a, b) for a, b in pairs))


def select(batch: T, rows: Tensor | slice) -> T:
    """The rows with these indices."""
    return type(batch)(*(getattr(batch, field.name)[rows] for field in fields(batch)))


def detach(batch: T) -> T:
    """The same values, detached from the graph."""
    return type(batch)(*(getattr(batch, field.name).detach() for field in fields(batch)))


def cat(batches: Sequence[T]) -> T:
    """All rows of several batches, in order."""
    first = batches[0]
    names = [field.name for field in fields(first)]
    return type(first)(*(torch.cat([getattr(batch, name) for batch in batches]) for name in names))
