"""What the fields of a goal are: places, velocities or yaws.

A goal declares it where the field is defined: ``position: Tensor = field(metadata=PLACE)``. Fields
without a declaration, such as times, counts and indices, look the same in a mirror.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from controller.motion import geometry

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Goal = TypeVar("Goal", bound="DataclassInstance")

PLACE = {"goal": "place"}
"""Points ``(..., 2)`` on the ground, in the world, as (x, z), in metres."""
VELOCITY = {"goal": "velocity"}
"""Velocities ``(..., 2)`` over the ground, in the world, as (x, z), in m/s."""
YAW = {"goal": "yaw"}
"""Yaws in radians."""


def mirrored(goal: Goal) -> Goal:
    """The same goals in a world reflected in the plane x = 0."""
    return type(goal)(*(_reflected(kind, value) for kind, value in _declared(goal)))


def places(goal: Goal) -> list[Tensor]:
    """The fields of a goal that are places, in their order."""
    return [value for kind, value in _declared(goal) if kind == "place"]


def _declared(goal: Goal) -> Iterator[tuple[str | None, Tensor]]:
    """Each field's declaration, None if it has none, and its value."""
    for field in fields(goal):
        yield field.metadata.get("goal"), getattr(goal, field.name)


def _reflected(kind: str | None, value: Tensor) -> Tensor:
    if kind == "yaw":
        return geometry.wrap_angle(-value)
    if kind in ("place", "velocity"):
        return torch.stack((-value[..., 0], value[..., 1]), dim=-1)
    return value
