"""When a training begins to penalise the feet's faults."""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.errors import require
from controller.tasks.penalties import Penalties


@dataclass(frozen=True)
class Curriculum:
    """When the penalties on the feet set in, as shares of the training. Between its begin and its
    end each rises linearly.

    With all of them from the start, standing still pays better than learning to walk. The penalty
    on gliding comes last, since otherwise turning round pays better than learning to walk backward;
    and it rises slowly, since otherwise standing does.
    """

    ground: tuple[float, float] = (0.12, 0.4)
    """Begin and end of the rise of the penalties on skating, floating and sinking."""
    glide: tuple[float, float] = (0.4, 0.65)
    """Begin and end of the rise of the penalty on gliding."""

    def __post_init__(self) -> None:
        for name in ("ground", "glide"):
            begin, end = value = getattr(self, name)
            in_order = 0 <= begin <= end <= 1
            require(in_order, f"curriculum.{name}", value, "0 ≤ begin ≤ end ≤ 1")

    def apply(self, penalties: Penalties, progress: float) -> None:
        """Set the penalties' scales at ``progress``, in [0, 1]."""
        penalties.ground = rise(progress, *self.ground)
        penalties.gliding = rise(progress, *self.glide)


def rise(progress: float, begin: float, end: float) -> float:
    """0 before ``begin``, 1 from ``end`` on, and a straight line between."""
    if begin == end:
        return float(progress >= end)
    return min(max((progress - begin) / (end - begin), 0.0), 1.0)
