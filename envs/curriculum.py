"""What a training asks of the feet, and from when on."""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.errors import require
from controller.tasks.penalties import Penalties


@dataclass(frozen=True)
class Curriculum:
    """When the penalties on the feet set in, as shares of the training; between begin and end each
    rises linearly.

    All of them from the start make standing still pay better than learning to walk. Gliding comes
    last, or turning round pays better than learning to walk backward; and slowly, or standing does.
    """

    ground: tuple[float, float] = (0.12, 0.4)
    """Begin and end of the rise of the penalties on skating, floating and sinking."""
    glide: tuple[float, float] = (0.4, 0.65)
    """Begin and end of the rise of the penalty on gliding."""

    def __post_init__(self) -> None:
        for name in ("ground", "glide"):
            begin, end = getattr(self, name)
            require(
                0 <= begin <= end <= 1,
                f"curriculum.{name}",
                getattr(self, name),
                "0 ≤ begin ≤ end ≤ 1",
            )

    def apply(self, penalties: Penalties, progress: float) -> None:
        """Set the penalties' scales at ``progress``, in [0, 1]."""
        penalties.ground = rise(progress, *self.ground)
        penalties.gliding = rise(progress, *self.glide)


def rise(progress: float, begin: float, end: float) -> float:
    """0 before ``begin``, 1 from ``end`` on, a straight line between."""
    return (
        float(progress >= end)
        if begin == end
        else min(max((progress - begin) / (end - begin), 0.0), 1.0)
    )
