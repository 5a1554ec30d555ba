"""Where characters are and what pose they have, over time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Motion:
    """S characters over T frames.

    pose      (S, T, D) z-scored
    position  (S, T, 2) metres, as (x, z), and ``yaw`` (S, T) radians of the root
    """

    pose: Tensor
    position: Tensor
    yaw: Tensor
