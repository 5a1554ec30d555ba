"""What a character's captured motion can do, so that nothing is asked of it that it never did."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from controller.core.errors import CheckpointError


@dataclass(frozen=True)
class Limits:
    """The fastest captured second in each direction, in m/s, and the heights in m that the hips
    have while the character is neither fallen nor exploded.

    The defaults are those of the first performer, whose checkpoints do not state any.
    """

    forward_speed: float = 2.0
    sideways_speed: float = 0.6
    backward_speed: float = 0.75
    lowest_hips: float = 0.5
    highest_hips: float = 1.3

    @classmethod
    def of(cls, header: dict[str, Any]) -> Limits:
        """The limits that a checkpoint's header states; the defaults where it states none.

        Raises CheckpointError if one is not a positive, finite number.
        """
        stated = header.get("limits", {})
        names = {each.name for each in fields(cls)}
        if not isinstance(stated, dict) or not set(stated) <= names:
            raise CheckpointError(f"limits are {stated!r}; allowed: {', '.join(sorted(names))}")
        for name, value in stated.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                raise CheckpointError(f"limits.{name} is {value!r}; allowed: above 0")
        return cls(**stated)

    def to_dict(self) -> dict[str, float]:
        """Plain values, for a header."""
        return asdict(self)
